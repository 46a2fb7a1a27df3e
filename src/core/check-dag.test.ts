// What a dag.json is refused for: everything wrong at once, each with its JSON path.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { LIMITS } from '#contract/config.ts';
import { group, product, task } from '../../test/support/planner.ts';
import { checkDag, type Problem } from './check-dag.ts';

const dag = (more: object = {}): object => ({ schema_version: '1.0', dag_id: 'd', fileloc: 'dag.py', runtime: 'leoflow', sources: [], timetable: { kind: 'none' }, tasks: [task('a')], ...more });

function problemsOf(value: unknown): readonly Problem[] {
  const checked = checkDag(value);
  assert.equal(checked.kind, 'invalid');
  return checked.kind === 'invalid' ? checked.problems : [];
}

const lines = (value: unknown): string[] => problemsOf(value).map(({ path, message }) => `${path}: ${message}`);

describe('a dag.json', () => {
  it('that is right comes back as it is', () => {
    const value = dag({ tasks: [task('a'), task('b', ['a'], { expand: product('a', 2) })], task_groups: [group('g', product(2))] });
    const checked = checkDag(value);
    assert.equal(checked.kind, 'ok');
    assert.equal(checked.kind === 'ok' && checked.dag, value);
  });

  it('that is none at all is refused', () => {
    for (const value of [null, 7, 'dag', [], {}]) assert.ok(problemsOf(value).length > 0);
    assert.ok(lines({}).includes('$: missing key "dag_id"'));
  });

  it('tells all problems of its schema at once', () => {
    const found = lines(dag({ dag_id: 'no spaces', retries: 1, tasks: [{ ...task('a'), pool_slots: 0, colour: 'red' }, { operator: 'X', body: { kind: 'empty' }, depends_on: [] }] }));
    assert.ok(found.some((line) => line.startsWith('$.dag_id: ')), found.join('\n'));
    assert.ok(found.includes('$: unknown key "retries"'));
    assert.ok(found.includes('$.tasks[0]: unknown key "colour"'));
    assert.ok(found.some((line) => line.startsWith('$.tasks[0].pool_slots: ')));
    assert.ok(found.includes('$.tasks[1]: missing key "task_id"'));
  });

  it('speaks of the branch that the author chose', () => {
    const found = lines(dag({ timetable: { kind: 'cron', expressions: ['* * * * *'] } }));
    assert.deepEqual(found, ['$.timetable: missing key "timezone"']);
    assert.deepEqual(lines(dag({ tasks: [{ ...task('a'), body: { kind: 'command', command: [] } }] })).map((line) => line.split(':')[0]), ['$.tasks[0].body.command']);
  });

  it('names a kind that does not exist', () => {
    const found = lines(dag({ timetable: { kind: 'sometimes' } }));
    assert.ok(found.length > 0 && found.every((line) => line.startsWith('$.timetable')), found.join('\n'));
  });

  it('tells what a schema cannot say, all at once', () => {
    const found = lines(dag({
      tasks: [task('a'), task('a'), task('b', ['ghost']), task('c', [], { expand: product('a') }), task('e', [], { expand: product('nobody') }), task('f', [], { task_group: 'nowhere' })],
      task_groups: [group('g', product('phantom'), 'lost'), group('g', undefined), group('a', undefined)],
      timetable: { kind: 'cron', expressions: ['61 * * * *'], timezone: 'UTC' },
    }));
    for (const expected of [
      '$.tasks[1].task_id: duplicate task id "a", first at $.tasks[0].task_id', '$.tasks[2].depends_on[0]: b depends on the unknown task "ghost"',
      '$.tasks[3].depends_on: maps over a but does not depend on it', '$.tasks[4].expand: maps over the unknown task "nobody"', '$.tasks[5].task_group: unknown group "nowhere"',
      '$.task_groups[0].parent: unknown group "lost"', '$.task_groups[0].expand: maps over the unknown task "phantom"',
      '$.task_groups[1].group_id: duplicate group id "g", first at $.task_groups[0].group_id', '$.task_groups[2].group_id: duplicate group id "a", first at $.tasks[0].task_id',
    ]) assert.ok(found.includes(expected), `${expected} is not among\n${found.join('\n')}`);
    assert.ok(found.some((line) => line.startsWith('$.timetable: ')));
  });

  it('shows a cycle in the direction in which it runs', () => {
    assert.deepEqual(lines(dag({ tasks: [task('start'), task('a', ['start', 'c']), task('b', ['a']), task('c', ['b']), task('end', ['c'])] })), ['$.tasks: cycle: a → b → c → a']);
    assert.deepEqual(lines(dag({ tasks: [task('self', ['self'])] })), ['$.tasks: cycle: self → self']);
  });

  it('finds a group that is its own ancestor', () => {
    const found = lines(dag({ task_groups: [group('g', undefined, 'h'), group('h', undefined, 'g'), group('in', undefined, 'g')] }));
    assert.ok(found.includes('$.task_groups[0].parent: group g is its own ancestor'));
    assert.ok(found.every((line) => line.includes('ancestor')));
  });

  it('a wide DAG is checked in reasonable time', () => {
    const hub = Array.from({ length: 20_000 }, (_, at) => task(`t${at}`, ['hub']));
    assert.equal(checkDag(dag({ tasks: [task('hub'), ...hub] })).kind, 'ok');
    const chain = Array.from({ length: 20_000 }, (_, at) => task(`t${at}`, [`t${(at + 1) % 20_000}`]));
    assert.equal(lines(dag({ tasks: chain })).length, 1);
  });

  it('has a limit of tasks, and at most 100 problems', () => {
    assert.equal(LIMITS.maxDagTasks, 100_000);
    assert.equal(problemsOf(dag({ tasks: Array.from({ length: 300 }, () => task('a')) })).length, 100);
  });
});
