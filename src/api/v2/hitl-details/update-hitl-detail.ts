// PATCH …/hitlDetails: a person answers what a task asks. The task's trigger reads the answer; nothing else wakes it.
import { HITLDetailResponse, UpdateHITLDetailPayload } from '#contract/airflow/hitl.ts';
import { answerPeople } from '#store/hitl-details.ts';
import { json, MAPPED_PARAMS, operation } from '../../operation.ts';
import { conflict, HttpProblem } from '../../problems.ts';
import { renderInstant } from '../../instants.ts';
import { findTaskOf, getInstance } from '../task-instances/find-instance.ts';
import { renderInstance } from '../task-instances/render-instance.ts';
import { getQuestion } from './get-hitl-details.ts';

/** Airflow's `update_hitl_detail`: once, and only by those whom the task asks. */
export const updateHitlDetail = operation({
  params: MAPPED_PARAMS, body: UpdateHITLDetailPayload, response: HITLDetailResponse,
  async run({ params, body, person, services: { database } }) {
    const row = await getInstance(database, params, params.map_index);
    const { id } = renderInstance(row, await findTaskOf(database, row));
    const detail = await getQuestion(database, row.attemptId, id);
    const answered = (): HttpProblem => conflict(`Human-in-the-loop detail has already been updated for Task Instance with id ${id} and is not allowed to write again.`);
    if (detail.answer !== null) throw answered();
    if (detail.assignedUsers.length > 0 && !detail.assignedUsers.some((user) => user.id === person.name)) throw new HttpProblem(403, `User=${person.name} (id=${person.name}) is not a respondent for the task.`);
    const by = { id: person.name, name: person.name };
    const done = await answerPeople(database, detail.attemptId, { by, chosenOptions: body.chosen_options, paramsInput: body.params_input });
    if (done?.answer === undefined || done.answer === null) throw answered();
    return json({ responded_by: by, responded_at: renderInstant(done.answer.at), chosen_options: done.answer.chosenOptions, params_input: done.answer.paramsInput });
  },
});
