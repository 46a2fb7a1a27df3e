// Makes the context of one execution from what it was told and from whoever answers its questions.
import type { VariableRequest } from '#contract/attempt.ts';
import { callPlace, type Place } from './call-place.ts';
import { type Connection, type Context, FailTask, type PullOptions, SkipTask } from './context.ts';
import type { DrawnGraph, Entry, TaskNode } from './drawn-dag.ts';
import { decodeValue } from './json-values.ts';
import type { PushedValues } from './run-body.ts';

/** What an execution is told. Dates are ISO texts. */
export interface ContextFacts {
  readonly dag_id: string;
  readonly run_id: string;
  readonly task_id: string;
  readonly map_index: number;
  readonly try_number: number;
  readonly max_tries: number;
  readonly logical_date: string | null;
  readonly data_interval_start: string | null;
  readonly data_interval_end: string | null;
  readonly conf: Readonly<Record<string, unknown>>;
  readonly params: Readonly<Record<string, unknown>>;
}

/** Who answers. `findXCom` gives JSON text, of all indexes in a list when `map_index` is null. */
export interface ContextServices {
  readonly signal: AbortSignal;
  readonly pushed: PushedValues;
  readonly writeLog: (level: 'debug' | 'info' | 'warning' | 'error', event: string, more: { readonly place: Place | null; readonly error?: unknown }) => void;
  readonly findXCom: (request: PullOptions & { readonly task_id: string; readonly key: string; readonly index: number | null }) => Promise<string | null>;
  readonly useVariable: (request: VariableRequest) => Promise<string | null>;
  readonly findConnection: (connId: string) => Promise<(Omit<Connection, 'extra'> & { readonly extra: string | null }) | null>;
  /** True for a task with one instance per element. */
  readonly hasInstances: (taskId: string) => boolean;
}

/** The context. */
export function makeContext(facts: ContextFacts, services: ContextServices): Context {
  const dateOf = (text: string | null): Date | null => (text === null ? null : new Date(text));
  const logical = dateOf(facts.logical_date);
  return {
    dag_id: facts.dag_id, run_id: facts.run_id, task_id: facts.task_id, map_index: facts.map_index, try_number: facts.try_number, max_tries: facts.max_tries,
    logical_date: logical, data_interval_start: dateOf(facts.data_interval_start), data_interval_end: dateOf(facts.data_interval_end),
    ds: logical === null ? null : logical.toISOString().slice(0, 10),
    ts: logical === null ? null : logical.toISOString().replace(/(?:\.000)?Z$/, '+00:00'),
    params: facts.params, conf: facts.conf, signal: services.signal,
    log: makeLog(services),
    xcom: {
      pull: async (task_id, options = {}) => {
        const { key = 'return_value', map_index = null, ...elsewhere } = options;
        const single = map_index === null && !services.hasInstances(task_id) && elsewhere.dag_id === undefined;
        const text = await services.findXCom({ ...elsewhere, task_id, key, index: single ? -1 : map_index });
        return text === null ? null : decodeValue(text);
      },
      push: (key, value) => services.pushed.push(key, value),
    },
    variable: {
      get: (key) => services.useVariable({ op: 'get', key }),
      set: async (key, value, description) => void (await services.useVariable({ op: 'set', key, value, description: description ?? null })),
      delete: async (key) => void (await services.useVariable({ op: 'delete', key })),
    },
    connection: { get: (connId) => getConnection(services, connId) },
    skip: (reason) => {
      throw new SkipTask(reason);
    },
    fail: (reason) => {
      throw new FailTask(reason);
    },
  };
}

function makeLog({ writeLog }: ContextServices): Context['log'] {
  return {
    debug: (event) => writeLog('debug', event, { place: callPlace() }),
    info: (event) => writeLog('info', event, { place: callPlace() }),
    warning: (event) => writeLog('warning', event, { place: callPlace() }),
    error: (event, error) => writeLog('error', event, { place: callPlace(), error }),
  };
}

async function getConnection(services: ContextServices, connId: string): Promise<Connection> {
  const found = await services.findConnection(connId);
  if (found === null) throw new Error(`there is no connection ${connId}: add it with \`leoflow connections set ${connId}\``);
  return { ...found, extra: parsedOr(found.extra) };
}

function parsedOr(text: string | null): unknown {
  if (text === null || text === '') return null;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** As python/leoflow/draw/words.py tells a spec from a default. */
const SCHEMA_WORDS = ['default', 'type', 'enum', 'schema'];

/** Values of the params: defaults of DAG and task, with the run's conf over them. Throws when one has no value. */
export function paramValues(graph: DrawnGraph, task: TaskNode, conf: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const specs: Entry = { ...graph.drawing.params, ...(task.entry['params'] as Entry | undefined) };
  const values: Record<string, unknown> = {};
  for (const [name, spec] of Object.entries(specs)) {
    const isSchema = typeof spec === 'object' && spec !== null && !Array.isArray(spec) && SCHEMA_WORDS.some((word) => word in spec);
    const value: unknown = name in conf ? conf[name] : isSchema ? (spec as Entry)['default'] : spec;
    if (value === undefined) throw new Error(`the param ${name} has no value: give it in the run’s conf, or give it a default`);
    values[name] = value;
  }
  return { ...values, ...Object.fromEntries(Object.entries(conf).filter(([name]) => !(name in specs))) };
}
