// The graph of a DAG: blind to where code lives and to order, awake to everything else.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Dag } from '#contract/dag.ts';
import { firstDifference, graphOf } from './dag-graph.ts';

const dag: Dag = {
  schema_version: '1.0', dag_id: 'd', fileloc: 'd.py', runtime: 'leoflow', sources: [{ path: 'd.py', sha256: '0'.repeat(64) }], timetable: { kind: 'none' },
  tasks: [
    { task_id: 'b', operator: 'X', body: { kind: 'empty' }, depends_on: ['a'] },
    { task_id: 'a', operator: 'X', body: { kind: 'python', file: 'd.py', class: 'X' }, depends_on: [] },
  ],
};

test('where the code lives and in which order tasks stand makes no other graph', () => {
  const other: Dag = { ...dag, fileloc: 'd.ts', runtime: 'node', sources: [], tasks: [...dag.tasks].reverse().map((task) => ({ ...task, body: { kind: 'node', module: 'd.ts', export: task.task_id } })) };
  assert.equal(firstDifference(graphOf(dag), graphOf(other)), null);
});

test('anything else does, and its path is told', () => {
  const changed = (task: object): Dag => ({ ...dag, tasks: dag.tasks.map((one) => ({ ...one, ...task })) });
  assert.equal(firstDifference(graphOf(dag), graphOf(changed({ retries: 1 }))), '$.tasks[0].retries');
  assert.equal(firstDifference(graphOf(dag), graphOf({ ...dag, catchup: true })), '$.catchup');
  assert.equal(firstDifference(graphOf(dag), graphOf({ ...dag, tasks: [] })), '$.tasks');
});
