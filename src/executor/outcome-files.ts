// What executions leave on this machine's disk while they report, so that an end nobody took down still counts.
import { renameSync, rmSync } from 'node:fs';
import { type FileHandle, open, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { ExecutionReport } from '#contract/attempt.ts';
import { LIMITS } from '#contract/config.ts';
import { type ExecutionId, makeUuidV7 } from '#contract/ids.ts';
import { wallMs } from '#platform/clock.ts';
import type { Outcomes } from './executor.ts';
import { OutcomeIndex, type Place } from './outcome-index.ts';

interface OpenFile { readonly path: string; readonly handle: FileHandle; readonly identity: string; readonly index: OutcomeIndex }

interface Question { readonly id: ExecutionId; readonly answer: (report: ExecutionReport | null) => void }

/**
 * One folder's files: `records`, which executions append to, and older ones, `records.<id>`, under names that no two servers choose.
 *
 * Executions open `records` anew for each record, so a rename loses none: whoever had opened it before writes to the file that is searched
 * next. It is removed at a later sweep than the one that renamed it, so only an execution that was stopped between its open and its write
 * loses the record, and not its report.
 */
export class OutcomeFiles implements Outcomes {
  readonly #folder: string;
  /** By the file's identity: a rename changes nothing. */
  #indexes = new Map<string, OutcomeIndex>();
  #asked: Question[] = [];
  #turn: Promise<unknown> = Promise.resolve();

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** The file that executions append to. */
  get path(): string {
    return join(this.#folder, 'records');
  }

  /** The last whole record of an execution counts. Never rejects: what cannot be read was not left. */
  find(id: ExecutionId): Promise<ExecutionReport | null> {
    return new Promise((answer) => {
      this.#asked.push({ id, answer });
      if (this.#asked.length === 1) void this.#inTurn(() => this.#answerAll());
    });
  }

  sweep(listOpen: () => Iterable<ExecutionId> | null): Promise<void> {
    return this.#inTurn(async () => {
      for (const path of await this.#listOlder()) await this.#removeClosed(path, listOpen);
      const size = await stat(this.path).then((found) => found.size, () => 0);
      if (size > LIMITS.maxOutcomeFileBytes && listOpen() !== null) renameSync(this.path, `${this.path}.${makeUuidV7(wallMs())}`);
    });
  }

  async #removeClosed(path: string, listOpen: () => Iterable<ExecutionId> | null): Promise<void> {
    const file = await this.#open(path, this.#indexes);
    if (file === null) return;
    await file.handle.close();
    const running = listOpen();
    if (running === null || [...running].some((id) => file.index.has(id))) return;
    rmSync(path, { force: true });
    this.#indexes.delete(file.identity);
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(work);
    this.#turn = turn.catch(() => undefined);
    return turn;
  }

  /** Hundreds may die at once: what was appended is read once for all who asked meanwhile. */
  async #answerAll(): Promise<void> {
    const asked = this.#asked;
    this.#asked = [];
    const files = await this.#openAll();
    for (const { id, answer } of asked) answer(await findIn(files, id));
    for (const { handle } of files) await handle.close().catch(() => undefined);
  }

  /** The newest first. */
  async #openAll(): Promise<OpenFile[]> {
    const known = this.#indexes;
    this.#indexes = new Map();
    const files: OpenFile[] = [];
    // The current one before the list: one that is renamed in between is found twice, and not missed.
    const current = await this.#open(this.path, known);
    const older = await this.#listOlder();
    if (current !== null) files.push(current);
    for (const path of older.reverse()) {
      const file = await this.#open(path, known);
      if (file !== null) files.push(file);
    }
    return files;
  }

  /** Its index knows what was written up to now. Null when it is gone or cannot be read. */
  async #open(path: string, known: ReadonlyMap<string, OutcomeIndex>): Promise<OpenFile | null> {
    const handle = await open(path).catch(() => null);
    if (handle === null) return null;
    try {
      const { ino, birthtimeMs, size } = await handle.stat();
      const identity = `${ino} ${birthtimeMs}`;
      const kept = known.get(identity);
      const index = kept !== undefined && kept.bytesRead <= size ? kept : new OutcomeIndex();
      await index.readOn(handle);
      this.#indexes.set(identity, index);
      return { path, handle, identity, index };
    } catch {
      await handle.close();
      return null;
    }
  }

  /** The oldest first. */
  async #listOlder(): Promise<string[]> {
    const names = await readdir(this.#folder).catch(() => []);
    return names.filter((name) => name.startsWith('records.')).sort().map((name) => join(this.#folder, name));
  }
}

async function findIn(files: readonly OpenFile[], id: ExecutionId): Promise<ExecutionReport | null> {
  for (const { handle, index } of files) {
    for (const place of index.list(id)) {
      // One that was cut short is no JSON.
      const report = await readReport(handle, place).catch(() => null);
      if (report?.execution_id === id) return report;
    }
  }
  return null;
}

async function readReport(handle: FileHandle, { start, end }: Place): Promise<ExecutionReport | null> {
  if (end - start > LIMITS.maxReportBytes) return null;
  const { buffer } = await handle.read(Buffer.alloc(end - start), 0, end - start, start);
  return JSON.parse(buffer.toString('utf8')) as ExecutionReport;
}
