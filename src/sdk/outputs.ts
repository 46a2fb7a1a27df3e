// The types of a drawing: what a task gives, what another one takes of it, and what is drawn with both.
import type { Context } from './context.ts';
import type { CommonOptions, SensorOptions, ShortCircuitOptions, TaskOptions } from './drawing-options.ts';
import type { Jsonified } from './json-form.ts';

declare const result: unique symbol;
declare const groupResult: unique symbol;

/** What edges can be drawn to and from. */
export interface Edges {
  /** The others come first. `{label}` as the last argument names the edges. */
  after(...others: readonly (Step | { readonly label: string })[]): this;
  /** The others come next. */
  before(...others: readonly (Step | { readonly label: string })[]): this;
}
type Joint = Output<unknown> | Group<unknown>;
/** A task's output or a group, or several side by side. */
export type Step = Joint | readonly Joint[];

/** The result of a task, of type T once the run has it. */
export interface Output<T> extends Edges {
  readonly [result]: T;
  /** One key of what the task pushed: of its result with `multiple_outputs`, or of `ctx.xcom.push`. */
  key<K extends T extends object ? Extract<keyof T, string> : string>(name: K): Output<K extends keyof T ? T[K] : unknown>;
  /** Each element passed through an exported function of this file, in the process of the task that uses it. */
  map<R>(through: (element: T extends readonly (infer E)[] ? E : never) => R): Output<Jsonified<Awaited<R>>[]>;
  /** Elements side by side, as long as the shortest; with `{fillvalue}` as long as the longest. */
  zip<O extends readonly Output<readonly unknown[]>[]>(...others: O): Output<[ElementOf<T>, ...{ [I in keyof O]: O[I] extends Output<infer L> ? ElementOf<L> : never }][]>;
  zip<U, F>(other: Output<readonly U[]>, how: { readonly fillvalue: F }): Output<[ElementOf<T> | F, U | F][]>;
  /** One list after the other. */
  concat<U>(...others: readonly Output<readonly U[]>[]): Output<(ElementOf<T> | U)[]>;
  /** A setup task: it runs before, and its teardown after, what stands between them. */
  asSetup(): this;
  asTeardown(how?: { readonly setups?: Output<unknown> | readonly Output<unknown>[]; readonly on_failure_fail_dagrun?: boolean }): this;
}
type ElementOf<L> = L extends readonly (infer E)[] ? E : never;

/** A group from outside. `result` is what its function returned; of a mapped group each output in it is a list. */
export interface Group<R> extends Edges {
  readonly [groupResult]?: R;
  readonly result: R;
}

/** What a mapped group's outputs are outside of it. */
export type Collected<R> = R extends Output<infer T> ? Output<T[]> : R extends readonly unknown[] ? { [K in keyof R]: Collected<R[K]> } : R extends object ? { [K in keyof R]: Collected<R[K]> } : R;

/** A value, an output that gives it, or a list of either. */
export type Given<T> = T | Output<T> | (T extends readonly (infer E)[] ? readonly (E | Output<E>)[] : never);
/** What a list of it gives one of to each instance. */
export type Mapped<T> = readonly Given<T>[] | Output<readonly T[]>;

type NoKeys = Record<never, never>;
type IsOpen<A> = string extends keyof A ? true : false;
type Optional<A> = { [K in keyof A as undefined extends A[K] ? K : never]: A[K] };
type AllOptional<A> = keyof A extends keyof Optional<A> ? true : false;
/** Arguments by name, none when every one may be left out. */
export type Arguments<A> = IsOpen<A> extends true ? [given?: { readonly [name: string]: unknown }]
  : AllOptional<A> extends true ? [given?: { readonly [K in keyof A]: Given<A[K]> }]
  : [given: { readonly [K in keyof A]: Given<A[K]> }];

/** A function of a task: its arguments by name, then the context. */
export type Body<A, R, P> = (given: A, context: Context<P>) => R;

/** A task's definition. Calling it draws the task. */
export interface Task<A, T> {
  (...given: Arguments<A>): Output<T>;
  /** Arguments that are the same for all instances; the rest follows with `expand`. */
  partial<K extends keyof A>(given: { readonly [N in K]: Given<A[N]> }): PartialTask<Omit<A, K>, T>;
  /** One instance per element; several arguments give all combinations, the last varies fastest. */
  expand(over: { readonly [K in keyof A]: Mapped<A[K]> }): Output<T[]>;
  /** One instance per row of arguments. */
  expandRows(rows: readonly { readonly [K in keyof A]: Given<A[K]> }[] | Output<readonly A[]>): Output<T[]>;
  /** The same function under another id or with other options. */
  override(options: TaskOptions & { readonly task_id?: string }): Task<A, T>;
}

/** A task some of whose arguments are given. */
export interface PartialTask<A, T> {
  expand(over: { readonly [K in keyof A]: Mapped<A[K]> }): Output<T[]>;
  expandRows(rows: readonly { readonly [K in keyof A]: Given<A[K]> }[] | Output<readonly A[]>): Output<T[]>;
}

/** What a sensor answers: whether it is there, and a value for those after it. */
export type Poke<T> = boolean | { readonly done: boolean; readonly value?: T };
/** Ids of tasks or groups to follow. */
export type Choice = string | readonly string[] | null | undefined | void;

/** `task(id, fn)`, `task(id, options, fn)`, or `task(fn)` with the function's name as id. */
export interface MakeTask<P, O extends TaskOptions = TaskOptions> {
  <A extends object = NoKeys, R = unknown>(body: Body<A, R, P>): Task<A, Jsonified<Awaited<R>>>;
  <A extends object = NoKeys, R = unknown>(id: string, body: Body<A, R, P>): Task<A, Jsonified<Awaited<R>>>;
  <A extends object = NoKeys, R = unknown>(id: string, options: O, body: Body<A, R, P>): Task<A, Jsonified<Awaited<R>>>;
}
/** Its result is the ids to follow; the other tasks right after it are skipped. */
export interface MakeBranch<P> {
  <A extends object = NoKeys>(id: string, body: Body<A, Choice | Promise<Choice>, P>): Task<A, string | string[] | null>;
  <A extends object = NoKeys>(id: string, options: TaskOptions, body: Body<A, Choice | Promise<Choice>, P>): Task<A, string | string[] | null>;
}
/** It looks until it is there. */
export interface MakeSensor<P> {
  <A extends object = NoKeys, T = null>(id: string, body: Body<A, Poke<T> | Promise<Poke<T>>, P>): Task<A, Jsonified<T> | null>;
  <A extends object = NoKeys, T = null>(id: string, options: SensorOptions, body: Body<A, Poke<T> | Promise<Poke<T>>, P>): Task<A, Jsonified<T> | null>;
}

/** What `draw` is given: the makers, knowing the DAG's params. */
export interface Pen<P> {
  readonly task: MakeTask<P>;
  readonly branch: MakeBranch<P>;
  /** A falsy result skips what comes after it. */
  readonly shortCircuit: MakeTask<P, ShortCircuitOptions>;
  readonly sensor: MakeSensor<P>;
}

/** An operator's own arguments beside what every task takes. */
export type OperatorArguments = CommonOptions & { readonly [argument: string]: unknown };
