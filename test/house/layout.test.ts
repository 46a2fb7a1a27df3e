// The little of formatting that is checked: no tabs, no blanks at line ends, Unix line ends, one newline at the end of a file.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertNone, listFiles, readText } from './project.ts';

/** What is wrong with a text's layout. */
export function checkLayout(path: string, text: string): string[] {
  const problems = text.split('\n').flatMap((line, at) => {
    const wrong = line.includes('\r') ? 'a carriage return' : /^\s*\t/.test(line) ? 'a tab' : /[ \t]$/.test(line) ? 'blanks at the end of the line' : null;
    return wrong === null ? [] : [`${path}:${at + 1}: ${wrong}`];
  });
  if (text !== '' && (!text.endsWith('\n') || text.endsWith('\n\n'))) problems.push(`${path}: a file ends with one newline`);
  return problems;
}

test('the rule can fail', () => {
  assert.equal(checkLayout('a', 'a\tb\n  c\n').length, 0);
  assert.equal(checkLayout('a', '\ta\n').length, 1);
  assert.equal(checkLayout('a', 'a \n').length, 1);
  assert.equal(checkLayout('a', 'a\r\n').length, 1);
  assert.equal(checkLayout('a', 'a').length, 1);
  assert.equal(checkLayout('a', 'a\n\n').length, 1);
});

test('every file is laid out alike', () => {
  const paths = [
    ...['src', 'test', 'bench', 'python', 'sql', 'docs', 'bin', '.github', '.ci', 'examples'].flatMap((folder) => listFiles(folder, /(\.(ts|py|sql|md|yml|yaml|sh)|^[a-z]+)$/)),
    ...listFiles('.', /^[A-Z]+\.md$/).filter((path) => !/\/|^(AGENTS|CLAUDE|GEMINI)/.test(path)),
  ];
  assertNone(paths.filter((path) => !/^test\/(.*\/)?fixtures\//.test(path)).flatMap((path) => checkLayout(path, readText(path))));
});
