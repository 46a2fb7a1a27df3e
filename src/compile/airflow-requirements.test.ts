// What an environment of `runtime: airflow` gets beside the project's own requirements.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { namesAirflow, packageOf, untestedPin, withAirflow } from './airflow-requirements.ts';

describe('requirements of runtime airflow', () => {
  const lineOf = (lines: readonly string[] | undefined, name: string): string | undefined => lines?.find((line) => packageOf(line) === name);

  it('are core, Task SDK and the standard provider, at the versions that are tested together', () => {
    const { requirements, constraints } = withAirflow(null);
    assert.deepEqual(requirements, ['apache-airflow-core', 'apache-airflow-task-sdk', 'apache-airflow-providers-standard']);
    for (const [name, line] of Object.entries({ 'apache-airflow-core': '3.2.1', 'apache-airflow-task-sdk': '1.2.1', 'apache-airflow-providers-standard': '1.12.3', pydantic: '2.12.5' })) assert.equal(lineOf(constraints, name), `${name}==${line}`);
    assert.equal(constraints?.some((line) => line.startsWith('#')), false);
  });

  it('keep what the project says, with its Python', () => {
    const needs = withAirflow({ version: '3.12', requirements: ['pandas', 'apache-airflow-providers-standard>=1.13'], constraints: ['Pydantic==2.13.0'] });
    assert.deepEqual([needs.version, needs.requirements.slice(0, 2)], ['3.12', ['pandas', 'apache-airflow-providers-standard>=1.13']]);
    assert.deepEqual(needs.constraints?.filter((line) => packageOf(line) === 'pydantic'), ['Pydantic==2.13.0']);
    assert.equal(lineOf(needs.constraints, 'apache-airflow-providers-standard'), undefined);
    assert.equal(needs.requirements.filter((line) => packageOf(line) === 'apache-airflow-providers-standard').length, 1);
    assert.notEqual(lineOf(needs.constraints, 'apache-airflow-core'), undefined);
  });

  it('leave one release of theirs to them, and choose ours in a range', () => {
    const exact = withAirflow({ requirements: ['apache-airflow==3.2.0'] });
    for (const name of ['apache-airflow', 'apache-airflow-core', 'apache-airflow-task-sdk']) assert.equal(lineOf(exact.constraints, name), undefined, name);
    assert.notEqual(lineOf(exact.constraints, 'pydantic'), undefined);
    for (const range of ['apache-airflow>=3.2,<3.3', 'apache-airflow==3.2.*', 'apache-airflow']) assert.equal(lineOf(withAirflow({ requirements: [range] }).constraints, 'apache-airflow-core'), 'apache-airflow-core==3.2.1', range);
  });

  it('are wanted by whoever names a package of Airflow', () => {
    for (const line of ['apache-airflow', 'apache_airflow_providers_http>=5', 'Apache-Airflow-Core[x]==3.2.1']) assert.equal(namesAirflow({ requirements: ['six', line] }), true, line);
    assert.equal(namesAirflow({ requirements: ['airflow-tools', 'pandas'] }), false);
    assert.equal(namesAirflow(null), false);
  });

  it('are not made for a release that is not tested', () => {
    assert.equal(untestedPin({ requirements: ['apache-airflow==2.11.0'] }), 'apache-airflow==2.11.0');
    assert.equal(untestedPin({ requirements: ['apache-airflow'], constraints: ['apache-airflow-core == 3.3.0'] }), 'apache-airflow-core == 3.3.0');
    for (const line of ['apache-airflow==3.2.9', 'apache-airflow>=3', 'apache-airflow-providers-http==5.0.0']) assert.equal(untestedPin({ requirements: [line] }), null, line);
  });
});
