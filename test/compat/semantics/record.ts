// Records what a real Airflow 3.2.1 makes of the scenarios: `bin/node test/compat/semantics/record.ts [--home FOLDER] [--python COMMAND] [DAG …]`.
import { readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startAirflow } from './airflow-server.ts';
import { inParallel } from './in-parallel.ts';
import { listDagIds, makePools, type Notes } from './play.ts';
import { playScenario } from './scenarios.ts';

const FIXTURE = join(import.meta.dirname, '..', '..', 'fixtures', 'airflow-3.2.1', 'semantics.json');
const AT_ONCE = 30;

const { values, positionals } = parseArgs({ allowPositionals: true, options: { home: { type: 'string', default: join(tmpdir(), 'leoflow-semantics-airflow') }, python: { type: 'string', default: 'python3.12' } } });
const airflow = await startAirflow(values.home, { dags: join(import.meta.dirname, 'dags'), python: values.python });
const failures: string[] = [];
const recorded: Record<string, Notes> = {};
try {
  await makePools(airflow.stage);
  const present = await listDagIds(airflow.stage);
  const wanted = positionals.length === 0 ? present : positionals;
  await inParallel(wanted, AT_ONCE, async (dagId) => {
    try {
      recorded[dagId] = await playScenario(airflow.stage, dagId);
    } catch (error) {
      failures.push(`${dagId}: ${error instanceof Error ? error.message : String(error)}`);
    }
    process.stderr.write(`${Object.keys(recorded).length}/${wanted.length} ${dagId}\n`);
  });
  const before = positionals.length === 0 ? {} : (JSON.parse(readFileSync(FIXTURE, 'utf8')) as { scenarios: Record<string, Notes> }).scenarios;
  const all = Object.entries({ ...before, ...recorded }).filter(([dagId]) => present.includes(dagId)).sort(([a], [b]) => (a < b ? -1 : 1));
  // One scenario a line: a change of one is a change of one line.
  const lines = all.map(([dagId, notes]) => `  ${JSON.stringify(dagId)}: ${JSON.stringify(notes)}`);
  writeFileSync(FIXTURE, `{"versions": ${JSON.stringify(airflow.versions)},\n"scenarios": {\n${lines.join(',\n')}\n}}\n`);
} finally {
  await airflow.stop();
}
process.stdout.write(`${Object.keys(recorded).length} scenarios recorded\n${failures.map((line) => `FAILED ${line}\n`).join('')}`);
process.exitCode = failures.length === 0 ? 0 : 1;
