// The first words with a launcher: only one that answers counts, because one that is being killed still accepts connections.
import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { afterEach, it } from 'node:test';
import { useTimeSource } from '#platform/clock.ts';
import { HeldTimers, withUnixServer } from '../../test/support/unix-server.ts';
import { greetLauncher } from './launcher-link.ts';

afterEach(() => useTimeSource(null));

/** Greets a launcher that does this with each connection. @returns what was called */
async function greet(serve: (socket: Socket) => void): Promise<{ answer: unknown; called: string[]; closed: Promise<void> }> {
  const called: string[] = [];
  let end: () => void = () => undefined;
  const closed = new Promise<void>((resolve) => void (end = resolve));
  const answer = await withUnixServer(serve, (path) => greetLauncher(path, 3, {
    onLink: (_link, untilClosed) => {
      called.push('link');
      void untilClosed.then(end);
    },
    onMessage: (message) => called.push(message.op),
    onClose: () => called.push('close'),
  }));
  return { answer, called, closed };
}

it('one that ends before it answers is none: nobody is told of its end', async () => {
  const { answer, called } = await greet((socket) => socket.destroy());
  assert.equal(answer, null);
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(called, []);
});

it('one that says hello is; what follows and its end are told', async () => {
  const { answer, called, closed } = await greet((socket) => void socket.once('data', () => socket.end('{"op":"hello","pid":1,"epoch":3,"fork_servers":[]}\n{"op":"exited","id":"f","status":0,"signal":null}\n')));
  assert.deepEqual(answer, { op: 'hello', pid: 1, epoch: 3, fork_servers: [] });
  await closed;
  assert.deepEqual(called, ['link', 'exited', 'close']);
});

it('one that obeys a newer leader is left alone', async () => {
  const { answer, called } = await greet((socket) => void socket.once('data', () => socket.write('{"op":"refused","epoch":4}\n')));
  assert.deepEqual(answer, { op: 'refused', epoch: 4 });
  assert.deepEqual(called, []);
});

it('one that accepts and never answers is none', async () => {
  const timers = new HeldTimers();
  const { answer, called } = await greet((socket) => void socket.once('data', () => {
    assert.deepEqual(timers.list, [5000]);
    timers.end();
  }));
  assert.deepEqual([answer, called], [null, []]);
});
