// `leoflow pytest`: pytest in the project's own environment, with Leoflow's Python side on the import path.
import { Command } from 'commander';
import { existsSync } from 'node:fs';
import { delimiter, join, resolve } from 'node:path';
import { AppError } from '#contract/errors.ts';
import { userEnvironment } from '#platform/config.ts';
import { Environments } from '#platform/environments.ts';
import { runAttached } from '#platform/exec.ts';
import { readDependencies } from '#compile/dependencies.ts';
import { renderProblem } from '#compile/compiled.ts';
import { Project } from '#compile/project.ts';
import { ensureHome } from './home-folder.ts';
import type { LocalContext } from './local-context.ts';
import { findPython } from './python-command.ts';

const ROOT = join(import.meta.dirname, '..', '..');

/** The command. Its exit code is pytest's. */
export function pytestCommand(context: LocalContext): Command {
  return new Command('pytest').description('Run the project’s Python tests: `from leoflow.testing import load_dag`.').argument('[args...]', 'arguments of pytest').allowUnknownOption().helpOption(false)
    .addHelpText('after', '\nThe environment holds what leoflow.yaml names, and pytest. It is built once.\n\nExample:\n  leoflow pytest tests/ -q\n')
    .action(async (args: string[]) => {
      const config = context.readConfig();
      const home = ensureHome(context.homeOf(config));
      const project = new Project(resolve('.'));
      const { python: needs, problems } = readDependencies(project.layersOf('.'));
      if (problems.length > 0) throw new AppError('invalid_value', problems.map(renderProblem).join('\n'));
      const base = await findPython(config, home, context.err);
      const environments = new Environments(join(home, 'environments'), config.LEOFLOW_ENVIRONMENT_TIMEOUT_SECONDS);
      const python = await environments.python({ ...needs, requirements: [...(needs?.requirements ?? []), 'pytest'] }, base, context.err);
      const folders = [join(ROOT, 'python'), ...['.', 'dags'].filter((folder) => existsSync(folder)).map((folder) => resolve(folder)), ...project.importPathsOf('.')];
      const environment = { ...userEnvironment(), PYTHONPATH: folders.join(delimiter), LEOFLOW_TEST_COMMAND: join(ROOT, 'bin', 'leoflow') };
      const ended = await runAttached(python, ['-m', 'pytest', ...args], { env: environment, signal: context.stop });
      if (ended.signal !== null) throw new AppError('run_failed', `pytest was ended by ${ended.signal}`);
      context.exitWith(ended.status ?? 1);
    });
}
