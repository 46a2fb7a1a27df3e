// What our supervisor says beside a state becomes part of the report; what it cannot mean changes nothing.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ExecutionReport } from '#contract/attempt.ts';
import type { ExecutionId } from '#contract/ids.ts';
import { withEnding } from './ending.ts';

const REPORT: ExecutionReport = { execution_id: 'e' as ExecutionId, outcome: 'failed', started_at: '', ended_at: '' };
const added = (ending: unknown, outcome: ExecutionReport['outcome'] = 'failed'): object => {
  const { execution_id: _, started_at: __, ended_at: ___, outcome: ____, ...more } = withEnding({ ...REPORT, outcome }, typeof ending === 'string' ? ending : JSON.stringify(ending));
  return more;
};

test('an exception, with the cause that it stands for', () => {
  const error = { type: 'ValueError', message: 'no', place: 'a.py:1' };
  assert.deepEqual(added({ error }), { error });
  assert.deepEqual(added({ error }, 'skipped'), { error });
  assert.deepEqual(added({ error, cause: 'timeout' }), { error, cause: 'timeout' });
  assert.deepEqual(added({ error, cause: 'lost' }), { error }, 'an infrastructure fault is nothing that a task says of itself');
});

test('the end of a process asks for the callbacks that it could not make', () => {
  const told = (message: string): object => ({ error: { type: 'ExecutionEnded', message }, without_callbacks: true });
  assert.deepEqual(added({ process: { status: 7, signal: null, oom: false } }), { ...told('its process ended with exit status 7 before the task was done'), exit_code: 7 });
  assert.deepEqual(added({ process: { status: -1, signal: 9, oom: false } }), told('its process was killed by SIGKILL'));
  assert.deepEqual(added({ process: { status: -1, signal: 9, oom: true } }), { ...told('its process ran out of memory and was killed by the kernel'), cause: 'oom' });
  const error = { type: 'RuntimeError', message: 'top' };
  assert.deepEqual(added({ process: { status: 1, signal: null, oom: false }, error }), { error, without_callbacks: true, exit_code: 1 });
});

test('what cannot be read, and what belongs to no end, is left out', () => {
  for (const ending of ['', '{', '[]', '{"error":7}', '{"process":null}']) assert.deepEqual(added(ending), {});
  assert.deepEqual(added({ error: { type: 'E', message: '' } }, 'success'), {});
  assert.equal(withEnding(REPORT, undefined), REPORT);
});
