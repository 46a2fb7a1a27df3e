// When a file is for the Task SDK: what our own runtime said of it, and which release the environment holds.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { CompileProblem } from './compiled.ts';
import { isNotCovered, releaseProblem } from './choose-runtime.ts';

const problem = (message: string, kind?: string): CompileProblem => ({ file: 'd.py', line: 1, column: null, message, hint: null, ...(kind === undefined ? {} : { kind }) });

describe('a file is for the Task SDK', () => {
  const covered: readonly [CompileProblem, boolean][] = [
    [problem('airflow.providers.x is not covered by runtime leoflow', 'unsupported_import'), true],
    [problem('DAG(deadline=…) is not supported by runtime leoflow', 'unsupported_feature'), true],
    [problem("AttributeError: module 'airflow.models' has no attribute 'DagModel'", 'import_error'), true],
    [problem("No module named 'pandas'", 'missing_module'), false],
    [problem("AttributeError: module 'airflow_tools' has no attribute 'x'", 'import_error'), false],
    [problem('ZeroDivisionError: division by zero', 'import_error'), false],
    [problem('the file holds no DAG', 'no_dag'), false],
  ];
  for (const [one, expected] of covered) it(`${expected ? 'after' : 'not after'}: ${one.message}`, () => assert.equal(isNotCovered([one]), expected));
});

describe('a release of Airflow', () => {
  const told = (core: string): string => {
    const found = releaseProblem({ core, sdk: '1.0.0' }, { file: 'd.py' });
    return found === null ? 'tested' : found.isFatal ? 'refused' : 'warned of';
  };
  for (const [core, expected] of Object.entries({ '3.2.1': 'tested', '3.2.0rc1': 'tested', '3.1.9': 'refused', '2.11.0': 'refused', '3.3.0': 'warned of', '3.20.0': 'warned of', '4.0.0': 'refused' })) {
    it(`${core} is ${expected}`, () => assert.equal(told(core), expected));
  }
});
