// Without wasm: `node --test`.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Lines, MAX_LINE, head, record, row } from './table.js';

const bytes = (text) => new TextEncoder().encode(text);

test('lines come whole, however the bytes are cut', () => {
  const text = bytes('one\r\nzwei ü\nlast');
  for (let at = 0; at <= text.length; at++) {
    const lines = new Lines();
    const found = [...lines.push(text.subarray(0, at)), ...lines.push(text.subarray(at)), ...lines.end()];
    assert.deepEqual(found, ['one', 'zwei ü', 'last']);
  }
});

test('what is not text or has no end is refused', () => {
  assert.throws(() => new Lines().push(Uint8Array.of(0xff)), TypeError);
  assert.throws(() => new Lines().push(bytes('x'.repeat(MAX_LINE + 1))), RangeError);
});

test('a record is an object, flat', () => {
  assert.deepEqual([...record('{"a": 1, "b": {"c": [1], "d": {"e": null}}}')], [['a', 1], ['b.c', [1]], ['b.d.e', null]]);
  for (const line of ['', 'null', '3', '[1]', '{"a"']) assert.equal(record(line), undefined);
});

test('cells are quoted where they must be', () => {
  assert.equal(head(['a', 'b,c']), 'a,"b,c"\r\n');
  assert.equal(row(['a', 'b', 'c', 'd'], record('{"a": "x\\"y", "b": true, "c": [1, 2]}')), '"x""y",true,"[1,2]",\r\n');
});
