// What tasks do under a stock supervisor whose Task SDK may be older than the engine's: `make prove-older-sdk` names it; every state, value and text is looked at.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { RunUuid } from '#contract/ids.ts';
import { answerPeople } from '#store/hitl-details.ts';
import { addInstance, addRun } from '../../support/rows.ts';
import { stockPython } from '../../support/stock-supervisor.ts';
import { withoutSdk } from '../../support/task-sdk.ts';
import { type Instance, StockRuns } from './stock-runs.ts';

const LIMIT_MS = 600_000;
const LARGE = '1152921504606846976';
const OVER = new Set<string | null | undefined>(['success', 'failed']);
/** What a trigger was given came to it as what it was. */
const KINDS = { how: 'str', at: 'DateTime', every: 'timedelta', among: 'tuple', plain: 'dict' };
const EVENT = { how: 'tells', at: '2026-01-02T12:00:00+00:00', every: 300, among: ['a', 'b'], plain: { list: [1, 1, null] }, kinds: KINDS };

describe('a task’s life under a stock supervisor', { skip: withoutSdk }, () => {
  let runs: StockRuns;
  let run: RunUuid;
  let instances: Record<string, Instance> = {};
  const value = async (taskId: string, key?: string): Promise<unknown> => JSON.parse(await runs.returned(run, taskId, key));
  /** Numbers as they stand; clients differ in their blanks. */
  const textOf = async (of: RunUuid, taskId: string): Promise<string> => (await runs.returned(of, taskId)).replaceAll(' ', '');
  const statesOf = (...names: string[]): (string | null | undefined)[] => names.map((name) => instances[name]?.state);

  before(async () => {
    runs = await StockRuns.open(join(import.meta.dirname, 'dags'), 'life.py');
    const { engine } = runs;
    const earlier = await addRun(engine.database, { dagId: 'life', runId: 'earlier', logicalDate: '2026-01-02T00:00:00Z', state: 'success' });
    await addInstance(engine.database, { run: earlier, taskId: 'push', state: 'success' });
    run = await engine.trigger('life', { logicalDate: '2026-01-03T00:00:00Z' });
    await runs.until('the question is asked', async () => (await runs.instances(run))['asks']?.state === 'deferred', LIMIT_MS);
    const { attempt_id: asked } = await engine.instance(run, 'asks');
    await answerPeople(engine.database, String(asked), { by: { id: 'ann', name: 'ann' }, chosenOptions: ['Approve'], paramsInput: {} });
    await runs.until('the run is over', async () => OVER.has((await engine.one('select state from dag_runs where id = $1', [run]))?.['state'] as string), LIMIT_MS);
    instances = await runs.instances(run);
  }, { timeout: 2 * LIMIT_MS });
  after(async () => {
    await runs[Symbol.asyncDispose]();
  });

  test('the client is the one that is meant', async (t) => {
    const [sdk, api] = await value('version') as [string, string];
    assert.equal(sdk, execFileSync(stockPython(), ['-c', 'import importlib.metadata as m; print(m.version("apache-airflow-task-sdk"))'], { encoding: 'utf8' }).trim());
    t.diagnostic(`apache-airflow-task-sdk ${sdk}, which speaks ${api}`);
    const wanted = process.env['LEOFLOW_TEST_STOCK_API'];
    if (wanted !== undefined) assert.equal(api, wanted);
  });

  test('values go from task to task', async () => {
    assert.deepEqual(statesOf('push', 'pull'), ['success', 'success']);
    assert.equal(await textOf(run, 'pull'), `[${LARGE},{"f":1.0,"n":null},null]`);
  });

  test('variables and connections', async () => {
    assert.deepEqual(await value('secrets'), ['hello', 'gone', 'h', true, { a: 1 }, true]);
    assert.match(String(await value('bash')), /^hello l manual__/);
  });

  test('a failure is tried again when a try is left, a killed one too', async () => {
    assert.deepEqual(await value('retries'), [2, 1]);
    assert.equal(await value('killed'), 2);
    assert.deepEqual([instances['retries']?.tries, instances['killed']?.tries], [2, 2]);
    assert.deepEqual(statesOf('retries', 'killed', 'fails'), ['success', 'success', 'failed']);
    assert.equal(runs.notes, 'fails failed by broken\n');
  });

  test('skips', () => assert.deepEqual(statesOf('skips', 'after_skip', 'branch', 'left', 'right'), ['skipped', 'skipped', 'success', 'success', 'skipped']));

  test('deferral: what the trigger gets, what the task gets back, whatever becomes of it', async () => {
    assert.deepEqual(statesOf('defers', 'defers_bare', 'trigger_fails', 'times_out'), ['success', 'success', 'failed', 'failed'], runs.printed.slice(-6000));
    assert.equal((await runs.returned(run, 'defers')).includes(LARGE), true, 'not a digit is lost');
    assert.deepEqual(await value('defers'), { event: EVENT, kept: '2026-01-02T12:00:00+00:00', number: Number(LARGE), before: 'pushed before' });
    assert.deepEqual(await value('defers_bare'), { event: EVENT, kept: null, number: null, before: 'pushed before' });
    assert.match(runs.read('trigger_fails'), /the trigger broke/);
    assert.match(runs.read('times_out'), /Trigger timeout|TaskDeferralTimeout/);
  });

  test('reschedules', async () => {
    assert.deepEqual(statesOf('waits'), ['success'], runs.read('waits'));
    assert.equal(await value('waits', 'since'), true);
  });

  test('mapped tasks', async () => {
    assert.deepEqual(statesOf('double[0]', 'double[1]', 'double[2]', 'total'), ['success', 'success', 'success', 'success']);
    assert.deepEqual(await value('total'), [12, 3, 2, 6, [4, 6], [6, 4, 2]]);
    assert.deepEqual([0, 1, 2].map((index) => instances[`double[${index}]`]?.renderedIndex), ['number 1', 'number 2', 'number 3']);
  });

  test('what tasks ask about runs and other tasks', async () => {
    assert.deepEqual(await value('looks'), {
      before: 'earlier', since: '2026-01-01T00:00:01+00:00', runs: 1, run: 'success', count: 1, states: { numbers: 'success' },
    });
  });

  test('another DAG is started and waited for', async () => {
    assert.deepEqual(statesOf('triggers'), ['success']);
    const other = (await runs.engine.one("select id from dag_runs where dag_id = 'other' and run_id = 'made'"))?.['id'] as RunUuid;
    assert.equal(await textOf(other, 'only'), `{"f":1.0,"n":${LARGE}}`);
  });

  test('assets: events are made, read, and start a run that knows them', async () => {
    assert.deepEqual(await value('reads'), [[{ rows: 3 }], [{ part: 1 }]]);
    const find = async (): Promise<Record<string, unknown> | undefined> => runs.engine.one("select id, state from dag_runs where dag_id = 'fed'");
    await runs.until('the run of the asset is over', async () => OVER.has((await find())?.['state'] as string), LIMIT_MS);
    assert.deepEqual(JSON.parse(await runs.returned((await find())?.['id'] as RunUuid, 'hears')), [[{ rows: 3 }, 'makes', 's3://lake/rows']]);
  });

  test('people are asked', async () => {
    assert.deepEqual(statesOf('asks'), ['success']);
    assert.deepEqual((await value('asks') as { chosen_options: string[] }).chosen_options, ['Approve']);
  });
});
