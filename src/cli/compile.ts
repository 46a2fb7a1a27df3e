// `leoflow compile PATH` and `leoflow validate PATH`: DAG files to dag.json, or only their problems.
import { Command } from 'commander';
import { writeFileAtomic } from '#platform/atomic-file.ts';
import { mkdirSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { AppError } from '#contract/errors.ts';
import { contentHash } from '#core/digest.ts';
import { renderProblem } from '#compile/compiled.ts';
import { type CompiledFiles, compileFiles } from './compile-files.ts';
import { ensureHome } from './home-folder.ts';
import type { LocalContext } from './local-context.ts';
import { findPython } from './python-command.ts';

interface Options { strict?: boolean; output?: string; sources?: string; json?: boolean }

/** `compile`: prints dag.json (one document, or an array), or writes one file per DAG with --output. */
export function compileCommand(context: LocalContext): Command {
  return new Command('compile').description('Compile DAG files to dag.json.').argument('<path>', 'DAG file, or a folder of them')
    .option('-o, --output <folder>', 'write <dag_id>.json files there instead of printing').option('--sources <folder>', 'also write the files of the versions there, as a server gets them').option('--strict', 'a DAG that differs between two parses is an error')
    .addHelpText('after', '\nExample:\n  leoflow compile dags/ -o build/\n')
    .action(async (path: string, options: Options) => {
      if (options.output !== undefined) requireFolder(options.output);
      const compiled = await compile(context, path, options.strict === true);
      refuse(compiled);
      if (options.sources !== undefined) writeSources(compiled, options.sources);
      if (options.output === undefined) {
        const [first] = compiled.dags;
        context.out(`${JSON.stringify(compiled.dags.length === 1 ? first?.dag : compiled.dags.map((one) => one.dag), null, 2)}\n`);
        return;
      }
      for (const { dag } of compiled.dags) {
        const file = join(options.output, `${dag.dag_id}.json`);
        writeFileAtomic(file, `${JSON.stringify(dag, null, 2)}\n`, 0o644);
        context.out(`${file}  ${dag.tasks.length} tasks  ${contentHash(dag).slice(0, 12)}  runtime ${dag.runtime}\n`);
      }
    });
}

function writeSources({ dags }: CompiledFiles, folder: string): void {
  for (const { path, content } of dags.flatMap((one) => one.sources)) {
    const target = join(folder, path);
    mkdirSync(dirname(target), { recursive: true });
    writeFileAtomic(target, content, 0o644);
  }
}

/** Throws `usage` when the folder is a file, or would be below one. */
function requireFolder(output: string): void {
  let existing = resolve(output);
  while (statSync(existing, { throwIfNoEntry: false }) === undefined && dirname(existing) !== existing) existing = dirname(existing);
  if (statSync(existing, { throwIfNoEntry: false })?.isDirectory() === false) throw new AppError('usage', `-o ${output}: ${existing} is a file, a folder is wanted`, { hint: 'Name a folder: one <dag_id>.json is written there for each DAG.' });
}

/** `validate`: says what each file holds and everything that is wrong. */
export function validateCommand(context: LocalContext): Command {
  return new Command('validate').description('Check DAG files and say everything that is wrong.').argument('<path>', 'DAG file, or a folder of them')
    .option('--strict', 'a DAG that differs between two parses is an error').option('--json', 'print findings as JSON')
    .addHelpText('after', '\nExample:\n  leoflow validate dags/ --strict\n')
    .action(async (path: string, options: Options) => {
      const compiled = await compile(context, path, options.strict === true);
      if (options.json === true) context.out(`${JSON.stringify({ dags: compiled.dags.map(({ dag }) => ({ dag_id: dag.dag_id, file: dag.fileloc, tasks: dag.tasks.length, runtime: dag.runtime })), problems: compiled.problems, warnings: compiled.warnings }, null, 2)}\n`);
      else for (const { dag } of compiled.dags) context.out(`ok  ${dag.dag_id}  ${dag.tasks.length} tasks  ${dag.fileloc}  runtime ${dag.runtime}\n`);
      refuse(compiled);
    });
}

async function compile(context: LocalContext, path: string, strict: boolean): Promise<CompiledFiles> {
  const config = context.readConfig();
  const python = await findPython(config, ensureHome(context.homeOf(config)), context.err);
  const compiled = await compileFiles(path, { config, python, say: context.err }, { deterministic: true, strict });
  for (const warning of compiled.warnings) context.err(`warning: ${renderProblem(warning)}\n`);
  return compiled;
}

function refuse(compiled: CompiledFiles): void {
  if (compiled.problems.length > 0) throw new AppError('invalid_dag', compiled.problems.map(renderProblem).join('\n'), { details: compiled.problems });
}
