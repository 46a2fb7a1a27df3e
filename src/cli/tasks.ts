// `leoflow tasks`: list, logs, explain.
import type { Command } from 'commander';
import type { TaskInstanceResponse } from '#contract/airflow/task-instance.ts';
import { AppError } from '#contract/errors.ts';
import { type ApiClient, listAll, segment } from './api-client.ts';
import type { CliContext } from './context.ts';
import { renderLogLine, type ShownMessage } from './log-lines.ts';
import { paintState, renderJson, renderSeconds, renderTable } from './output.ts';
import { clientOf, groupCommand, integerOption, remoteCommand, type RemoteOptions, resolveRun, runPath } from './remote-command.ts';

/** `tasks`. */
export function tasksCommand(context: CliContext): Command {
  return groupCommand('tasks', 'Task instances of a run. RUN is a run id, or `latest`.', [listCommand(context), logsCommand(context), explainCommand(context)]);
}

function listCommand(context: CliContext): Command {
  return remoteCommand('list', 'List the task instances of a run.', 'leoflow tasks list etl latest --state failed').argument('<dag>').argument('[run]', 'run id', 'latest').option('--state <state...>', 'only these states')
    .action(async (dagId: string, run: string, options: RemoteOptions & { state?: string[] }) => {
      const client = clientOf(context, options);
      const instances = await listAll<TaskInstanceResponse>(client, `${runPath(dagId, await resolveRun(client, dagId, run))}/taskInstances`, { key: 'task_instances', query: { state: options.state } });
      if (options.json === true) return context.out(renderJson(instances));
      if (instances.length === 0) return context.out('no task instance matches\n');
      context.out(renderTable(['TASK', 'STATE', 'TRY', 'STARTED', 'DURATION'], instances.map((instance) => [
        nameOf(instance), paintState(context, instance.state ?? 'none'), instance.try_number, instance.start_date, renderSeconds(instance.duration),
      ])));
    });
}

function nameOf(instance: TaskInstanceResponse): string {
  return instance.map_index < 0 ? instance.task_id : `${instance.task_id}[${instance.map_index}]`;
}

/** The other way round: what `tasks list` prints is understood. */
function instanceOf(name: string, { mapIndex }: TaskOptions): { readonly taskId: string; readonly mapIndex: number } {
  const [, taskId, index] = /^(.+)\[(\d+)\]$/.exec(name) ?? [];
  return taskId === undefined ? { taskId: name, mapIndex } : { taskId, mapIndex: Number(index) };
}

interface TaskOptions extends RemoteOptions { mapIndex: number }

function logsCommand(context: CliContext): Command {
  return remoteCommand('logs', 'Print what a task wrote; a running one is followed to its end.', 'leoflow tasks logs etl latest load').argument('<dag>').argument('<run>').argument('<task>')
    .option('--try <n>', 'number of the try (default: the last)', integerOption('try')).option('--map-index <n>', 'index of a mapped task', integerOption('map-index'), -1)
    .action(async (...given: [string, string, string, TaskOptions & { try?: number }, Command]) => {
      const [dagId, run, name, options] = given;
      const { taskId, mapIndex } = instanceOf(name, options);
      const client = clientOf(context, options);
      const path = `${runPath(dagId, await resolveRun(client, dagId, run))}/taskInstances/${segment(taskId)}`;
      const tryNumber = options.try ?? (await findInstance(client, path, mapIndex)).try_number;
      let hasError = false;
      let last = '';
      await client.lines(`${path}/logs/${tryNumber}`, {
        query: { map_index: mapIndex },
        onLine(line) {
          const message = JSON.parse(line) as ShownMessage;
          hasError ||= message.error_detail !== undefined;
          last = message.event;
          context.out(options.json === true ? `${line}\n` : renderLogLine(context, message));
        },
      });
      if (!hasError) await tellSilentEnd(context, client, { path, mapIndex, tryNumber, last });
    });
}

function findInstance(client: ApiClient, path: string, mapIndex: number): Promise<TaskInstanceResponse> {
  return client.json<TaskInstanceResponse>('GET', mapIndex < 0 ? path : `${path}/${mapIndex}`);
}

/** On standard error, why a try failed whose log does not tell: a process that died hard wrote nothing of its end. */
async function tellSilentEnd(context: CliContext, client: ApiClient, at: { path: string; mapIndex: number; tryNumber: number; last: string }): Promise<void> {
  const instance = await findInstance(client, at.path, at.mapIndex);
  if (instance.try_number !== at.tryNumber || (instance.state !== 'failed' && instance.state !== 'up_for_retry')) return;
  const { reasons } = await client.json<{ reasons: string[] }>('GET', `${at.path}/explain`, { query: { map_index: at.mapIndex } });
  const [reason] = reasons;
  if (reason !== undefined && reason !== at.last) context.err(`${reason}\n`);
}

function explainCommand(context: CliContext): Command {
  return remoteCommand('explain', 'Say why a task is not running, or how it came to its state.', 'leoflow tasks explain etl latest load').argument('<dag>').argument('<run>').argument('<task>')
    .option('--map-index <n>', 'index of a mapped task', integerOption('map-index'), -1)
    .action(async (...given: [string, string, string, TaskOptions, Command]) => {
      const [dagId, run, name, options] = given;
      const { taskId, mapIndex } = instanceOf(name, options);
      const client = clientOf(context, options);
      const path = `${runPath(dagId, await resolveRun(client, dagId, run))}/taskInstances/${segment(taskId)}/explain`;
      const told = await client.json<{ state: string | null; reasons: string[] }>('GET', path, { query: { map_index: mapIndex } });
      if (options.json === true) return context.out(renderJson(told));
      if (told.reasons.length === 0) throw new AppError('bug', `nothing is known of ${taskId}`);
      context.out(`${taskId}${mapIndex < 0 ? '' : `[${mapIndex}]`} ${paintState(context, told.state ?? 'none')}\n${told.reasons.map((reason) => `  ${reason.replaceAll('\n', '\n  ')}\n`).join('')}`);
    });
}
