// `leoflow xcom`: pull and its kin read a private Airflow, list and get a Leoflow server. Each is loaded when it is called.
import type { Command } from 'commander';
import type { CliContext } from './context.ts';
import { isNamed, type Loaders } from './loaded-commands.ts';
import type { ReaderContext } from './open-reader.ts';
import { groupCommand } from './remote-command.ts';

type Context = CliContext & ReaderContext;

const COMMANDS: Loaders<Context> = {
  pull: async () => (await import('./xcom-pull.ts')).pullCommand,
  diff: async () => (await import('./xcom-compare.ts')).diffCommand,
  table: async () => (await import('./xcom-compare.ts')).tableCommand,
  doctor: async () => (await import('./xcom-site.ts')).readerDoctorCommand,
  rbac: async () => (await import('./xcom-site.ts')).rbacCommand,
  probe: async () => (await import('./xcom-site.ts')).probeCommand,
  mcp: async () => (await import('./xcom-mcp.ts')).mcpCommand,
  list: async () => (await import('./xcom-remote.ts')).listCommand,
  get: async () => (await import('./xcom-remote.ts')).getCommand,
};

/** `xcom`, with the commands that these arguments may need. */
export async function loadXComCommand(args: readonly string[]): Promise<(context: Context) => Command> {
  const makers = await Promise.all(Object.entries(COMMANDS).filter(([name]) => isNamed(name, args[0], COMMANDS)).map(([, load]) => load([])));
  return (context) => groupCommand('xcom', 'Values that tasks returned and pushed: of a private Airflow (pull, diff, table), of a Leoflow server (list, get).', makers.map((make) => make(context)));
}
