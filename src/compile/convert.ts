// A DAG file of any language as dag.yaml text: its drawings, held against the DAGs they came from.
import type { Dag } from '#contract/dag.ts';
import { type Drawing, type DrawnFile, drawnPath } from '#contract/drawing.ts';
import { contentHash } from '#core/digest.ts';
import { firstDifference, graphOf } from '#core/dag-graph.ts';
import { compileFile, languageOf } from './compile-file.ts';
import type { Compiled, CompileProblem, CompileRequest } from './compiled.ts';
import { compileDrawing } from './from-drawing.ts';
import { type ParserFinding, runPython, toProblem } from './parser.ts';
import { renderDrawings } from './render-drawings.ts';

/** `text` is the YAML; with problems there is none. */
export interface Converted { readonly text: string | null; readonly problems: readonly CompileProblem[] }

/** Which DAG is wanted, null for all, and what stands before the project's paths so that they are right from the folder of the YAML. */
export interface ConvertOptions { readonly dagId: string | null; readonly prefix: string }

/** Converts one file. What YAML cannot say is in the answer, each with its place; all at once. */
export async function convertFile(request: CompileRequest, { dagId, prefix }: ConvertOptions): Promise<Converted> {
  const compiled = await compileFile(request);
  if (compiled.problems.length > 0) return { text: null, problems: compiled.problems };
  const isPython = languageOf(request.file) === 'python';
  if (!isPython && prefix !== '') return { text: null, problems: [problemOf(request, 'its functions are named from its own folder', 'Write the YAML into the same folder.')] };
  const known = compiled.dags.map(({ dag }) => dag.dag_id);
  if (dagId !== null && !known.includes(dagId)) return { text: null, problems: [problemOf(request, `the file has no DAG ${dagId}`, `It has ${known.join(', ')}.`)] };
  const drawn = isPython ? await drawPython(request, { dagId, prefix: '' }) : { drawings: drawingsOf(compiled, request.file), problems: [] };
  if (drawn.problems.length > 0) return { text: null, problems: drawn.problems };
  const wanted = drawn.drawings.filter((drawing) => dagId === null || drawing.dag_id === dagId);
  const problems = await findLosses(request, wanted, compiled);
  if (problems.length > 0) return { text: null, problems };
  const named = prefix === '' ? wanted : (await drawPython(request, { dagId, prefix })).drawings;
  return { text: renderDrawings(named, request.file), problems: [] };
}

async function drawPython(request: CompileRequest, { dagId, prefix }: ConvertOptions): Promise<{ drawings: readonly Drawing[]; problems: readonly CompileProblem[] }> {
  const answer = await runPython(request, { module: 'leoflow.convert', args: ['--prefix', prefix, ...(dagId === null ? [] : ['--dag', dagId])] });
  if (typeof answer !== 'string') return { drawings: [], problems: [answer] };
  const document = JSON.parse(answer) as { dags: Drawing[]; errors: ParserFinding[] };
  return { drawings: document.dags, problems: document.errors.map((error) => toProblem(request, error)) };
}

function drawingsOf(compiled: Compiled, file: string): readonly Drawing[] {
  const source = compiled.dags[0]?.sources.find(({ path }) => path === drawnPath(file));
  return source === undefined ? [] : (JSON.parse(source.content.toString('utf8')) as DrawnFile).dags;
}

/** Compiles the drawings again: a graph that differs means that something got lost on the way. */
async function findLosses(request: CompileRequest, drawings: readonly Drawing[], compiled: Compiled): Promise<CompileProblem[]> {
  const again = await compileDrawing(request, drawings);
  if (again.problems.length > 0) return again.problems.map((problem) => ({ ...problem, message: `in the YAML: ${problem.message}` }));
  return again.dags.flatMap(({ dag }) => {
    const original = compiled.dags.find((one) => one.dag.dag_id === dag.dag_id)?.dag;
    if (original === undefined || contentHash(graphOf(original)) === contentHash(graphOf(dag))) return [];
    return [problemOf(request, `YAML cannot say all of DAG ${dag.dag_id}: ${differenceOf(original, dag)} would differ`, null)];
  });
}

function differenceOf(original: Dag, dag: Dag): string {
  const path = firstDifference(graphOf(original), graphOf(dag)) ?? '$';
  const index = /^\$\.tasks\[(\d+)\](.*)/.exec(path);
  const tasks = graphOf(original)['tasks'] as readonly { task_id: string }[];
  return index === null ? path.replace(/^\$\.?/, '') : `task ${tasks[Number(index[1])]?.task_id ?? ''}${(index[2] ?? '').replace(/^\./, ': ')}`;
}

function problemOf(request: CompileRequest, message: string, hint: string | null): CompileProblem {
  return { file: request.file, line: null, column: null, message, hint };
}
