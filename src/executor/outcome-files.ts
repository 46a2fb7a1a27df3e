// What executions leave on this machine's disk while they report, so that an end nobody took down still counts.
import { renameSync, rmSync } from 'node:fs';
import { type FileHandle, open, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { ExecutionReport } from '#contract/attempt.ts';
import { LIMITS } from '#contract/config.ts';
import { type ExecutionId, makeUuidV7 } from '#contract/ids.ts';
import { wallMs } from '#platform/clock.ts';
import type { Outcomes } from './executor.ts';
import { findRecords, type Place } from './outcome-records.ts';

interface Question { readonly id: ExecutionId; readonly answer: (report: ExecutionReport | null) => void; readonly fail: (error: unknown) => void }

/**
 * One folder's files: executions append to `records`; each sweep puts that file aside as `records.<id>`, under a name that no two servers choose,
 * and removes one that was put aside before as soon as none of the executions in it is open. So values do not stay here for longer than they must.
 *
 * Executions open `records` anew for each record, so a rename loses none: whoever had opened it before writes to the file that is searched
 * next. It is removed at a later sweep than the one that renamed it, so only an execution that was stopped between its open and its write
 * loses the record, and not its report.
 */
export class OutcomeFiles implements Outcomes {
  readonly #folder: string;
  readonly #parse: (report: unknown) => ExecutionReport;
  #asked: Question[] = [];
  #turn: Promise<unknown> = Promise.resolve();
  #isSweeping = false;

  /** @param parse throws for what is no report: user code may have written anything */
  constructor(folder: string, parse: (report: unknown) => ExecutionReport) {
    this.#folder = folder;
    this.#parse = parse;
  }

  /** The file that executions append to. */
  get path(): string {
    return join(this.#folder, 'records');
  }

  find(id: ExecutionId): Promise<ExecutionReport | null> {
    return new Promise((answer, fail) => {
      this.#asked.push({ id, answer, fail });
      if (this.#asked.length === 1) void this.#inTurn(() => this.#answerAll());
    });
  }

  async sweep(listOpen: () => Iterable<ExecutionId> | null): Promise<void> {
    // A disk that hangs: one is enough.
    if (this.#isSweeping) return;
    this.#isSweeping = true;
    try {
      await this.#inTurn(() => this.#sweep(listOpen));
    } finally {
      this.#isSweeping = false;
    }
  }

  async #sweep(listOpen: () => Iterable<ExecutionId> | null): Promise<void> {
    for (const path of await this.#listAside()) await this.#removeClosed(path, listOpen);
    const size = await stat(this.path).then((found) => found.size, () => 0);
    if (size > 0 && listOpen() !== null) renameSync(this.path, `${this.path}.${makeUuidV7(wallMs())}`);
  }

  async #removeClosed(path: string, listOpen: () => Iterable<ExecutionId> | null): Promise<void> {
    const file = await openIfThere(path);
    if (file === null) return;
    try {
      const records = await findRecords(file);
      const running = listOpen();
      if (running === null) return;
      for (const id of running) if (records.has(id)) return;
      // In the same turn as the answer. Its room is given back when it is closed, which holds nobody up.
      rmSync(path, { force: true });
    } finally {
      await file.close();
    }
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const turn = this.#turn.then(work);
    this.#turn = turn.catch(() => undefined);
    return turn;
  }

  /** Hundreds may die at once: the files are read once for all who asked meanwhile. */
  async #answerAll(): Promise<void> {
    const asked = this.#asked;
    this.#asked = [];
    try {
      const found = await this.#search(asked.map(({ id }) => id));
      for (const { id, answer } of asked) answer(found.get(id) ?? null);
    } catch (error) {
      for (const { fail } of asked) fail(error);
    }
  }

  async #search(ids: readonly ExecutionId[]): Promise<Map<ExecutionId, ExecutionReport>> {
    const found = new Map<ExecutionId, ExecutionReport>();
    // Opened before the others are listed: when another server puts it aside in between, it is searched twice, and not missed.
    const current = await openIfThere(this.path);
    await this.#searchIn(current, ids, found);
    for (const path of (await this.#listAside()).reverse()) await this.#searchIn(await openIfThere(path), ids, found);
    return found;
  }

  async #searchIn(file: FileHandle | null, ids: readonly ExecutionId[], found: Map<ExecutionId, ExecutionReport>): Promise<void> {
    if (file === null) return;
    try {
      const records = await findRecords(file);
      for (const id of ids) {
        if (found.has(id)) continue;
        const report = await this.#readLast(file, id, records.get(id) ?? []);
        if (report !== null) found.set(id, report);
      }
    } finally {
      await file.close();
    }
  }

  /** The last whole record counts. */
  async #readLast(file: FileHandle, id: ExecutionId, places: readonly Place[]): Promise<ExecutionReport | null> {
    for (const { start, end } of places.toReversed()) {
      if (end - start > LIMITS.maxReportBytes) continue;
      const { buffer } = await file.read(Buffer.alloc(end - start), 0, end - start, start);
      const report = this.#parseText(buffer.toString('utf8'));
      if (report?.execution_id === id) return report;
    }
    return null;
  }

  /** Null for one that was cut short, or was never a report. */
  #parseText(text: string): ExecutionReport | null {
    try {
      return this.#parse(JSON.parse(text));
    } catch {
      return null;
    }
  }

  /** The oldest first. */
  async #listAside(): Promise<string[]> {
    const names = await readdir(this.#folder).catch(whenMissing([]));
    return names.filter((name) => name.startsWith('records.')).sort().map((name) => join(this.#folder, name));
  }
}

function openIfThere(path: string): Promise<FileHandle | null> {
  return open(path).catch(whenMissing(null));
}

/** What cannot be read just now (no free descriptor, a broken disk) is not what is not there. */
function whenMissing<T>(value: T): (error: unknown) => T {
  return (error) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return value;
    throw error;
  };
}
