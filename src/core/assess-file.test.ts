// Verdicts on DAG files: what compiling said decides, imports complete the list.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assessFile, type FileEvidence, type ImportNeed } from './assess-file.ts';

const file = (more: Partial<FileEvidence>): FileEvidence => ({ dags: [], problems: [], needs: [], definesOnly: false, ...more });
const problem = (kind: string | null, message = 'm', line: number | null = 3): FileEvidence['problems'][number] => ({ kind, message, line });
const need = (needs: ImportNeed['needs'], what: string, name = what): ImportNeed => ({ needs, what, name, line: 7, file: 'a.py', late: false });

test('a file that compiles runs, whatever it would import elsewhere', () => {
  assert.deepEqual(assessFile(file({ dags: ['d'], needs: [need('sdk', 'x'), need('removed', 'y')] })), { verdict: 'runs', why: '', what: [] });
});

test('what functions import does not decide, and is told', () => {
  const late = (one: ImportNeed): ImportNeed => ({ ...one, late: true });
  assert.deepEqual(assessFile(file({ dags: ['d'], needs: [late(need('package', 'pandas')), late(need('variable', 'v'))] })), { verdict: 'runs', why: 'tasks that need pandas would fail', what: ['pandas'] });
  assert.deepEqual(assessFile(file({ dags: ['d'], needs: [need('context', 'outlet_events')] })).what, ['outlet_events']);
  assert.equal(assessFile(file({ problems: [problem('missing_module', "No module named 'numpy'")], needs: [need('package', 'numpy'), late(need('removed', 'airflow.contrib'))] })).verdict, 'packages');
  const called = assessFile(file({ problems: [problem('missing_module', "No module named 'numpy'")], needs: [late(need('package', 'numpy')), late(need('package', 'pandas'))] }));
  assert.deepEqual(called, { verdict: 'packages', why: 'numpy', what: ['numpy'] });
});

test('functions for other files hold no DAG, whatever they import', () => {
  assert.equal(assessFile(file({ definesOnly: true, problems: [problem('missing_module')], needs: [need('package', 'pandas')] })).verdict, 'none');
  assert.equal(assessFile(file({ definesOnly: true, problems: [problem(null, 'the parser ended with signal SIGSEGV')] })).verdict, 'cannot');
});

test('several reasons are told in one sentence', () => {
  const found = assessFile(file({ problems: [problem('unsupported_import')], needs: [need('sdk', 'a'), need('package', 'b'), need('variable', 'c'), need('variable', 'd')] }));
  assert.deepEqual([found.why, found.what], ['a, and the packages b, and at import the variables c, d', ['a', 'b', 'c', 'd']]);
});

test('an attribute that our package airflow has not', () => {
  const problems = [problem('import_error', "AttributeError: module 'airflow.models' has no attribute 'DagModel'")];
  assert.equal(assessFile(file({ problems, needs: [need('sdk', 'airflow.models.DagModel')] })).verdict, 'sdk');
  assert.equal(assessFile(file({ problems })).verdict, 'cannot');
});

test('all that is missing is named at once', () => {
  const found = assessFile(file({ problems: [problem('unsupported_import')], needs: [need('sdk', 'apache-airflow-providers-google'), need('sdk', 'apache-airflow-providers-google'), need('package', 'pandas')] }));
  assert.deepEqual([found.verdict, found.why], ['sdk', 'apache-airflow-providers-google, and the packages pandas']);
  assert.equal(assessFile(file({ problems: [problem('missing_module')], needs: [need('sdk', 'a'), need('package', 'b')] })).verdict, 'sdk');
  assert.deepEqual(assessFile(file({ problems: [problem('missing_module')], needs: [need('package', 'pandas')] })), { verdict: 'packages', why: 'pandas', what: ['pandas'] });
});

test('what Airflow 3 does not have any more cannot run anywhere', () => {
  assert.deepEqual(assessFile(file({ problems: [problem('unsupported_import')], needs: [need('removed', 'airflow.contrib.hooks'), need('sdk', 'x')] })), { verdict: 'cannot', why: 'not in Airflow 3: airflow.contrib.hooks (a.py:7)', what: ['airflow.contrib.hooks'] });
});

test('other problems are told as they were said', () => {
  assert.deepEqual(assessFile(file({ problems: [problem('import_error', "TypeError: unknown argument 'schedule_interval'\nmore")] })), { verdict: 'cannot', why: "line 3: TypeError: unknown argument 'schedule_interval'", what: [] });
  assert.equal(assessFile(file({ problems: [problem('unsupported_feature', 'callbacks of X')] })).why, 'line 3: callbacks of X');
  assert.equal(assessFile(file({ problems: [problem('missing_value', 'Variable x')] })).verdict, 'value');
  assert.equal(assessFile(file({ problems: [problem('no_dag')] })).verdict, 'none');
  assert.equal(assessFile(file({})).verdict, 'none');
});
