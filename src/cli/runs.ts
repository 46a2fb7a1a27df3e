// `leoflow runs`: trigger, list, show, watch, cancel, clear.
import type { Command } from 'commander';
import type { DAGRunResponse } from '#contract/airflow/dag-run.ts';
import type { TaskInstanceResponse } from '#contract/airflow/task-instance.ts';
import { AppError } from '#contract/errors.ts';
import { sleep } from '#platform/clock.ts';
import { type ApiClient, listAll, segment } from './api-client.ts';
import type { CliContext } from './context.ts';
import { paintState, renderFields, renderJson, renderSeconds, renderTable } from './output.ts';
import { clientOf, groupCommand, integerOption, remoteCommand, type RemoteOptions, resolveRun, runPath } from './remote-command.ts';
import { isoOf } from '#platform/clock.ts';
import { readDate } from './run.ts';

/** `runs`. */
export function runsCommand(context: CliContext): Command {
  return groupCommand('runs', 'Runs of DAGs. RUN is a run id, or `latest`.', [
    triggerCommand(context), listCommand(context), showCommand(context), watchCommand(context), cancelCommand(context), clearCommand(context),
  ]);
}

interface TriggerOptions extends RemoteOptions { conf?: string; runId?: string; date?: string; logicalDate?: string; note?: string; watch?: boolean }

function renderDate(ms: number | null): string | null {
  return ms === null ? null : isoOf(ms);
}

function triggerCommand(context: CliContext): Command {
  return remoteCommand('trigger', 'Start a run.', 'leoflow runs trigger etl --conf \'{"day": "2026-01-01"}\' --watch').argument('<dag>').option('--conf <json>', 'configuration, a JSON object')
    .option('--run-id <id>', 'id of the run (default: made from the time)').option('--date <date>', 'logical date (ISO 8601); now unless said, none for a run without one').option('--logical-date <date>', 'the same as --date')
    .option('--note <text>', 'a note').option('--watch', 'follow it to its end')
    .action(async (dagId: string, options: TriggerOptions) => {
      const client = clientOf(context, options);
      const run = await client.json<DAGRunResponse>('POST', `/dags/${segment(dagId)}/dagRuns`, {
        body: { logical_date: renderDate(readDate(options.date ?? options.logicalDate)), conf: readConf(options.conf), ...(options.runId === undefined ? {} : { dag_run_id: options.runId }), ...(options.note === undefined ? {} : { note: options.note }) },
      });
      if (options.watch === true) return watchRun(context, client, { dagId, runId: run.dag_run_id, asJson: options.json === true });
      context.out(options.json === true ? renderJson(run) : `${run.dag_run_id} is ${run.state}\n`);
    });
}

