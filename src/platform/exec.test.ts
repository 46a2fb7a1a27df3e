// Whether a process lives: one that ended and waits to be reaped does not. And what time a program has.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import { isAlive, run } from './exec.ts';

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

test('what a program waits for a processor is not its time', { skip: existsSync('/proc/self/schedstat') ? false : 'the system does not say how long a process has waited' }, async () => {
  const onOne = (text: string): readonly string[] => ['-c', '0', 'python3', '-c', text];
  const crowd = Array.from({ length: 5 }, () => spawn('taskset', [...onOne('while True: pass')], { stdio: 'ignore', detached: true }));
  try {
    const begun = performance.now();
    const patient = await run('taskset', onOne('import time\nwhile time.process_time() < 0.4: pass'), { timeoutMs: 1000 });
    assert.deepEqual([patient.timedOut, patient.status], [false, 0]);
    assert.ok(performance.now() - begun > 1000, 'there was a crowd');
    assert.equal((await run('taskset', onOne('while True: pass'), { timeoutMs: 200 })).timedOut, true);
  } finally {
    for (const one of crowd) one.kill('SIGKILL');
  }
});
