// docs/airflow-examples.md: what became of each example DAG under the Task SDK, a line each. The test that runs them writes and checks it.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ExampleRow } from './run-examples.ts';

const PAGE = join(import.meta.dirname, '..', '..', '..', 'docs', 'airflow-examples.md');

const HEAD = `# Airflow's example DAGs

Written by \`test/sdk/examples.sdk.test.ts\`, which fails when a line is not true any more: every example file in the wheels of \`apache-airflow-core\` 3.2.1 and \`apache-airflow-providers-standard\` 1.21.0, byte for byte, parsed and run under the Task SDK 1.2.1
(\`runtime: airflow\`), and held beside what a real Airflow 3.2.1 recorded for the same files: the state of the run, state and number of tries of each task instance, each XCom.
*unfinished* is a run that still waited for something when its time was over, in Airflow as here (a person, a sensor, hours of sleep): it is compared as far as Airflow's had come. *refused* is a run that needs a param which is not given: both answer the trigger with an error.

`;

function lineOf(row: ExampleRow): string {
  const { instances, xcoms } = row.compared;
  const [here, there] = row.apart === null ? [row.run, row.airflow] : ['–', '–'];
  const note = row.apart !== null ? `ran; not compared: ${row.apart}` : row.counted !== null ? `${row.counted}: as many in each state` : '';
  const counts = row.apart !== null || row.airflow === 'not recorded' ? ['–', '–'] : [instances, row.counted === null ? xcoms : '–'];
  return `| ${[`\`${row.dagId}\``, row.file, 'yes', row.tasks, here, there, ...counts, note].join(' | ')} |`;
}

/** The page for these rows and the files that hold no DAG. */
export function renderExamplesPage(rows: readonly ExampleRow[], withoutDag: readonly string[]): string {
  const table = ['| DAG | file | parsed | tasks | run here | run in Airflow | equal task instances | equal XComs | |', '|---|---|---|---|---|---|---|---|---|', ...rows.map(lineOf)];
  const without = `\nWithout the Kubernetes library, which neither wheel brings, these files hold no DAG under Airflow either: ${withoutDag.join(', ')}.`;
  return `${HEAD}${table.join('\n')}\n${withoutDag.length === 0 ? '' : `${without}\n`}`;
}

/** Writes the page when LEOFLOW_TEST_WRITE is set. @returns what it holds */
export function readExamplesPage(rendered: string): string {
  if (process.env['LEOFLOW_TEST_WRITE'] === '1') writeFileSync(PAGE, rendered);
  return readFileSync(PAGE, 'utf8');
}
