// The example DAGs of the released Airflow wheel, run on our engine, beside what a real Airflow 3.2.1 recorded of them.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { AppError } from '#contract/errors.ts';
import type { CompiledDag } from '#compile/compiled.ts';
import { ProjectCompiler } from '#cli/project-compiler.ts';
import type { OpenEngine } from '#cli/engine-port.ts';
import { findPython } from '#cli/python-command.ts';
import { runOnce } from '#cli/run-once.ts';
import { openEngine } from '#main/open-engine.ts';
import { readConfig } from '#platform/config.ts';
import { listRunXComs } from '#store/run-view.ts';
import { temporaryFolder } from '../support/cli.ts';

interface Recorded { readonly run: string; readonly tasks: Record<string, [string | null, number]>; readonly xcoms: Record<string, unknown> }

const WHEEL = process.env['LEOFLOW_TEST_AIRFLOW_WHEEL'];
const HOW = 'set LEOFLOW_TEST_AIRFLOW_WHEEL to the folder where `pip download --no-deps apache-airflow-core==3.2.1` was unpacked';
const recorded = JSON.parse(readFileSync(join(import.meta.dirname, '..', 'fixtures', 'airflow-3.2.1', 'example-dags.json'), 'utf8')) as Record<string, Recorded>;

/** DAGs whose recorded outcome is not comparable, each with its reason. */
const APART: Readonly<Record<string, string>> = {
  example_branch_datetime_operator: 'depends on the time of day', example_branch_datetime_operator_2: 'depends on the time of day', example_branch_datetime_operator_3: 'depends on the time of day',
  example_weekday_branch_operator: 'depends on the weekday', tutorial_objectstorage: 'needs the network', example_sensor_decorator: 'random by design',
  example_bash_operator: 'recorded from a newer provider, whose file has more tasks', example_bash_decorator: 'recorded from a newer provider, whose file has more tasks',
  asset_alias_example_alias_producer: 'asset events', asset_alias_example_alias_consumer: 'asset events',
  asset_alias_example_alias_producer_with_no_taskflow: 'asset events', asset_alias_example_alias_consumer_with_no_taskflow: 'asset events',
};
const LIMIT_MS = 75_000;

const place = temporaryFolder();
let engine: OpenEngine;
const dags: CompiledDag[] = [];

before(async () => {
  if (WHEEL === undefined) return;
  const config = readConfig({ LEOFLOW_HOME: place.path, LEOFLOW_PARALLELISM: 16 }, {});
  const python = await findPython(config, place.path, () => undefined);
  engine = await openEngine({ config, home: join(place.path, 'home'), store: 'throwaway', python, writeLog: () => undefined });
  for (const folder of ['.', 'standard']) {
    const root = join(WHEEL, 'airflow', 'example_dags', folder);
    for (const file of readdirSync(root).filter((name) => name.endsWith('.py') && name !== '__init__.py')) {
      // A file that the shim does not cover says so; what is covered is in `dags`.
      dags.push(...(await new ProjectCompiler(root, { config, python }).compile(file)).dags);
    }
  }
});
after(async () => {
  if (WHEEL !== undefined) await engine.stop({ endExecutions: true });
  place.remove();
});

test('the same states, tries and XComs as Airflow recorded', { skip: WHEEL === undefined ? HOW : false, timeout: 200_000 }, async (t) => {
  const comparable = dags.filter(({ dag }) => recorded[dag.dag_id] !== undefined && APART[dag.dag_id] === undefined);
  assert.ok(comparable.length >= 40, `only ${comparable.length} DAGs are covered`);
  for (const one of comparable) await engine.register(one, { bundle: 'examples', active: true, parseMs: null });
  const differences: string[] = [];
  await Promise.all(comparable.map(async ({ dag }) => {
    const expected = recorded[dag.dag_id];
    if (expected === undefined || expected.run === 'unfinished') return;
    const found = await compare(dag.dag_id, expected, { dag, conf: {}, logicalDate: null, signal: AbortSignal.timeout(LIMIT_MS) });
    differences.push(...found);
  }));
  t.diagnostic(`${comparable.length} DAGs compared`);
  assert.deepEqual(differences, []);
});

async function compare(dagId: string, expected: Recorded, request: Parameters<typeof runOnce>[1]): Promise<string[]> {
  try {
    const outcome = await runOnce(engine, request, { out: () => undefined, progress: null, live: false, coloured: false });
    const states = Object.fromEntries(outcome.view.instances.map((one) => [`${one.taskId}[${one.mapIndex}]`, [one.state, one.tryNumber]]));
    const xcoms = new Map((await listRunXComs(engine.database, outcome.run, 10_000)).map((one) => [`${one.taskId}[${one.mapIndex}].${one.key}`, one.text]));
    const found = outcome.view.state === expected.run ? [] : [`${dagId}: run ${outcome.view.state}, Airflow ${expected.run}`];
    for (const key of new Set([...Object.keys(states), ...Object.keys(expected.tasks)])) {
      if (JSON.stringify(states[key]) !== JSON.stringify(expected.tasks[key])) found.push(`${dagId} ${key}: ${JSON.stringify(states[key])}, Airflow ${JSON.stringify(expected.tasks[key])} (${outcome.view.instances.find((one) => `${one.taskId}[${one.mapIndex}]` === key)?.reason ?? ''})`);
    }
    for (const [key, value] of Object.entries(expected.xcoms)) {
      const ours = xcoms.get(key);
      if (!key.endsWith('.skipmixin_key') && (ours === undefined || !sameValue(ours, value))) found.push(`${dagId} ${key} = ${ours}, Airflow ${JSON.stringify(value)}`);
    }
    return found;
  } catch (error) {
    if (expected.run === 'refused' && error instanceof AppError && error.code === 'invalid_value') return [];
    return [`${dagId}: ${error instanceof Error ? error.message : String(error)}`];
  }
}

/** Airflow's API shows values not deserialised: text stands for itself. */
function sameValue(ours: string, theirs: unknown): boolean {
  const value: unknown = JSON.parse(ours);
  return JSON.stringify(value) === JSON.stringify(theirs) || ours === theirs || String(value) === theirs;
}
