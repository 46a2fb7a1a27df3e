// Which mappings of a drawing stand for something else: the table that Python is held to as well.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { it } from 'node:test';
import { formOf } from './value-forms.ts';

it('a form is its exact keys; anything else is plain data', () => {
  const cases = JSON.parse(readFileSync(join(import.meta.dirname, '../../test/fixtures/value-forms.json'), 'utf8')) as { value: unknown; form: string | null }[];
  for (const { value, form } of cases) assert.equal(formOf(value), form, JSON.stringify(value));
});
