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

it('a launcher that has no room for a process says nothing about the file: who waits asks again', async () => {
  const home = mkdtempSync(join(tmpdir(), 'lf-'));
  mkdirSync(join(home, 'run'));
  const launcher = createServer((socket) => socket.setEncoding('utf8').on('data', (text: string) => {
    const message = JSON.parse(text) as { op: string; fork_server?: { id: string } };
    const answer = message.op === 'hello' ? { op: 'hello', pid: 1, epoch: 1, fork_servers: [] } : { op: 'exited', id: message.fork_server?.id, status: 11, signal: null };
    socket.write(`${JSON.stringify(answer)}\n`);
  }));
  await new Promise<void>((resolve) => void launcher.listen(join(home, 'run', 'launcher.sock'), resolve));
  const executor = new ProcessExecutor({
    home, python: 'python3', agentSocket: join(home, 'a.sock'), environment: {}, parked: { python: 0, node: 0 }, idleSeconds: 5, importTimeoutSeconds: 5, silentSeconds: 30, reporter: createReporter('error', () => undefined),
    prepare: (versionId) => Promise.resolve({ versionId, dagId: 'd', root: home, dagFile: 'dag.py', path: [], python: null, node: null, runtimes: ['python'], nodeModules: [] }),
  });
  try {
    const answer = await new Promise<string>((resolve, reject) => {
      const none = { onExited: () => undefined, onLost: () => undefined, onAlive: () => undefined };
      executor.lead(1, { ...none, onReady: () => resolve('ask again'), onFailed: (_version, error) => resolve(error.message) }).then(() => executor.reserve('v' as VersionId), reject);
    });
    assert.equal(answer, 'ask again');
  } finally {
    executor.stepDown();
    launcher.close();
    rmSync(home, { recursive: true, force: true });
  }
});
