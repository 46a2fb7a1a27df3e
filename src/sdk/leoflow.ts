// What a dag.ts imports as 'leoflow': DAGs, tasks, groups and edges, with types that flow from a result to the next argument.
import { currentBoard, drawOn, fault } from './board.ts';
import { callPlace } from './call-place.ts';
import * as contexts from './context.ts';
import type * as options from './drawing-options.ts';
import { drawChain, DrawnGroup, drawValue, Expression } from './expressions.ts';
import type * as json from './json-form.ts';
import { drawOptions, makeTask } from './make-task.ts';
import type * as outputs from './outputs.ts';
import { type DrawnDag, registry } from './registry.ts';

/** What a running task knows and may do; P is the type of its params. */
export type Context<P = Readonly<Record<string, unknown>>> = contexts.Context<P>;
/** A connection as `ctx.connection.get` gives it. */
export type Connection = contexts.Connection;
/** The result of a task, of type T once the run has it. */
export type Output<T> = outputs.Output<T>;
/** A group from outside. */
export type Group<R> = outputs.Group<R>;
/** A task's definition; calling it draws the task. */
export type Task<A, T> = outputs.Task<A, T>;
/** What a value is after it went through JSON. */
export type Jsonified<T> = json.Jsonified<T>;
/** Options under Airflow's names. */
export type DagOptions<S extends options.ParamSpecs = options.ParamSpecs> = options.DagOptions<S>;
/** What a task with a function takes beside it. */
export type TaskOptions = options.TaskOptions;
/** A drawn DAG, for `leoflow/testing`. */
export type Dag<P> = DrawnDag & { readonly params?: P };

type AnyParams = Readonly<Record<string, unknown>>;

/** Thrown in a task: it is skipped. */
export const SkipTask = contexts.SkipTask;
/** Thrown in a task: it fails and is not tried again. */
export const FailTask = contexts.FailTask;

/** A task: its function gets its arguments by name and the context, and runs in a Node process of its own. Its result is kept as JSON. */
export const task = ((...given: readonly unknown[]) => makeTask('task', given)) as unknown as outputs.MakeTask<AnyParams>;
/** A task that chooses: its result is the ids of tasks or groups to follow, the others right after it are skipped. */
export const branch = ((...given: readonly unknown[]) => makeTask('branch', given)) as unknown as outputs.MakeBranch<AnyParams>;
/** A task with a falsy result skips what comes after it. */
export const shortCircuit = ((...given: readonly unknown[]) => makeTask('short_circuit', given)) as unknown as outputs.MakeTask<AnyParams, options.ShortCircuitOptions>;
/** A task that looks again and again until its function answers true. */
export const sensor = ((...given: readonly unknown[]) => makeTask('sensor', given)) as unknown as outputs.MakeSensor<AnyParams>;

const PEN = { task, branch, shortCircuit, sensor };

/**
 * A DAG. `draw` calls tasks and joins them; the makers it is given know the types of the params.
 * @example dag('sales', { schedule: '@daily' }, () => { load({ rows: extract() }); })
 */
export function dag<const S extends options.ParamSpecs>(id: string, drawing: DagOptions<S>, draw: (pen: outputs.Pen<options.ParamValues<S>>) => void): Dag<options.ParamValues<S>> {
  const board = drawOn(id, () => draw(PEN as unknown as outputs.Pen<options.ParamValues<S>>));
  const drawn: DrawnDag = { dag_id: id, drawing: { dag_id: id, ...drawOptions({ board }, drawing as Readonly<Record<string, unknown>>), tasks: board.tasks }, functions: board.functions, places: board.places() };
  if (registry().dags.some((one) => one.dag_id === id)) fault(`the DAG ${id} is drawn twice`, callPlace(), 'Give one of them another id.');
  registry().dags.push(drawn);
  return drawn;
}

