// The board that a DAG is drawn on: tasks and groups by id, edges between them, and every mistake with its place.
import { callPlace, type Place } from './call-place.ts';
import { registry, type TaskFunction } from './registry.ts';

const KEY = /^[\p{L}\p{M}\p{N}_.-]{1,250}$/u;
const MAX_GROUP_DEPTH = 3;

/** A task or group on the board. `entry` is what the drawing will say of it. */
export interface BoardNode {
  readonly id: string;
  readonly board: Board;
  readonly parent: BoardGroup;
  readonly entry: Record<string, unknown>;
  readonly place: Place | null;
}

/** A group; the outermost is the DAG itself. `prefix` stands before the ids in it. */
interface BoardGroup {
  readonly id: string;
  readonly prefix: string;
  readonly depth: number;
  readonly isMapped: boolean;
  readonly tasks: Record<string, unknown>;
}

/** One DAG while it is drawn. */
export class Board {
  readonly dagId: string;
  readonly nodes = new Map<string, BoardNode>();
  readonly functions = new Map<string, TaskFunction>();
  readonly tasks: Record<string, unknown> = {};
  readonly #place: Place | null;
  #group: BoardGroup;

  constructor(dagId: string, place: Place | null) {
    this.dagId = dagId;
    this.#place = place;
    this.#group = { id: '', prefix: '', depth: 0, isMapped: false, tasks: this.tasks };
  }

  /** Puts a task on the board. `again` gives a taken id the next free suffix, as Airflow does for a task that is called twice. */
  add(localId: string, entry: Record<string, unknown>, how: { readonly again?: boolean } = {}): BoardNode {
    const place = callPlace();
    const local = how.again === true ? this.#freeId(localId) : localId;
    const id = this.#group.prefix + local;
    if (!KEY.test(id)) fault(`the id ${JSON.stringify(id)} must be 1 to 250 letters, digits, dashes, dots or underscores`, place);
    const before = this.nodes.get(id);
    if (before !== undefined) fault(`the id ${id} is drawn twice in ${this.dagId}${before.place === null ? '' : `: first in line ${before.place.line}`}`, place, 'Give one of them another id.');
    const node = { id, board: this, parent: this.#group, entry, place };
    if (before === undefined) this.nodes.set(id, node);
    this.#group.tasks[local] = entry;
    return node;
  }

  /** The id that a task of this local id gets where drawing stands. */
  fullId(localId: string): string {
    return this.#group.prefix + localId;
  }

  /** Draws what `draw` draws inside a group. */
  within<R>(node: BoardNode, how: { readonly prefixes: boolean; readonly isMapped: boolean }, draw: () => R): R {
    const outer = this.#group;
    if (outer.depth >= MAX_GROUP_DEPTH) fault(`the group ${node.id} is nested deeper than ${MAX_GROUP_DEPTH} groups`, node.place, 'Draw fewer groups inside groups.');
    const tasks: Record<string, unknown> = {};
    node.entry['tasks'] = tasks;
    this.#group = { id: node.id, prefix: how.prefixes ? `${node.id}.` : outer.prefix, depth: outer.depth + 1, isMapped: how.isMapped || outer.isMapped, tasks };
    try {
      return draw();
    } finally {
      this.#group = outer;
    }
  }

  /** Places by id, for what is found later. */
  places(): Map<string, Place> {
    const found = new Map<string, Place>();
    if (this.#place !== null) found.set('', this.#place);
    for (const [id, { place }] of this.nodes) if (place !== null) found.set(id, place);
    return found;
  }

  #freeId(localId: string): string {
    if (!this.nodes.has(this.#group.prefix + localId)) return localId;
    for (let n = 1; ; n += 1) if (!this.nodes.has(`${this.#group.prefix}${localId}__${n}`)) return `${localId}__${n}`;
  }
}

let current: Board | null = null;

/** Notes a mistake; drawing goes on, so that all of them are told at once. */
export function fault(message: string, place: Place | null = callPlace(), hint: string | null = null): undefined {
  registry().problems.push({ place, message, hint });
}

/** The board that is drawn on just now. Throws when none is. */
export function currentBoard(what: string): Board {
  if (current === null) throw new Error(`${what} belongs inside dag(id, options, draw): there is no DAG being drawn here`);
  return current;
}

/** Draws a DAG on a board of its own. */
export function drawOn(dagId: string, draw: (board: Board) => void): Board {
  if (current !== null) throw new Error(`dag(${JSON.stringify(dagId)}) is called while ${current.dagId} is drawn: draw one after the other`);
  const board = new Board(dagId, callPlace());
  current = board;
  try {
    draw(board);
  } finally {
    current = null;
  }
  return board;
}
