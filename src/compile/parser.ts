// The Python parser as a bounded child process: it executes user code, this process never does.
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { LIMITS } from '#contract/config.ts';
import type { Dag } from '#contract/dag.ts';
import { AppError } from '#contract/errors.ts';
import { userEnvironment } from '#platform/config.ts';
import { type Finished, run } from '#platform/exec.ts';
import type { Compiled, CompiledDag, CompileProblem, CompileRequest, GivenFields, LeftOutFile, NeededSecret } from './compiled.ts';
import { WarmParsers } from './warm-parsers.ts';

/** Where our own Python lies: programs of it are started there. */
export const PYTHON_FOLDER = join(import.meta.dirname, '..', '..', 'python');

/** An error or a warning of the parser. `place`: in a drawing, number of the DAG and keys down to what is meant. */
export interface ParserFinding {
  readonly file?: string;
  readonly line?: number;
  readonly column?: number;
  readonly message: string;
  readonly hint?: string;
  readonly kind?: string;
  readonly place?: readonly (string | number)[];
}

/** The document that the parser prints. `places`: of drawings, per DAG where each task and group stands. */
export interface ParserAnswer {
  readonly dags: readonly unknown[];
  readonly errors: readonly ParserFinding[];
  readonly warnings: readonly ParserFinding[];
  readonly modules: readonly string[];
  readonly awaited?: readonly string[];
  readonly left_out?: readonly LeftOutFile[];
  readonly needed?: readonly NeededSecret[];
  readonly given?: Readonly<Record<string, GivenFields>>;
  readonly places?: Readonly<Record<string, Readonly<Record<string, readonly (string | number)[]>>>>;
}

/** What a parse came to: the document, or why there is none. */
export type Parsed = { readonly kind: 'parsed'; readonly answer: ParserAnswer } | { readonly kind: 'failed'; readonly problem: CompileProblem };

/** More arguments, environment variables, and what is written to standard input. */
export interface ParserOptions {
  readonly args?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly input?: string;
}

/** Runs the parser on a file. Throws `python_missing` when it cannot be started. */
export async function runParser(request: CompileRequest, options: ParserOptions): Promise<Parsed> {
  const done = await runPython(request, { module: 'leoflow.parse', ...options });
  return typeof done === 'string' ? { kind: 'parsed', answer: JSON.parse(done) as ParserAnswer } : { kind: 'failed', problem: done };
}

/** A parser for many files: see `WarmParsers`. @param bytecode as in a request */
export function openWarmParsers(bytecode: string): WarmParsers {
  return new WarmParsers({ cwd: PYTHON_FOLDER, environment: { ...userEnvironment(), PYTHONPATH: PYTHON_FOLDER, ...foldersOf(bytecode) } });
}

/** Where a parser keeps bytecode, and what Airflow writes into its home. */
function foldersOf(bytecode: string | null): Readonly<Record<string, string>> {
  return bytecode === null ? {} : { LEOFLOW_PARSE_BYTECODE_FOLDER: bytecode, LEOFLOW_PARSE_AIRFLOW_HOME: join(dirname(bytecode), 'airflow') };
}

/** The program that parses by the project's own Task SDK. */
export const AIRFLOW_PARSER = 'leoflow.airflow_runtime.parse';

/** What a warm parser is started with; null when there is none of this kind. One of Airflow's has read the settings of one project. */
function serveArgs(module: string, request: CompileRequest): readonly string[] | null {
  if (module === 'leoflow.parse') return ['-m', module, '--serve'];
  return module === AIRFLOW_PARSER ? ['-m', module, '--serve', ...placeArgs(request)] : null;
}

function placeArgs({ root, importPaths }: CompileRequest): readonly string[] {
  return ['--root', root, ...importPaths.flatMap((path) => ['--path', path])];
}

/** Runs one of our Python programs on a file. @returns the JSON text it printed, or the problem that there is none */
export async function runPython(request: CompileRequest, options: ParserOptions & { readonly module: string }): Promise<string | CompileProblem> {
  const failed = (message: string, hint: string | null): CompileProblem => ({ file: request.file, line: null, column: null, message, hint });
  const done = await runWarmOrCold(request, options);
  if (done.timedOut) return failed(`importing took longer than ${request.importTimeoutSeconds} s`, 'Move slow work from the top of the file into tasks, or raise LEOFLOW_IMPORT_TIMEOUT_SECONDS.');
  if (done.overflowed) return failed(`the file printed more than ${LIMITS.maxParseOutputBytes} bytes while it was imported`, 'Print less at the top of the file.');
  if (isJson(done.stdout)) return done.stdout;
  const how = done.signal === null ? `status ${done.status}` : `signal ${done.signal}`;
  return failed(`the parser ended with ${how}: ${done.stderr.trim().split('\n').slice(-3).join(' | ') || 'no output'}`, 'Does the file end the interpreter (sys.exit, os._exit)?');
}

