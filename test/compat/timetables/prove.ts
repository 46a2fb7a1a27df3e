// Timetables beside Airflow's own classes: `make prove-timetables`, or `prove.ts --seed S --cases N`, or `prove.ts --case JSON` for one question of a failed proof.
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { run } from '#platform/exec.ts';
import { installAirflow } from '../../../bench/airflow/install.ts';
import { findNextRunFault, type NextRunRow } from '../../oracle/next-run-rows.ts';
import { ask, installTzData, PYTHON } from './python.ts';

const CHUNK = 5000;
const CRONS = 40_000;
const { values } = parseArgs({ options: { seed: { type: 'string' }, cases: { type: 'string' }, case: { type: 'string' } } });
const say = (text: string): void => void process.stdout.write(`${text}\n`);

type Ask = (args: readonly string[], input?: string) => Promise<NextRunRow[]>;

/** Null when something is missing here; it says what, and how to get it. */
async function openAirflow(): Promise<Ask | null> {
  const tzData = await installTzData();
  const airflow = await installAirflow({ python: PYTHON, say });
  for (const part of [tzData, airflow]) if (part.kind === 'missing') say(part.why);
  if (tzData.kind === 'missing' || airflow.kind === 'missing') return null;
  return (args, input) => ask(tzData.folder, ['ask_airflow.py', ...args], { python: join(airflow.bin, 'python'), ...(input === undefined ? {} : { input }) }) as Promise<NextRunRow[]>;
}

async function readRows(askAirflow: Ask, seed: string): Promise<NextRunRow[]> {
  if (values.case !== undefined) return askAirflow([], `${values.case}\n`);
  const wanted = Number(values.cases ?? 20_000);
  const rows: NextRunRow[] = [];
  while (rows.length < wanted) rows.push(...(await askAirflow([`${seed}/${rows.length}`, String(Math.min(CHUNK, wanted - rows.length))])));
  return rows;
}

async function proveNextRuns(): Promise<number> {
  const askAirflow = await openAirflow();
  if (askAirflow === null) return 69;
  const seed = values.seed ?? String(Date.now());
  const rows = await readRows(askAirflow, seed);
  const faults = rows.map(findNextRunFault).filter((fault) => fault !== null);
  for (const fault of faults.slice(0, 20)) say(fault);
  const kinds = [...new Set(rows.map(([timetable]) => timetable.kind))].map((kind) => `${kind} ${rows.filter(([timetable]) => timetable.kind === kind).length}`).toSorted((a, b) => a.localeCompare(b));
  const stops = rows.filter((row) => row[6] === 'fails').length;
  say(`seed ${seed}: ${rows.length} questions to Airflow's own timetables, ${faults.length} answered otherwise, at ${stops} Airflow stops with an assertion of its own (${kinds.join(', ')})`);
  return faults.length === 0 && rows.length > 0 ? 0 : 1;
}

/** The property test of `make test` with many more crons and another seed. */
async function proveCrons(): Promise<number> {
  const file = join(import.meta.dirname, '..', 'timetables.test.ts');
  const env = { PATH: process.env['PATH'] ?? '', HOME: process.env['HOME'] ?? '/', LEOFLOW_TEST_SEED: values.seed ?? String(Date.now()), LEOFLOW_TEST_CASES: String(CRONS) };
  const done = await run(process.execPath, ['--test', '--test-reporter=spec', file], { env, timeoutMs: 600_000 });
  for (const line of done.stdout.split('\n').filter((text) => done.status !== 0 || /^ *ℹ (seed|tz data|skipped [1-9])/.test(text))) say(line);
  return done.status ?? 1;
}

process.exitCode = (await proveNextRuns()) || (values.case === undefined ? await proveCrons() : 0);
