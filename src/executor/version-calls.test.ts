// Calls of a version: sent once when its fork server is ready, answered once, or given up with what made them.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ToForkServer, VersionCall } from '#contract/attempt.ts';
import type { VersionId } from '#contract/ids.ts';
import { monotonicMs } from '#platform/clock.ts';
import type { LineSocket } from '#platform/line-socket.ts';
import { VersionCalls } from './version-calls.ts';

const VERSION = 'v' as VersionId;
const callOf = (id: string): VersionCall => ({ id, kind: 'callbacks', body: '[]', timeout_seconds: 5 });

interface Place { readonly id: string; readonly versionId: VersionId; readonly state: string; readonly link: LineSocket<ToForkServer>; readonly sent: ToForkServer[] }

function placeOf(more: { id?: string; state?: string; versionId?: VersionId } = {}): Place {
  const sent: ToForkServer[] = [];
  const link = { send: (message: ToForkServer) => void sent.push(message) } as unknown as LineSocket<ToForkServer>;
  return { id: 'f', versionId: VERSION, state: 'ready', link, sent, ...more };
}

const rejects = (call: Promise<string>, code: string, message: RegExp): Promise<void> => assert.rejects(call, (error: { code?: string; message: string }) => error.code === code && message.test(error.message));

describe('calls of a version', () => {
  it('are sent at once to a fork server that is ready, and answered once', async () => {
    const calls = new VersionCalls();
    const place = placeOf();
    const answer = calls.begin(VERSION, callOf('1'), { place, epoch: 3 });
    assert.deepEqual(place.sent, [{ op: 'call', epoch: 3, call: callOf('1') }]);
    assert.equal(calls.isWanted(VERSION), true);
    assert.equal(calls.answer('1', { kind: 'done', value: '{}' }), true);
    assert.equal(calls.answer('1', { kind: 'done', value: '[]' }), false);
    calls.onEnded('1', 'status 0');
    assert.deepEqual([await answer, calls.isWanted(VERSION)], ['{}', false]);
  });

  it('wait for their own fork server, and are sent to it once', async () => {
    const calls = new VersionCalls();
    const answer = calls.begin(VERSION, callOf('1'), { place: placeOf({ state: 'starting' }), epoch: 3 });
    const [other, starting, ready] = [placeOf({ versionId: 'w' as VersionId }), placeOf({ state: 'starting' }), placeOf()];
    for (const place of [other, starting, ready, ready]) calls.send(place, 4);
    assert.deepEqual([other.sent, starting.sent, ready.sent.length], [[], [], 1]);
    calls.answer('1', { kind: 'failed', error: { type: 'ValueError', message: 'no', traceback: 'here' } });
    await rejects(answer, 'call_failed', /^ValueError: no$/);
  });

  it('fail with the process that makes them, and with their fork server', async () => {
    const calls = new VersionCalls();
    const [first, second, third] = ['1', '2', '3'].map((id) => calls.begin(VERSION, callOf(id), { place: id === '3' ? undefined : placeOf(), epoch: 1 }));
    calls.onEnded('1', 'signal 9');
    await rejects(first ?? assert.fail(), 'call_failed', /signal 9/);
    calls.onGone('f');
    await rejects(second ?? assert.fail(), 'call_failed', /fork server is gone/);
    calls.onFailed(VERSION, 'it does not import');
    await rejects(third ?? assert.fail(), 'call_failed', /does not import/);
  });

  it('name the versions that need a fork server, and are given up when nobody has answered in their time', async () => {
    const calls = new VersionCalls();
    const [sent, waiting] = [calls.begin(VERSION, callOf('1'), { place: placeOf(), epoch: 1 }), calls.begin('w' as VersionId, callOf('2'), { place: placeOf({ state: 'ending' }), epoch: 1 })];
    assert.deepEqual(calls.listWaiting(), ['w']);
    calls.endOverdue(monotonicMs() + 30_000);
    assert.equal(calls.isWanted(VERSION), true, 'its own time is not over');
    calls.endOverdue(monotonicMs() + 35_000);
    await rejects(sent, 'call_failed', /did not answer/);
    await rejects(waiting, 'call_failed', /no process was there/);
    assert.deepEqual([calls.isWanted(VERSION), calls.listWaiting()], [false, []]);
  });

  it('end with the term', async () => {
    const calls = new VersionCalls();
    const answer = calls.begin(VERSION, callOf('1'), { place: placeOf(), epoch: 1 });
    calls.clear();
    await rejects(answer, 'not_leading', /lead/);
    assert.equal(calls.answer('1', { kind: 'done', value: '' }), false, 'the next leader is told');
  });
});
