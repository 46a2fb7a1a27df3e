// What decides beside the trigger rule: setups, what is mapped over, the run before, and tasks of another time.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { empty, Planner, product, task } from '../../test/support/planner.ts';

describe('setups', () => {
  it('one that failed holds back whatever rule a task has, except always', () => {
    const p = new Planner([
      task('up', [], { is_setup: true }), task('work', ['up']), empty('done', ['work'], { trigger_rule: 'all_done' }), empty('always', ['work'], { trigger_rule: 'always' }),
      task('down', ['done', 'always', 'up'], { is_teardown: true, trigger_rule: 'all_done_setup_success' }),
    ]);
    p.fail('up');
    assert.equal(p.state('done'), 'upstream_failed');
    assert.equal(p.state('always'), 'success');
  });
});

describe('what is mapped over', () => {
  it('passes its skip on, whatever the trigger rule', () => {
    const p = new Planner([task('source'), task('each', ['source'], { expand: product('source'), trigger_rule: 'none_failed' })]);
    p.end('source', { kind: 'skipped' });
    assert.equal(p.state('each'), 'skipped');
    assert.equal(p.runState, 'success');
  });

  it('passes its failure on, whatever the trigger rule', () => {
    const p = new Planner([task('source'), task('each', ['source'], { expand: product('source'), trigger_rule: 'all_done' })]);
    p.fail('source');
    assert.equal(p.state('each'), 'upstream_failed');
  });
});

describe('the run before', () => {
  it('holds back who would run; who is skipped or has failed upstreams waits for nobody', () => {
    const p = new Planner([task('a'), task('b', ['a'], { depends_on_past: true }), task('c'), task('d', ['c'], { depends_on_past: true }), task('e', [], { depends_on_past: true })]);
    // As a reading of the rows would leave it before anything of the run is decided.
    p.run.pastBlocked = new Set(['b', 'd', 'e']);
    p.end('a', { kind: 'skipped' }).fail('c');
    assert.deepEqual([p.state('b'), p.state('d')], ['skipped', 'upstream_failed']);
    p.clear('e');
    assert.equal(p.state('e'), null);
    assert.equal(p.runState, 'running');
  });
});

describe('a paused DAG', () => {
  it('what is decided without running goes on; nothing begins, not even what needs no process, and the run does not fail for it', () => {
    const p = new Planner([task('a'), task('b'), empty('after', ['b']), task('skipped', ['a'])]);
    p.begin('a', 'b');
    p.run.isHeld = true;
    p.end('a', { kind: 'skipped' }).succeed('b');
    assert.deepEqual([p.state('skipped'), p.state('after'), p.get('after').tryNumber], ['skipped', null, 0]);
    assert.equal(p.runState, 'running');
    p.run.isHeld = false;
    p.clear();
    assert.equal(p.state('after'), 'success');
    assert.equal(p.runState, 'success');
  });
});

describe('a task that is not of the run’s time', () => {
  it('has no instance, and who comes after it never runs', () => {
    const p = new Planner([task('now'), task('later', [], { start_date: '2026-01-02T00:00:00Z' }), task('gone', [], { end_date: '2025-12-31T00:00:00Z' }), task('below', ['later'])]);
    assert.deepEqual(p.ready, ['now']);
    assert.deepEqual(p.run.tasks.map((each) => each.instances.size), [1, 0, 0, 1]);
    p.succeed('now');
    assert.equal(p.state('below'), null);
    assert.equal(p.runState, 'failed');
  });

  it('the DAG’s own dates count as well', () => {
    const p = new Planner([task('a', [], { start_date: '2025-01-01T00:00:00Z' })], { start_date: '2026-02-01T00:00:00Z' });
    assert.equal(p.run.tasks[0]?.instances.size, 0);
    assert.equal(p.runState, 'success');
  });
});
