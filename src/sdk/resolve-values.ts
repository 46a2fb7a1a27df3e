// What stands for other tasks' results in a drawing, as values: references, zips, concatenations, and which element a map index gets.
import { formOf } from '#contract/value-forms.ts';
import { isMapped, mappedGroupsOf, type DrawnGraph, type Entry, type GroupNode, type TaskNode } from './drawn-dag.ts';
import { decodeValue } from './json-values.ts';

/** Where values come from: JSON text of one value or of the list of all indexes; null when nothing was pushed. */
export interface ValueSource {
  readonly findOne: (taskId: string, key: string, mapIndex: number) => Promise<string | null>;
  readonly findAll: (taskId: string, key: string) => Promise<string | null>;
  /** The function that a reference names. */
  readonly findFunction: (reference: string) => Promise<(value: unknown) => unknown>;
}

/** The place of one instance. */
export interface Position {
  readonly graph: DrawnGraph;
  readonly task: TaskNode;
  readonly mapIndex: number;
}

/** The place of one instance, and the params of its run. */
export interface ValuesOf extends Position {
  readonly params: Readonly<Record<string, unknown>>;
}

const RETURN_VALUE = 'return_value';
const MISSING = Symbol('missing');

/** Values for one task instance. The index arithmetic is that of python/leoflow/run/task_instance.py. */
export class ResolveValues {
  readonly #at: ValuesOf;
  readonly #source: ValueSource;

  constructor(at: ValuesOf, source: ValueSource) {
    this.#at = at;
    this.#source = source;
  }

  /** The arguments of the instance: given ones, with those of its map index over them. */
  async arguments(): Promise<Record<string, unknown>> {
    const { task, mapIndex } = this.#at;
    const given = (await this.resolve(task.entry['with'] ?? {})) as Record<string, unknown>;
    if (!isMapped(task.entry)) return given;
    if (mapIndex < 0) throw new Error(`task ${task.id} is mapped and cannot run without a map index`);
    return { ...given, ...(await this.#select(task.entry, mapIndex)) };
  }

  /** A value with everything in it that stands for something else. */
  async resolve(value: unknown): Promise<unknown> {
    if (Array.isArray(value)) return Promise.all(value.map((item) => this.resolve(item)));
    if (typeof value !== 'object' || value === null) return value;
    const entry = value as Entry;
    switch (formOf(entry)) {
      case 'literal': return entry['literal'];
      case 'xcom': return this.#xcom(String(entry['xcom']), typeof entry['key'] === 'string' ? entry['key'] : RETURN_VALUE);
      case 'argument': return this.#groupArgument(String(entry['argument']));
      case 'param': return this.#param(String(entry['param']));
      case 'zip': return this.#zip(entry);
      case 'concat': return (await this.#lists(entry['concat'], 'concat')).flat();
      case 'map': return this.#map(entry);
      case null: return Object.fromEntries(await Promise.all(Object.entries(entry).map(async ([key, item]) => [key, await this.resolve(item)] as const)));
    }
  }

  #param(name: string): unknown {
    return Object.hasOwn(this.#at.params, name) ? this.#at.params[name] : fail(`the DAG has no param ${name}`);
  }

  async #lists(values: unknown, verb: string): Promise<unknown[][]> {
    const resolved = await Promise.all((values as readonly unknown[]).map((one) => this.resolve(one)));
    return resolved.map((one) => elementsOf(one) ?? fail(`${verb} expects lists, not ${describe(one)}`));
  }

  async #zip(value: Entry): Promise<unknown[][]> {
    const lists = await this.#lists(value['zip'], 'zip');
    const lengths = lists.map((list) => list.length);
    const fill = 'fillvalue' in value ? await this.resolve(value['fillvalue']) : null;
    const length = 'fillvalue' in value ? Math.max(...lengths) : Math.min(...lengths);
    return Array.from({ length }, (_, index) => lists.map((list) => (index < list.length ? list[index] : fill)));
  }

  async #map(value: Entry): Promise<unknown[]> {
    const through = await this.#source.findFunction(String(value['through']));
    const [list = []] = await this.#lists([value['map']], 'map');
    return Promise.all(list.map((item) => through(item)));
  }

