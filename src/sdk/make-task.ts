// Draws tasks that have a function: plain, mapped, with some arguments given.
import { currentBoard, fault, type BoardNode } from './board.ts';
import { drawValue, Expression } from './expressions.ts';
import type { Task } from './outputs.ts';
import { registry, type TaskFunction } from './registry.ts';

/** A definition before it is drawn. */
interface Definition {
  readonly id: string;
  readonly decorator: 'task' | 'branch' | 'short_circuit' | 'sensor';
  readonly options: Readonly<Record<string, unknown>>;
  readonly body: TaskFunction;
}

/** The function behind a task's definition, by name because a project may have a copy of this module of its own. */
const BODY = Symbol.for('leoflow.body');

/** The function of a task's definition; null for anything else. */
export function bodyOf(value: unknown): TaskFunction | null {
  return typeof value === 'function' && BODY in value && typeof value[BODY] === 'function' ? (value[BODY] as TaskFunction) : null;
}

/** Takes `(fn)`, `(id, fn)` or `(id, options, fn)` apart. */
function define(decorator: Definition['decorator'], given: readonly unknown[]): Definition {
  const body = given.at(-1);
  const [first, second] = given;
  if (typeof body !== 'function') throw new TypeError('a task needs a function as its last argument');
  const id = typeof first === 'string' ? first : body.name;
  if (id === '') throw new TypeError('a task whose function has no name needs an id: task("id", fn)');
  return { id, decorator, options: typeof second === 'object' && second !== null ? (second as Definition['options']) : {}, body: body as TaskFunction };
}

type Parts = { readonly with?: unknown; readonly expand?: unknown; readonly expand_rows?: unknown };

/** Draws one task. @returns its output */
function drawTask({ id, decorator, options, body }: Definition, parts: Parts): Expression {
  const board = currentBoard(`the task ${id}`);
  const { task_id: _, ...rest } = options;
  const entry: Record<string, unknown> = { node: '' };
  const known = defined.get(board) ?? new Map<string, TaskFunction>();
  defined.set(board, known);
  const first = board.fullId(id);
  const node: BoardNode = board.add(id, entry, { again: known.get(first) === body });
  if (!known.has(first)) known.set(first, body);
  entry['node'] = `${registry().file}#${node.id}`;
  if (decorator !== 'task') entry['decorator'] = decorator;
  checkCallbacks(rest);
  Object.assign(entry, drawOptions(node, rest));
  for (const [key, value] of Object.entries(parts)) if (value !== undefined && !isEmpty(value)) entry[key] = drawValue(board, value, { path: '', depth: 0 });
  board.functions.set(node.id, body);
  return new Expression(board, { xcom: node.id }, [node]);
}

/** Functions by the id under which they were drawn first, per board: another call of the same is another task, another function is a mistake. */
const defined = new WeakMap<object, Map<string, TaskFunction>>();

/** Options as the drawing has them: what is undefined is not there, dates are texts. */
export function drawOptions(node: Pick<BoardNode, 'board'>, options: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined).map(([key, value]) => [key, plainOption(node, value)]));
}

/** A task in Node calls back functions of its own language only. */
function checkCallbacks(options: Readonly<Record<string, unknown>>): void {
  for (const [key, value] of Object.entries(options)) {
    if (!/^on_[a-z]+_callback$/.test(key)) continue;
    for (const reference of [value].flat()) if (typeof reference === 'string' && !/\.m?[jt]s#/.test(reference)) fault(`${key} of a task in Node names ${reference}, a function of Python`, undefined, 'Name an exported function of this file: file.ts#name.');
  }
}

function plainOption(node: Pick<BoardNode, 'board'>, value: unknown): unknown {
  if (value instanceof Date) return value.toISOString();
  if (Array.isArray(value)) return value.map((item) => plainOption(node, item));
  if (typeof value === 'function') return fault('an option cannot be a function', undefined, 'Name an exported function for a callback: file.ts#name.');
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof Expression) return drawValue(node.board, value);
  return Object.fromEntries(Object.entries(value).filter(([, item]) => item !== undefined).map(([key, item]) => [key, plainOption(node, item)]));
}

function isEmpty(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Expression) && Object.keys(value).length === 0;
}

/** The definition as authors use it. The types of `outputs.ts` are its contract; here everything is unknown. */
export function makeTask(decorator: Definition['decorator'], given: readonly unknown[]): Task<never, never> {
  const definition = define(decorator, given);
  const make = (one: Definition): object => Object.assign((args?: unknown) => drawTask(one, { with: args }), {
    [BODY]: one.body,
    partial: (known: object) => ({
      expand: (over: unknown) => drawTask(one, { with: known, expand: over }),
      expandRows: (rows: unknown) => drawTask(one, { with: known, expand_rows: rows }),
    }),
    expand: (over: unknown) => drawTask(one, { expand: over }),
    expandRows: (rows: unknown) => drawTask(one, { expand_rows: rows }),
    override: (options: { readonly task_id?: string }) => make({ ...one, id: options.task_id ?? one.id, options: { ...one.options, ...options } }),
  });
  return make(definition) as Task<never, never>;
}
