// Groups within groups count, other groups do not.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Dag } from '#contract/dag.ts';
import { tasksInGroup } from './tasks-in-group.ts';

const task = (id: string, group?: string): Dag['tasks'][number] => ({ task_id: id, operator: 'A', body: { kind: 'empty' }, depends_on: [], ...(group === undefined ? {} : { task_group: group }) });
const dag: Dag = {
  schema_version: '1.0', dag_id: 'd', fileloc: 'd.py', runtime: 'leoflow', sources: [], timetable: { kind: 'none' },
  task_groups: [{ group_id: 'a.b', parent: 'a' }, { group_id: 'a' }, { group_id: 'other' }], tasks: [task('a.b.x', 'a.b'), task('a.y', 'a'), task('other.z', 'other'), task('top')],
};

test('a group holds its own tasks and those of the groups inside it', () => {
  assert.deepEqual(tasksInGroup(dag, 'a'), ['a.b.x', 'a.y']);
  assert.deepEqual(tasksInGroup(dag, 'a.b'), ['a.b.x']);
  assert.equal(tasksInGroup(dag, 'nowhere'), null);
});
