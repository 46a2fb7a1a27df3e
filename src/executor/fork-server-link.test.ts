// The first words with a fork server: one that answers in time is adopted, all others are told apart from it.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, it } from 'node:test';
import { monotonicMs, useTimeSource, wallMs } from '#platform/clock.ts';
import { greetForkServer } from './fork-server-link.ts';

afterEach(() => useTimeSource(null));

/** Greets a fork server that does this with each connection. @returns what was called */
async function greet(serve: (socket: Socket) => void): Promise<{ answer: unknown; called: string[]; closed: Promise<void> }> {
  const folder = mkdtempSync(join(tmpdir(), 'lf-'));
  const path = join(folder, 's');
  const server = createServer(serve);
  await new Promise<void>((resolve) => void server.listen(path, resolve));
  const called: string[] = [];
  let end: () => void = () => undefined;
  const closed = new Promise<void>((resolve) => void (end = resolve));
  try {
    const answer = await greetForkServer(path, { epoch: 3, agentSocket: 'a' }, {
      onLink: () => called.push('link'),
      onMessage: (message) => called.push(message.op),
      onClose: () => {
        called.push('close');
        end();
      },
    });
    return { answer, called, closed };
  } finally {
    server.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

it('one that says hello is adopted; what follows and its end are told', async () => {
  const { answer, called, closed } = await greet((socket) => void socket.once('data', () => socket.end('{"op":"hello","pid":1,"epoch":3,"running":[],"seen":[]}\n{"op":"alive","running":[]}\n')));
  assert.deepEqual(answer, []);
  await closed;
  assert.deepEqual(called, ['link', 'alive', 'close']);
});

it('one that obeys a newer leader is left alone', async () => {
  const { answer, called } = await greet((socket) => void socket.once('data', () => socket.end('{"op":"refused","epoch":4,"reason":"an older epoch","execution_id":null}\n')));
  assert.deepEqual([answer, called], [null, []]);
});

it('one that accepts and never answers is not waited for without end', async () => {
  let waits: { ms: number; run: () => void }[] = [];
  useTimeSource({ monotonicMs, wallMs, after: (ms, run) => {
    waits.push({ ms, run });
    return () => void (waits = []);
  } });
  let hungUp: () => void = () => undefined;
  const ended = new Promise<void>((resolve) => void (hungUp = resolve));
  const { answer, called } = await greet((socket) => {
    socket.once('data', () => {
      assert.deepEqual(waits.map((one) => one.ms), [5000]);
      for (const { run } of waits) run();
    });
    socket.once('close', hungUp);
  });
  assert.deepEqual([answer, called], [null, []]);
  await ended;
});
