// dag.py to dag.json: the file is executed by the parser in a bounded child process, never in this one.
import { readFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { LIMITS } from '#contract/config.ts';
import { AppError } from '#contract/errors.ts';
import { checkDag } from '#core/check-dag.ts';
import { run } from '#platform/exec.ts';
import type { CompiledDag, CompileProblem, Compiled, CompileRequest } from './compiled.ts';

const PYTHON_FOLDER = join(import.meta.dirname, '..', '..', 'python');

interface ParserAnswer {
  readonly dags: readonly unknown[];
  readonly errors: readonly { file?: string; line?: number; message: string; hint?: string; kind?: string; path?: string }[];
  readonly warnings: readonly { file?: string; line?: number; message: string; hint?: string }[];
}

/**
 * Compiles one Python file. Problems of the user's file are in the answer; only what is wrong around it is thrown
 * (`python_missing`).
 */
export async function compilePython(request: CompileRequest): Promise<Compiled> {
  const parsed = await parse(request, {});
  if (parsed.kind === 'failed') return { dags: [], problems: [parsed.problem], warnings: [] };
  const { answer } = parsed;
  const problems = answer.errors.map((error): CompileProblem => toProblem(request, error));
  const dags: CompiledDag[] = [];
  for (const value of answer.dags) {
    const checked = checkDag(value);
    if (checked.kind === 'ok') dags.push({ dag: checked.dag, sources: readSources(request.root, checked.dag.sources) });
    else problems.push(...checked.problems.map((problem) => ({ file: request.file, line: null, message: `${dagIdOf(value)}: ${problem.path}: ${problem.message}`, hint: null })));
  }
  const warnings = answer.warnings.map((warning) => toProblem(request, warning));
  return { dags, problems, warnings };
}

/**
 * Parses the file a second time under another hash seed and another clock.
 * @returns one finding per DAG whose graph differs, with the JSON path that does
 */
export async function findNondeterminism(request: CompileRequest, first: Compiled): Promise<CompileProblem[]> {
  const parsed = await parse(request, { PYTHONHASHSEED: '4242', LEOFLOW_PARSE_CLOCK_SHIFT_SECONDS: '86461' });
  if (parsed.kind === 'failed') return [{ ...parsed.problem, message: `a second parse failed: ${parsed.problem.message}` }];
  const second = new Map(parsed.answer.dags.map((value) => [dagIdOf(value), value]));
  const findings: CompileProblem[] = [];
  const differs = (dagId: string, path: string): void => void findings.push({
    file: request.file, line: null, message: `${dagId} differs between two parses at ${path}`, hint: 'Make the file give the same DAG each time: no clock, no random value and no unordered set in its structure.',
  });
  for (const { dag } of first.dags) {
    const other = second.get(dag.dag_id);
    const path = other === undefined ? '$' : firstDifference(dag, other, '$');
    if (path !== null) differs(dag.dag_id, path);
    second.delete(dag.dag_id);
  }
  for (const dagId of second.keys()) differs(dagId, '$');
  return findings;
}

type Parsed = { readonly kind: 'parsed'; readonly answer: ParserAnswer } | { readonly kind: 'failed'; readonly problem: CompileProblem };

async function parse(request: CompileRequest, extra: Readonly<Record<string, string>>): Promise<Parsed> {
  const failed = (message: string, hint: string | null): Parsed => ({ kind: 'failed', problem: { file: request.file, line: null, message, hint } });
  let done;
  try {
    done = await run(request.python, ['-m', 'leoflow.parse', join(request.root, request.file), '--root', request.root], {
      cwd: request.root, timeoutMs: request.importTimeoutSeconds * 1000, maxOutputBytes: LIMITS.maxParseOutputBytes,
      env: { PYTHONHASHSEED: '0', ...request.environment, PYTHONPATH: PYTHON_FOLDER, PYTHONDONTWRITEBYTECODE: '1', ...extra },
    });
  } catch (cause) {
    throw new AppError('python_missing', `cannot start ${request.python}`, { cause });
  }
  if (done.timedOut) return failed(`importing took longer than ${request.importTimeoutSeconds} s`, 'Move slow work from the top of the file into tasks, or raise LEOFLOW_IMPORT_TIMEOUT_SECONDS.');
  if (done.overflowed) return failed(`the file printed more than ${LIMITS.maxParseOutputBytes} bytes while it was imported`, 'Print less at the top of the file.');
  try {
    return { kind: 'parsed', answer: JSON.parse(done.stdout) as ParserAnswer };
  } catch {
    const how = done.signal === null ? `status ${done.status}` : `signal ${done.signal}`;
    return failed(`the parser ended with ${how}: ${done.stderr.trim().split('\n').slice(-3).join(' | ') || 'no output'}`, 'Does the file end the interpreter (sys.exit, os._exit)?');
  }
}

function toProblem(request: CompileRequest, error: { file?: string; line?: number; message: string; hint?: string }): CompileProblem {
  return { file: error.file ?? request.file, line: error.line ?? null, message: error.message, hint: error.hint ?? null };
}

/** Reads the files named and holds them to their digests: a file saved in between is noticed. */
function readSources(root: string, sources: readonly { path: string; sha256: string }[]): { path: string; content: Buffer }[] {
  return sources.map(({ path, sha256 }) => {
    const content = readFileSync(join(root, path));
    if (createHash('sha256').update(content).digest('hex') !== sha256) throw new AppError('conflict', `${path} was changed while it was compiled`);
    return { path, content };
  });
}

function dagIdOf(value: unknown): string {
  const id = typeof value === 'object' && value !== null && 'dag_id' in value ? value.dag_id : null;
  return typeof id === 'string' ? id : '(no dag_id)';
}

function firstDifference(a: unknown, b: unknown, path: string): string | null {
  if (Object.is(a, b)) return null;
  if (Array.isArray(a) && Array.isArray(b)) {
    if (a.length !== b.length) return path;
    return a.map((item, index) => firstDifference(item, b[index], `${path}[${index}]`)).find((found) => found !== null) ?? null;
  }
  if (isRecord(a) && isRecord(b)) {
    const keys = [...new Set([...Object.keys(a), ...Object.keys(b)])].sort();
    return keys.map((key) => firstDifference(a[key], b[key], `${path}.${key}`)).find((found) => found !== null) ?? null;
  }
  return path;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
