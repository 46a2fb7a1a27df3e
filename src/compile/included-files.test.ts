// `include_files`: what patterns find below their leoflow.yaml, and where paths of a version start then.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import type { Dag } from '#contract/dag.ts';
import { withIncluded } from './included-files.ts';
import { Project, rootOf } from './project.ts';

const dag: Dag = { schema_version: '1.0', dag_id: 'd', fileloc: 'd.py', runtime: 'leoflow', sources: [], timetable: { kind: 'none' }, tasks: [] };
const TREE = ['d.py', 'sql/a.sql', 'sql/b.txt', 'sql/deep/c.sql', 'sql/.hidden/d.sql', 'sql/.e.sql', 'sql/__pycache__/f.sql', 'sql/env/pyvenv.cfg', 'sql/env/g.sql', 'config/x.yaml', 'config/y.json', '.env'];

describe('include_files', () => {
  let root = '';
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'leoflow-included-'));
    for (const path of TREE) write(path, path);
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));
  const write = (path: string, text: string): void => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  };
  const find = (patterns: readonly string[], file = 'd.py'): { paths: string[]; said: string[] } => {
    write('leoflow.yaml', `include_files: ${JSON.stringify(patterns)}\n`);
    const { dag: made, problems, warnings } = withIncluded({ dag, sources: [] }, { layers: new Project(root).layersOf(file), root });
    assert.deepEqual(made.dag.sources.map(({ path }) => path), made.sources.map(({ path }) => path));
    return { paths: made.sources.map(({ path }) => path), said: [...problems, ...warnings].map(({ message }) => message) };
  };

  test('files, folders and patterns; never what is hidden, installed or a cache', () => {
    const sql = ['sql/a.sql', 'sql/b.txt', 'sql/deep/c.sql'];
    const table: [string, string[]][] = [
      ['sql', sql], ['sql/', sql], ['sql/**', sql], ['./sql/*.sql', ['sql/a.sql']], ['sql/**/*.sql', ['sql/a.sql', 'sql/deep/c.sql']], ['**/*.sql', ['sql/a.sql', 'sql/deep/c.sql']],
      ['config/?.yaml', ['config/x.yaml']], ['con*/*', ['config/x.yaml', 'config/y.json']], ['config/x.yaml', ['config/x.yaml']], ['.env', ['.env']], ['sql/.e.sql', ['sql/.e.sql']],
    ];
    for (const [pattern, paths] of table) assert.deepEqual(find([pattern]), { paths, said: [] }, pattern);
    assert.deepEqual(find(['config', 'sql/*.sql', 'config/x.yaml']).paths, ['config/x.yaml', 'config/y.json', 'sql/a.sql']);
  });

  test('what matches nothing is told, what leads away is refused', () => {
    for (const pattern of ['gone.txt', 'gone/**', '*.sql', 'd.py/*']) assert.deepEqual(find([pattern]), { paths: [], said: [`include_files: ${pattern} matches no file`] });
    for (const pattern of ['../x', 'sql/../../x', '/etc/hosts']) assert.deepEqual(find([pattern, 'config']), { paths: [], said: [`include_files: ${pattern} leads out of the folder of this leoflow.yaml`] });
  });

  test('a link to a file of the project travels under its own name, one that leads out does not', () => {
    symlinkSync(join(root, 'sql', 'a.sql'), join(root, 'config', 'link.sql'));
    symlinkSync(import.meta.filename, join(root, 'config', 'out.sql'));
    assert.deepEqual(find(['config/*.sql']).paths, ['config/link.sql']);
  });

  test('files and folders of settings add up, each from its own folder', () => {
    write('sub/leoflow.yaml', 'include_files: [near.txt]\ndags: {d: {include_files: ["own/*"]}, e: {include_files: ["other/*"]}}\n');
    for (const path of ['sub/near.txt', 'sub/own/a', 'sub/other/b']) write(path, '');
    assert.deepEqual(find(['config/x.yaml'], 'sub/d.py').paths, ['config/x.yaml', 'sub/near.txt', 'sub/own/a']);
    const project = new Project(root);
    assert.deepEqual(['config/x.yaml', 'config/y.json', 'sub/near.txt', 'sub/own/new', 'sub/other/b', 'sub/x'].filter((path) => project.carries('sub/d.py', path)), ['config/x.yaml', 'sub/near.txt', 'sub/own/new', 'sub/other/b']);
  });

  test('paths of a version start where DAG files and included files are both held', () => {
    mkdirSync(join(root, '.git'));
    mkdirSync(join(root, 'dags'));
    const prefixFor = (patterns: string): string => {
      write('leoflow.yaml', `include_files: [${patterns}]\n`);
      return rootOf(join(root, 'dags')).prefix;
    };
    assert.deepEqual(['"sql/*.sql"', 'sql', '"**/*.sql"', 'dags/sql', '"dags/**"', '"../x"'].map(prefixFor), ['dags/', 'dags/', 'dags/', '', '', '']);
  });
});
