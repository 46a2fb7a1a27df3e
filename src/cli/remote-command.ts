// The frame of a command that asks a server: its two common flags, its client, its example.
import { Command } from 'commander';
import { type ApiClient, openClient, segment, type ServerOptions } from './api-client.ts';
import type { CliContext } from './context.ts';
import { AppError } from '#contract/errors.ts';

/** Flags of every command that asks a server. */
export interface RemoteOptions extends ServerOptions {
  /** --json */
  readonly json?: boolean;
}

/** A command with --server and --json and an example in its help. */
export function remoteCommand(name: string, description: string, example: string): Command {
  return new Command(name).description(description).option('--server <url>', 'server to ask (default: LEOFLOW_SERVER_URL, else the one of `leoflow lite`)')
    .option('--json', 'print JSON').addHelpText('after', `\nExample:\n  ${example}\n`);
}

/** A group of commands: `leoflow runs list`, `leoflow runs trigger`, … */
export function groupCommand(name: string, description: string, commands: readonly Command[]): Command {
  const group = new Command(name).description(description);
  for (const command of commands) group.addCommand(command);
  return group;
}

/** The client of a command's options. */
export function clientOf(context: CliContext, options: RemoteOptions): ApiClient {
  return openClient(context, options);
}

/** A run of a DAG; `latest` is the newest one. Throws `not_found` when there is none yet. */
export async function resolveRun(client: ApiClient, dagId: string, run: string): Promise<string> {
  if (run !== 'latest') return run;
  const page = await client.json<{ dag_runs: { dag_run_id: string }[] }>('GET', `/dags/${segment(dagId)}/dagRuns`, { query: { order_by: '-run_after', limit: 1 } });
  const newest = page.dag_runs[0];
  if (newest === undefined) throw new AppError('not_found', `the DAG ${dagId} has no run yet`, { hint: `Start one: leoflow runs trigger ${dagId}` });
  return newest.dag_run_id;
}

/** The path of a run below /api/v2. */
export function runPath(dagId: string, runId: string): string {
  return `/dags/${segment(dagId)}/dagRuns/${segment(runId)}`;
}

/** A whole number of an option. Throws `usage`. */
export function integerOption(name: string): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!Number.isInteger(value)) throw new AppError('usage', `--${name} ${text}: expected a whole number`);
    return value;
  };
}
