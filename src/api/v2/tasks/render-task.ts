// A task of a DAG as Airflow's clients read it.
import type { TaskResponse, TimeDelta } from '#contract/airflow/task.ts';
import { DAG_DEFAULTS, type Task } from '#contract/dag.ts';
import type { Graph, GraphTask } from '#core/graph.ts';
import { renderInstantText } from '../../instants.ts';
import { renderParams } from '../dags/render-dag.ts';

/** Absent fields of dag.json stand for Airflow's defaults, and are shown as such. */
export function renderTask(graph: Graph, node: GraphTask): TaskResponse {
  const { task, downstream, expands, rule } = node;
  return {
    ...renderLimits(task), ...renderRetries(task),
    task_id: task.task_id, task_display_name: task.display_name ?? task.task_id, owner: task.owner ?? 'airflow', start_date: renderInstantText(task.start_date ?? graph.dag.start_date),
    end_date: renderInstantText(task.end_date ?? graph.dag.end_date), trigger_rule: rule, depends_on_past: task.depends_on_past ?? false, wait_for_downstream: task.wait_for_downstream ?? false,
    ui_color: task.ui_color ?? '#fff', ui_fgcolor: task.ui_fgcolor ?? '#000',
    template_fields: task.template_fields ?? [], downstream_task_ids: downstream.map((index) => graph.tasks[index]?.id ?? '').sort(), doc_md: task.doc_md ?? null,
    operator_name: task.operator_name ?? task.operator, params: renderParams(task.params ?? {}),
    class_ref: { module_path: null, class_name: task.operator }, is_mapped: expands.length > 0, extra_links: task.extra_links ?? [],
  };
}

type Limits = Pick<TaskResponse, 'queue' | 'pool' | 'pool_slots' | 'priority_weight' | 'weight_rule'>;

function renderLimits(task: Task): Limits {
  return {
    queue: task.queue ?? DAG_DEFAULTS.queue, pool: task.pool ?? DAG_DEFAULTS.pool, pool_slots: task.pool_slots ?? DAG_DEFAULTS.poolSlots,
    priority_weight: task.priority_weight ?? DAG_DEFAULTS.priorityWeight, weight_rule: task.weight_rule ?? 'downstream',
  };
}

function renderRetries(task: Task): Pick<TaskResponse, 'retries' | 'retry_delay' | 'retry_exponential_backoff' | 'execution_timeout'> {
  return {
    retries: task.retries ?? DAG_DEFAULTS.retries, retry_delay: timeDelta(task.retry_delay_seconds ?? DAG_DEFAULTS.retryDelaySeconds),
    retry_exponential_backoff: task.retry_exponential_backoff ?? 0,
    execution_timeout: task.execution_timeout_seconds === undefined ? null : timeDelta(task.execution_timeout_seconds),
  };
}

function timeDelta(seconds: number): TimeDelta {
  const whole = Math.floor(seconds);
  return { __type: 'TimeDelta', days: Math.floor(whole / 86_400), seconds: whole % 86_400, microseconds: Math.round((seconds - whole) * 1e6) };
}
