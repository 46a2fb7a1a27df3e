// `.airflowignore` beside Airflow's own search: what airflow-ignore/record.py wrote down of each tree and pattern.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { describe, test } from 'node:test';
import { IGNORE_FILE, IgnoreRules, ignoreSyntaxOf, type IgnoreSyntax } from '#compile/airflow-ignore.ts';

type Files = Readonly<Record<string, string>>;
type Recorded = Readonly<Record<string, readonly string[] | string>>;
interface Cases { readonly tree: readonly string[]; readonly glob: readonly string[]; readonly regexp: readonly string[]; readonly nested: Readonly<Record<string, { readonly syntax: IgnoreSyntax; readonly ignore: Files }>> }

const read = (name: string): unknown => JSON.parse(readFileSync(join(import.meta.dirname, 'airflow-ignore', name), 'utf8'));
const cases = read('cases.json') as Cases;
const recorded = read('recorded.json') as Readonly<Record<'glob' | 'regexp' | 'nested', Recorded>>;
const TREE: Files = Object.fromEntries(cases.tree.map((path) => [path, '']));

function inFolder<R>(files: Files, use: (root: string) => R): R {
  const root = mkdtempSync(join(tmpdir(), 'leoflow-ignore-'));
  try {
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), text);
    }
    return use(root);
  } finally {
    rmSync(root, { recursive: true });
  }
}

function findIn(files: Files, syntax: IgnoreSyntax): readonly string[] {
  return inFolder(files, (root) => {
    const rules = new IgnoreRules(root, syntax);
    const visit = (folder: string): string[] => readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
      const path = join(folder, entry.name);
      if (entry.name === IGNORE_FILE || rules.ignores(path, entry.isDirectory())) return [];
      return entry.isDirectory() ? visit(path) : [relative(root, path)];
    });
    return visit(root).sort();
  });
}

/** Airflow's order is that of code points, and so is this. */
const inOrder = (paths: readonly string[]): readonly string[] => [...paths].sort();

describe('.airflowignore as Airflow reads it', () => {
  for (const syntax of ['glob', 'regexp'] as const) {
    test(`${cases[syntax].length} ${syntax} files`, () => {
      assert.deepEqual(Object.keys(recorded[syntax]).sort(), [...new Set(cases[syntax])].sort(), 'record again: see record.py');
      const differences = cases[syntax].flatMap((lines) => {
        const theirs = recorded[syntax][lines] ?? assert.fail(lines);
        // Where Airflow's search ends with an error, and finds no DAG at all, the line is passed over.
        const expected = typeof theirs === 'string' ? inOrder(cases.tree) : inOrder(theirs);
        const ours = findIn({ ...TREE, [IGNORE_FILE]: lines }, syntax);
        return JSON.stringify(ours) === JSON.stringify(expected) ? [] : [{ lines, missing: expected.filter((path) => !ours.includes(path)), extra: ours.filter((path) => !expected.includes(path)) }];
      });
      assert.deepEqual(differences, []);
    });
  }

  for (const [name, { syntax, ignore }] of Object.entries(cases.nested)) {
    test(`several files: ${name}`, () => {
      const theirs = recorded.nested[name];
      assert.ok(typeof theirs === 'object');
      assert.deepEqual(findIn({ ...TREE, ...ignore }, syntax), inOrder(theirs));
    });
  }
});

test('how they are written is said by the environment, else by airflow.cfg', () => {
  const cfg = '[other]\ndag_ignore_file_syntax = glob\n[core]\n# dag_ignore_file_syntax = glob\ndags_folder = x\nDag_Ignore_File_Syntax : regexp \n[after]\n';
  inFolder({ 'dags/a.py': '', 'airflow.cfg': cfg, 'own/dags/airflow.cfg': '[core]\n', 'home/airflow.cfg': '[core]\ndag_ignore_file_syntax=regexp\n' }, (root) => {
    const [dags, own] = [join(root, 'dags'), join(root, 'own', 'dags')];
    assert.equal(ignoreSyntaxOf(dags, {}), 'regexp', 'the folder above');
    assert.equal(ignoreSyntaxOf(own, {}), 'glob', 'the folder itself comes first');
    assert.equal(ignoreSyntaxOf(own, { AIRFLOW_HOME: join(root, 'home') }), 'regexp');
    assert.equal(ignoreSyntaxOf(own, { AIRFLOW_CONFIG: join(root, 'airflow.cfg') }), 'regexp');
    assert.equal(ignoreSyntaxOf(dags, { AIRFLOW__CORE__DAG_IGNORE_FILE_SYNTAX: 'glob' }), 'glob');
    assert.equal(ignoreSyntaxOf(own, { AIRFLOW__CORE__DAG_IGNORE_FILE_SYNTAX: 'regexp' }), 'regexp');
    assert.equal(ignoreSyntaxOf(join(root, 'home', 'none'), {}), 'regexp');
  });
});
