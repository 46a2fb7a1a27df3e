// Which files are taken for DAG files: by language, and never a leoflow.yaml.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { findDagFiles } from './find-dag-files.ts';

test('each language by its own look', () => {
  const root = mkdtempSync(join(tmpdir(), 'leoflow-find-'));
  try {
    mkdirSync(join(root, 'sub'));
    mkdirSync(join(root, 'node_modules'));
    const files: Record<string, string> = {
      'a.py': 'from airflow.sdk import DAG', 'b.py': 'print(1)', 'c.yaml': 'dag_id: c\ntasks:\n  a: {}\n', 'd.yml': '"tasks": {}\n', 'e.yaml': 'x:\n  tasks: {}\n', 'leoflow.yaml': 'tasks: {}\n',
      'f.ts': "import { dag } from 'leoflow';", 'g.ts': "import { x } from './leoflow.ts';", 'sub/h.mjs': 'import { dag } from "leoflow"', 'node_modules/i.js': "import { dag } from 'leoflow';", 'j.txt': 'tasks:\n',
    };
    for (const [name, text] of Object.entries(files)) writeFileSync(join(root, name), text);
    assert.deepEqual(findDagFiles(root), ['a.py', 'c.yaml', 'd.yml', 'f.ts', 'sub/h.mjs']);
  } finally {
    rmSync(root, { recursive: true });
  }
});