/** Tasks under one name: edges to a group go to its first tasks, edges from it start at its last. */
export function group<R>(id: string, draw: () => R): Group<R>;
/** Mapped: one instance of all its tasks per element. */
export function group<R, A extends object>(id: string, how: options.GroupOptions & { readonly expand: { readonly [K in keyof A]: outputs.Mapped<A[K]> } }, draw: (given: { readonly [K in keyof A]: Output<A[K]> }) => R): Group<outputs.Collected<R>>;
export function group<R>(id: string, how: options.GroupOptions, draw: () => R): Group<R>;
export function group(id: string, first: unknown, second?: unknown): unknown {
  const draw = (second ?? first) as (given: Readonly<Record<string, unknown>>) => unknown;
  const { expand, ...how } = (second === undefined ? {} : first) as options.GroupOptions & { readonly expand?: Readonly<Record<string, unknown>> };
  const board = currentBoard(`the group ${id}`);
  const entry: Record<string, unknown> = {};
  const node = board.add(id, entry);
  const given = Object.fromEntries(Object.keys(expand ?? {}).map((name) => [name, new Expression(board, { argument: name }, [])]));
  const result = board.within(node, { prefixes: how.prefix_group_id !== false, isMapped: expand !== undefined }, () => draw(given));
  Object.assign(entry, drawOptions(node, how as Readonly<Record<string, unknown>>), expand === undefined ? {} : { expand: drawValue(board, expand) });
  return new DrawnGroup(node, result);
}

/** A task of one of Airflow's operators, by class name or import path, with the operator's own arguments. It runs in Python. */
export function operator(name: string, given: outputs.OperatorArguments & { readonly task_id: string }): Output<unknown> {
  const { task_id: id, ...rest } = given;
  return drawn(id, (board) => ({ operator: name, ...(drawValue(board, rest) as object) })) as Output<unknown>;
}

/** A shell command (BashOperator). Its last line of output is its result. */
export function bash(id: string, given: string | (outputs.OperatorArguments & { readonly bash_command: string })): Output<string> {
  return operator('BashOperator', { task_id: id, ...(typeof given === 'string' ? { bash_command: given } : given) }) as Output<string>;
}

/** A program with its arguments, without a shell. Its last line of output is its result. */
export function command(id: string, program: string | readonly string[], how: options.TaskOptions & { readonly cwd?: string } = {}): Output<string> {
  return drawn(id, (board) => ({ command: program, ...drawOptions({ board }, how as Readonly<Record<string, unknown>>) })) as Output<string>;
}

/** A request. Its body is the result, parsed when it is JSON. */
export function http(id: string, request: string | options.HttpOptions): Output<unknown> {
  const { method, url, conn_id, headers, body, timeout, success_status_codes, ...common }: options.HttpOptions = typeof request === 'string' ? { url: request } : request;
  return drawn(id, (board) => ({ http: drawOptions({ board }, { method, url, conn_id, headers, body, timeout, success_status_codes }), ...drawOptions({ board }, common) })) as Output<unknown>;
}

/** A task that does nothing, to join others at (EmptyOperator). It starts no process. */
export function empty(id: string, how: options.CommonOptions = {}): Output<null> {
  return operator('EmptyOperator', { task_id: id, ...how }) as Output<unknown> as Output<null>;
}

function drawn(id: string, entryOf: (board: ReturnType<typeof currentBoard>) => object): unknown {
  const board = currentBoard(`the task ${id}`);
  const entry: Record<string, unknown> = {};
  const node = board.add(id, entry);
  Object.assign(entry, entryOf(board));
  return new Expression(board, { xcom: node.id }, [node]);
}

/** One after the other; the members of a list stand side by side. */
export function chain(...steps: readonly outputs.Step[]): void {
  drawChain(steps);
}

/** An asset by its URI or name, for `inlets` and `outlets`. */
export function asset(uri: string): options.AssetRef {
  return { asset: uri };
}
