// Parsers that have imported everything already and fork for each file: many files, or one that is saved again and again.
import { type Finished, type LineProgram, startLineProgram } from '#platform/exec.ts';

/** One parse, as `run` of platform/exec.ts takes it. */
export interface ParseJob {
  /** How a parser that serves such jobs is started, after the interpreter. */
  readonly serve: readonly string[];
  readonly argv: readonly string[];
  /** A parser's hash seed is that of its start: each seed has a parser of its own. */
  readonly hashSeed: string;
  readonly cwd: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly input: string | null;
  readonly timeoutMs: number;
  readonly maxOutputBytes: number;
}

interface Answer { readonly id: string; readonly status: number | null; readonly signal: number | null; readonly stdout: string; readonly stderr: string; readonly overflowed: boolean; readonly timedOut: boolean }
/** Null: the parser ended before it answered. */
type Take = (answer: Answer | null) => void;
interface ParserProcess { readonly program: Promise<LineProgram>; readonly waiting: Map<string, Take> }

/** How a parser that serves is started. Its folder is one of ours: Python imports from there first, and a project may have a json.py. */
interface ParserStart { readonly cwd: string; readonly environment: Readonly<Record<string, string>> }

/** One warm parser per interpreter, kind and hash seed, started when it is first needed. `close` ends them. */
export class WarmParsers {
  readonly #start: ParserStart;
  readonly #warm = new Map<string, ParserProcess>();
  #next = 0;

  constructor(start: ParserStart) {
    this.#start = start;
  }

  /** Parses one file. Null when there is no warm parser to do it: it could not be started, or it ended. */
  async run(python: string, job: ParseJob): Promise<Omit<Finished, 'signal'> & { readonly signal: number | null } | null> {
    const warm = this.#warm.get(keyOf(python, job)) ?? this.#begin(python, job);
    let program: LineProgram;
    try {
      program = await warm.program;
    } catch {
      return null;
    }
    this.#next += 1;
    const id = String(this.#next);
    return new Promise<Answer | null>((resolve) => {
      warm.waiting.set(id, resolve);
      program.send(JSON.stringify({ id, argv: job.argv, cwd: job.cwd, environment: job.environment, input: job.input, limit: job.maxOutputBytes, seconds: job.timeoutMs / 1000 }));
    });
  }

  #begin(python: string, job: ParseJob): ParserProcess {
    const key = keyOf(python, job);
    const waiting = new Map<string, Take>();
    const program = startLineProgram(python, job.serve, {
      cwd: this.#start.cwd, env: { ...this.#start.environment, PYTHONHASHSEED: job.hashSeed }, onLine: (line) => {
        const answer = JSON.parse(line) as Answer;
        waiting.get(answer.id)?.(answer);
        waiting.delete(answer.id);
      },
    });
    const warm = { program, waiting };
    this.#warm.set(key, warm);
    const forget = (): void => {
      if (this.#warm.get(key) === warm) this.#warm.delete(key);
      for (const take of waiting.values()) take(null);
    };
    program.then(({ ended }) => ended.then(forget), forget);
    return warm;
  }

  /** Ends every parser and waits for it. */
  async close(): Promise<void> {
    await Promise.all([...this.#warm.values()].map(async ({ program }) => {
      const started = await program.catch(() => null);
      started?.end();
      await started?.ended;
    }));
  }
}

function keyOf(python: string, { serve, hashSeed }: ParseJob): string {
  return JSON.stringify([python, hashSeed, ...serve]);
}
