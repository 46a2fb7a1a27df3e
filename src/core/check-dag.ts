// Whether a dag.json may be registered: its schema, then what a schema cannot say. All problems at once, each with its JSON path.
import { Ajv2020, type ErrorObject, type ValidateFunction } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { Dag, plainSchema } from '#contract/dag.ts';
import { LIMITS } from '#contract/config.ts';
import { xcomSources } from './graph.ts';
import { findTimetableFault } from './timetable.ts';

/** One thing that is wrong with a dag.json, for the author of the DAG. */
export interface Problem {
  /** JSON path, e.g. `$.tasks[3].depends_on[0]`. */
  readonly path: string;
  readonly message: string;
}

/** `dag` is the checked value itself, not a copy. */
export type CheckedDag = { readonly kind: 'ok'; readonly dag: Dag } | { readonly kind: 'invalid'; readonly problems: readonly Problem[] };

let compiled: ValidateFunction<Dag> | null = null;

/** Compiled when it is first needed: that takes longer than most commands. */
function schemaCheck(): ValidateFunction<Dag> {
  if (compiled !== null) return compiled;
  const ajv = new Ajv2020({ allErrors: true, strict: false });
  addFormats.default(ajv, ['date-time']);
  compiled = ajv.compile<Dag>(plainSchema(Dag));
  return compiled;
}

/** Checks an unknown value. @returns the DAG, or every problem found (at most 100) */
export function checkDag(value: unknown): CheckedDag {
  const validate = schemaCheck();
  if (!validate(value)) return { kind: 'invalid', problems: schemaProblems(value, validate.errors ?? []).slice(0, 100) };
  const problems = [...checkIds(value), ...checkEdges(value), ...checkGroups(value), ...checkTimetable(value), ...checkMapping(value)];
  return problems.length === 0 ? { kind: 'ok', dag: value } : { kind: 'invalid', problems: problems.slice(0, 100) };
}

/** An `anyOf` reports each branch; the branch of the value's own `kind` is the one that helps. */
function schemaProblems(value: unknown, errors: readonly ErrorObject[]): Problem[] {
  const unions = errors.filter((error) => error.keyword === 'anyOf').map((error) => error.instancePath);
  const kept = errors.filter((error) => error.keyword !== 'anyOf' && !unions.some((path) => error.instancePath.startsWith(path) && isOtherBranch(value, error, errors)));
  const seen = new Map<string, Problem>();
  for (const error of kept.length > 0 ? kept : errors) {
    const problem = { path: jsonPath(error.instancePath), message: describe(error) };
    seen.set(`${problem.path} ${problem.message}`, problem);
  }
  return [...seen.values()];
}

