// The program of one execution in Node: gets its job, runs one body, leaves the outcome, reports, ends. Its job is on the file descriptor named.
import { readFileSync, writeSync } from 'node:fs';
import { flushCompileCache } from 'node:module';
import type { ExecutionReport, ExecutionSpec } from '#contract/attempt.ts';
import { AgentClient, AgentRefused } from './agent-client.ts';
import { momentText, reportedError } from './error-text.ts';
import { executeTask } from './execute-task.ts';
import { ModuleLoader } from './load-module.ts';
import { Masking } from './masking.ts';
import { leaveOutcome } from './outcome-record.ts';
import { resolveLeoflow } from './resolve-leoflow.ts';
import { TaskLog } from './task-log.ts';
import { exitProcess, guardImports, leakedResources } from './watch-body.ts';

/** What the fork server writes for this program. Without `spec` it parks. */
export interface NodeJob {
  readonly fork_server: {
    readonly id: string;
    readonly dag_id: string;
    readonly dag_file: string;
    readonly root: string;
    readonly path: readonly string[];
    readonly address_file: string;
    readonly import_timeout_seconds: number;
    readonly node: { readonly modules: readonly string[] };
  };
  readonly agent_socket: string;
  readonly compile_cache: string;
  /** Where it says that it began: "pid execution". */
  readonly begun_fd?: number;
  readonly spec?: ExecutionSpec;
}

/** A report is tried for this long: an outage of the control plane must not turn finished work into failed work. */
const REPORT_LIMIT_MS = 24 * 3_600_000;

async function main(): Promise<void> {
  const job = JSON.parse(readFileSync(Number(process.argv[2]), 'utf8')) as NodeJob;
  const home = job.fork_server;
  // It is this program's, not that of those which a task starts.
  if (process.env['NODE_COMPILE_CACHE'] === job.compile_cache) delete process.env['NODE_COMPILE_CACHE'];
  resolveLeoflow({ folders: [home.root, ...home.path] });
  guardImports();
  const client = new AgentClient(job.spec === undefined ? job.agent_socket : '', home.address_file);
  const modules = new ModuleLoader(home.root, home.import_timeout_seconds);
  const masking = new Masking();
  const log = new TaskLog(masking);
  const spec = job.spec ?? (await park({ job, client, modules }));
  if (spec === null) exitProcess(0);
  client.token = spec.token;
  prepare(spec, log);
  const resources = process.getActiveResourcesInfo();
  const started_at = momentText();
  const report = { execution_id: spec.execution_id, started_at, ...(await executeTask({ home, spec, client, modules, log, masking })), ended_at: momentText() };
  // What is being closed just now is no leak.
  await new Promise((resolve) => setImmediate(resolve));
  warnOfLeaks(log, resources);
  log.flush();
  log.scrub(spec.log_file ?? null);
  await sendReport({ spec, client, log }, report);
  exitProcess(0);
}

/** Imports ahead what the bodies will need, then waits for work. What does not import fails the execution that needs it. */
async function park({ job, client, modules }: { readonly job: NodeJob; readonly client: AgentClient; readonly modules: ModuleLoader }): Promise<ExecutionSpec | null> {
  const home = job.fork_server;
  for (const module of home.node.modules) await modules.load(module);
  // A child that is killed later has left it for the next.
  flushCompileCache();
  const answer = (await client.park({ fork_server: home.id, pid: process.pid, runtime: 'node' })) as { readonly spec?: ExecutionSpec | null };
  const spec = answer.spec ?? null;
  // Shorter than PIPE_BUF, so lines of several children never mix.
  if (spec !== null && job.begun_fd !== undefined) writeSync(job.begun_fd, `${process.pid} ${spec.execution_id}\n`);
  return spec;
}

function prepare(spec: ExecutionSpec, log: TaskLog): void {
  Object.assign(process.env, spec.env, {
    LEOFLOW_EXECUTION_ID: spec.execution_id, AIRFLOW_CTX_DAG_ID: spec.dag_id, AIRFLOW_CTX_TASK_ID: spec.task_id, AIRFLOW_CTX_DAG_RUN_ID: spec.run.run_id,
    AIRFLOW_CTX_TRY_NUMBER: String(spec.try_number), ...(spec.run.logical_date === null ? {} : { AIRFLOW_CTX_LOGICAL_DATE: spec.run.logical_date }),
  });
  // What it is called: a copy of it that runs no other program is found by this name.
  process.title = `lf-${spec.execution_id.slice(-12)}`;
  log.open(spec.log_file ?? null);
}

function warnOfLeaks(log: TaskLog, before: readonly string[]): void {
  const leaked = leakedResources(before);
  if (leaked.length > 0) log.write('warning', `the task left open: ${leaked.join(', ')}. The process ends anyway; close what the task opens, so that nothing is cut short`);
}

interface Reporting { readonly spec: ExecutionSpec; readonly client: AgentClient; readonly log: TaskLog }

async function sendReport({ spec, client, log }: Reporting, outcome: Omit<ExecutionReport, 'log_gap'>): Promise<void> {
  const gap = log.gap();
  const note = (event: string): void => log.write('error', event);
  const post = (report: object): Promise<unknown> => client.post('/agent/v1/report', report, { limitMs: REPORT_LIMIT_MS, keep: (payload) => leaveOutcome(spec.outcome_file, spec.execution_id, { payload, note }) });
  try {
    await post(gap === null ? outcome : { ...outcome, log_gap: gap });
  } catch (error) {
    if (error instanceof AgentRefused && error.status === 409) return;
    note(`the report was not taken: ${error instanceof Error ? error.message : String(error)}`);
    if (!(error instanceof AgentRefused) || (error.status !== 413 && error.status !== 422)) return;
    // A report that the server cannot take must not leave the task running for ever: its failure is reported instead.
    const { execution_id, started_at, ended_at } = outcome;
    await post({ execution_id, started_at, ended_at, outcome: 'failed', error: { type: 'ReportRefused', message: `the result was refused by the server: ${error.message}` } }).catch(() => undefined);
  }
}

try {
  await main();
} catch (error) {
  const { type, message } = reportedError(error);
  process.stderr.write(`leoflow: a Node child ended early: ${type}: ${message}\n`);
  exitProcess(1);
}
