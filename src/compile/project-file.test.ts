// leoflow.yaml: what it changes of a DAG, and that whatever it does not know is refused with its place.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Dag } from '#contract/dag.ts';
import { AppError } from '#contract/errors.ts';
import { applyProject, parseProject } from './project-file.ts';

const dag: Dag = {
  schema_version: '1.0', dag_id: 'd', fileloc: 'd.py', runtime: 'leoflow', sources: [], timetable: { kind: 'none' }, owners: ['airflow'], tags: ['own'],
  tasks: [
    { task_id: 'plain', operator: 'X', body: { kind: 'empty' }, depends_on: [] },
    { task_id: 'said', operator: 'X', body: { kind: 'empty' }, depends_on: [], retries: 7, env: { A: 'task', B: 'task' } },
  ],
};

test('defaults stand where the task says nothing, a task’s own section whatever it says', () => {
  const project = parseProject('owner: data\ntags: [team]\nexclude_paths: [drafts/]\ndefaults: {retries: 2, env: {A: default, C: default}}\ntasks: {said: {execution_timeout_seconds: 5}}\n', 'leoflow.yaml');
  const applied = applyProject(dag, project);
  assert.deepEqual(project.excludePaths, ['drafts']);
  assert.deepEqual([applied.owners, applied.tags], [['data'], ['own', 'team']]);
  assert.deepEqual(applied.tasks.map((task) => [task.retries, task.execution_timeout_seconds]), [[2, undefined], [7, 5]]);
  assert.deepEqual(applied.tasks[1]?.env, { A: 'task', B: 'task', C: 'default' });
});

test('an owner that the file chose stays', () => {
  assert.deepEqual(applyProject({ ...dag, owners: ['ann'] }, parseProject('owner: data', 'leoflow.yaml')).owners, ['ann']);
});

test('every problem is told at once, with a suggestion', () => {
  assert.throws(() => parseProject('ownr: x\nowner: 3\ndefaults: {retries: -1, env: 4}\ntags: one\n', 'leoflow.yaml'), (error: unknown) => {
    assert.ok(error instanceof AppError);
    for (const wanted of [/unknown key ownr \(did you mean owner\?\)/, /\$\.owner must be a text/, /\$\.defaults\.retries must be a number/, /\$\.defaults\.env must be a mapping/, /\$\.tags must be a list/]) assert.match(error.message, wanted);
    return true;
  });
});

test('YAML that cannot be read, or that names a key twice, is refused with its line', () => {
  assert.throws(() => parseProject('owner: a\nowner: b\n', 'leoflow.yaml'), /leoflow\.yaml:2: /);
  assert.throws(() => parseProject('tags: [\n', 'leoflow.yaml'), /leoflow\.yaml:\d+: /);
});

test('an empty file changes nothing', () => {
  assert.deepEqual(applyProject(dag, parseProject('', 'leoflow.yaml')), { ...dag, tags: ['own'] });
});