function isOtherBranch(_value: unknown, error: ErrorObject, errors: readonly ErrorObject[]): boolean {
  // A branch whose `kind` constant does not match is not the author's.
  const branch = error.schemaPath.match(/^(.*anyOf\/\d+)\//)?.[1];
  if (branch === undefined) return false;
  return errors.some((other) => other.keyword === 'const' && other.schemaPath.startsWith(`${branch}/properties/kind`)) && errors.some((other) => other.keyword !== 'const');
}

function describe(error: ErrorObject): string {
  const params = error.params as Readonly<Record<string, unknown>>;
  switch (error.keyword) {
    case 'additionalProperties': return `unknown key ${JSON.stringify(params['additionalProperty'])}`;
    case 'required': return `missing key ${JSON.stringify(params['missingProperty'])}`;
    case 'enum': return `must be one of ${JSON.stringify(params['allowedValues'])}`;
    case 'const': return `must be ${JSON.stringify(params['allowedValue'])}`;
    default: return error.message ?? error.keyword;
  }
}

function jsonPath(pointer: string): string {
  return pointer.split('/').slice(1).reduce((path, part) => (/^\d+$/.test(part) ? `${path}[${part}]` : `${path}.${part.replaceAll('~1', '/').replaceAll('~0', '~')}`), '$');
}

function checkIds(dag: Dag): Problem[] {
  const problems: Problem[] = [];
  if (dag.tasks.length > LIMITS.maxDagTasks) problems.push({ path: '$.tasks', message: `more than ${LIMITS.maxDagTasks} tasks` });
  const seen = new Map<string, string>();
  const add = (id: string, path: string, what: string): void => {
    const before = seen.get(id);
    if (before === undefined) seen.set(id, path);
    else problems.push({ path, message: `duplicate ${what} id ${JSON.stringify(id)}, first at ${before}` });
  };
  dag.tasks.forEach((task, index) => add(task.task_id, `$.tasks[${index}].task_id`, 'task'));
  dag.task_groups?.forEach((group, index) => add(group.group_id, `$.task_groups[${index}].group_id`, 'group'));
  return problems;
}

function checkEdges(dag: Dag): Problem[] {
  const ids = new Set(dag.tasks.map((task) => task.task_id));
  const problems: Problem[] = [];
  dag.tasks.forEach((task, index) => task.depends_on.forEach((id, at) => {
    if (!ids.has(id)) problems.push({ path: `$.tasks[${index}].depends_on[${at}]`, message: `${task.task_id} depends on the unknown task ${JSON.stringify(id)}` });
  }));
  const cycle = problems.length === 0 ? findCycle(dag) : null;
  if (cycle !== null) problems.push({ path: '$.tasks', message: `cycle: ${cycle.join(' → ')}` });
  return problems;
}

/** Kahn's algorithm; what is left over holds a cycle, which is walked for its text. */
function findCycle(dag: Dag): string[] | null {
  const upstream = new Map(dag.tasks.map((task) => [task.task_id, task.depends_on]));
  const open = new Map(dag.tasks.map((task) => [task.task_id, task.depends_on.length]));
  const downstream = new Map<string, string[]>();
  for (const task of dag.tasks) for (const up of task.depends_on) appendTo(downstream, up, task.task_id);
  const free = [...open].filter(([, count]) => count === 0).map(([id]) => id);
  for (let id = free.pop(); id !== undefined; id = free.pop()) {
    open.delete(id);
    for (const down of downstream.get(id) ?? []) {
      const left = (open.get(down) ?? 0) - 1;
      open.set(down, left);
      if (left === 0) free.push(down);
    }
  }
  let at = open.keys().next().value;
  if (at === undefined) return null;
  const walked = new Set<string>();
  while (at !== undefined && !walked.has(at)) {
    walked.add(at);
    at = upstream.get(at)?.find((up) => open.has(up));
  }
  const path = [...walked];
  return [...path.slice(path.indexOf(at ?? '')), at ?? ''].reverse();
}

function appendTo(lists: Map<string, string[]>, key: string, value: string): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [value]);
  else list.push(value);
}

function checkGroups(dag: Dag): Problem[] {
  const groups = new Map((dag.task_groups ?? []).map((group) => [group.group_id, group]));
  const problems: Problem[] = [];
  dag.tasks.forEach((task, index) => {
    if (task.task_group !== undefined && !groups.has(task.task_group)) problems.push({ path: `$.tasks[${index}].task_group`, message: `unknown group ${JSON.stringify(task.task_group)}` });
  });
  dag.task_groups?.forEach((group, index) => {
    if (group.parent !== undefined && !groups.has(group.parent)) problems.push({ path: `$.task_groups[${index}].parent`, message: `unknown group ${JSON.stringify(group.parent)}` });
    const seen = new Set<string>();
    for (let id: string | undefined = group.group_id; id !== undefined; id = groups.get(id)?.parent) {
      if (seen.has(id)) {
        problems.push({ path: `$.task_groups[${index}].parent`, message: `group ${group.group_id} is its own ancestor` });
        break;
      }
      seen.add(id);
    }
  });
  return problems;
}

function checkTimetable(dag: Dag): Problem[] {
  const fault = findTimetableFault(dag.timetable);
  return fault === null ? [] : [{ path: '$.timetable', message: fault }];
}

/** A mapped task must come after what it maps over, else its length is never known. */
function checkMapping(dag: Dag): Problem[] {
  const byId = new Map(dag.tasks.map((task) => [task.task_id, task]));
  const problems: Problem[] = [];
  dag.tasks.forEach((task, index) => {
    if (task.expand === undefined) return;
    for (const source of xcomSources(task.expand)) {
      if (!byId.has(source.task_id)) problems.push({ path: `$.tasks[${index}].expand`, message: `maps over the unknown task ${JSON.stringify(source.task_id)}` });
      else if (!task.depends_on.includes(source.task_id)) problems.push({ path: `$.tasks[${index}].depends_on`, message: `maps over ${source.task_id} but does not depend on it` });
    }
  });
  dag.task_groups?.forEach((group, index) => {
    for (const source of group.expand === undefined ? [] : xcomSources(group.expand)) {
      if (!byId.has(source.task_id)) problems.push({ path: `$.task_groups[${index}].expand`, message: `maps over the unknown task ${JSON.stringify(source.task_id)}` });
    }
  });
  return problems;
}
