// THE table of commands.
import { Command } from 'commander';
import { compileCommand, validateCommand } from './compile.ts';
import { demoCommand } from './demo.ts';
import type { LocalContext } from './local-context.ts';
import { liteCommand } from './lite.ts';
import { serverCommand } from './server.ts';
import { runCommand } from './run.ts';
import { migrateCommand, versionCommand } from './small-commands.ts';

/** The program with every command. */
export function createProgram(context: LocalContext): Command {
  const program = new Command('leoflow').description('Runs workflows written for Apache Airflow: DAG files in, finished runs out.')
    .version(context.version, '-V, --version').showHelpAfterError('(add --help for what is allowed)').showSuggestionAfterError();
  const commands = [demoCommand(context), liteCommand(context), serverCommand(context), runCommand(context), compileCommand(context), validateCommand(context), migrateCommand(context), versionCommand(context)];
  for (const command of commands) program.addCommand(command.configureOutput({ writeOut: context.out, writeErr: context.err }).exitOverride());
  return program.configureOutput({ writeOut: context.out, writeErr: context.err }).exitOverride()
    .addHelpText('after', '\nStart here:\n  leoflow demo                 see real Airflow DAG files run\n  leoflow lite DIR             server, scheduler and API for a folder of DAG files\n');
}
