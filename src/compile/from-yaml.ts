// dag.yaml to dag.json: each document is a DAG; its form is checked here with places, its meaning by the parser that draws it.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { LIMITS } from '#contract/config.ts';
import type { Drawing } from '#contract/drawing.ts';
import { AppError } from '#contract/errors.ts';
import { checkDrawing, type CheckedDrawing } from './check-drawing.ts';
import type { Compiled, CompileProblem, CompileRequest } from './compiled.ts';
import { compileDrawing, defaultDagId, type PlaceOf } from './from-drawing.ts';
import { addNodeModules } from './node-functions.ts';
import { type PlacedProblem, type PlacedYaml, readYaml } from './yaml-places.ts';

/**
 * Compiles one YAML file. All problems of the file and of the modules it names are in the answer; only what is wrong around it is
 * thrown (`file_unreadable`, `python_missing`).
 */
export async function compileYaml(request: CompileRequest): Promise<Compiled> {
  const refused = (problems: readonly PlacedProblem[]): Compiled => ({ dags: [], problems: problems.map((problem) => toProblem(request, problem)), warnings: [] });
  const text = readText(request);
  if (typeof text !== 'string') return refused([text]);
  const { documents: all, problems } = readYaml(text);
  if (problems.length > 0) return refused(problems);
  const documents = all.filter(({ value }) => value !== null);
  if (documents.length === 0) return refused([{ line: 1, column: 1, message: 'the file holds no DAG: a mapping with tasks: in it' }]);
  const checked = documents.map(checkDrawing);
  const found = checked.flatMap((one) => one.problems);
  const usable = checked.flatMap(({ sound }, index) => (sound === null ? [] : [{ sound, document: documents[index] }]));
  if (usable.length === 0) return refused(found);
  const [drawings, place] = [usable.map((one) => one.sound), placesIn(usable)];
  const drawn = await addNodeModules(request, await compileDrawing(request, drawings, place), { drawings, place });
  const broken = brokenIds(checked, request.file);
  return {
    ...drawn, dags: drawn.dags.filter(({ dag }) => !broken.has(dag.dag_id)),
    problems: [...found.map((problem) => toProblem(request, problem)), ...drawn.problems].sort((a, b) => Number(a.file !== request.file) - Number(b.file !== request.file) || (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0)),
  };
}

/** DAGs whose document has a problem: what was left of them compiled, and must not be used. */
function brokenIds(checked: readonly CheckedDrawing[], file: string): ReadonlySet<string> {
  return new Set(checked.filter((one) => one.problems.length > 0).map((one) => one.sound?.dag_id ?? defaultDagId(file)));
}

function placesIn(usable: readonly { sound: Drawing; document: PlacedYaml | undefined }[]): PlaceOf {
  return (index, path) => {
    const document = usable[index]?.document;
    if (document === undefined) return null;
    const value = path.reduce<unknown>((inside, part) => (typeof inside === 'object' && inside !== null ? (inside as Record<string | number, unknown>)[part] : undefined), document.value);
    return document.placeOf(path, typeof value === 'object' ? 'key' : 'value');
  };
}

function readText(request: CompileRequest): string | PlacedProblem {
  let bytes: Buffer;
  try {
    bytes = readFileSync(join(request.root, request.file));
  } catch (cause) {
    throw new AppError('file_unreadable', `${request.file} cannot be read`, { cause });
  }
  if (bytes.length > LIMITS.maxDagYamlBytes) return { line: 1, column: 1, message: `the file is larger than ${LIMITS.maxDagYamlBytes} bytes` };
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return { line: 1, column: 1, message: 'the file is no text in UTF-8' };
  }
}

function toProblem(request: CompileRequest, { line, column, message }: PlacedProblem): CompileProblem {
  return { file: request.file, line, column, message, hint: null };
}
