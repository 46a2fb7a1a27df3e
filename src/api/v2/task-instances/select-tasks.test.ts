// Up and down the graph: indexes inside a mapped group, whole tasks elsewhere, setups with their teardowns.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { buildGraph } from '#core/graph.ts';
import { dagOf, task } from '../../../../test/support/rows.ts';
import { clearedTasks, relatedTasks, type TaskMarker } from './select-tasks.ts';

const render = (markers: readonly TaskMarker[]): string[] => markers.map((each) => (each.mapIndex === null ? each.taskId : `${each.taskId}[${each.mapIndex}]`)).sort();

test('relatives of whole tasks', () => {
  const graph = buildGraph(dagOf('d', [task('a'), task('b', ['a']), task('c', ['b']), task('d', ['a'])]));
  const b = [{ taskId: 'b', mapIndex: null }];
  assert.deepEqual(render(relatedTasks(graph, b, { upstream: false, downstream: false })), ['b']);
  assert.deepEqual(render(relatedTasks(graph, b, { upstream: true, downstream: false })), ['a', 'b']);
  assert.deepEqual(render(relatedTasks(graph, b, { upstream: false, downstream: true })), ['b', 'c']);
  assert.deepEqual(render(relatedTasks(graph, b, { upstream: true, downstream: true })), ['a', 'b', 'c']);
  assert.deepEqual(render(relatedTasks(graph, [{ taskId: 'gone', mapIndex: null }], { upstream: true, downstream: true })), ['gone']);
});

test('an index goes along inside its mapped group and ends at its border', () => {
  const expand = { kind: 'product', arguments: { x: { kind: 'literal', length: 3 } } } as const;
  const graph = buildGraph(dagOf('d', [task('before'), task('g.one', ['before'], { task_group: 'g' }), task('g.two', ['g.one'], { task_group: 'g' }), task('after', ['g.two'])], { task_groups: [{ group_id: 'g', expand }] }));
  assert.deepEqual(render(relatedTasks(graph, [{ taskId: 'g.one', mapIndex: 1 }], { upstream: true, downstream: true })), ['after', 'before', 'g.one[1]', 'g.two[1]']);
});

test('a clear brings the setups that hold a task and their teardowns', () => {
  const graph = buildGraph(dagOf('d', [
    task('apart'), task('up', [], { is_setup: true }), task('one', ['up']), task('two', ['one']), task('down', ['two', 'up'], { is_teardown: true }), task('late', ['one']),
  ]));
  const cleared = (taskId: string, reach: { upstream: boolean; downstream: boolean }): string[] => render(clearedTasks(graph, [{ taskId, mapIndex: null }], reach));
  assert.deepEqual(cleared('one', { upstream: false, downstream: false }), ['one'], 'a task that is named alone is cleared alone');
  assert.deepEqual(cleared('one', { upstream: false, downstream: true }), ['down', 'late', 'one', 'two', 'up']);
  assert.deepEqual(cleared('two', { upstream: true, downstream: false }), ['down', 'one', 'two', 'up']);
  assert.deepEqual(cleared('late', { upstream: false, downstream: true }), ['late'], 'its setup has no teardown below it');
  assert.deepEqual(cleared('down', { upstream: false, downstream: true }), ['down']);
});
