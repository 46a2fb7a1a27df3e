// The decoder against the vectors that Python's own pickle and json made; python/tests/test_xcom_decode.py reads the same file.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { decodeValue, type Layers } from './decode-value.ts';
import { ExactNumber, renderExactJson } from './python-json.ts';

interface Vector {
  readonly name: string;
  readonly column: 'json' | 'bytes';
  readonly data: string | null;
  readonly layers: Layers;
  readonly cut: boolean;
  readonly want: { readonly encoding: string; readonly value: unknown; readonly notes: readonly string[] };
}

const vectors = JSON.parse(readFileSync(join(import.meta.dirname, '../../../test/fixtures/xcom-reader/values.json'), 'utf8')) as Vector[] | { vectors: Vector[] };

/** Numbers beyond a double stand in the file as `{"$int": "digits"}`. */
function comparable(value: unknown): unknown {
  if (value instanceof ExactNumber) return { $int: value.digits };
  if (typeof value === 'bigint') return { $int: String(value) };
  if (Array.isArray(value)) return value.map(comparable);
  if (typeof value === 'object' && value !== null) return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, comparable(part)]));
  return value;
}

for (const vector of Array.isArray(vectors) ? vectors : vectors.vectors) {
  test(vector.name, () => {
    if (vector.data === null) return;
    const got = decodeValue({ column: vector.column, data: Buffer.from(vector.data, 'base64'), cut: vector.cut }, vector.layers);
    assert.deepEqual(JSON.parse(JSON.stringify({ ...got, value: comparable(got.value) })), vector.want);
    assert.doesNotThrow(() => renderExactJson(got.value));
  });
}
