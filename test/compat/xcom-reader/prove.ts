// `make prove-xcom-reader`: real Airflows run DAGs, and `leoflow xcom pull` reads out of their databases what they themselves read.
import { spawn } from 'node:child_process';
import { appendFileSync, chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import pg from 'pg';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '#store/embedded-postgres.ts';
import { installAirflow } from '../../../bench/airflow/install.ts';
import { leoflow } from '../../support/cli.ts';
import { compareXComs, parsePull } from '../../support/compare-xcoms.ts';
import { prepareContainerPython, prepareKubectl, schedulerPod } from '../../support/kubectl.ts';
import type { RecordedContent } from '../../support/xcom-databases.ts';
import { PYTHON } from '../timetables/python.ts';

const WORK = join(import.meta.dirname, '..', '..', '..', '.cache', 'xcom-reader');
const LIMIT_MS = 900_000;
const say = (text: string): void => void process.stdout.write(`${text}\n`);
const { positionals } = parseArgs({ allowPositionals: true });

interface Place { readonly postgres: EmbeddedPostgres; readonly airflow3: string; readonly folder: string }

/** Runs one Airflow's DAGs into a database of its own and compares; gives the number of differences. */
async function proveGeneration(name: string, place: Place): Promise<number> {
  const started = performance.now();
  const database = `g${name.replace('.', '_')}`;
  await inPostgres(place.postgres.url, `create database ${database}`);
  const url = new URL(place.postgres.url.replace(/@(?=[/?])/, '@localhost'));
  const airflowUrl = `postgresql+psycopg2://${url.username}@/${database}?${url.searchParams.toString()}`;
  const expectations = join(place.folder, `${name}.json`);
  await toEnd(PYTHON, [join(import.meta.dirname, 'record.py'), '--work', WORK, '--airflow-3', place.airflow3, '--database', airflowUrl, '--expectations', expectations, name]);
  const recorded = JSON.parse(readFileSync(expectations, 'utf8')) as RecordedContent;
  const problems = await compareWithReader(recorded, { name, airflowUrl, place });
  const seconds = ((performance.now() - started) / 1000).toFixed(0);
  say(`Airflow ${recorded.airflow}: ${recorded.xcoms.length} XComs of ${recorded.runs.length} runs, ${problems.length} differences (${seconds} s)`);
  for (const problem of problems) say(`  ${problem}`);
  return problems.length + (recorded.xcoms.length === 0 ? 1 : 0);
}

async function compareWithReader(recorded: RecordedContent, at: { name: string; airflowUrl: string; place: Place }): Promise<string[]> {
  // The pod has the Airflow itself: its Python, its drivers.
  const venv = at.name === '3.2' ? at.place.airflow3 : join(WORK, `venv-${at.name}`);
  const kubectl = prepareKubectl({}, { python: PYTHON });
  const variable = /^(1|2\.[0-2]$)/.test(at.name) ? 'AIRFLOW__CORE__SQL_ALCHEMY_CONN' : 'AIRFLOW__DATABASE__SQL_ALCHEMY_CONN';
  kubectl.tell({ pods: [schedulerPod({ ...prepareContainerPython(kubectl.folder, join(venv, 'bin', 'python')), HOME: kubectl.folder, [variable]: at.airflowUrl })] });
  try {
    const problems: string[] = [];
    for (const { dag_id: dag, run_id: run } of recorded.runs) {
      const { code, out, err } = await leoflow(kubectl.folder, ['xcom', 'pull', '--dag-id', dag, '--run-id', run, '--key', '*', '--limit', '1000', '--json', '--kubectl', kubectl.program]);
      if (code !== 0) problems.push(`${run}: exit code ${code}: ${err.trim()}`);
      else problems.push(...compareXComs(parsePull(out).xcoms, recorded.xcoms.filter((xcom) => xcom.table === 'xcom' && xcom.dag_id === dag && xcom.run_id === run)));
    }
    return [...problems, ...kubectl.readRefused()];
  } finally {
    kubectl.remove();
  }
}

async function inPostgres(url: string, statement: string): Promise<void> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}

function toEnd(command: string, args: readonly string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, [...args], { stdio: ['ignore', 'inherit', 'inherit'], timeout: LIMIT_MS });
    child.on('error', reject);
    child.on('close', (code) => (code === 0 ? resolve() : reject(new Error(`${args[0]} ended with ${String(code)}`))));
  });
}

/** Airflow's processes hold more connections than ours do. */
async function startRoomyPostgres(folder: string): Promise<EmbeddedPostgres> {
  const first = await startEmbeddedPostgres(folder);
  appendFileSync(join(folder, 'data', 'postgresql.auto.conf'), 'max_connections = 200\n');
  await first.stop();
  return startEmbeddedPostgres(folder);
}

async function main(): Promise<number> {
  const installed = await installAirflow({ python: PYTHON, say });
  if (installed.kind === 'missing') {
    say(installed.why);
    return 69;
  }
  mkdirSync(WORK, { recursive: true });
  const folder = mkdtempSync(join(tmpdir(), 'lf-xcom-'));
  chmodSync(folder, 0o755);
  const postgres = await startRoomyPostgres(join(folder, 'pg'));
  try {
    let differences = 0;
    for (const name of positionals.length > 0 ? positionals : ['3.2', '2.11']) differences += await proveGeneration(name, { postgres, airflow3: dirname(installed.bin), folder });
    say(differences === 0 ? 'The reader reads what Airflow reads.' : `${differences} differences`);
    return differences === 0 ? 0 : 1;
  } finally {
    await postgres.stop();
    if (existsSync(folder)) rmSync(folder, { recursive: true });
  }
}

process.exitCode = await main();
