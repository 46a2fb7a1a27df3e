// Type check of a DAG file in TypeScript, by the project's own compiler or ours: each diagnostic with its place, as an editor shows it.
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { LIMITS } from '#contract/config.ts';
import { run } from '#platform/exec.ts';
import type { CompileProblem, CompileRequest } from './compiled.ts';

const SDK = join(import.meta.dirname, '..', 'sdk');
const TYPES = existsSync(join(SDK, 'leoflow.ts')) ? 'ts' : 'd.ts';
const require = createRequire(import.meta.url);

/** What is wrong with the types of a file and of what it imports below the project. Empty when all is well. */
export async function checkTypes(request: CompileRequest): Promise<CompileProblem[]> {
  const folder = mkdtempSync(join(tmpdir(), 'leoflow-types-'));
  try {
    const config = join(folder, 'tsconfig.json');
    writeFileSync(config, JSON.stringify(configFor(request)));
    const done = await run(process.execPath, [findCompiler(request), '-p', config, '--pretty'], {
      cwd: request.root, env: request.environment, timeoutMs: request.importTimeoutSeconds * 1000, maxOutputBytes: LIMITS.maxParseOutputBytes,
    });
    const whole = (message: string, hint: string | null): CompileProblem[] => [{ file: request.file, line: null, column: null, message, hint }];
    if (done.timedOut) return whole(`the type check took longer than ${request.importTimeoutSeconds} s`, 'Simplify the types, or raise LEOFLOW_IMPORT_TIMEOUT_SECONDS.');
    const found = parseDiagnostics(stripVTControlCharacters(done.stdout)).filter(({ file }) => !file.startsWith('../') && !file.startsWith('/') && !/(^|\/)node_modules\//.test(file));
    const settings = /^error (TS\d+): (.*)$/m.exec(stripVTControlCharacters(done.stdout));
    if (found.length === 0 && settings !== null) return whole(`the type check cannot start: ${settings[1]}: ${settings[2]}`, 'Look at the tsconfig.json of the project.');
    return found;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The project's compiler when it has one: its version decides what compiles there. */
function findCompiler(request: CompileRequest): string {
  for (const folder of folders(request)) {
    const compiler = join(folder, 'typescript', 'bin', 'tsc');
    if (existsSync(compiler)) return compiler;
  }
  return join(dirname(require.resolve('typescript/package.json')), 'bin', 'tsc');
}

/** Folders of packages, from the project's own upward. */
function folders({ root, nodeModules }: CompileRequest): string[] {
  const found: string[] = [];
  for (let folder = root; ; folder = dirname(folder)) {
    found.push(join(folder, 'node_modules'));
    if (dirname(folder) === folder) break;
  }
  return nodeModules === null ? found : [...found, nodeModules];
}

function configFor(request: CompileRequest): object {
  const own = join(request.root, 'tsconfig.json');
  const hasOwn = existsSync(own);
  const hasSdk = folders(request).some((folder) => existsSync(join(folder, 'leoflow', 'package.json')));
  const typeRoots = [...folders(request).map((folder) => join(folder, '@types')).filter((folder) => existsSync(folder)), join(dirname(require.resolve('@types/node/package.json')), '..')];
  const packages = request.nodeModules === null ? {} : { '*': [join(request.nodeModules, '*'), join(request.nodeModules, '@types', '*')] };
  const paths = hasSdk ? (request.nodeModules === null ? {} : { paths: packages }) : { paths: { ...packages, leoflow: [join(SDK, `leoflow.${TYPES}`)], 'leoflow/testing': [join(SDK, `testing.${TYPES}`)] } };
  // A project that says nothing is checked as strictly as Node runs it: modules, and types that can be stripped.
  const plain = { target: 'es2024', lib: ['es2024', 'esnext.disposable'], module: 'esnext', moduleResolution: 'bundler', moduleDetection: 'force', strict: true, types: ['node'], erasableSyntaxOnly: true, verbatimModuleSyntax: true };
  return {
    ...(hasOwn ? { extends: own } : {}),
    compilerOptions: { ...(hasOwn ? {} : plain), ...paths, typeRoots, noEmit: true, composite: false, incremental: false, allowImportingTsExtensions: true, skipLibCheck: true },
    files: [join(request.root, request.file)], include: [],
  };
}

/** Diagnostics of the compiler's pretty form, without colours. */
export function parseDiagnostics(text: string): CompileProblem[] {
  const header = /^(\S.*?):(\d+):(\d+) - error (TS\d+): (.*)$/;
  const found: CompileProblem[] = [];
  let block: { problem: CompileProblem; lines: string[] } | null = null;
  const end = (): void => {
    if (block !== null) found.push(withLines(block.problem, block.lines));
    block = null;
  };
  for (const line of text.split('\n')) {
    const [, file, at, column, code, message] = header.exec(line) ?? [];
    if (file !== undefined) {
      end();
      block = { problem: { file, line: Number(at), column: Number(column), message: `${code}: ${message}`, hint: null }, lines: [] };
    } else if (/^(error TS|Found \d+ error|Errors  Files)/.test(line)) end();
    else block?.lines.push(line);
  }
  end();
  return found;
}

/** Up to the first empty line the explanation goes on; then come the source line and what is meant in it. */
function withLines(problem: CompileProblem, lines: readonly string[]): CompileProblem {
  const gap = lines.indexOf('');
  const explanation = gap < 0 ? lines : lines.slice(0, gap);
  const excerpt = (gap < 0 ? [] : lines.slice(gap + 1)).join('\n').trimEnd();
  return { ...problem, message: [problem.message, ...explanation].join('\n'), ...(excerpt === '' ? {} : { excerpt }) };
}
