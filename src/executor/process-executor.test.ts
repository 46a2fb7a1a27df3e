// The process executor without processes: after its term, and with a launcher that has no room for another process.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it } from 'node:test';
import type { VersionId } from '#contract/ids.ts';
import { createReporter } from '#platform/report.ts';
import { ProcessExecutor } from './process-executor.ts';

it('a place that is asked for after the term is null, and nothing is begun for it', () => {
  const home = mkdtempSync(join(tmpdir(), 'lf-'));
  const prepared: VersionId[] = [];
  try {
    const executor = new ProcessExecutor({
      home, python: 'python3', agentSocket: join(home, 'a.sock'), environment: {}, parked: { python: 0, node: 0 }, idleSeconds: 5, importTimeoutSeconds: 5, silentSeconds: 30, reporter: createReporter('error', () => undefined),
      prepare: (version) => {
        prepared.push(version);
        return Promise.reject(new Error('nobody asks for it'));
      },
    });
    const version = 'v' as VersionId;
    executor.stepDown();
    assert.equal(executor.reserve(version), null);
    assert.deepEqual([prepared, executor.explain(version)], [[], null]);
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
});

/** An executor whose launcher answers each start by `onStart`: the nth one, from 0. */
async function executorWith(home: string, onStart: (forkServer: string, nth: number) => object): Promise<{ executor: ProcessExecutor; close: () => void }> {
  mkdirSync(join(home, 'run'));
  let starts = 0;
  const launcher = createServer((socket) => socket.setEncoding('utf8').on('data', (text: string) => {
    const message = JSON.parse(text) as { op: string; fork_server?: { id: string } };
    const answer = message.op === 'hello' ? { op: 'hello', pid: 1, epoch: 1, fork_servers: [] } : onStart(message.fork_server?.id ?? '', starts++);
    socket.write(`${JSON.stringify(answer)}\n`);
  }));
  await new Promise<void>((resolve) => void launcher.listen(join(home, 'run', 'launcher.sock'), resolve));
  const executor = new ProcessExecutor({
    home, python: 'python3', agentSocket: join(home, 'a.sock'), environment: {}, parked: { python: 0, node: 0 }, idleSeconds: 5, importTimeoutSeconds: 5, silentSeconds: 30, reporter: createReporter('error', () => undefined),
    prepare: (versionId) => Promise.resolve({ versionId, dagId: 'd', root: home, dagFile: 'dag.py', path: [], python: null, node: null, runtimes: ['python'], nodeModules: [] }),
  });
  return {
    executor,
    close: () => {
      executor.stepDown();
      launcher.close();
      rmSync(home, { recursive: true, force: true });
    },
  };
}

const NO_EVENTS = { onExited: () => undefined, onLost: () => undefined, onAlive: () => undefined, onReady: () => undefined, onFailed: () => undefined };

it('a launcher that has no room for a process says nothing about the file: who waits asks again', async () => {
  const { executor, close } = await executorWith(mkdtempSync(join(tmpdir(), 'lf-')), (id) => ({ op: 'exited', id, status: 11, signal: null }));
  try {
    const answer = await new Promise<string>((resolve, reject) => {
      executor.lead(1, { ...NO_EVENTS, onReady: () => resolve('ask again'), onFailed: (_version, error) => resolve(error.message) }).then(() => executor.reserve('v' as VersionId), reject);
    });
    assert.equal(answer, 'ask again');
  } finally {
    close();
  }
});

it('a call whose fork server is gone before it was ready gets another, also when no task wants one', async () => {
  const { executor, close } = await executorWith(mkdtempSync(join(tmpdir(), 'lf-')), (id, nth) => (nth === 0 ? { op: 'exited', id, status: -1, signal: 9 } : { op: 'failed', id, error: { type: 'Second', message: 'another was asked for' } }));
  try {
    await executor.lead(1, NO_EVENTS);
    const call = executor.call('v' as VersionId, { id: 'c', kind: 'ask', body: '{}', timeout_seconds: 30 });
    await assert.rejects(call, /another was asked for/);
  } finally {
    close();
  }
});
