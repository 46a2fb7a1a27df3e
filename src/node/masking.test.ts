// Secrets in Node: which texts are hidden, what people are shown of arguments, and that facts stay what they are. The tables hold for Python as well.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { errorDetail, reportedError } from './error-text.ts';
import { Masking } from './masking.ts';
import { shownFields } from './shown-fields.ts';

interface Tables {
  readonly texts: readonly { secrets: unknown[]; text: string; masked: string }[];
  readonly named: readonly { name: string; value: unknown; text: string; masked: string }[];
  readonly shown: readonly { value: Record<string, unknown>; shown: unknown }[];
}
const tables = JSON.parse(readFileSync(join(import.meta.dirname, '../../test/fixtures/masking.json'), 'utf8')) as Tables;

function maskingOf(...secrets: readonly unknown[]): Masking {
  const masking = new Masking();
  for (const secret of secrets) masking.add(secret);
  return masking;
}

describe('masking in Node', () => {
  it('texts', () => {
    for (const { secrets, text, masked } of tables.texts) assert.equal(maskingOf(...secrets).mask(text), masked, JSON.stringify(secrets));
    for (const { name, value, text, masked } of tables.named) {
      const masking = new Masking();
      masking.addNamed(value, name);
      assert.equal(masking.mask(text), masked, name);
    }
  });

  it('arguments as people are shown them', () => {
    for (const { value, shown } of tables.shown) assert.deepEqual(shownFields(value, maskingOf('my-hidden-value')), { op_kwargs: shown });
  });

  it('fields and errors are masked before they are cut', () => {
    const secret = 'half-of-me-is-a-secret';
    const masking = maskingOf(secret);
    const around = (limit: number): string => `${'x'.repeat(limit - 10)}${secret}${'y'.repeat(40)}`;
    for (const limit of [4_096, 4_096 - 20 - '{"a":"'.length, 4_096 - 20]) assert.doesNotMatch(JSON.stringify(shownFields({ a: around(limit) }, masking)), /half/);
    const error = new Error(around(4_096));
    error.stack = `Error: ${around(32_768)}`;
    for (const thrown of [error, around(4_096), around(1_000), { deep: around(1_000) }]) {
      assert.doesNotMatch(JSON.stringify(reportedError(thrown, masking)), /half/);
      assert.doesNotMatch(JSON.stringify(errorDetail(thrown, { masking })), /half/);
    }
  });
});
