// The graph of a DAG, of a file on this machine or of a server's DAG, in the terminal or as SVG.
import { Command } from 'commander';
import type { Dag } from '#contract/dag.ts';
import type { TaskResponse } from '#contract/airflow/task.ts';
import { AppError } from '#contract/errors.ts';
import { writeFileAtomic } from '#platform/atomic-file.ts';
import { renderProblem } from '#compile/compiled.ts';
import { compileFiles } from './compile-files.ts';
import { type GraphTask, renderGraph, renderSvg } from './graph-view.ts';
import { ensureHome } from './home-folder.ts';
import type { LocalContext } from './local-context.ts';
import { findPython } from './python-command.ts';
import { chooseDag } from './run.ts';

/** Operators that say nothing more than that there is a function. */
const PLAIN = new Set(['@task', 'PythonOperator', '_PythonDecoratedOperator']);

/** `graph`: of a file, without a server. */
export function graphCommand(context: LocalContext): Command {
  return new Command('graph').description('Draw the graph of a DAG file in the terminal, or as SVG.').argument('<file>', 'DAG file').option('--dag <id>', 'which DAG, when the file holds several')
    .option('--svg <file>', 'write an SVG there').addHelpText('after', '\nExample:\n  leoflow graph dags/orders.py --svg orders.svg\n')
    .action(async (file: string, options: { dag?: string; svg?: string }) => {
      const config = context.readConfig();
      const python = await findPython(config, ensureHome(context.homeOf(config)), context.err);
      const compiled = await compileFiles(file, { config, python, say: context.err }, { deterministic: false, strict: false });
      const { dag } = chooseDag(compiled.dags, options.dag, compiled.problems.map(renderProblem));
      showGraph(context, { title: dag.dag_id, tasks: tasksOfDag(dag) }, options.svg ?? null);
    });
}

/** Prints the graph, or writes the SVG and says where. */
export function showGraph(context: { readonly out: (text: string) => void }, graph: { readonly title: string; readonly tasks: readonly GraphTask[] }, svg: string | null): void {
  if (svg === null) return context.out(renderGraph(graph.tasks));
  try {
    writeFileAtomic(svg, renderSvg(graph.title, graph.tasks), 0o644);
  } catch (cause) {
    throw new AppError('file_unreadable', `${svg} cannot be written: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
  context.out(`${svg}\n`);
}

function tasksOfDag(dag: Dag): GraphTask[] {
  return dag.tasks.map((task) => ({
    id: task.task_id, label: task.display_name ?? task.task_id, after: task.depends_on, group: task.task_group ?? null, note: noteOf(task.operator_name ?? task.operator, task.expand !== undefined),
  }));
}

/** Tasks as a server tells them: groups are not among it, so that the ids speak for themselves. */
export function tasksOfResponse(tasks: readonly TaskResponse[]): GraphTask[] {
  const after = new Map<string, string[]>();
  for (const task of tasks) for (const down of task.downstream_task_ids ?? []) after.set(down, [...(after.get(down) ?? []), task.task_id ?? '']);
  return tasks.map((task) => {
    const id = task.task_id ?? '';
    return { id, label: task.task_display_name ?? id, after: (after.get(id) ?? []).sort(), group: id.includes('.') ? id.slice(0, id.lastIndexOf('.')) : null, note: noteOf(task.operator_name ?? '', task.is_mapped === true) };
  });
}

function noteOf(operator: string, isMapped: boolean): string | null {
  const notes = [...(PLAIN.has(operator) || operator === '' ? [] : [operator]), ...(isMapped ? ['mapped'] : [])];
  return notes.length === 0 ? null : notes.join(', ');
}
