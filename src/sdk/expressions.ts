// Values of a drawing: literals, and what stands for another task's result until the run.
import { formOf } from '#contract/value-forms.ts';
import { type BoardNode, type Board, fault } from './board.ts';
import { registry } from './registry.ts';

/** Marks what stands for a value; by name, because a project may have a copy of this module of its own. */
const EXPRESSION = Symbol.for('leoflow.expression');

/** A value that is known only in a run. `nodes` are the tasks and groups whose edges it draws. */
export class Expression {
  readonly [EXPRESSION] = true;
  readonly board: Board;
  readonly json: Readonly<Record<string, unknown>>;
  readonly nodes: readonly BoardNode[];

  constructor(board: Board, json: Readonly<Record<string, unknown>>, nodes: readonly BoardNode[]) {
    this.board = board;
    this.json = json;
    this.nodes = nodes;
  }

  /** One key of what the task pushed. */
  key(name: string): Expression {
    if (typeof this.json['xcom'] !== 'string') fault('key(…) reads what a task pushed: call it on the task’s own output');
    return new Expression(this.board, { ...this.json, key: name }, this.nodes);
  }

  /** Each element passed through an exported function. */
  map(through: unknown): Expression {
    const name = typeof through === 'function' ? through.name : '';
    if (name === '') fault('map(…) takes a function with a name', undefined, 'Write `export function name(…) {…}` at the top of the file and pass it.');
    else registry().exports.push({ name, value: through, place: null });
    return new Expression(this.board, { map: this.json, through: `${registry().file}#${name}` }, this.nodes);
  }

  /** Elements side by side: as long as the shortest, or as the longest with a fill value. */
  zip(...given: readonly unknown[]): Expression {
    const last = given.at(-1);
    const fill = given.length > 0 && !isExpression(last) ? (last as { fillvalue?: unknown }) : null;
    const all = [this, ...given.filter(isExpression)];
    return new Expression(this.board, { zip: all.map((one) => one.json), ...(fill === null || !('fillvalue' in fill) ? {} : { fillvalue: drawValue(this.board, fill.fillvalue) }) }, all.flatMap((one) => one.nodes));
  }

  /** One list after the other. */
  concat(...others: readonly Expression[]): Expression {
    const all = [this, ...others];
    return new Expression(this.board, { concat: all.map((one) => one.json) }, all.flatMap((one) => one.nodes));
  }

  after(...others: readonly unknown[]): this {
    for (const node of this.nodes) addAfter(node, others);
    return this;
  }

  before(...others: readonly unknown[]): this {
    drawBefore(this, others);
    return this;
  }

  asSetup(): this {
    for (const { entry } of this.nodes) entry['setup'] = true;
    return this;
  }

  asTeardown(how: { readonly setups?: unknown; readonly on_failure_fail_dagrun?: boolean } = {}): this {
    const setups = (how.setups === undefined ? [] : [how.setups]).flat().filter(hasNodes);
    for (const setup of setups) for (const { entry } of setup.nodes) entry['setup'] = true;
    for (const { entry } of this.nodes) {
      entry['teardown'] = setups.length === 0 ? true : setups.flatMap((setup) => setup.nodes.map(({ id }) => id));
      if (how.on_failure_fail_dagrun !== undefined) entry['on_failure_fail_dagrun'] = how.on_failure_fail_dagrun;
    }
    return this;
  }
}

/** A group from outside: edges to it and from it. */
export class DrawnGroup<R> {
  readonly result: R;
  readonly nodes: readonly BoardNode[];

  constructor(node: BoardNode, result: R) {
    this.nodes = [node];
    this.result = result;
  }

  after(...others: readonly unknown[]): this {
    for (const node of this.nodes) addAfter(node, others);
    return this;
  }

  before(...others: readonly unknown[]): this {
    drawBefore(this, others);
    return this;
  }
}

/** True for what stands for a value, whichever copy of the SDK made it. */
export function isExpression(value: unknown): value is Expression {
  return typeof value === 'object' && value !== null && EXPRESSION in value;
}

function hasNodes(value: unknown): value is { readonly nodes: readonly BoardNode[] } {
  return isExpression(value) || value instanceof DrawnGroup;
}

