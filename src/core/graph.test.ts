// A DAG as the planner walks it: neighbours, scopes of setups, leaves, mapped groups, weights.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Dag, Task } from '#contract/dag.ts';
import { group, product, task } from '../../test/support/planner.ts';
import { buildGraph, type Graph, type GraphTask } from './graph.ts';

function graphOf(tasks: readonly Task[], more: Partial<Dag> = {}): Graph {
  return buildGraph({ schema_version: '1.0', dag_id: 'd', fileloc: 'dag.py', runtime: 'leoflow', sources: [], timetable: { kind: 'none' }, tasks: [...tasks], ...more });
}

const at = (graph: Graph, id: string): GraphTask => graph.tasks[graph.byId.get(id) ?? -1] ?? assert.fail(id);
const names = (graph: Graph, indexes: Iterable<number>): string[] => [...indexes].map((index) => graph.tasks[index]?.id ?? '?').sort();

describe('graph', () => {
  it('knows both neighbours of each task', () => {
    const graph = graphOf([task('a'), task('b', ['a']), task('c', ['a', 'b'])]);
    assert.deepEqual(names(graph, at(graph, 'a').downstream), ['b', 'c']);
    assert.deepEqual(names(graph, at(graph, 'c').upstream), ['a', 'b']);
    assert.deepEqual(graph.tasks.map((one) => one.priorityWeight), [3, 2, 1]);
  });

  it('refuses an unknown upstream and a group that holds itself', () => {
    assert.throws(() => graphOf([task('a', ['ghost'])]), /ghost/);
    assert.throws(() => graphOf([task('a', [], { task_group: 'g' })], { task_groups: [group('g', product(1), 'h'), group('h', product(1), 'g')] }), /its own ancestor/);
  });

  it('an empty body needs no process', () => assert.equal(at(graphOf([task('a', [], { body: { kind: 'empty' } })]), 'a').isEmpty, true));

  it('says whether an earlier run matters', () => {
    assert.equal(graphOf([task('a')]).pastSources.size, 0);
    assert.deepEqual([...graphOf([task('a', [], { depends_on_past: true }), task('b', ['a'])]).pastSources], ['a']);
    assert.deepEqual([...graphOf([task('a', [], { wait_for_downstream: true }), task('b', ['a']), task('c', ['b'])]).pastSources], ['a', 'b']);
  });
});

describe('mapping', () => {
  const graph = graphOf([
    task('list'), task('more'), task('g.a', ['list'], { task_group: 'g' }), task('g.h.b', ['g.a'], { task_group: 'g.h', expand: product('more', 2) }), task('plain', ['g.h.b'], { task_group: 'g.x' }),
  ], { task_groups: [group('g', product('list')), group('g.h', product(4), 'g'), group('g.x', undefined, 'g')] });

  it('goes from the outermost group to the task itself', () => {
    assert.deepEqual(at(graph, 'g.h.b').mappedGroups, ['g', 'g.h']);
    assert.equal(at(graph, 'g.h.b').expands.length, 3);
    assert.deepEqual(at(graph, 'plain').mappedGroups, ['g'], 'a plain group inside is still inside');
    assert.equal(at(graph, 'plain').isInMappedGroup, false);
    assert.equal(at(graph, 'g.a').isInMappedGroup, true);
  });

  it('knows whose values decide lengths, and who waits for them', () => {
    assert.deepEqual(names(graph, at(graph, 'g.h.b').lengthSources), ['list', 'more']);
    assert.deepEqual([...at(graph, 'list').mappedKeys], ['return_value']);
    assert.deepEqual(names(graph, at(graph, 'list').watchers), ['g.h.b', 'plain']);
    assert.deepEqual(names(graph, at(graph, 'more').watchers), ['g.h.b']);
  });
});

describe('setups', () => {
  const graph = graphOf([
    task('up', [], { is_setup: true }), task('work', ['up']), task('deep', ['work']), task('down', ['deep', 'up'], { is_teardown: true }), task('beyond', ['deep']),
    task('open', [], { is_setup: true }), task('held', ['open']), task('also', ['held']),
  ]);

  it('hold what lies before their teardown; without one everything below', () => {
    assert.deepEqual(names(graph, at(graph, 'deep').setups), ['up']);
    assert.deepEqual(names(graph, at(graph, 'beyond').setups), [], 'no teardown comes after it');
    assert.deepEqual(names(graph, at(graph, 'also').setups), ['open']);
    assert.deepEqual(names(graph, at(graph, 'work').setups), ['up']);
  });

  it('a direct one is an upstream like any other', () => {
    assert.deepEqual(names(graph, at(graph, 'work').indirectSetups), []);
    assert.deepEqual(names(graph, at(graph, 'deep').indirectSetups), ['up']);
    assert.deepEqual(names(graph, at(graph, 'work').directSetups), ['up']);
  });

  it('a teardown’s scope is what lies between', () => {
    assert.deepEqual(names(graph, at(graph, 'down').scope), ['deep', 'work']);
    assert.deepEqual(names(graph, at(graph, 'work').watchers), ['down']);
    assert.deepEqual(names(graph, at(graph, 'up').watchers), ['deep']);
  });
});

describe('leaves', () => {
  it('are what decides the run: teardowns do not, unless they say so', () => {
    const leaves = (...tasks: Task[]): string[] => {
      const graph = graphOf(tasks);
      return names(graph, graph.leaves);
    };
    const down = (more: Partial<Task> = {}): Task => task('down', ['work'], { is_teardown: true, ...more });
    assert.deepEqual(leaves(task('a'), task('b', ['a']), task('c')), ['b', 'c']);
    assert.deepEqual(leaves(task('work'), down()), ['work']);
    assert.deepEqual(leaves(task('work'), down({ on_failure_fail_dagrun: true })), ['down']);
    assert.deepEqual(leaves(task('one', [], { is_teardown: true }), task('two', ['one'], { is_teardown: true })), ['two']);
  });
});
