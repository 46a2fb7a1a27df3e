// `leoflow xcom list` and `leoflow xcom get`: values of a Leoflow server.
import type { Command } from 'commander';
import type { XComResponse } from '#contract/airflow/xcom.ts';
import { listAll, segment } from './api-client.ts';
import type { CliContext } from './context.ts';
import { renderJson, renderTable } from './output.ts';
import { clientOf, integerOption, remoteCommand, type RemoteOptions, resolveRun, runPath } from './remote-command.ts';

/** `xcom list`. */
export function listCommand(context: CliContext): Command {
  return remoteCommand('list', 'List the XComs of a run, or of one task.', 'leoflow xcom list etl latest').argument('<dag>').argument('<run>').argument('[task]', 'task id', '~')
    .action(async (...given: [string, string, string, RemoteOptions, Command]) => {
      const [dagId, run, taskId, options] = given;
      const client = clientOf(context, options);
      const entries = await listAll<XComResponse>(client, `${runPath(dagId, await resolveRun(client, dagId, run))}/taskInstances/${segment(taskId)}/xcomEntries`, { key: 'xcom_entries' });
      if (options.json === true) return context.out(renderJson(entries));
      if (entries.length === 0) return context.out('no XCom was pushed\n');
      context.out(renderTable(['TASK', 'KEY', 'PUSHED'], entries.map((entry) => [entry.map_index < 0 ? entry.task_id : `${entry.task_id}[${entry.map_index}]`, entry.key, entry.timestamp])));
    });
}

/** `xcom get`. */
export function getCommand(context: CliContext): Command {
  return remoteCommand('get', 'Print one value as JSON, exactly as the task wrote it.', 'leoflow xcom get etl latest extract').argument('<dag>').argument('<run>').argument('<task>')
    .argument('[key]', 'key', 'return_value').option('--map-index <n>', 'index of a mapped task', integerOption('map-index'), -1)
    .action(async (...given: [string, string, string, string, RemoteOptions & { mapIndex: number }, Command]) => {
      const [dagId, run, taskId, key, options] = given;
      const client = clientOf(context, options);
      const path = `${runPath(dagId, await resolveRun(client, dagId, run))}/taskInstances/${segment(taskId)}/xcomEntries/${segment(key)}`;
      // As text: reading the value as JSON here would change large numbers.
      const entry = await client.json<{ value: string }>('GET', path, { query: { map_index: options.mapIndex, stringify: true } });
      context.out(`${entry.value}\n`);
    });
}
