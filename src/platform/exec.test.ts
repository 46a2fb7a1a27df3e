// Whether a process lives: one that ended and waits to be reaped does not.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { test } from 'node:test';
import { isAlive } from './exec.ts';

test('a running process lives, an ended one does not, nor one that was never there', () => {
  assert.equal(isAlive(process.pid), true);
  assert.equal(isAlive(2 ** 22 + 12_345), false);
});

test('a process that ended and that its parent has not reaped is not alive', async () => {
  // The shell's child ends at once; the shell, replaced by sleep, never waits for it.
  const parent = spawn('sh', ['-c', 'sh -c "exit 0" & echo $!; exec sleep 20'], { stdio: ['ignore', 'pipe', 'ignore'] });
  try {
    const pid = await new Promise<number>((resolve) => parent.stdout.once('data', (text: Buffer) => resolve(Number(text.toString()))));
    const deadline = performance.now() + 5000;
    while (isAlive(pid) && performance.now() < deadline) await new Promise((resolve) => setImmediate(resolve));
    assert.equal(isAlive(pid), false);
  } finally {
    parent.kill('SIGKILL');
  }
});
