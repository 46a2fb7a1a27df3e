// Every way in which a task ends: what `explain` says of it and what its log holds; the same words under each Python runtime.
import assert from 'node:assert/strict';
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { leoflow, temporaryFolder } from '../../support/cli.ts';
import { type Lite, startLite } from '../../support/lite.ts';
import { sdkPython, withoutSdk } from '../../support/task-sdk.ts';
import { BROKEN, DEFERRED_ENDINGS, type End, ENDINGS, OUTAGE } from './endings.ts';

interface Told { readonly state: string; readonly reasons: readonly string[] }
interface LogLine { readonly event: string; readonly level?: string; readonly error_detail?: readonly { readonly exc_type: string; readonly frames: readonly { readonly filename: string }[] }[] }

/** States that none of these tasks leaves again; `up_for_retry` is told apart. */
const OVER: ReadonlySet<string | null> = new Set(['success', 'failed', 'skipped']);

/** Records of executions that have told how they ended, or were about to. */
function outcomesIn(home: string): string {
  const folder = join(home, 'outcomes');
  return readdirSync(folder).map((file) => readFileSync(join(folder, file), 'utf8')).join('');
}

/** Runs all of them at once, and looks at each. */
export function describeEndings(runtime: 'airflow' | 'leoflow'): void {
  describe(`how tasks end under runtime ${runtime}`, { skip: runtime === 'airflow' ? withoutSdk : false }, () => {
    const place = temporaryFolder();
    const home = join(place.path, 'home');
    const flag = join(place.path, 'flag');
    const paths = new Map<string, string>();
    let lite: Lite;

    const instance = (dag: string, task: string): string => `${paths.get(dag) ?? assert.fail(dag)}/taskInstances/${task}`;
    const stateOf = async (dag: string, task: string): Promise<string | null> => (await lite.call<{ state: string | null }>('GET', instance(dag, task))).state;
    const logOf = async (dag: string, task: string, tryNumber: number): Promise<readonly LogLine[]> => (await lite.call<{ content: LogLine[] }>('GET', `${instance(dag, task)}/logs/${tryNumber}?full_content=true`)).content;
    const printed = (dag: string, task: string, line: RegExp): Promise<RegExpExecArray> => lite.until(`${task} printed it`, async () => {
      if ((await stateOf(dag, task)) !== 'running') return null;
      return (await logOf(dag, task, 1)).map(({ event }) => line.exec(event)).find((match) => match !== null) ?? null;
    });
    const trigger = async (dag: string): Promise<void> => {
      const { dag_run_id: id } = await lite.call<{ dag_run_id: string }>('POST', `/dags/${dag}/dagRuns`, { logical_date: null });
      const path = `/dags/${dag}/dagRuns/${encodeURIComponent(id)}`;
      paths.set(dag, path);
      await lite.until(`the tasks of ${dag}`, async () => ((await lite.call<{ total_entries: number }>('GET', `${path}/taskInstances`)).total_entries > 0 ? true : null));
    };
    const check = async (dag: string, { task, state, said, logged, tryNumber = 1 }: End): Promise<void> => {
      await lite.until(`the end of ${task}`, async () => {
        const now = await stateOf(dag, task);
        return OVER.has(now) || now === state ? now : null;
      });
      const told = await lite.call<Told>('GET', `${instance(dag, task)}/explain`);
      assert.equal(told.state, state, told.reasons.join('\n'));
      assert.equal(told.reasons.length, said.length, told.reasons.join('\n'));
      for (const [at, line] of said.entries()) assert.match(told.reasons[at] ?? '', line);
      const log = await logOf(dag, task, tryNumber);
      assert.ok(log.some((line) => logged.test(JSON.stringify(line))), log.map((line) => JSON.stringify(line)).join('\n'));
    };

    before(async () => {
      mkdirSync(home, { mode: 0o755 });
      const folder = join(place.path, 'dags');
      cpSync(join(import.meta.dirname, 'dags'), folder, { recursive: true });
      writeFileSync(join(folder, 'leoflow.yaml'), `runtime: ${runtime}\n`);
      if (runtime === 'leoflow') for (const file of ['deferred_endings.py', 'endless.py']) rmSync(join(folder, file));
      const python = runtime === 'airflow' ? { LEOFLOW_PYTHON: sdkPython() } : {};
      lite = await startLite(home, folder, { ...python, EXPLAIN_FLAG: flag, LEOFLOW_INFRA_RETRIES: '0', LEOFLOW_XCOM_MAX_BYTES: '1000' });
      await lite.call('POST', '/connections', { connection_id: 'with_password', conn_type: 'http', password: 'correct-horse-battery' });
      const dags = ['endings', 'broken', 'broken_in_task', 'outage', ...(runtime === 'airflow' ? ['deferred_endings'] : [])];
      await lite.until('all are compiled', async () => ((await lite.call<{ total_entries: number }>('GET', '/dags')).total_entries === dags.length ? true : null));
      // From here on two of them do not import.
      writeFileSync(flag, '');
      for (const dag of dags.filter((each) => each !== 'outage')) await trigger(dag);
      await printed('endings', 'is_marked', /^it goes on$/);
      await lite.call('PATCH', instance('endings', 'is_marked'), { new_state: 'failed' });
    }, { timeout: 100_000 });
    after(async () => {
      await lite.running.stop();
      place.remove();
    });

    for (const end of ENDINGS[runtime]) test(end.task, { timeout: 90_000 }, () => check('endings', end));
    if (runtime === 'airflow') for (const end of DEFERRED_ENDINGS) test(end.task, { timeout: 90_000 }, () => check('deferred_endings', end));

    test('a file that does not import where tasks run: its traceback is the log of the try', { timeout: 90_000 }, async () => {
      await check('broken', BROKEN.inForkServer);
      const log = await logOf('broken', 'never', 1);
      const failed = log.find(({ error_detail: detail }) => detail !== undefined);
      assert.deepEqual([failed?.event, failed?.level, failed?.error_detail?.[0]?.exc_type], ['The DAG file does not import', 'error', 'KeyError']);
      assert.ok(failed?.error_detail?.[0]?.frames.some(({ filename }) => filename.endsWith('broken.py')), JSON.stringify(failed));
    });

    test('a file that does not import in the task itself', { timeout: 90_000 }, () => check('broken_in_task', BROKEN.inTask));

    test('the command prints it, a line each', { timeout: 90_000 }, async () => {
      const printed = await leoflow(home, ['tasks', 'explain', 'endings', 'latest', 'raises_twice']);
      assert.match(printed.out, /^raises_twice failed\n {2}RuntimeError: failure number 2 \(endings\.py:\d+\)\n {2}it is not tried again: that was try 2 of 2\n {2}its log: leoflow tasks logs endings \S+ raises_twice --try 2\n {2}try 1 failed: RuntimeError: failure number 1 \(endings\.py:\d+\)\n$/);
    });

    test('what is known of an end is there after the server was killed, also of a task that ended meanwhile and of which nobody is left', { timeout: 90_000 }, async () => {
      const before = await lite.call<Told>('GET', `${instance('endings', 'raises_twice')}/explain`);
      await trigger('outage');
      const said = await printed('outage', 'fails_meanwhile', /^process (\d+) of (\d+)$/);
      await lite.running.stop('SIGKILL');
      writeFileSync(`${flag}.go`, '');
      await lite.until('its outcome on the disk', () => Promise.resolve(outcomesIn(home).includes('while nobody led') ? true : null));
      // Whoever would tell the next server: the execution's own process, or the task's supervisor.
      process.kill(Number(said[runtime === 'airflow' ? 2 : 1]), 'SIGKILL');
      const python = runtime === 'airflow' ? { LEOFLOW_PYTHON: sdkPython() } : {};
      lite = await startLite(home, join(place.path, 'dags'), { ...python, EXPLAIN_FLAG: flag });
      assert.deepEqual(await lite.call<Told>('GET', `${instance('endings', 'raises_twice')}/explain`), before);
      await check('outage', OUTAGE);
    });
  });
}
