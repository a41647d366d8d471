// JSON lines in, CSV out. Knows nothing of where either is kept.

/** Characters of one line; a longer one is no record. */
export const MAX_LINE = 1 << 20;

/** Splits text that comes in pieces into its lines. */
export class Lines {
  #rest = '';
  #decoder = new TextDecoder('utf-8', { fatal: true });

  /** The lines that are whole now. Throws a RangeError where one is too long. */
  push(bytes) {
    return this.#split(this.#decoder.decode(bytes, { stream: true }));
  }

  /** The last line, if no line end follows it. */
  end() {
    const lines = this.#split(this.#decoder.decode());
    if (this.#rest !== '') lines.push(this.#rest);
    this.#rest = '';
    return lines;
  }

  #split(text) {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop();
    if (this.#rest.length > MAX_LINE) throw new RangeError(`a line has more than ${MAX_LINE} characters`);
    return lines.map((line) => (line.endsWith('\r') ? line.slice(0, -1) : line));
  }
}

/** The record of a line, nested objects as `outer.inner`; undefined where it is none. */
export function record(line) {
  let value;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return undefined;
  const flat = new Map();
  const pending = [['', value]];
  while (pending.length > 0) {
    const [prefix, object] = pending.pop();
    for (const [name, field] of Object.entries(object)) {
      const nested = field !== null && typeof field === 'object' && !Array.isArray(field);
      if (nested) pending.push([`${prefix}${name}.`, field]);
      else flat.set(prefix + name, field);
    }
  }
  return flat;
}

/** One row of CSV (RFC 4180); what a record does not have is an empty cell. */
export function row(columns, flat) {
  return `${columns.map((column) => cell(flat.get(column))).join(',')}\r\n`;
}

/** The row of names. */
export function head(columns) {
  return `${columns.map(cell).join(',')}\r\n`;
}

function cell(value) {
  if (value === undefined || value === null) return '';
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
