// `leoflow dags`: list, show, pause, unpause, next, delete.
import type { Command } from 'commander';
import type { DAGDetailsResponse, DAGResponse } from '#contract/airflow/dag.ts';
import type { TaskResponse } from '#contract/airflow/task.ts';
import { AppError } from '#contract/errors.ts';
import { listAll, segment } from './api-client.ts';
import type { CliContext } from './context.ts';
import { paintState, renderFields, renderJson, renderTable } from './output.ts';
import { clientOf, groupCommand, remoteCommand, type RemoteOptions } from './remote-command.ts';
import { showGraph, tasksOfResponse } from './show-graph.ts';

/** `dags`. */
export function dagsCommand(context: CliContext): Command {
  return groupCommand('dags', 'DAGs of a server.', [
    listCommand(context), showCommand(context), pausingCommand(context, 'pause'), pausingCommand(context, 'unpause'), nextCommand(context), deleteCommand(context),
  ]);
}

function listCommand(context: CliContext): Command {
  return remoteCommand('list', 'List DAGs.', 'leoflow dags list --tag etl').option('--tag <tag...>', 'with any of these tags').option('--match <text>', 'whose id holds this text')
    .option('--paused', 'only paused ones').option('--active', 'only those that are not paused')
    .action(async (options: RemoteOptions & { tag?: string[]; match?: string; paused?: boolean; active?: boolean }) => {
      const paused = options.paused === true ? true : options.active === true ? false : null;
      const dags = await listAll<DAGResponse>(clientOf(context, options), '/dags', { key: 'dags', query: { tags: options.tag, dag_id_pattern: options.match, paused } });
      if (options.json === true) return context.out(renderJson(dags));
      if (dags.length === 0) return context.out('no DAG matches; register some with `leoflow push DIR` or `leoflow lite DIR`\n');
      context.out(renderTable(['DAG', 'STATE', 'SCHEDULE', 'NEXT RUN', 'TAGS'], dags.map((dag) => [
        dag.dag_id, paintState(context, dag.is_paused ? 'paused' : 'active'), dag.timetable_summary, dag.next_dagrun_run_after, dag.tags.map((tag) => tag.name).join(', '),
      ])));
    });
}

function showCommand(context: CliContext): Command {
  return remoteCommand('show', 'Show one DAG.', 'leoflow dags show etl --graph').argument('<dag>').option('--graph', 'draw its tasks').option('--svg <file>', 'write its graph there as SVG').action(async (dagId: string, options: RemoteOptions & { graph?: boolean; svg?: string }) => {
    const client = clientOf(context, options);
    if (options.graph === true || options.svg !== undefined) {
      const { tasks } = await client.json<{ tasks: TaskResponse[] }>('GET', `/dags/${segment(dagId)}/tasks`);
      return showGraph(context, { title: dagId, tasks: tasksOfResponse(tasks) }, options.svg ?? null);
    }
    const dag = await client.json<DAGDetailsResponse>('GET', `/dags/${segment(dagId)}/details`);
    if (options.json === true) return context.out(renderJson(dag));
    context.out(renderFields([
      ['DAG', dag.dag_id], ['state', paintState(context, dag.is_paused ? 'paused' : 'active')], ['description', dag.description], ['file', dag.fileloc], ['schedule', dag.timetable_summary],
      ['next run', dag.next_dagrun_run_after], ['version', dag.latest_dag_version?.version_number], ['active runs', `${dag.active_runs_count ?? 0} of at most ${dag.max_active_runs ?? 'any number'}`],
      ['owners', dag.owners.join(', ')], ['tags', dag.tags.map((tag) => tag.name).join(', ')], ['import error', dag.has_import_errors ? 'yes: see the file' : 'no'],
    ]));
  });
}

function pausingCommand(context: CliContext, name: 'pause' | 'unpause'): Command {
  const description = name === 'pause' ? 'Pause DAGs: no new runs, and running ones go no further.' : 'Unpause DAGs.';
  return remoteCommand(name, description, `leoflow dags ${name} etl`).argument('<dag...>').action(async (dagIds: string[], options: RemoteOptions) => {
    const client = clientOf(context, options);
    const changed: DAGResponse[] = [];
    for (const dagId of dagIds) changed.push(await client.json<DAGResponse>('PATCH', `/dags/${segment(dagId)}`, { body: { is_paused: name === 'pause' } }));
    context.out(options.json === true ? renderJson(changed) : changed.map((dag) => `${dag.dag_id} is ${dag.is_paused ? 'paused' : 'active'}\n`).join(''));
  });
}

function nextCommand(context: CliContext): Command {
  return remoteCommand('next', 'Show when a DAG runs next.', 'leoflow dags next etl').argument('<dag>').action(async (dagId: string, options: RemoteOptions) => {
    const dag = await clientOf(context, options).json<DAGResponse>('GET', `/dags/${segment(dagId)}`);
    if (options.json === true) {
      const { next_dagrun_logical_date, next_dagrun_data_interval_start, next_dagrun_data_interval_end, next_dagrun_run_after } = dag;
      return context.out(renderJson({ next_dagrun_logical_date, next_dagrun_data_interval_start, next_dagrun_data_interval_end, next_dagrun_run_after }));
    }
    if (dag.next_dagrun_run_after === null) return context.out(`${dagId} has no next run: its schedule is ${dag.timetable_summary ?? 'none'}\n`);
    context.out(`${dag.next_dagrun_run_after}${dag.is_paused ? ' (once it is unpaused)' : ''}\n`);
  });
}

function deleteCommand(context: CliContext): Command {
  return remoteCommand('delete', 'Delete a DAG with all its runs, values and logs.', 'leoflow dags delete etl --yes').argument('<dag>').option('--yes', 'really')
    .action(async (dagId: string, options: RemoteOptions & { yes?: boolean }) => {
      if (options.yes !== true) throw new AppError('usage', `this deletes ${dagId} with all its runs, values and logs`, { hint: 'Add --yes to do it.' });
      await clientOf(context, options).json('DELETE', `/dags/${segment(dagId)}`);
      context.out(options.json === true ? renderJson({ deleted: dagId }) : `${dagId} is deleted\n`);
    });
}
