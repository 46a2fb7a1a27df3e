// The scanner behind the house rules: what it calls code, and what it calls a string or a comment.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readTable, scan } from './project.ts';

test('strings, comments and regular expressions are blanks in the code', () => {
  const source = scan('a.ts', "const a = 'Date.now()'; // Date.now()\n/* Date.now() */ const b = /[/'\"]Date.now()/g.test(x) ? a / b : `Date.now() ${Date.now()} \\` ${`inner ${1}`} end`;\nconst c = 1;");
  assert.equal([...source.code.matchAll(/Date\.now\(\)/g)].length, 1);
  assert.equal(source.code.length, source.text.length);
  assert.ok(source.code.endsWith('const c = 1;'));
  assert.deepEqual(source.literals.map((literal) => literal.text), ['Date.now()', 'inner ${1}', 'Date.now() ${Date.now()} \\` ${`inner ${1}`} end']);
});

test('braces inside a template expression do not end it', () => {
  const source = scan('a.ts', 'const a = `x ${list.map((one) => { return { b: `y ${one}` }; })} z`; const after = 1;');
  assert.match(source.code, /return/);
  assert.match(source.code, /const after = 1;$/);
  assert.equal(source.literals.length, 2);
});

test('a division is no regular expression', () => {
  const source = scan('a.ts', "const a = (b + c) / d; const e = f / 2; const g = 'text';");
  assert.match(source.code, /const e = f \/ 2;/);
  assert.deepEqual(source.literals.map((literal) => literal.text), ['text']);
});

test('the rows of a table below its heading', () => {
  assert.deepEqual(readTable('# A\n\n## Rooms\n\ntext\n\n| a | b |\n|---|---|\n| 1 | `x` |\n| 2 | y |\n\n## B\n| c |\n|---|\n| 3 |\n', 'Rooms'), [['1', '`x`'], ['2', 'y']]);
  assert.deepEqual(readTable('# A\n', 'Rooms'), []);
});
