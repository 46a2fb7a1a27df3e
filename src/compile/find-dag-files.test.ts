// Which files are taken for DAG files: by language, never a leoflow.yaml, and not what .airflowignore leaves out.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { DagFolderScan } from './find-dag-files.ts';

const DAG = 'from airflow.sdk import DAG';

describe('a search for DAG files', () => {
  let root = '';
  beforeEach(() => void (root = mkdtempSync(join(tmpdir(), 'leoflow-find-'))));
  afterEach(() => rmSync(root, { recursive: true, force: true }));
  const write = (files: Readonly<Record<string, string>>): void => {
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(dirname(join(root, name)), { recursive: true });
      writeFileSync(join(root, name), text);
    }
  };
  /** What a search finds is what it says of each file alone. */
  const find = (files: Readonly<Record<string, string>>): string[] => {
    write(files);
    const scan = new DagFolderScan(root);
    const found = scan.find();
    assert.deepEqual(Object.keys(files).filter((name) => scan.finds(name)).sort(), [...found].sort());
    return found;
  };

  test('each language by its own look', () => {
    assert.deepEqual(find({
      'a.py': DAG, 'b.py': 'print(1)', 'c.yaml': 'dag_id: c\ntasks:\n  a: {}\n', 'd.yml': '"tasks": {}\n', 'e.yaml': 'x:\n  tasks: {}\n', 'leoflow.yaml': 'tasks: {}\n',
      'f.ts': "import { dag } from 'leoflow';", 'g.ts': "import { x } from './leoflow.ts';", 'sub/h.mjs': 'import { dag } from "leoflow"', 'node_modules/i.js': "import { dag } from 'leoflow';", 'j.txt': 'tasks:\n',
    }), ['a.py', 'c.yaml', 'd.yml', 'f.ts', 'sub/h.mjs']);
  });

  test('plugins, hidden folders and tests hold none', () => {
    assert.deepEqual(find({ 'plugins/a.py': DAG, 'sub/plugins/b.py': DAG, '.hidden/c.py': DAG, 'venv/d.py': DAG, 'test_e.py': DAG }), ['sub/plugins/b.py']);
  });

  test('.airflowignore counts in every folder, for all that lies below what it leaves out', () => {
    const files = { '.airflowignore': 'ign/\n/top.py\n!kept.py\n', 'sub/.airflowignore': '*.py\n!kept.py\n', 'top.py': DAG, 'ign/deep/a.py': DAG, 'ign.py': DAG, 'sub/a.py': DAG, 'sub/kept.py': DAG, 'sub/ign/kept.py': DAG };
    assert.deepEqual(find(files), ['ign.py', 'sub/kept.py']);
  });

  test('its lines are expressions when airflow.cfg says so', () => {
    assert.deepEqual(find({ 'airflow.cfg': '[core]\ndag_ignore_file_syntax = regexp\n', '.airflowignore': '^a.\\.py$\nign/\n', 'ab.py': DAG, 'a*.py': DAG, 'b.py': DAG, 'ign/c.py': DAG, 'big/d.py': DAG }), ['b.py', 'big/d.py']);
  });

  test('a zip that cannot be read is no packaged DAG', () => {
    write({ 'empty.zip': '', 'short.zip': 'PK\u0005\u0006', 'noise.zip': `${'x'.repeat(70_000)}PK\u0005\u0006${'\u0001'.repeat(18)}`, 'folder.zip/a.py': DAG });
    assert.deepEqual(new DagFolderScan(root).findPackaged(), []);
  });
});