type Done = Omit<Finished, 'signal'> & { readonly signal: string | number | null };

/** Without warm parsers, and when one ended before it answered, a new process does it. */
async function runWarmOrCold(request: CompileRequest, options: ParserOptions & { readonly module: string }): Promise<Done> {
  const given = giveSecrets(request);
  const argv = [join(request.root, request.file), ...placeArgs(request), ...(options.args ?? [])];
  const limits = { timeoutMs: request.importTimeoutSeconds * 1000, maxOutputBytes: LIMITS.maxParseOutputBytes };
  const environment = { PYTHONHASHSEED: '0', ...request.environment, PYTHONPATH: PYTHON_FOLDER, ...foldersOf(request.bytecode), ...given.environment, ...options.environment };
  try {
    const serve = serveArgs(options.module, request);
    const job = { argv, hashSeed: environment.PYTHONHASHSEED, cwd: request.root, environment, input: options.input ?? null, ...limits };
    const warm = serve === null ? null : await request.parsers?.run(request.python, { ...job, serve });
    return warm ?? await run(request.python, ['-m', options.module, ...argv], { cwd: PYTHON_FOLDER, env: environment, ...limits, ...(options.input === undefined ? {} : { input: options.input }) });
  } catch (cause) {
    throw new AppError('python_missing', `cannot start ${request.python}`, { cause });
  } finally {
    given.remove();
  }
}

/** A file that only this user may read, for as long as the parser runs: neither arguments nor environment show what is in it. */
function giveSecrets({ secrets }: CompileRequest): { readonly environment: Readonly<Record<string, string>>; readonly remove: () => void } {
  if (Object.keys(secrets.variables).length + Object.keys(secrets.connections).length === 0) return { environment: {}, remove: () => undefined };
  const folder = mkdtempSync(join(tmpdir(), 'leoflow-import-'));
  const file = join(folder, 'secrets.json');
  writeFileSync(file, JSON.stringify(secrets), { mode: 0o600 });
  return { environment: { LEOFLOW_PARSE_SECRETS_FILE: file }, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** A finding as every front end tells it. A line of 0 is no line. */
export function toProblem(request: CompileRequest, finding: ParserFinding): CompileProblem {
  return { file: finding.file ?? request.file, line: finding.line === 0 ? null : (finding.line ?? null), column: finding.column ?? null, message: finding.message, hint: finding.hint === '' ? null : (finding.hint ?? null), ...(finding.kind === undefined ? {} : { kind: finding.kind }) };
}

/** What a watcher has to know of a parse, and what its user. */
export function filesOf({ modules, awaited = [], left_out: leftOut = [] }: Pick<ParserAnswer, 'modules' | 'awaited' | 'left_out'>): Pick<Compiled, 'read' | 'awaited' | 'leftOut'> {
  return { read: modules, awaited, leftOut };
}

/** Reads the files named and holds them to their digests. Throws `conflict` when one was saved in between. */
export function readSources(root: string, sources: readonly { path: string; sha256: string }[]): CompiledDag['sources'] {
  return sources.map(({ path, sha256 }) => {
    const content = readFileSync(join(root, path));
    if (createHash('sha256').update(content).digest('hex') !== sha256) throw new AppError('conflict', `${path} was changed while it was compiled`);
    return { path, content };
  });
}

/** The id that a document claims, for messages about one that may not be sound. */
export function dagIdOf(value: unknown): string {
  const id = typeof value === 'object' && value !== null && 'dag_id' in value ? value.dag_id : null;
  return typeof id === 'string' ? id : '(no dag_id)';
}

/** What the parser says of the DAG's author, for whoever fills in what is not said. */
export function givenOf(answer: ParserAnswer, dag: Dag): Pick<CompiledDag, 'given'> {
  const given = answer.given?.[dag.dag_id];
  return given === undefined ? {} : { given };
}
