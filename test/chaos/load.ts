// The work of a scene: so many runs of each DAG are always on their way. Writes down every run that the database accepted.
import { appendFileSync, closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { sleep } from '#platform/clock.ts';
import { createRun } from '#store/dag-runs.ts';
import { type Database, isUnavailable } from '#store/database.ts';

/** DAG ids and how many runs of each are to be on their way. */
export type Mix = Readonly<Record<string, number>>;

/** A line of the ledger, as far as the load looks at it. Times are seconds. */
export interface LedgerLine {
  readonly phase: 'START' | 'EFFECT' | 'FINISH' | 'RAISE';
  readonly execution: string;
  readonly dag: string;
  readonly run: string;
  readonly task: string;
  readonly pid: number;
  readonly wall: number;
}

/** Reads what was appended to a ledger since it was last asked. */
export class Ledger {
  readonly starts: LedgerLine[] = [];
  /** When executions noted their ends. */
  readonly ends = new Map<string, number>();
  readonly #path: string;
  #offset = 0;
  #rest = '';

  constructor(path: string) {
    this.#path = path;
    appendFileSync(path, '');
  }

  read(): readonly LedgerLine[] {
    const file = openSync(this.#path, 'r');
    try {
      const size = fstatSync(file).size;
      const buffer = Buffer.alloc(size - this.#offset);
      this.#offset += readSync(file, buffer, 0, buffer.length, this.#offset);
      const lines = (this.#rest + buffer.toString('utf8')).split('\n');
      this.#rest = lines.pop() ?? '';
      for (const line of lines) {
        const parsed = JSON.parse(line) as LedgerLine;
        if (parsed.phase === 'START') this.starts.push(parsed);
        else if (parsed.phase !== 'EFFECT') this.ends.set(parsed.execution, parsed.wall);
      }
    } finally {
      closeSync(file);
    }
    return this.starts;
  }
}

/** Keeps runs on their way until told to stop. */
export class Load {
  readonly #database: Database;
  readonly #driverFile: string;
  readonly #open = new Map<string, string>();
  #made = 0;
  #stopping = false;
  #done: Promise<void> = Promise.resolve();

  constructor(database: Database, driverFile: string) {
    this.#database = database;
    this.#driverFile = driverFile;
  }

  start(mix: Mix): void {
    this.#done = this.#drive(mix);
  }

  /** Runs that are not over, as `dag/run`. */
  get unfinished(): readonly string[] {
    return [...this.#open.values()];
  }

  note(line: Readonly<Record<string, unknown>>): void {
    appendFileSync(this.#driverFile, `${JSON.stringify(line)}\n`);
  }

  /** No more runs. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#done;
  }

  /** No more runs. Resolves when all are over, or after the limit. */
  async drain(limitMs: number): Promise<void> {
    await this.stop();
    for (const deadline = Date.now() + limitMs; this.#open.size > 0 && Date.now() < deadline; ) {
      await sleep(50);
      await this.#forgetFinished();
    }
  }

  async #drive(mix: Mix): Promise<void> {
    while (!this.#stopping) {
      await this.#forgetFinished();
      for (const [dag, width] of Object.entries(mix)) {
        const on = [...this.#open.values()].filter((one) => one.startsWith(`${dag}/`)).length;
        for (let count = on; count < width && !this.#stopping; count += 1) await this.#create(dag);
      }
      await sleep(50);
    }
  }

  /** Asks until the run is there: an answer that was lost is found again by its id. */
  async #create(dagId: string): Promise<void> {
    this.#made += 1;
    const runId = `r${this.#made}`;
    this.note({ kind: 'asked', dag: dagId, run: runId });
    while (!this.#stopping) {
      try {
        const created = await createRun(this.#database, { dagId, runId, runType: 'manual', logicalDate: null, interval: null, runAfter: Date.now() - 1000, conf: {}, triggeredBy: 'cli', user: null, note: null });
        if (created.kind === 'no_dag') throw new Error(`${dagId} is not registered`);
        this.note({ kind: 'created', dag: dagId, run: runId });
        this.#open.set(created.kind === 'created' ? created.run.id : `again ${runId}`, `${dagId}/${runId}`);
        return;
      } catch (error) {
        if (!isUnavailable(error)) throw error;
        await sleep(50);
      }
    }
  }

  async #forgetFinished(): Promise<void> {
    try {
      const { rows } = await this.#database.pool.query<{ name: string }>("select dag_id || '/' || run_id as name from dag_runs where finished and dag_id || '/' || run_id = any($1)", [[...this.#open.values()]]);
      const over = new Set(rows.map((row) => row.name));
      for (const [id, name] of this.#open) if (over.has(name)) this.#open.delete(id);
    } catch (error) {
      if (!isUnavailable(error)) throw error;
    }
  }
}
