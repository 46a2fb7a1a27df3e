// The first words with a launcher: only one that answers counts, because one that is being killed still accepts connections.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, it } from 'node:test';
import { monotonicMs, useTimeSource, wallMs } from '#platform/clock.ts';
import { greetLauncher } from './launcher-link.ts';

afterEach(() => useTimeSource(null));

/** Greets a launcher that does this with each connection. @returns what was called */
async function greet(serve: (socket: Socket) => void): Promise<{ answer: unknown; called: string[]; closed: Promise<void> }> {
  const folder = mkdtempSync(join(tmpdir(), 'lf-'));
  const path = join(folder, 's');
  const server = createServer(serve);
  await new Promise<void>((resolve) => void server.listen(path, resolve));
  const called: string[] = [];
  let end: () => void = () => undefined;
  const closed = new Promise<void>((resolve) => void (end = resolve));
  try {
    const answer = await greetLauncher(path, 3, {
      onLink: (_link, untilClosed) => {
        called.push('link');
        void untilClosed.then(end);
      },
      onMessage: (message) => called.push(message.op),
      onClose: () => called.push('close'),
    });
    return { answer, called, closed };
  } finally {
    server.close();
    rmSync(folder, { recursive: true, force: true });
  }
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
  let waits: (() => void)[] = [];
  useTimeSource({ monotonicMs, wallMs, after: (ms, run) => {
    assert.equal(ms, 5000);
    waits.push(run);
    return () => void (waits = []);
  } });
  const { answer, called } = await greet((socket) => void socket.once('data', () => waits.forEach((run) => run())));
  assert.deepEqual([answer, called], [null, []]);
});