  async #xcom(taskId: string, key: string): Promise<unknown> {
    const source = this.#at.graph.tasks.get(taskId);
    if (source === undefined) throw new Error(`the drawing names the task ${taskId}, which the DAG has not`);
    const found = await this.#atPosition(source, key);
    if (found !== MISSING) return found;
    if (key === RETURN_VALUE || source.entry['multiple_outputs'] === true) return null;
    throw new Error(`the task ${taskId} pushed no XCom ${key}`);
  }

  async #atPosition(source: TaskNode, key: string): Promise<unknown> {
    const { task, mapIndex } = this.#at;
    const theirs = mappedGroupsOf(source);
    if (isMapped(source.entry)) return this.#all(source.id, key);
    if (theirs.length === 0) return this.#one(source.id, key, -1);
    const mine = mappedGroupsOf(task);
    const shared = theirs.find((group) => mine.includes(group));
    if (mapIndex < 0 || shared === undefined) return this.#all(source.id, key);
    const index = Math.floor(mapIndex / (await this.#count(mine, shared)));
    if (theirs[0] === shared) return this.#one(source.id, key, index);
    const width = await this.#count(theirs, shared);
    const values = await Promise.all(Array.from({ length: width }, (_, at) => this.#one(source.id, key, index * width + at)));
    return values.filter((value) => value !== MISSING);
  }

  async #one(taskId: string, key: string, mapIndex: number): Promise<unknown> {
    const text = await this.#source.findOne(taskId, key, mapIndex);
    return text === null ? MISSING : decodeValue(text);
  }

  async #all(taskId: string, key: string): Promise<unknown[]> {
    const text = await this.#source.findAll(taskId, key);
    return text === null ? [] : (decodeValue(text) as unknown[]);
  }

  /** How many instances the groups inside `outer` make of one of its instances. */
  async #count(groups: readonly GroupNode[], outer: GroupNode): Promise<number> {
    let count = 1;
    for (const group of groups.slice(0, groups.indexOf(outer))) count *= await this.length(group.entry);
    return count;
  }

  /** How many instances a mapped task or group has. */
  async length(entry: Entry): Promise<number> {
    const sources = entry['expand'] === undefined ? [entry['expand_rows']] : Object.values(entry['expand'] as Entry);
    const lists = await this.#lists(sources, 'expand');
    return lists.reduce((product, list) => product * list.length, 1);
  }

  async #groupArgument(name: string): Promise<unknown> {
    const { task, mapIndex } = this.#at;
    if (mapIndex < 0) throw new Error(`the argument ${name} of a mapped group has no value without a map index`);
    const groups = mappedGroupsOf(task);
    const owner = groups.find(({ entry }) => entry['expand_rows'] !== undefined || name in ((entry['expand'] ?? {}) as Entry));
    if (owner === undefined) throw new Error(`no mapped group around ${task.id} has the argument ${name}`);
    const chosen = await this.#select(owner.entry, Math.floor(mapIndex / (await this.#count(groups, owner))));
    return chosen[name];
  }

  /** The arguments of one index: of every combination the last argument varies fastest. What is left of the index is of enclosing levels. */
  async #select(entry: Entry, index: number): Promise<Record<string, unknown>> {
    if (entry['expand'] === undefined) return this.#selectRow(entry['expand_rows'], index);
    const names = Object.keys(entry['expand'] as Entry);
    const lists = await this.#lists(Object.values(entry['expand'] as Entry), 'expand');
    const chosen: Record<string, unknown> = {};
    let rest = index;
    for (let at = names.length - 1; at >= 0; at -= 1) {
      const list = lists[at] ?? [];
      if (list.length === 0) throw new Error(`the argument ${names[at]} is mapped over an empty list`);
      chosen[names[at] ?? ''] = list[rest % list.length];
      rest = Math.floor(rest / list.length);
    }
    return Object.fromEntries(names.map((name) => [name, chosen[name]]));
  }

  async #selectRow(source: unknown, index: number): Promise<Record<string, unknown>> {
    const rows = Array.isArray(source) ? source : await this.resolve(source);
    if (!Array.isArray(rows) || rows.length === 0) throw new Error(`rows to map over are no list, or an empty one: ${describe(rows)}`);
    const row: unknown = rows[index % rows.length];
    const resolved = Array.isArray(source) ? await this.resolve(row) : row;
    if (typeof resolved !== 'object' || resolved === null || Array.isArray(resolved)) throw new Error(`a row to map over must be a mapping of arguments, not ${describe(resolved)}`);
    return resolved as Record<string, unknown>;
  }
}

/** Members of a list, pairs of a mapping; null for what cannot be mapped over. */
function elementsOf(value: unknown): unknown[] | null {
  if (Array.isArray(value)) return value;
  return typeof value === 'object' && value !== null ? Object.entries(value) : null;
}

function describe(value: unknown): string {
  return value === null ? 'null' : Array.isArray(value) ? 'a list' : `a ${typeof value}`;
}

function fail(message: string): never {
  throw new Error(message);
}
