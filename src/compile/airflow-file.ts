// dag.py to dag.json by the project's own Task SDK: the file is executed in the project's environment.
import { checkDag } from '#core/check-dag.ts';
import type { CompiledDag, CompileProblem, Compiled, CompileRequest, GivenFields } from './compiled.ts';
import { mapAirflowDag, type SerializedDag } from './from-airflow.ts';
import { AIRFLOW_PARSER, filesOf, type ParserAnswer, type ParserOptions, readSources, runPython, toProblem } from './parser.ts';

interface AirflowDag extends SerializedDag { readonly given: GivenFields }
type AirflowAnswer = Omit<ParserAnswer, 'dags' | 'given' | 'places'> & { readonly dags: readonly AirflowDag[]; readonly airflow: string };

/** Compiles one file. Problems of the user's file are in the answer; the environment holds the Task SDK. */
export async function compileByAirflow(request: CompileRequest, options: ParserOptions = {}): Promise<Compiled> {
  const done = await runPython(request, { module: AIRFLOW_PARSER, ...options });
  if (typeof done !== 'string') return { dags: [], problems: [done], warnings: [], runtime: 'airflow' };
  const answer = JSON.parse(done) as AirflowAnswer;
  const problems = answer.errors.map((error): CompileProblem => toProblem(request, error));
  const dags: CompiledDag[] = [];
  for (const one of answer.dags) {
    const refuse = (message: string): void => void problems.push({ file: request.file, line: one.given.line ?? null, column: null, message, hint: null });
    const mapped = mapAirflowDag(one, request.file);
    if (mapped.kind === 'refused') {
      for (const problem of mapped.problems) refuse(`${mapped.dagId}: ${problem}`);
      continue;
    }
    const checked = checkDag(mapped.dag);
    if (checked.kind === 'ok') dags.push({ dag: checked.dag, sources: readSources(request.root, checked.dag.sources), given: one.given });
    else for (const problem of checked.problems) refuse(`${mapped.dag.dag_id}: ${problem.path}: ${problem.message}`);
  }
  return { dags, problems, warnings: answer.warnings.map((warning) => toProblem(request, warning)), ...filesOf(answer), needed: answer.needed ?? [], runtime: 'airflow' };
}
