// Why a task ended, in the words that people are shown.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ExecutionReport } from '#contract/attempt.ts';
import type { ExecutionId } from '#contract/ids.ts';
import { ENDED_WITHOUT_REPORT, tellProcessEnd } from './process-end.ts';
import { outcomeOf, tellError } from './report-outcome.ts';

const report = (more: Partial<ExecutionReport>): ExecutionReport => ({ execution_id: 'e' as ExecutionId, outcome: 'failed', started_at: '', ended_at: '', ...more });

describe('why a task ended', () => {
  test('an exception with its type, its text and the place in the author’s file; nothing is said twice', () => {
    assert.equal(tellError({ error: { type: 'ValueError', message: 'no such order', place: 'daily.py:12' } }), 'ValueError: no such order (daily.py:12)');
    assert.equal(tellError({ error: { type: 'AssertionError', message: '' } }), 'AssertionError');
    assert.equal(tellError({ error: { type: 'AssertionError', message: 'AssertionError', place: 'a.py:1' } }), 'AssertionError (a.py:1)');
    assert.equal(tellError({ error: { type: ENDED_WITHOUT_REPORT, message: 'its process crashed with SIGSEGV' } }), 'its process crashed with SIGSEGV');
  });

  test('a long text is cut, its place is not', () => {
    const told = tellError({ error: { type: 'E', message: 'x'.repeat(5000), place: 'a.py:1' } });
    assert.equal(told.length, 2000);
    assert.match(told, /^E: x+ \(a\.py:1\)$/);
    assert.equal(tellError({ error: { type: 'E', message: '\uD800' } }), 'E: \uFFFD');
  });

  test('a file that does not import says so once', () => {
    assert.equal(tellError({ cause: 'config', error: { type: 'KeyError', message: "'TOKEN'" } }), "the DAG file does not import: KeyError: 'TOKEN'");
    assert.equal(tellError({ cause: 'config', error: { type: 'ImportError', message: 'the module dag.ts does not import: Error: no' } }), 'ImportError: the module dag.ts does not import: Error: no');
  });

  test('a task that skips itself says why, when it does', () => {
    assert.deepEqual(outcomeOf(report({ outcome: 'skipped' })), { kind: 'skipped' });
    assert.deepEqual(outcomeOf(report({ outcome: 'skipped', error: { type: 'AirflowSkipException', message: 'nothing new', place: 'a.py:3' } })), { kind: 'skipped', reason: 'it skipped itself: nothing new (a.py:3)' });
  });

  test('a process by its status, its signal, or the memory that it lacked', () => {
    const told = (status: number, signal: number | null, oom = false): string => tellProcessEnd({ status, signal, oom });
    assert.deepEqual([told(7, null), told(-1, 9), told(-1, 11), told(-1, 9, true), told(-1, 99)], [
      'its process ended with exit status 7 before the task was done', 'its process was killed by SIGKILL', 'its process crashed with SIGSEGV', 'its process ran out of memory and was killed by the kernel',
      'its process crashed with signal 99',
    ]);
  });
});
