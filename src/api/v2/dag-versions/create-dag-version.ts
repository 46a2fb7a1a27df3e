// POST …/dagVersions: a compiled DAG with its sources becomes the DAG's current version. Not one of Airflow's operations.
import { createHash } from 'node:crypto';
import { DAGVersionPushBody, DagVersionResponse } from '#contract/airflow/dag-version.ts';
import type { Dag } from '#contract/dag.ts';
import { AppError } from '#contract/errors.ts';
import { checkDag } from '#core/check-dag.ts';
import { describeTimetable, nextRun } from '#core/timetable.ts';
import { monotonicMs, msOf } from '#platform/clock.ts';
import { findVersion } from '#store/dag-version-lists.ts';
import { findLastScheduled, type NextRun, registerVersion, type SourceFile } from '#store/dag-versions.ts';
import type { Database } from '#store/database.ts';
import { DAG_PARAMS, json, operation } from '../../operation.ts';
import { invalid } from '../../problems.ts';
import { renderVersion } from './render-version.ts';

/** Ours: `create_dag_version`. 201 when the content is new, 200 when it was pushed before (and is current again now). */
export const createDagVersion = operation({
  params: DAG_PARAMS,
  body: DAGVersionPushBody,
  response: DagVersionResponse,
  status: 201,
  async run({ params, body, services }) {
    const began = monotonicMs();
    const { database, config } = services;
    const checked = checkDag(body.dag);
    if (checked.kind === 'invalid') throw invalid(checked.problems.map(({ path, message }) => ({ type: 'invalid_dag', loc: ['body', 'dag', ...readPath(path)], msg: message, input: null })));
    const { dag } = checked;
    if (dag.dag_id !== params.dag_id) throw new AppError('invalid_value', `the path names the DAG ${params.dag_id}, the body ${dag.dag_id}`);
    const sources = readSources(dag, body);
    const registered = await registerVersion(database, {
      dag, sources, bundle: 'pushed', active: config.LEOFLOW_DAGS_ACTIVE, parseMs: null, next: await planNext(database, dag), timetable: describeTimetable(dag.timetable),
    });
    services.reporter.report({ event: 'dag.registered', dag_id: dag.dag_id, version: registered.number, created: registered.created, ms: monotonicMs() - began });
    const version = await findVersion(database, dag.dag_id, registered.number);
    if (version === null) throw new AppError('conflict', `version ${registered.number} of ${dag.dag_id} was deleted meanwhile`);
    return json(renderVersion(version), registered.created ? 201 : 200);
  },
});

/** `$.tasks[3].depends_on[0]` as the steps it takes. */
function readPath(path: string): (string | number)[] {
  return [...path.matchAll(/\.([^.[\]]+)|\[(\d+)\]/g)].map(([, name, index]) => (index === undefined ? (name ?? '') : Number(index)));
}

/** The files, each with the digest that dag.json names; no more and no fewer. */
function readSources(dag: Dag, body: DAGVersionPushBody): SourceFile[] {
  const given = new Map(body.sources.map((source) => [source.path, source.content_base64]));
  const problems = [...given.keys()].filter((path) => !dag.sources.some((source) => source.path === path)).map((path) => `${path} is not named by the DAG`);
  const files = dag.sources.map((source): SourceFile => {
    const content = Buffer.from(given.get(source.path) ?? '', 'base64');
    if (!given.has(source.path)) problems.push(`${source.path} is missing`);
    else if (createHash('sha256').update(content).digest('hex') !== source.sha256) problems.push(`${source.path} is not what its digest says`);
    return { path: source.path, content };
  });
  if (problems.length > 0) throw invalid(problems.map((msg) => ({ type: 'value_error', loc: ['body', 'sources'], msg, input: null })));
  return files;
}

async function planNext(database: Database, dag: Dag): Promise<NextRun | null> {
  const last = await findLastScheduled(database, dag.dag_id);
  const instant = (text: string | undefined): number | null => (text === undefined ? null : msOf(text));
  return nextRun(dag.timetable, { now: database.clock.nowMs(), last, start: instant(dag.start_date), end: instant(dag.end_date), catchup: dag.catchup ?? false });
}