function addAfter(node: BoardNode, others: readonly unknown[]): void {
  const last = others.at(-1);
  const label = typeof last === 'object' && last !== null && 'label' in last && !hasNodes(last) ? String(last.label) : null;
  for (const other of (label === null ? others : others.slice(0, -1)).flat()) {
    if (!hasNodes(other)) {
      fault('after(…) and before(…) take outputs of tasks and groups', undefined, 'Call the task first: extract() is its output, extract is its definition.');
      continue;
    }
    for (const { id, board } of other.nodes) {
      if (board !== node.board) fault(`${id} belongs to the DAG ${board.dagId}, not to ${node.board.dagId}`, undefined, 'An edge joins tasks of one DAG.');
      const edges = (node.entry['after'] ??= []) as unknown[];
      if (!edges.some((edge) => edge === id)) edges.push(label === null ? id : { task: id, label });
    }
  }
}

function drawBefore(self: { readonly nodes: readonly BoardNode[] }, others: readonly unknown[]): void {
  const last = others.at(-1);
  const labels = typeof last === 'object' && last !== null && 'label' in last && !hasNodes(last) ? [last] : [];
  for (const other of others.slice(0, others.length - labels.length).flat()) {
    if (hasNodes(other)) for (const node of other.nodes) addAfter(node, [self, ...labels]);
    else fault('after(…) and before(…) take outputs of tasks and groups');
  }
}

/** One after the other; the members of a list stand side by side. */
export function drawChain(steps: readonly unknown[]): void {
  for (const [at, step] of steps.entries()) {
    const before = at === 0 ? undefined : steps[at - 1];
    if (before === undefined) continue;
    for (const one of [step].flat()) if (hasNodes(one)) for (const node of one.nodes) addAfter(node, [before].flat());
  }
}

function drawScalar(value: unknown, where: string): unknown {
  if (typeof value === 'function') return fault(`a function is no value${where}`, undefined, 'Call a task to use its result: extract() instead of extract.');
  if (typeof value === 'bigint' || typeof value === 'symbol') return fault(`a ${typeof value} is no JSON value${where}`, undefined, 'Pass it as a text or a number.');
  if (typeof value === 'number' && !Number.isFinite(value)) return fault(`${value} is no JSON value${where}`);
  return value ?? null;
}

const MAX_DEPTH = 64;

/** `isLiteral`: inside a mapping that only looks like one which stands for something else. */
interface At { readonly path: string; readonly depth: number; readonly isLiteral?: boolean }

/** A value as the drawing has it: JSON, outputs as what stands for them. What JSON cannot hold is a mistake of the author's. */
export function drawValue(board: Board, value: unknown, at: At = { path: '', depth: 0 }): unknown {
  const where = at.path === '' ? '' : ` (at ${at.path})`;
  if (isExpression(value)) {
    if (value.board !== board) fault(`an output of the DAG ${value.board.dagId} is used in ${board.dagId}${where}`, undefined, 'Pull it in the task: ctx.xcom.pull(task_id, { dag_id }).');
    if (at.isLiteral === true) fault(`an output cannot stand inside an object that is no more than the words of a drawing, such as {xcom: …}${where}`, undefined, 'Pass it as an argument of its own.');
    return value.json;
  }
  if (at.depth > MAX_DEPTH) return fault(`a value is nested deeper than ${MAX_DEPTH} levels, or holds itself`);
  if (typeof value !== 'object' || value === null) return drawScalar(value, where);
  if (value instanceof Date) return value.toISOString();
  if (Array.isArray(value)) return value.map((item, index) => drawValue(board, item, { ...at, path: `${at.path}[${index}]`, depth: at.depth + 1 }));
  const entries = Object.entries(value).filter(([, item]) => item !== undefined);
  const isLiteral = at.isLiteral === true || formOf(Object.fromEntries(entries)) !== null;
  const plain = Object.fromEntries(entries.map(([key, item]) => [key, drawValue(board, item, { path: `${at.path}.${key}`, depth: at.depth + 1, isLiteral })]));
  return isLiteral && at.isLiteral !== true ? { literal: plain } : plain;
}
