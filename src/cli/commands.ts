// THE table of commands. Each is loaded when it is called, so that a small one starts without the others' packages.
import { Command, type CommanderError } from 'commander';
import { isNamed, type Loaders } from './loaded-commands.ts';
import type { LocalContext } from './local-context.ts';
import { USAGE_EXIT } from './usage-exit.ts';

/** Commands in the order a newcomer needs them. */
export const COMMANDS: Loaders<LocalContext> = {
  demo: async () => (await import('./demo.ts')).demoCommand,
  init: async () => (await import('./init.ts')).initCommand,
  run: async () => (await import('./run.ts')).runCommand,
  test: async () => (await import('./test.ts')).testCommand,
  pytest: async () => (await import('./pytest.ts')).pytestCommand,
  node: async () => (await import('./node.ts')).nodeCommand,
  lite: async () => (await import('./lite.ts')).liteCommand,
  validate: async () => (await import('./compile.ts')).validateCommand,
  compile: async () => (await import('./compile.ts')).compileCommand,
  convert: async () => (await import('./convert.ts')).convertCommand,
  graph: async () => (await import('./show-graph.ts')).graphCommand,
  assess: async () => (await import('./assess.ts')).assessCommand,
  push: async () => (await import('./push.ts')).pushCommand,
  server: async () => (await import('./server.ts')).serverCommand,
  dags: async () => (await import('./dags.ts')).dagsCommand,
  runs: async () => (await import('./runs.ts')).runsCommand,
  tasks: async () => (await import('./tasks.ts')).tasksCommand,
  xcom: async (args) => (await import('./xcom.ts')).loadXComCommand(args),
  pools: async () => (await import('./pools.ts')).poolsCommand,
  variables: async () => (await import('./variables.ts')).variablesCommand,
  connections: async () => (await import('./connections.ts')).connectionsCommand,
  keys: async () => (await import('./keys.ts')).keysCommand,
  auth: async () => (await import('./auth.ts')).authCommand,
  config: async () => (await import('./config.ts')).configCommand,
  migrate: async () => (await import('./small-commands.ts')).migrateCommand,
  prune: async () => (await import('./prune.ts')).pruneCommand,
  worktree: async () => (await import('./worktree.ts')).worktreeCommand,
  lease: async () => (await import('./lease.ts')).leaseCommand,
  doctor: async () => (await import('./doctor.ts')).doctorCommand,
  version: async () => (await import('./small-commands.ts')).versionCommand,
};

/** The program with the commands that these arguments may need. */
export async function createProgram(context: LocalContext, args: readonly string[]): Promise<Command> {
  const program = new Command('leoflow').enablePositionalOptions().description('Runs workflows written for Apache Airflow: DAG files in, finished runs out.')
    .version(context.version, '-V, --version')
    .addHelpText('after', '\nStart here:\n  leoflow demo                 see real Airflow DAG files run\n  leoflow lite DIR             server, scheduler and API for a folder of DAG files\n');
  const isVersion = args[0] === '-V' || args[0] === '--version';
  for (const [name, load] of Object.entries(COMMANDS)) if (!isVersion && isNamed(name, args[0], COMMANDS)) program.addCommand((await load(args.slice(1)))(context));
  prepare(program, context);
  return program;
}

/** Every command, subcommands included, writes where the context says and throws instead of ending the process. */
function prepare(command: Command, context: LocalContext): void {
  const onExit = (error: CommanderError): never => {
    if (error.exitCode !== 0) error.exitCode = USAGE_EXIT.get(command) ?? 64;
    throw error;
  };
  command.configureOutput({ writeOut: context.out, writeErr: context.err }).exitOverride(onExit).showHelpAfterError('(add --help to see what is allowed)').showSuggestionAfterError();
  for (const sub of command.commands) prepare(sub, context);
}
