// dag.py to dag.json: the file is executed by the parser.
import { checkDag } from '#core/check-dag.ts';
import { firstDifference } from '#core/dag-graph.ts';
import { compileByAirflow } from './airflow-file.ts';
import { importsMoreLater, isNotCovered, missingAirflow, releaseProblem } from './choose-runtime.ts';
import type { CompiledDag, CompileProblem, Compiled, CompileRequest } from './compiled.ts';
import { dagIdOf, filesOf, givenOf, readSources, runParser, toProblem } from './parser.ts';

/**
 * Compiles one Python file. Problems of the user's file are in the answer; only what is wrong around it is thrown
 * (`python_missing`).
 */
export async function compilePython(request: CompileRequest): Promise<Compiled> {
  if (request.runtime === 'airflow') return compileWithAirflow(request);
  const own = await compileByShim(request);
  if (request.runtime === 'leoflow' || request.airflow === null) return own;
  const isForAirflow = own.problems.length === 0 ? await importsMoreLater(request) : isNotCovered(own.problems);
  return isForAirflow ? compileWithAirflow(request) : own;
}

async function compileWithAirflow(request: CompileRequest): Promise<Compiled> {
  if (request.airflow === null) return { dags: [], problems: [missingAirflow(request)], warnings: [] };
  const release = releaseProblem(request.airflow, request);
  if (release?.isFatal === true) return { dags: [], problems: [release.problem], warnings: [] };
  const compiled = await compileByAirflow(request);
  return release === null ? compiled : { ...compiled, warnings: [...compiled.warnings, release.problem] };
}

async function compileByShim(request: CompileRequest): Promise<Compiled> {
  const parsed = await runParser(request, {});
  if (parsed.kind === 'failed') return { dags: [], problems: [parsed.problem], warnings: [] };
  const { answer } = parsed;
  const problems = answer.errors.map((error): CompileProblem => toProblem(request, error));
  const dags: CompiledDag[] = [];
  for (const value of answer.dags) {
    const checked = checkDag(value);
    if (checked.kind === 'ok') dags.push({ dag: checked.dag, sources: readSources(request.root, checked.dag.sources), ...givenOf(answer, checked.dag) });
    else problems.push(...checked.problems.map((problem) => ({ file: request.file, line: answer.given?.[dagIdOf(value)]?.line ?? null, column: null, message: `${dagIdOf(value)}: ${problem.path}: ${problem.message}`, hint: null })));
  }
  const warnings = answer.warnings.map((warning) => toProblem(request, warning));
  return { dags, problems, warnings, ...filesOf(answer), needed: answer.needed ?? [], runtime: 'leoflow' };
}

/**
 * Parses the file a second time under another hash seed and another clock.
 * @returns one finding per DAG whose graph differs, with the JSON path that does
 */
export async function findNondeterminism(request: CompileRequest, first: Compiled): Promise<CompileProblem[]> {
  const again = { environment: { PYTHONHASHSEED: '4242', LEOFLOW_PARSE_CLOCK_SHIFT_SECONDS: '86461' } };
  const parsed = first.runtime === 'airflow' ? await compileByAirflow(request, again) : await runParser(request, again);
  if ('kind' in parsed && parsed.kind === 'failed') return [{ ...parsed.problem, message: `a second parse failed: ${parsed.problem.message}` }];
  const dags: readonly unknown[] = 'kind' in parsed ? parsed.answer.dags : parsed.dags.map((one) => one.dag);
  const second = new Map(dags.map((value) => [dagIdOf(value), value]));
  const findings: CompileProblem[] = [];
  const differs = (dagId: string, path: string): void => void findings.push({
    file: request.file, line: null, column: null, message: `${dagId} differs between two parses at ${path}`, hint: 'Make the file give the same DAG each time: no clock, no random value and no unordered set in its structure.',
  });
  for (const { dag } of first.dags) {
    const other = second.get(dag.dag_id);
    const path = other === undefined ? '$' : firstDifference(dag, other);
    if (path !== null) differs(dag.dag_id, path);
    second.delete(dag.dag_id);
  }
  for (const dagId of second.keys()) differs(dagId, '$');
  return findings;
}
