// What leoflow.yaml allows, by name and by pattern, in a time that no pattern can stretch.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { AppError } from '#contract/errors.ts';
import { dagOf } from '../../test/support/rows.ts';
import { admitSecret, isNamed } from './secret-access.ts';

it('a pattern fits whole names only, and its other characters mean themselves', () => {
  const cases: [string[], string, boolean][] = [
    [['a'], 'a', true], [['a'], 'ab', false], [['a*'], 'ab', true], [['a*'], 'ba', false], [['*'], 'any/thing\n', true], [['a.b'], 'axb', false], [['*_db'], 'my_db', true], [['(x'], '(x', true], [[], 'a', false],
    [['ab*ba'], 'aba', false], [['ab*ba'], 'abba', true], [['a*b*c'], 'a-b-b-c', true], [['a*b*c'], 'a-c-b', false], [['a**c'], 'ac', true], [[''], '', true], [['*'], '', true], [['*ab'], 'abab', true], [['*ab*b'], 'ab', false],
  ];
  for (const [list, name, expected] of cases) assert.equal(isNamed(list, name), expected, `${list.join()} ${name}`);
});

it('agrees with an oracle on every short pattern and name', () => {
  const texts = (letters: string, length: number): string[] => (length === 0 ? [''] : texts(letters, length - 1).flatMap((text) => (text.length === length - 1 ? [text, ...[...letters].map((letter) => text + letter)] : [text])));
  const oracle = (pattern: string, name: string): boolean => {
    if (pattern === '') return name === '';
    if (pattern.startsWith('*')) return oracle(pattern.slice(1), name) || (name !== '' && oracle(pattern, name.slice(1)));
    return name !== '' && pattern[0] === name[0] && oracle(pattern.slice(1), name.slice(1));
  };
  for (const pattern of texts('ab*', 5)) for (const name of texts('ab', 5)) assert.equal(isNamed([pattern], name), oracle(pattern, name), `${pattern} ${name}`);
});

it('a pattern made to look back for ever is answered at once', { timeout: 5_000 }, () => {
  assert.equal(isNamed([`${'*a'.repeat(200)}*b`], 'a'.repeat(100_000)), false);
});

it('who is not named is refused with the way out', () => {
  const closed = { ...dagOf('closed', []), access: { variables: ['my_*'] } };
  admitSecret(closed, 'variables', 'my_x');
  admitSecret(closed, 'connections', 'any');
  assert.throws(() => admitSecret(closed, 'variables', 'x'), (error) => error instanceof AppError && error.code === 'forbidden' && error.message.includes('the DAG closed may not use the variable x: variables in its leoflow.yaml do not name it'));
});
