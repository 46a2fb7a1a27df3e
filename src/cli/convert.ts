// `leoflow convert FILE`: a DAG file of any language as dag.yaml.
import { Command } from 'commander';
import { statSync } from 'node:fs';
import { dirname, relative, resolve, sep } from 'node:path';
import { existsSync } from 'node:fs';
import { AppError } from '#contract/errors.ts';
import { writeFileAtomic } from '#platform/atomic-file.ts';
import { renderProblem } from '#compile/compiled.ts';
import { convertFile } from '#compile/convert.ts';
import { DAG_FILE_HINT } from '#compile/find-dag-files.ts';
import { resolveDagPath } from './compile-files.ts';
import { ensureHome } from './home-folder.ts';
import type { LocalContext } from './local-context.ts';
import { ProjectCompiler } from './project-compiler.ts';
import { findPython } from './python-command.ts';

interface Options { dag?: string; output?: string; force?: boolean }

/** `convert`: prints YAML, or writes it with --output. What YAML cannot say is told, and then nothing is written. */
export function convertCommand(context: LocalContext): Command {
  return new Command('convert').description('Write a DAG file of any language as dag.yaml.').argument('<file>', 'DAG file')
    .option('--dag <id>', 'only this DAG of the file').option('-o, --output <file>', 'write to this file instead of printing').option('--force', 'replace the file when it exists')
    .addHelpText('after', '\nThe YAML refers to the functions of the file, which stays where it is. To run both, rename one of the DAGs; to run only the YAML, leave the file out: exclude_paths in leoflow.yaml.\n\nExample:\n  leoflow convert dags/etl.py -o dags/etl.yaml\n')
    .action(async (path: string, options: Options) => {
      if (statSync(path, { throwIfNoEntry: false })?.isDirectory() === true) throw new AppError('usage', `${path} is a folder, a DAG file is wanted`, { hint: DAG_FILE_HINT });
      const { root, prefix: below, files: [file = ''] } = resolveDagPath(path);
      const prefix = prefixOf(root, { folder: dirname(resolve(path)), output: options.output });
      const config = context.readConfig();
      const python = await findPython(config, ensureHome(context.homeOf(config)), context.err);
      const compiler = new ProjectCompiler(root, { config, python, prefix: below, say: context.err });
      const prepared = await compiler.prepare(file);
      const converted = prepared.kind === 'refused' ? { text: null, problems: prepared.problems } : await convertFile(prepared.request, { dagId: options.dag ?? null, prefix });
      if (converted.text === null) throw new AppError('invalid_dag', converted.problems.map(renderProblem).join('\n'), { details: converted.problems });
      if (options.output === undefined) return context.out(converted.text);
      if (existsSync(options.output) && options.force !== true) throw new AppError('conflict', `${options.output} exists`, { hint: 'Name another file, or add --force to replace it.' });
      if (resolve(options.output) === resolve(path)) throw new AppError('usage', `-o ${options.output} is the file itself: the YAML refers to its functions`);
      writeFileAtomic(options.output, converted.text, 0o644);
      context.out(`${options.output}\n`);
    });
}

/** Way from the folder of the YAML down to the project's, with / at its end; none beside the DAG file. Throws `usage` when it would lead up. */
function prefixOf(root: string, { folder, output }: { folder: string; output: string | undefined }): string {
  const target = output === undefined ? folder : dirname(resolve(output));
  if (target === folder || target === root) return '';
  const way = relative(target, root).split(sep).join('/');
  if (way.startsWith('..')) throw new AppError('usage', `-o ${String(output)}: from there the functions in ${folder} have no name`, { hint: `Write it into ${folder}, or a folder above.` });
  return `${way}/`;
}
