// The activity: an object of JSON lines becomes an object of CSV, a piece at a time.

import { beat } from 'cpe:activity/heartbeat@0.1.0';
import { write as log } from 'cpe:activity/log@0.1.0';
import { Bucket } from 'cpe:activity/object-store@0.1.0';

import { Lines, head, record, row } from './table.js';

/** Bytes that are read, and gathered to be written, at a time. */
const PIECE = 256 << 10;
const MAX_COLUMNS = 1000;

export const handler = {
  run(input) {
    try {
      return JSON.stringify(convert(asked(input)));
    } catch (error) {
      throw failureOf(error);
    }
  },
};

/** What a plan's `retry.on` and people see. */
class Failure extends Error {
  constructor(reason, details, retryable = false) {
    super(details);
    this.payload = { reason, details, retryable };
  }
}

function asked(input) {
  const { bucket, file, to, columns } = JSON.parse(input);
  for (const [name, value] of Object.entries({ bucket, file, to })) {
    if (typeof value !== 'string' || value === '') throw new Failure('cpe.bad-input', `\`${name}\` is no text`);
  }
  const named = columns === undefined || (Array.isArray(columns) && columns.every((c) => typeof c === 'string'));
  if (!named || columns?.length > MAX_COLUMNS) {
    throw new Failure('cpe.bad-input', `\`columns\` is no list of at most ${MAX_COLUMNS} names`);
  }
  return { bucket, file, to, columns };
}

/** Without `columns`, they are those of the first record. */
function convert({ bucket: name, file, to, columns }) {
  const bucket = Bucket.open(name);
  const reader = bucket.get(file, undefined);
  const size = Number(reader.info().size);
  const output = new Output(bucket.put(to, { contentType: 'text/csv', encrypt: false }));
  const lines = new Lines();
  let rows = 0;
  let skipped = 0;

  const take = (line) => {
    const flat = record(line);
    if (flat === undefined) {
      if (line.trim() !== '') skipped++;
      return;
    }
    if (columns === undefined) columns = [...flat.keys()].slice(0, MAX_COLUMNS);
    if (rows === 0) output.write(head(columns));
    output.write(row(columns, flat));
    rows++;
  };

  for (let done = 0; ; ) {
    const bytes = reader.read(PIECE);
    if (bytes.length === 0) break;
    done += bytes.length;
    lines.push(bytes).forEach(take);
    const percent = Math.min(100, Math.floor((done * 100) / size));
    if (beat(JSON.stringify({ percent, message: `${rows} rows` })) === 'cancel') {
      throw new Failure('cpe.canceled', 'canceled on request');
    }
  }
  lines.end().forEach(take);
  if (rows === 0) throw new Failure('lines-to-csv.empty', `${file} has no record`);
  output.finish();
  if (skipped > 0) log('warn', 'lines that are no record', [['file', file], ['skipped', `${skipped}`]]);
  log('info', 'converted', [['file', file], ['to', to], ['rows', `${rows}`]]);
  return { rows, skipped, columns };
}

/** Text, encoded and written in pieces. */
class Output {
  #writer;
  #text = '';
  #encoder = new TextEncoder();

  constructor(writer) {
    this.#writer = writer;
  }

  write(text) {
    this.#text += text;
    if (this.#text.length >= PIECE) this.#flush();
  }

  finish() {
    this.#flush();
    this.#writer.finish();
  }

  #flush() {
    const bytes = this.#encoder.encode(this.#text);
    this.#text = '';
    // One call takes 1 MiB, and one row may be longer.
    for (let at = 0; at < bytes.length; at += PIECE) this.#writer.write(bytes.subarray(at, at + PIECE));
  }
}

/** Of the host's errors: the reasons that the Rust SDK gives them. */
function failureOf(error) {
  if (error instanceof Failure) return error;
  if (error instanceof SyntaxError) return new Failure('cpe.bad-input', error.message);
  if (error instanceof TypeError || error instanceof RangeError) {
    return new Failure('lines-to-csv.not-lines', error.message);
  }
  const { tag, val } = error.payload ?? {};
  switch (tag) {
    case 'no-such-key': return new Failure('s3.no-such-key', 'there is no such object');
    case 'no-such-bucket': return new Failure('s3.no-such-bucket', 'there is no such bucket');
    case 'access-denied': return new Failure('cpe.denied.s3', val);
    case 'invalid-argument': return new Failure('s3.invalid-argument', val);
    case 'unavailable': return new Failure('s3.unavailable', val, true);
    default: return error;
  }
}
