// What trigger hosts may send, and what is refused.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseTriggerEvents, parseTriggerWatch } from './trigger-messages.ts';

const ID = '019a1b2c-3d4e-7f60-8123-456789abcdef';

describe('trigger messages', () => {
  test('a watch names a fork server, a process and what it runs', () => {
    assert.deepEqual(parseTriggerWatch({ fork_server: 'f', pid: 7, running: [ID] }), { fork_server: 'f', pid: 7, running: [ID], ending: [] });
    assert.deepEqual(parseTriggerWatch({ fork_server: 'f', pid: 7, running: [], ending: [ID] }).ending, [ID]);
    for (const body of [null, {}, { fork_server: 'f', pid: 7 }, { fork_server: 'f', pid: 7, running: ['x'] }, { pid: 7, running: [] }, { fork_server: 'f', pid: 7, running: [], ending: ['x'] }, { fork_server: 'f', pid: 7, running: [], ending: ID }]) assert.throws(() => parseTriggerWatch(body), /the agent sent/);
  });

  test('events keep the text of their JSON', () => {
    const payload = '{"at":1.10,"n":12345678901234567890}';
    const { events } = parseTriggerEvents({ fork_server: 'f', events: [{ trigger_id: ID, kind: 'event', payload }, { trigger_id: ID, kind: 'ended', state: 'skipped', xcoms: [{ key: 'k', value: '1' }] }, { trigger_id: ID, kind: 'failed', error: 'Trigger failure', traceback: ['a\u0000b'] }, { trigger_id: ID, kind: 'event', payload: '1', told_id: ID }] });
    assert.deepEqual(events, [
      { trigger_id: ID, kind: 'event', payload }, { trigger_id: ID, kind: 'ended', state: 'skipped', xcoms: [{ key: 'k', value: '1' }] },
      { trigger_id: ID, kind: 'failed', error: 'Trigger failure', traceback: ['a\uFFFDb'] }, { trigger_id: ID, kind: 'event', payload: '1', told_id: ID },
    ]);
  });

  test('what is no event is refused', () => {
    for (const event of [{}, { trigger_id: ID, kind: 'other' }, { trigger_id: ID, kind: 'event', payload: '{' }, { trigger_id: ID, kind: 'event', payload: '1', told_id: 'x' }, { trigger_id: ID, kind: 'event', payload: { a: 1 } }, { trigger_id: ID, kind: 'ended', state: 'running' }]) {
      assert.throws(() => parseTriggerEvents({ fork_server: 'f', events: [event] }), /the agent sent/);
    }
  });
});
