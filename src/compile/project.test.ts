// What leoflow.yaml files change of a DAG: merged from far to near, each value with the place it came from.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import type { Dag } from '#contract/dag.ts';
import type { GivenFields } from './compiled.ts';
import { applyProject, Project, unusedSettings, viewOf } from './project.ts';

const dag: Dag = {
  schema_version: '1.0', dag_id: 'd', fileloc: 'd.py', runtime: 'leoflow', sources: [], timetable: { kind: 'none' }, owners: ['airflow'], tags: ['own'], max_active_runs: 3,
  tasks: [
    { task_id: 'plain', operator: 'X', body: { kind: 'empty' }, depends_on: [] },
    { task_id: 'said', operator: 'X', body: { kind: 'empty' }, depends_on: [], retries: 7, pool: 'own', env: { A: 'task', B: 'task' } },
  ],
};

describe('a project of leoflow.yaml files', () => {
  let root = '';
  beforeEach(() => void (root = mkdtempSync(join(tmpdir(), 'leoflow-project-'))));
  afterEach(() => rmSync(root, { recursive: true, force: true }));
  const write = (files: Readonly<Record<string, string>>): void => {
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), text);
    }
  };
  const apply = (file = 'd.py', one = dag, given?: GivenFields): ReturnType<typeof applyProject> => applyProject({ dag: one, ...(given === undefined ? {} : { given }) }, new Project(root).layersOf(file));

  test('defaults are for tasks that say nothing, settings by id win over what the task says', () => {
    write({ 'leoflow.yaml': 'owner: data\ntags: [team]\nmax_active_runs: 1\nmax_active_tasks: 2\ndefaults: {retries: 2, pool: shared, env: {A: default, C: 1}}\ntasks: {said: {execution_timeout_seconds: 5, pool: forced}}\n' });
    const { dag: made, problems } = apply();
    assert.deepEqual([made.owners, made.tags, made.max_active_runs, made.max_active_tasks, problems], [['data'], ['own', 'team'], 3, 2, []]);
    assert.deepEqual(made.tasks.map((task) => [task.retries, task.pool, task.execution_timeout_seconds]), [[2, 'shared', undefined], [7, 'forced', 5]]);
    assert.deepEqual(made.tasks[1]?.env, { A: 'task', B: 'task', C: '1' });
  });

  test('what the author gave is no default’s to change, also when it is Airflow’s own default', () => {
    write({ 'leoflow.yaml': 'max_active_runs: 1\nmax_active_tasks: 2\ndefaults: {retries: 3, pool: shared}\n' });
    const { dag: made } = apply('d.py', { ...dag, max_active_runs: 5 }, { dag: ['max_active_tasks'], tasks: { plain: ['retries'] } });
    assert.deepEqual([made.max_active_runs, made.max_active_tasks, made.tasks[0]?.retries, made.tasks[0]?.pool], [5, undefined, undefined, 'shared']);
  });

  test('an owner that the author chose stays, and without settings nothing changes', () => {
    assert.deepEqual(apply().dag, dag);
    write({ 'leoflow.yaml': 'owner: data' });
    assert.deepEqual(apply('d.py', { ...dag, owners: ['ann'] }).dag.owners, ['ann']);
  });

  test('nearer files win, from the repository down to the folder of the file; nothing outside counts', () => {
    write({ 'repo/.git/HEAD': '', 'leoflow.yaml': 'owner: outside\n', 'repo/leoflow.yaml': 'owner: far\ntags: [far]\nretention_days: 5\ndefaults: {retries: 1, pool: far}\n', 'repo/dags/sub/leoflow.yaml': '\ndefaults: {retries: 9}\ntags: [near]\n' });
    const layers = new Project(join(root, 'repo', 'dags')).layersOf('sub/d.py');
    const { settings, values } = viewOf(layers, 'd');
    assert.deepEqual(settings, { owner: 'far', tags: ['far', 'near'], retention_days: 5, defaults: { retries: 9, pool: 'far' } });
    assert.deepEqual(Object.fromEntries(values.map(({ key, from }) => [key, from.slice(root.length + 1)])), {
      owner: 'repo/leoflow.yaml:1', tags: 'repo/dags/sub/leoflow.yaml:3', retention_days: 'repo/leoflow.yaml:3', 'defaults.retries': 'repo/dags/sub/leoflow.yaml:2', 'defaults.pool': 'repo/leoflow.yaml:4',
    });
    assert.deepEqual(new Project(join(root, 'repo', 'dags')).layersOf('d.py').map((layer) => layer.folder), [join(root, 'repo')]);
  });

  test('what speaks for the whole folder is what lies in it, after what lies above', () => {
    write({ 'repo/leoflow.yaml': 'owner: above\nimport_paths: [lib]\n', 'repo/dags/leoflow.yaml': 'owner: own\n' });
    assert.deepEqual(new Project(join(root, 'repo', 'dags')).layersOf('.').map(({ settings }) => settings.owner), ['own'], 'without a repository nothing outside counts');
    mkdirSync(join(root, 'repo', '.git'));
    assert.deepEqual(new Project(join(root, 'repo', 'dags')).layersOf('.').map(({ settings }) => settings.owner), ['above', 'own']);
  });

  test('without a repository the nearest folder with settings speaks, and none above it', () => {
    write({ 'leoflow.yaml': 'owner: outside\n', 'orders/leoflow.yaml': 'owner: orders\n', 'orders/dags/deep/d.py': '' });
    const ownersOf = (folder: string): unknown[] => new Project(join(root, folder)).layersOf('d.py').map((layer) => layer.settings.owner);
    assert.deepEqual([ownersOf('orders/dags/deep'), ownersOf('orders'), ownersOf('.')], [['orders'], ['orders'], ['outside']]);
  });

  test('what is said for one DAG wins over its folder, and a task that it has not is a problem with its place', () => {
    write({ 'leoflow.yaml': 'retention_days: 30\nconnections: [a, "b_*"]\ndags:\n  d:\n    retention_days: 0\n    variables: [x]\n    tasks:\n      plain: {retries: 4}\n      gone: {retries: 1}\n' });
    const { dag: made, problems } = apply();
    assert.deepEqual([made.retention_days, made.access, made.tasks[0]?.retries], [0, { connections: ['a', 'b_*'], variables: ['x'] }, 4]);
    assert.deepEqual(problems.map(({ line, message, hint }) => [line, message, hint]), [[9, 'dags.d.tasks.gone: the DAG has no such task', 'Its tasks: plain, said.']]);
  });

  test('settings that fit nothing of the folder are told', () => {
    write({ 'leoflow.yaml': 'tasks: {plain: {retries: 1}, typo: {retries: 1}}\ndags: {d: {}, e: {}}\n' });
    assert.deepEqual(unusedSettings(new Project(root), [dag]).map((problem) => problem.message), ['dags.e: there is no such DAG', 'tasks.typo: there is no such task']);
  });

  test('included and excluded paths are names or patterns, relative to their own file', () => {
    write({ 'leoflow.yaml': 'include_paths: [dags, "extra/**/*.py"]\nexclude_paths: [dags/drafts/, "**/*_old.py"]\n', 'dags/team/leoflow.yaml': 'exclude_paths: [x.py]\n' });
    const project = new Project(root);
    const files = ['dags/a.py', 'dags/drafts/a.py', 'dags/a_old.py', 'a_old.py', 'other.py', 'extra/deep/down/b.py', 'extra/b.py', 'dags/team/x.py', 'dags/team/y.py', 'dags/draftsman.py'];
    assert.deepEqual(files.filter((file) => project.exclusionOf(file) === null), ['dags/a.py', 'extra/deep/down/b.py', 'extra/b.py', 'dags/team/y.py', 'dags/draftsman.py']);
  });
});
