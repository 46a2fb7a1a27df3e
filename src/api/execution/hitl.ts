// Questions that tasks ask people, and the answers that triggers wait for.
import { answerPeople, askPeople, findHitlDetail, type HitlDetail } from '#store/hitl-details.ts';
import { renderInstantOrNull } from '../instants.ts';
import { HttpProblem } from '../problems.ts';
import { executionOperation, value } from './execution-call.ts';
import { missing } from './refusals.ts';
import { HITLDetailRequest, UpdateHITLDetailPayload } from './request-models.ts';
import { HITLDetailResponse } from './response-models.ts';
import { TI_PARAMS } from './ti-params.ts';

/** Airflow's `upsert_hitl_detail`. Asked again, the question stays as it was first asked, and its answer is forgotten. */
export const upsertHitlDetail = executionOperation({
  params: TI_PARAMS, body: HITLDetailRequest, response: HITLDetailRequest, status: 201, needsOpen: true,
  async run({ caller, body, services }) {
    const detail = await askPeople(services.database, caller, {
      options: body.options, subject: body.subject, body: body.body, defaults: body.defaults, multiple: body.multiple, params: body.params, assignedUsers: body.assigned_users,
    });
    return value(renderQuestion(detail));
  },
});

function renderQuestion(detail: HitlDetail): object {
  const { attemptId, options, subject, body, defaults, multiple, params, assignedUsers } = detail;
  return { ti_id: attemptId, options, subject, body, defaults, multiple, params, assigned_users: assignedUsers };
}

const notAsked = (): Error => missing('HITLDetail not found. This happens most likely due to clearing task instance before receiving response.');

/** Airflow's `update_hitl_detail`: the trigger answers with the defaults when nobody did in time. */
export const updateHitlDetail = executionOperation({
  params: TI_PARAMS, body: UpdateHITLDetailPayload, response: HITLDetailResponse,
  async run({ caller, body, services }) {
    const { database } = services;
    const answered = await answerPeople(database, caller.attemptId, { by: null, chosenOptions: body.chosen_options, paramsInput: body.params_input });
    if (answered !== null) return value(renderAnswer(answered));
    if ((await findHitlDetail(database, caller.attemptId)) === null) throw notAsked();
    throw new HttpProblem(409, `Human-in-the-loop detail for Task Instance with id ${caller.attemptId} already exists.`);
  },
});

/** Airflow's `get_hitl_detail`. */
export const getHitlDetail = executionOperation({
  params: TI_PARAMS, response: HITLDetailResponse,
  async run({ caller, services }) {
    const detail = await findHitlDetail(services.database, caller.attemptId);
    if (detail === null) throw notAsked();
    return value(renderAnswer(detail));
  },
});

function renderAnswer({ answer }: HitlDetail): object {
  return {
    response_received: answer !== null, responded_by_user: answer?.by ?? null, responded_at: renderInstantOrNull(answer?.at ?? null), chosen_options: answer?.chosenOptions ?? [],
    params_input: answer?.paramsInput ?? {},
  };
}
