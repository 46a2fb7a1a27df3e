// People look at what tasks ask, answer once, and only those who are asked.
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { askPeople } from '#store/hitl-details.ts';
import { testApi, type TestApi } from '../../../test/support/api.ts';
import { addDag, addInstance, addRun, dagOf, task } from '../../../test/support/rows.ts';

const QUESTION = { options: ['yes', 'no'], subject: 'Ship it?', body: null, defaults: ['no'], multiple: false, params: { bare: 1, full: { value: 2, description: 'd', schema: {} } }, assignedUsers: [] };

describe('human in the loop', () => {
  let api: TestApi;
  const ids: string[] = [];
  before(async () => {
    api = await testApi();
    await addDag(api.database, dagOf('etl', [task('ask'), task('quiet')]));
    const run = await addRun(api.database, { dagId: 'etl', runId: 'r1' });
    for (const [mapIndex, assignedUsers] of [[], [{ id: 'the admin', name: 'A' }], [{ id: 'somebody', name: 'S' }]].entries()) {
      const { attempt } = await addInstance(api.database, { run, taskId: 'ask', mapIndex, state: 'running' });
      ids.push(attempt ?? '');
      await askPeople(api.database, { attemptId: attempt ?? '', run, taskId: 'ask', mapIndex }, { ...QUESTION, subject: `Ship ${mapIndex}?`, assignedUsers });
    }
    await addInstance(api.database, { run, taskId: 'quiet', state: 'running' });
  });
  const path = (mapIndex: number, more = ''): string => `/dags/etl/dagRuns/r1/taskInstances/ask/${mapIndex}/hitlDetails${more}`;

  test('a question is shown with the task instance that asks', async () => {
    const { status, json } = await api.ask('GET', path(0));
    const { task_instance: instance, created_at: createdAt, ...rest } = json as { task_instance: { id: string; map_index: number }; created_at: string };
    assert.deepEqual([status, instance.id, instance.map_index, Number.isNaN(Date.parse(createdAt))], [200, ids[0], 0, false]);
    assert.deepEqual(rest, {
      options: ['yes', 'no'], subject: 'Ship 0?', body: null, defaults: ['no'], multiple: false, params: { bare: { value: 1, description: null, schema: {} }, full: { value: 2, description: 'd', schema: {} } },
      assigned_users: [], responded_by_user: null, responded_at: null, chosen_options: null, params_input: {}, response_received: false,
    });
    const tried = (await api.ask('GET', path(1, '/tries/1'))).json as { subject: string; task_instance: { try_number: number } };
    assert.deepEqual([tried.subject, tried.task_instance.try_number], ['Ship 1?', 1]);
    for (const wrong of [path(7), path(0, '/tries/9'), '/dags/etl/dagRuns/r1/taskInstances/quiet/-1/hitlDetails']) assert.equal((await api.ask('GET', wrong)).status, 404, wrong);
  });

  test('who is asked answers, once', async () => {
    const body = { chosen_options: ['yes'], params_input: { bare: 5 } };
    const { responded_at: at, ...answer } = (await api.ask('PATCH', path(0), { body })).json as { responded_at: string };
    assert.deepEqual([answer, Number.isNaN(Date.parse(at))], [{ responded_by: { id: 'the admin', name: 'the admin' }, chosen_options: ['yes'], params_input: { bare: 5 } }, false]);
    const again = await api.ask('PATCH', path(0), { body });
    assert.deepEqual([again.status, again.json], [409, { detail: `Human-in-the-loop detail has already been updated for Task Instance with id ${ids[0]} and is not allowed to write again.` }]);
    assert.equal((await api.ask('PATCH', path(1), { body })).status, 200);
    const foreign = await api.ask('PATCH', path(2), { body });
    assert.deepEqual([foreign.status, foreign.json], [403, { detail: 'User=the admin (id=the admin) is not a respondent for the task.' }]);
    assert.equal((await api.ask('PATCH', path(2), { body: { chosen_options: [] } })).status, 422);
    assert.equal((await api.ask('PATCH', path(2), { body, role: 'viewer' })).status, 403);
  });

  test('questions are listed, filtered and ordered', async () => {
    const list = async (query: string): Promise<unknown> => {
      const { json, status } = await api.ask('GET', `/dags/~/dagRuns/~/hitlDetails?${query}`);
      const { hitl_details: details, total_entries: total } = json as { hitl_details: { subject: string }[]; total_entries: number };
      return [status, total, details.map((detail) => detail.subject)];
    };
    assert.deepEqual(await list('order_by=subject'), [200, 3, ['Ship 0?', 'Ship 1?', 'Ship 2?']]);
    assert.deepEqual(await list('response_received=false'), [200, 1, ['Ship 2?']]);
    assert.deepEqual(await list('response_received=true&order_by=-subject&limit=1'), [200, 2, ['Ship 1?']]);
    assert.deepEqual(await list('responded_by_user_id=the%20admin&subject_search=0'), [200, 1, ['Ship 0?']]);
    assert.deepEqual(await list('map_index=2&state=running&task_id=ask'), [200, 1, ['Ship 2?']]);
    assert.deepEqual(await list('created_at_lt=2020-01-01T00:00:00Z'), [200, 0, []]);
    assert.equal((await api.ask('GET', '/dags/etl/dagRuns/r1/hitlDetails?order_by=nonsense')).status, 400);
  });
});
