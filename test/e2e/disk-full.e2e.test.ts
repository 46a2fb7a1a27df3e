// A disk that is full where logs lie: the task runs on and succeeds, what its log lacks is recorded, nothing hangs.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { OpenEngine } from '#cli/engine-port.ts';
import { compileFiles } from '#cli/compile-files.ts';
import { findPython } from '#cli/python-command.ts';
import { runOnce } from '#cli/run-once.ts';
import { openEngine } from '#main/open-engine.ts';
import { readConfig } from '#platform/config.ts';
import { temporaryFolder } from '../support/cli.ts';

const place = temporaryFolder();
const home = join(place.path, 'home');
const logs = join(home, 'logs', 'executions');
mkdirSync(logs, { recursive: true });
const mounted = process.getuid?.() === 0 && spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', logs]).status === 0;
after(() => {
  if (mounted) spawnSync('umount', ['-l', logs]);
  place.remove();
});

test('a full log folder fails no task', { skip: mounted ? false : 'mounting a small file system needs root', timeout: 60_000 }, async () => {
  writeFileSync(join(place.path, 'loud.py'), 'from airflow.sdk import DAG, task\nwith DAG("loud", schedule=None):\n    @task\n    def shout():\n        for n in range(3000): print("x" * 100, n)\n        return "kept"\n    @task\n    def after(value): return value + " and used"\n    after(shout())\n');
  const config = readConfig({ LEOFLOW_HOME: place.path }, {});
  const python = await findPython(config, place.path, () => undefined);
  const { dags } = await compileFiles(join(place.path, 'loud.py'), { config, python }, { deterministic: false, strict: false });
  const [loud] = dags;
  assert.ok(loud !== undefined);
  const engine: OpenEngine = await openEngine({ config, home, store: 'throwaway', python, writeLog: () => undefined });
  try {
    await engine.register(loud, { bundle: 'test', active: true, parseMs: null });
    const outcome = await runOnce(engine, { dag: loud.dag, conf: {}, logicalDate: null, signal: AbortSignal.timeout(30_000) }, { out: () => undefined, progress: null, live: false, coloured: false });
    assert.equal(outcome.view.state, 'success');
    const { rows } = await engine.database.pool.query<{ detail: string }>("select detail from attempt_events where detail like '%of its log are missing%'");
    assert.ok(rows.some((row) => /^\d{5,} bytes of its log are missing: No space left on device$/.test(row.detail)), JSON.stringify(rows));
  } finally {
    await engine.stop({ endExecutions: true });
  }
});
