// When a task's author is written to, as its serialization says it.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { taskOf } from './airflow-task.ts';

const emailsOf = (more: Readonly<Record<string, unknown>>, defaults: Readonly<Record<string, unknown>> = {}): unknown =>
  taskOf({ task_id: 'a', task_type: 'BashOperator', ...more }, { file: 'dag.py', dates: {}, dependsOn: [], group: undefined, facts: {}, defaults }).emails;

describe('e-mails of a task', () => {
  it('are for failures and retries unless its author said otherwise', () => {
    assert.deepEqual(emailsOf({ email: ['a@example.com'] }), ['failure', 'retry']);
    assert.deepEqual(emailsOf({ email: 'a@example.com', email_on_retry: false }), ['failure']);
    assert.deepEqual(emailsOf({ email: 'a@example.com' }, { email_on_failure: false }), ['retry']);
    assert.deepEqual(emailsOf({ _is_mapped: true, _expand_input_attr: 'expand_input', expand_input: { type: 'dict-of-lists', value: { __type: 'dict', __var: { x: [1] } } }, partial_kwargs: { email: ['a@example.com'], email_on_failure: false } }), ['retry']);
  });

  it('need an address', () => {
    for (const email of [undefined, null, '', []]) assert.equal(emailsOf({ email }), undefined);
    assert.equal(emailsOf({ email: ['a@example.com'], email_on_failure: false, email_on_retry: false }), undefined);
  });
});
