// The first words with a fork server: one that answers in time is adopted, all others are told apart from it.
import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { afterEach, it } from 'node:test';
import { useTimeSource } from '#platform/clock.ts';
import { HeldTimers, withUnixServer } from '../../test/support/unix-server.ts';
import { greetForkServer } from './fork-server-link.ts';

afterEach(() => useTimeSource(null));

/** Greets a fork server that does this with each connection. @returns what was called */
async function greet(serve: (socket: Socket) => void): Promise<{ answer: unknown; called: string[]; closed: Promise<void> }> {
  const called: string[] = [];
  let end: () => void = () => undefined;
  const closed = new Promise<void>((resolve) => void (end = resolve));
  const answer = await withUnixServer(serve, (path) => greetForkServer(path, { epoch: 3, agentSocket: 'a' }, {
    onLink: () => called.push('link'),
    onMessage: (message) => called.push(message.op),
    onClose: () => {
      called.push('close');
      end();
    },
  }));
  return { answer, called, closed };
}

it('one that says hello is adopted; what follows and its end are told', async () => {
  const { answer, called, closed } = await greet((socket) => void socket.once('data', () => socket.end('{"op":"hello","pid":1,"epoch":3,"running":[]}\n{"op":"alive","running":[]}\n')));
  assert.deepEqual(answer, []);
  await closed;
  assert.deepEqual(called, ['link', 'alive', 'close']);
});

it('one that obeys a newer leader is left alone', async () => {
  const { answer, called } = await greet((socket) => void socket.once('data', () => socket.end('{"op":"refused","epoch":4,"reason":"an older epoch","execution_id":null}\n')));
  assert.deepEqual([answer, called], [null, []]);
});

it('one that accepts and never answers is not waited for without end', async () => {
  const timers = new HeldTimers();
  let hungUp: () => void = () => undefined;
  const ended = new Promise<void>((resolve) => void (hungUp = resolve));
  const { answer, called } = await greet((socket) => {
    socket.once('data', () => {
      assert.deepEqual(timers.list, [5000]);
      timers.end();
    });
    socket.once('close', hungUp);
  });
  assert.deepEqual([answer, called], [null, []]);
  await ended;
});
