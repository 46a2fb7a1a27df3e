// The first line of every file: one sentence that says what it is for. docs/map.md is made of these.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findCaption, listCaptioned } from './caption-of-file.ts';
import { assertNone, readText } from './project.ts';

/** What is wrong with a file's first line; null when nothing is. */
export function checkCaption(path: string, text: string): string | null {
  const caption = findCaption(path, text);
  if (caption === null) return `${path}:1: the first line is no ${path.endsWith('.py') ? 'docstring' : 'comment'}`;
  // A name may come first: `dag.json`, /docs, moveTask.
  if (!/^[\p{Lu}\d`.@"/]|^\S*[a-z][.A-Z/]\S/u.test(caption)) return `${path}:1: the caption is no sentence: it starts with a small letter`;
  if (!/[.:?!]["`)]?$/.test(caption)) return `${path}:1: the caption is no sentence: it does not end on its line`;
  return caption.length < 12 ? `${path}:1: the caption says too little` : null;
}

test('the rule can fail', () => {
  assert.match(checkCaption('a.ts', 'import x from "y";') ?? '', /no comment/);
  assert.match(checkCaption('a.ts', '/** Something else. */') ?? '', /no comment/);
  assert.match(checkCaption('a.py', '# A comment.') ?? '', /no docstring/);
  assert.match(checkCaption('a.ts', '// the small letter of a word.') ?? '', /small letter/);
  assert.match(checkCaption('a.ts', '// A sentence that goes on\n// below.') ?? '', /does not end/);
  assert.match(checkCaption('a.ts', '// Stuff.') ?? '', /too little/);
  assert.match(checkCaption('a.sql', 'create table x ();') ?? '', /no comment/);
});

test('captions of each language pass', () => {
  assert.equal(checkCaption('a.ts', '// dag.json, schema 1.0: everything there is.\n'), null);
  assert.equal(checkCaption('a.py', '"""Runs one task."""\n'), null);
  assert.equal(checkCaption('a.py', '#!/usr/bin/env python3\n"""Runs one task.\n\nMore.\n"""\n'), null);
  assert.equal(checkCaption('a.sql', '-- Why: the tables of the engine.\n'), null);
});

test('every file says in its first line what it is for', () => assertNone(listCaptioned().flatMap((path) => checkCaption(path, readText(path)) ?? [])));
