// Warm parsers answer as a new process would, file after file, whatever a file does to its process.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { compilePython, findNondeterminism } from '#compile/from-python.ts';
import { openWarmParsers } from '#compile/parser.ts';
import { processesOfFolder } from '../support/processes-of-folder.ts';
import { temporaryFolder } from '../support/cli.ts';
import { BARE_REQUEST } from '../support/compile-request.ts';

const place = temporaryFolder();
const parsers = openWarmParsers(join(place.path, 'bytecode'));
after(async () => {
  await parsers.close();
  place.remove();
});

const dag = (id: string, body = ''): string => `from airflow.sdk import DAG, task\n${body}\nwith DAG("${id}", schedule=None):\n    @task\n    def a(): return 1\n    a()\n`;
const write = (name: string, text: string): void => writeFileSync(join(place.path, name), text);
const request = (file: string, more: { importTimeoutSeconds?: number } = {}): Parameters<typeof compilePython>[0] => ({ ...BARE_REQUEST, root: place.path, file, python: 'python3', parsers, ...more });

test('the answers are those of new processes', async () => {
  write('good.py', dag('good'));
  write('broken.py', 'from airflow.sdk import DAG\nraise ValueError("no")\n');
  for (const file of ['good.py', 'broken.py']) assert.deepEqual(await compilePython(request(file)), await compilePython({ ...request(file), parsers: null }));
});

test('a file that ends, kills or hangs its process, or prints without end, says so and harms no other', async () => {
  write('exits.py', 'import os\nos._exit(7)\n');
  write('killed.py', 'import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n');
  write('hangs.py', 'import time\ntime.sleep(100)\n');
  // What it leaves running holds its output open.
  write('daemon.py', 'import os, time\nif os.fork() == 0:\n    os.setsid()\n    time.sleep(5)\n    os._exit(0)\nos._exit(3)\n');
  write('prints.py', 'while True: print("x" * 100_000)\n');
  write('good.py', dag('good'));
  const [daemon, exits, killed, hangs, prints, good] = await Promise.all([compilePython(request('daemon.py', { importTimeoutSeconds: 1 })), compilePython(request('exits.py')), compilePython(request('killed.py')), compilePython(request('hangs.py', { importTimeoutSeconds: 1 })), compilePython(request('prints.py')), compilePython(request('good.py'))]);
  assert.match(exits.problems[0]?.message ?? '', /ended with status 7/);
  assert.match(killed.problems[0]?.message ?? '', /ended with signal 11/);
  assert.match(daemon.problems[0]?.message ?? '', /importing took longer than 1 s/);
  assert.match(hangs.problems[0]?.message ?? '', /importing took longer than 1 s/);
  assert.match(prints.problems[0]?.message ?? '', /printed more than/);
  assert.equal(good.dags.length, 1);
});

test('a file that waits for a processor is not one that hangs', async () => {
  // All on one processor: the parser, and five that want it as well.
  writeFileSync(join(place.path, 'python'), '#!/bin/sh\nexec taskset -c 0 python3 "$@"\n', { mode: 0o755 });
  write('good.py', dag('good'));
  write('slow.py', dag('slow', 'import time\nend = time.process_time() + 0.4\nwhile time.process_time() < end: pass\n'));
  const pinned = (file: string): ReturnType<typeof request> => ({ ...request(file, { importTimeoutSeconds: 1 }), python: join(place.path, 'python') });
  await compilePython(pinned('good.py'));
  const crowd = Array.from({ length: 5 }, () => spawn('taskset', ['-c', '0', 'python3', '-c', 'while True: pass'], { stdio: 'ignore', detached: true }));
  try {
    const begun = performance.now();
    assert.deepEqual((await compilePython(pinned('slow.py'))).problems, []);
    assert.ok(performance.now() - begun > 1000, 'there was a crowd');
  } finally {
    for (const one of crowd) one.kill('SIGKILL');
  }
});

test('nothing of one file is left for the next: modules, environment, working folder', async () => {
  mkdirSync(join(place.path, 'elsewhere'), { recursive: true });
  write('helper.py', 'WORD = "first"\n');
  write('leaves.py', dag('leaves', 'import os, sys, helper\nos.environ["LEFT"] = helper.WORD\nos.chdir("elsewhere")\nsys.modules["planted"] = sys'));
  assert.equal((await compilePython(request('leaves.py'))).dags.length, 1);
  // Of the same length and within the same second: Python's own cache would not notice.
  write('helper.py', 'WORD = "other"\n');
  write('looks.py', dag('looks', 'import os, sys, helper\nassert helper.WORD == "other", helper.WORD\nassert "LEFT" not in os.environ and "planted" not in sys.modules\nassert os.path.exists("looks.py")'));
  assert.deepEqual((await compilePython(request('looks.py'))).problems, []);
});

test('a graph that depends on the hash seed or the clock gives itself away', async () => {
  write('unstable.py', 'from airflow.sdk import DAG, task\nwith DAG("unstable", schedule=None):\n    for name in {"a", "b", "c", "d", "e", "f"}:\n        @task(task_id=name)\n        def body(): pass\n        body()\n');
  const first = await compilePython(request('unstable.py'));
  assert.match((await findNondeterminism(request('unstable.py'), first))[0]?.message ?? '', /unstable differs between two parses/);
});

test('a parser that is killed is replaced', async () => {
  write('good.py', dag('good'));
  await compilePython(request('good.py'));
  const found = processesOfFolder(join(place.path, 'bytecode'));
  assert.ok(found.length > 0, 'a parser is there');
  for (const pid of found) process.kill(pid, 'SIGKILL');
  assert.equal((await compilePython(request('good.py'))).dags.length, 1);
  assert.equal((await compilePython(request('good.py'))).dags.length, 1);
});

test('no parser is left when they are closed', async () => {
  const own = openWarmParsers(join(place.path, 'own-bytecode'));
  await compilePython({ ...request('good.py'), parsers: own });
  await own.close();
  assert.deepEqual(processesOfFolder(join(place.path, 'own-bytecode')), []);
});
