// A question to people as Airflow's clients read it.
import type { HITLDetail } from '#contract/airflow/hitl.ts';
import type { HitlDetail } from '#store/hitl-details.ts';
import { renderInstant, renderInstantOrNull } from '../../instants.ts';

/** Everything of it but the task instance that asks. */
export function renderHitl(detail: HitlDetail): Omit<HITLDetail, 'task_instance'> {
  const { options, subject, body, defaults, multiple, params, assignedUsers, createdAt, answer } = detail;
  return {
    options: [...options], subject, body, defaults: defaults === null ? null : [...defaults], multiple, params: Object.fromEntries(Object.entries(params).map(([name, value]) => [name, asParam(value)])),
    assigned_users: [...assignedUsers], created_at: renderInstant(createdAt), responded_by_user: answer?.by ?? null, responded_at: renderInstantOrNull(answer?.at ?? null),
    chosen_options: answer === null ? null : [...answer.chosenOptions], params_input: { ...answer?.paramsInput }, response_received: answer !== null,
  };
}

/** A bare value stands for a parameter without description and schema. */
function asParam(value: unknown): unknown {
  const isParam = typeof value === 'object' && value !== null && ['description', 'schema', 'value'].every((key) => key in value);
  return isParam ? value : { value, description: null, schema: {} };
}
