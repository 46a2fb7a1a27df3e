// One execution in the foreground of a terminal: plain output, the keyboard, an inspector. For `leoflow test`. The job is in the file named.
import { readFileSync } from 'node:fs';
import { stripVTControlCharacters } from 'node:util';
import type { ExecutionSpec } from '#contract/attempt.ts';
import { AgentClient } from './agent-client.ts';
import { momentText, reportedError } from './error-text.ts';
import { executeTask } from './execute-task.ts';
import { ModuleLoader } from './load-module.ts';
import { Masking } from './masking.ts';
import { resolveLeoflow } from './resolve-leoflow.ts';
import { TaskLog } from './task-log.ts';
import { exitProcess, guardImports, leakedResources } from './watch-body.ts';

interface AttachedJob {
  readonly fork_server: { readonly dag_id: string; readonly dag_file: string; readonly root: string; readonly path: readonly string[]; readonly address_file: string };
  readonly spec: ExecutionSpec;
}

/** An author at a debugger may take their time. */
const IMPORT_SECONDS = 3_600;
const REPORT_LIMIT_MS = 60_000;

/** What the task writes through its context, as lines of text. What it prints goes its own way. */
class TerminalLog extends TaskLog {
  override write(level: 'debug' | 'info' | 'warning' | 'error', event: string, more: { readonly error?: unknown } = {}): void {
    process.stdout.write(`${level.toUpperCase().padEnd(7)} ${masking.mask(event)}\n`);
    if (more.error !== undefined) process.stdout.write(`${stripVTControlCharacters(reportedError(more.error, masking).traceback)}\n`);
  }
}

/** What a task prints on this terminal is masked as its log would be. */
function maskStream(stream: NodeJS.WriteStream): void {
  const write = stream.write.bind(stream) as (text: string | Uint8Array, ...more: unknown[]) => boolean;
  stream.write = ((text: string | Uint8Array, ...more: unknown[]) => write(typeof text === 'string' ? masking.mask(text) : text, ...more)) as typeof stream.write;
}

const job = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as AttachedJob;
const { fork_server: home, spec } = job;
resolveLeoflow({ folders: [home.root, ...home.path] });
guardImports();
const client = new AgentClient('', home.address_file);
client.token = spec.token;
Object.assign(process.env, spec.env);
const masking = new Masking();
const log = new TerminalLog(masking);
// They count among the open ones from their first use on.
for (const stream of [process.stdout, process.stderr]) maskStream(stream);
const resources = process.getActiveResourcesInfo();
const started_at = momentText();
const outcome = await executeTask({ home, spec, client, modules: new ModuleLoader(home.root, IMPORT_SECONDS), log, masking });
const report = { execution_id: spec.execution_id, started_at, ...outcome, ended_at: momentText() };
await new Promise((resolve) => setImmediate(resolve));
const leaked = leakedResources(resources);
if (leaked.length > 0) log.write('warning', `the task left open: ${leaked.join(', ')}`);
await client.post('/agent/v1/report', report, { limitMs: REPORT_LIMIT_MS });
exitProcess(0);
