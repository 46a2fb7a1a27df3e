// THE table of commands.
import { Command } from 'commander';
import { assessCommand } from './assess.ts';
import { authCommand } from './auth.ts';
import { compileCommand, validateCommand } from './compile.ts';
import { configCommand } from './config.ts';
import { convertCommand } from './convert.ts';
import { connectionsCommand } from './connections.ts';
import { dagsCommand } from './dags.ts';
import { demoCommand } from './demo.ts';
import { doctorCommand } from './doctor.ts';
import { keysCommand } from './keys.ts';
import { initCommand } from './init.ts';
import { liteCommand } from './lite.ts';
import type { LocalContext } from './local-context.ts';
import { nodeCommand } from './node.ts';
import { poolsCommand } from './pools.ts';
import { pytestCommand } from './pytest.ts';
import { pruneCommand } from './prune.ts';
import { pushCommand } from './push.ts';
import { runCommand } from './run.ts';
import { runsCommand } from './runs.ts';
import { serverCommand } from './server.ts';
import { migrateCommand, versionCommand } from './small-commands.ts';
import { testCommand } from './test.ts';
import { graphCommand } from './show-graph.ts';
import { tasksCommand } from './tasks.ts';
import { variablesCommand } from './variables.ts';
import { xcomCommand } from './xcom.ts';

/** Commands in the order a newcomer needs them. */
const COMMANDS: readonly ((context: LocalContext) => Command)[] = [
  demoCommand, initCommand, runCommand, testCommand, pytestCommand, nodeCommand, liteCommand, validateCommand, compileCommand, convertCommand, graphCommand, assessCommand, pushCommand, serverCommand,
  dagsCommand, runsCommand, tasksCommand, xcomCommand, poolsCommand, variablesCommand, connectionsCommand, keysCommand, authCommand, configCommand, migrateCommand, pruneCommand, doctorCommand, versionCommand,
];

/** The program with every command. */
export function createProgram(context: LocalContext): Command {
  const program = new Command('leoflow').enablePositionalOptions().description('Runs workflows written for Apache Airflow: DAG files in, finished runs out.')
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
