// `leoflow node`: the Node that runs TypeScript tasks, for tests and scripts of a project.
import { Command } from 'commander';
import { AppError } from '#contract/errors.ts';
import { runAttached } from '#platform/exec.ts';
import { userEnvironment } from '#platform/config.ts';
import type { LocalContext } from './local-context.ts';

/** The command. Its exit code is Node's. */
export function nodeCommand(context: LocalContext): Command {
  return new Command('node').description('Run the Node that TypeScript tasks run in: tests, scripts.').argument('[args...]', 'arguments of Node').allowUnknownOption().passThroughOptions().helpOption(false)
    .addHelpText('after', '\nExample:\n  leoflow node --test\n')
    .action(async (args: string[]) => {
      const ended = await runAttached(process.execPath, args, { env: userEnvironment(), signal: context.stop });
      if (ended.signal !== null) throw new AppError('run_failed', `node was ended by ${ended.signal}`);
      context.exitWith(ended.status ?? 1);
    });
}
