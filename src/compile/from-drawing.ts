// Drawings to dag.json: the parser builds the tasks that a dag.py would have drawn, so that every language has one emitter.
import { createHash } from 'node:crypto';
import { type Drawing, type DrawnFile, drawnPath } from '#contract/drawing.ts';
import { checkDag, type Problem } from '#core/check-dag.ts';
import type { Compiled, CompiledDag, CompileProblem, CompileRequest } from './compiled.ts';
import { dagIdOf, filesOf, givenOf, type ParserAnswer, type ParserFinding, readSources, runParser, toProblem } from './parser.ts';

/** Number of a DAG in its file, and keys down to what is meant; null when the front end does not know the place. */
export type PlaceOf = (dagIndex: number, path: readonly (string | number)[]) => { readonly line: number; readonly column: number } | null;

/**
 * Compiles the drawings of `request.file`, a file that the project holds. A drawing without `dag_id` is named after the file.
 * Entries that are null were refused by the front end: nothing that refers to them is told again.
 * Each DAG's last source is the file's drawings, from which its tasks are made at run time. Throws `python_missing`.
 */
export async function compileDrawing(request: CompileRequest, drawings: readonly Drawing[], place: PlaceOf = () => null): Promise<Compiled> {
  const named = drawings.map((drawing) => ({ dag_id: defaultDagId(request.file), ...drawing }));
  const parsed = await runParser(request, { args: ['--drawing'], input: JSON.stringify(named) });
  if (parsed.kind === 'failed') return { dags: [], problems: [parsed.problem], warnings: [] };
  const { answer } = parsed;
  const placed = (finding: ParserFinding): CompileProblem => toPlaced(request, finding, place);
  const problems = answer.errors.map(placed);
  const drawn = drawnSource(request.file, named);
  const dags: CompiledDag[] = [];
  for (const value of answer.dags) {
    const checked = checkDag(withSource(value, drawn));
    if (checked.kind === 'ok') dags.push({ dag: checked.dag, sources: [...readSources(request.root, checked.dag.sources.slice(0, -1)), { path: drawn.path, content: drawn.content }], ...givenOf(answer, checked.dag) });
    else problems.push(...checked.problems.map((problem) => placed({ ...aboutDag(value, problem), place: placeInDrawing(value, problem, answer) })));
  }
  return { dags, problems: [...problems, ...duplicates(named).map(placed)], warnings: answer.warnings.map(placed), ...filesOf(answer), needed: answer.needed ?? [] };
}

/** The name of a DAG that says none: its file's, without folders and suffix. */
export function defaultDagId(file: string): string {
  return (file.split('/').at(-1) ?? file).replace(/(\.dag)?\.[^.]+$/, '');
}

function toPlaced(request: CompileRequest, finding: ParserFinding, place: PlaceOf): CompileProblem {
  const problem = toProblem(request, finding);
  const [index, ...path] = finding.place ?? [];
  const found = typeof index === 'number' ? place(index, path) : null;
  return found === null ? problem : { ...problem, file: request.file, line: found.line, column: found.column };
}

interface DrawnSource { readonly path: string; readonly sha256: string; readonly content: Buffer }

/** The order of keys is the order of tasks and of mapped arguments, so it stays. */
function drawnSource(file: string, dags: readonly Drawing[]): DrawnSource {
  const document: DrawnFile = { schema_version: '1.0', dags };
  const content = Buffer.from(`${JSON.stringify(document)}\n`);
  return { path: drawnPath(file), sha256: createHash('sha256').update(content).digest('hex'), content };
}

function withSource(value: unknown, { path, sha256 }: DrawnSource): unknown {
  const dag = value as { sources: readonly unknown[] };
  return { ...dag, sources: [...dag.sources, { path, sha256 }] };
}

function duplicates(named: readonly { readonly dag_id: string }[]): ParserFinding[] {
  return named.flatMap(({ dag_id }, index) => (named.findIndex((other) => other.dag_id === dag_id) === index ? [] : [{ message: `the DAG id ${dag_id} is used twice`, hint: 'Give each DAG an id of its own.', place: [index, 'dag_id'] }]));
}

function aboutDag(value: unknown, problem: Problem): { message: string } {
  return { message: `${dagIdOf(value)}: ${problem.path}: ${problem.message}` };
}

/** A path of dag.json as the drawing has it: the task, or the schedule. */
function placeInDrawing(value: unknown, problem: Problem, answer: ParserAnswer): (string | number)[] {
  const places = answer.places?.[dagIdOf(value)] ?? {};
  const index = Object.values(places)[0]?.[0] ?? 0;
  const task = /^\$\.tasks\[(\d+)\]/.exec(problem.path)?.[1];
  if (task !== undefined) {
    const id = (value as { tasks: { task_id: string }[] }).tasks[Number(task)]?.task_id ?? '';
    return [...(places[id] ?? [index])];
  }
  return problem.path.startsWith('$.timetable') ? [index, 'schedule'] : [index];
}