function readConf(text: string | undefined): unknown {
  if (text === undefined) return {};
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new AppError('invalid_json', `--conf is no JSON: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}

function listCommand(context: CliContext): Command {
  return remoteCommand('list', 'List runs of a DAG (or of all: ~), newest first.', 'leoflow runs list etl --state failed').argument('<dag>').option('--state <state...>', 'queued, running, success, failed')
    .option('--limit <n>', 'at most so many', integerOption('limit'), 25)
    .action(async (dagId: string, options: RemoteOptions & { state?: string[]; limit: number }) => {
      const { dag_runs: runs } = await clientOf(context, options).json<{ dag_runs: DAGRunResponse[] }>('GET', `/dags/${segment(dagId)}/dagRuns`, { query: { order_by: '-run_after', limit: options.limit, state: options.state } });
      if (options.json === true) return context.out(renderJson(runs));
      if (runs.length === 0) return context.out('no run matches\n');
      context.out(renderTable(['DAG', 'RUN', 'STATE', 'STARTED', 'DURATION', 'BY'], runs.map((run) => [
        run.dag_id, run.dag_run_id, paintState(context, run.state), run.start_date, renderSeconds(run.duration), run.triggering_user_name ?? run.run_type,
      ])));
    });
}

function showCommand(context: CliContext): Command {
  return remoteCommand('show', 'Show one run.', 'leoflow runs show etl latest').argument('<dag>').argument('[run]', 'run id', 'latest').action(async (dagId: string, run: string, options: RemoteOptions) => {
    const client = clientOf(context, options);
    const shown = await client.json<DAGRunResponse>('GET', runPath(dagId, await resolveRun(client, dagId, run)));
    if (options.json === true) return context.out(renderJson(shown));
    context.out(renderFields([
      ['run', shown.dag_run_id], ['state', paintState(context, shown.state)], ['logical date', shown.logical_date], ['started', shown.start_date], ['ended', shown.end_date],
      ['duration', renderSeconds(shown.duration)], ['version', shown.dag_versions[0]?.version_number], ['conf', JSON.stringify(shown.conf)], ['note', shown.note],
    ]));
  });
}

function watchCommand(context: CliContext): Command {
  return remoteCommand('watch', 'Follow a run to its end; the exit code is 1 when it fails.', 'leoflow runs watch etl latest').argument('<dag>').argument('[run]', 'run id', 'latest')
    .action(async (dagId: string, run: string, options: RemoteOptions) => {
      const client = clientOf(context, options);
      await watchRun(context, client, { dagId, runId: await resolveRun(client, dagId, run), asJson: options.json === true });
    });
}

const POLL_MS = 500;

/** Prints each change of a state as it is seen. Throws `run_failed` when the run fails. */
async function watchRun(context: CliContext, client: ApiClient, at: { dagId: string; runId: string; asJson: boolean }): Promise<void> {
  const seen = new Map<string, string>();
  for (;;) {
    const run = await client.json<DAGRunResponse>('GET', runPath(at.dagId, at.runId));
    const instances = await listAll<TaskInstanceResponse>(client, `${runPath(at.dagId, at.runId)}/taskInstances`, { key: 'task_instances' });
    if (!at.asJson) for (const line of changes(context, instances, seen)) context.err(line);
    if (run.state === 'success' || run.state === 'failed') {
      context.out(at.asJson ? renderJson({ run, task_instances: instances }) : `${run.dag_run_id} ${paintState(context, run.state)}${run.duration === null ? '' : ` after ${renderSeconds(run.duration) ?? ''}`}\n`);
      if (run.state === 'failed') throw new AppError('run_failed', `the run ${run.dag_run_id} of ${run.dag_id} failed`);
      return;
    }
    await sleep(POLL_MS, context.stop);
    if (context.stop.aborted) throw new AppError('interrupted', 'the run goes on without being watched', { hint: `Watch it again: leoflow runs watch ${at.dagId} ${at.runId}` });
  }
}

function changes(context: CliContext, instances: readonly TaskInstanceResponse[], seen: Map<string, string>): string[] {
  return instances.flatMap((instance) => {
    const name = instance.map_index < 0 ? instance.task_id : `${instance.task_id}[${instance.map_index}]`;
    const state = instance.state ?? 'none';
    if (seen.get(name) === state) return [];
    seen.set(name, state);
    const duration = instance.end_date === null ? null : renderSeconds(instance.duration);
    return state === 'none' ? [] : [`  ${paintState(context, state)} ${name}${duration === null ? '' : ` (${duration})`}\n`];
  });
}

function cancelCommand(context: CliContext): Command {
  return remoteCommand('cancel', 'End a run: what runs is stopped, what waits is skipped, the run fails.', 'leoflow runs cancel etl latest').argument('<dag>').argument('[run]', 'run id', 'latest')
    .action(async (dagId: string, run: string, options: RemoteOptions) => {
      const client = clientOf(context, options);
      const path = runPath(dagId, await resolveRun(client, dagId, run));
      const found = await client.json<DAGRunResponse>('GET', path);
      if (found.state === 'success' || found.state === 'failed') {
        return context.out(options.json === true ? renderJson(found) : `${found.dag_run_id} was finished already (${found.state}): nothing changed\n`);
      }
      const ended = await client.json<DAGRunResponse>('PATCH', path, { body: { state: 'failed' } });
      context.out(options.json === true ? renderJson(ended) : `${ended.dag_run_id} is ${ended.state}\n`);
    });
}

function clearCommand(context: CliContext): Command {
  return remoteCommand('clear', 'Run tasks of a run once more. Without --yes it only says which.', 'leoflow runs clear etl latest --failed --yes').argument('<dag>').argument('[run]', 'run id', 'latest')
    .option('--failed', 'only failed tasks').option('--task <id...>', 'only these tasks').option('--downstream', 'and everything below them').option('--yes', 'really')
    .action(async (dagId: string, run: string, options: RemoteOptions & { failed?: boolean; task?: string[]; downstream?: boolean; yes?: boolean }) => {
      const client = clientOf(context, options);
      const runId = await resolveRun(client, dagId, run);
      const { task_instances: cleared } = await client.json<{ task_instances: TaskInstanceResponse[] }>('POST', `/dags/${segment(dagId)}/clearTaskInstances`, {
        body: { dry_run: options.yes !== true, dag_run_id: runId, only_failed: options.failed === true, include_downstream: options.downstream === true, ...(options.task === undefined ? {} : { task_ids: options.task }) },
      });
      if (options.json === true) return context.out(renderJson(cleared));
      const names = cleared.map((instance) => (instance.map_index < 0 ? instance.task_id : `${instance.task_id}[${instance.map_index}]`));
      context.out(`${options.yes === true ? 'cleared' : 'would clear'} ${names.length} of ${runId}${names.length === 0 ? '' : `: ${names.slice(0, 50).join(', ')}${names.length > 50 ? ', …' : ''}`}\n`);
      if (options.yes !== true && names.length > 0) context.err('add --yes to do it\n');
    });
}
