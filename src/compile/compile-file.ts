// One DAG file of any language to dag.json: the suffix says which front end reads it.
import type { Compiled, CompileProblem, CompileRequest } from './compiled.ts';
import { compilePython, findNondeterminism } from './from-python.ts';
import { compileTypeScript } from './from-typescript.ts';
import { compileYaml } from './from-yaml.ts';

/** Suffixes of DAG files, by language. */
export const DAG_FILE_SUFFIXES = { python: ['.py'], yaml: ['.yaml', '.yml'], typescript: ['.ts', '.mts', '.js', '.mjs'] } as const;
type Language = keyof typeof DAG_FILE_SUFFIXES;

/** The language of a file by its suffix; null when it is none that a DAG is written in. */
export function languageOf(file: string): Language | null {
  const known = Object.entries(DAG_FILE_SUFFIXES) as [Language, readonly string[]][];
  return known.find(([, suffixes]) => suffixes.some((suffix) => file.endsWith(suffix)))?.[0] ?? null;
}

/** Compiles one file. What is wrong with it is in the answer. */
export function compileFile(request: CompileRequest): Promise<Compiled> {
  switch (languageOf(request.file)) {
    case 'yaml': return compileYaml(request);
    case 'typescript': return compileTypeScript(request);
    default: return compilePython(request);
  }
}

/** One finding per DAG that differs when the file is read again. A text without code has nothing that could differ. */
export async function findDifferences(request: CompileRequest, first: Compiled): Promise<CompileProblem[]> {
  return languageOf(request.file) === 'python' ? findNondeterminism(request, first) : [];
}
