// THE table of commands.
import { Command } from 'commander';
import { authCommand } from './auth.ts';
import { compileCommand, validateCommand } from './compile.ts';
import { dagsCommand } from './dags.ts';
import { demoCommand } from './demo.ts';
import { doctorCommand } from './doctor.ts';
import { liteCommand } from './lite.ts';
import type { LocalContext } from './local-context.ts';
import { poolsCommand } from './pools.ts';
import { pruneCommand } from './prune.ts';
import { pushCommand } from './push.ts';
import { runCommand } from './run.ts';
import { runsCommand } from './runs.ts';
import { serverCommand } from './server.ts';
import { migrateCommand, versionCommand } from './small-commands.ts';
import { tasksCommand } from './tasks.ts';
import { xcomCommand } from './xcom.ts';

/** Commands in the order a newcomer needs them. */
const COMMANDS: readonly ((context: LocalContext) => Command)[] = [
  demoCommand, runCommand, liteCommand, validateCommand, compileCommand, pushCommand, serverCommand,
  dagsCommand, runsCommand, tasksCommand, xcomCommand, poolsCommand, authCommand, migrateCommand, pruneCommand, doctorCommand, versionCommand,
];

/** The program with every command. */
export function createProgram(context: LocalContext): Command {
  const program = new Command('leoflow').description('Runs workflows written for Apache Airflow: DAG files in, finished runs out.')
    .version(context.version, '-V, --version')
    .addHelpText('after', '\nStart here:\n  leoflow demo                 see real Airflow DAG files run\n  leoflow lite DIR             server, scheduler and API for a folder of DAG files\n');
  for (const make of COMMANDS) program.addCommand(make(context));
  prepare(program, context);
  return program;
}

/** Every command, subcommands included, writes where the context says and throws instead of ending the process. */
function prepare(command: Command, context: LocalContext): void {
  command.configureOutput({ writeOut: context.out, writeErr: context.err }).exitOverride().showHelpAfterError('(add --help to see what is allowed)').showSuggestionAfterError();
  for (const sub of command.commands) prepare(sub, context);
}
