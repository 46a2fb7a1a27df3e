// `leoflow lease`: one at a time on this machine, across working trees and repositories: for runs that share a cluster.
import { Command } from 'commander';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { AppError } from '#contract/errors.ts';
import type { ListedLease } from '#contract/worktree.ts';
import { durationSeconds } from '#core/duration.ts';
import { callerEnvironment, findProgram, stateFolder } from '#platform/config.ts';
import { becomeProgram, run } from '#platform/exec.ts';
import type { LocalContext } from './local-context.ts';
import { renderJson, renderTable } from './output.ts';

const PROGRAM = join(import.meta.dirname, '..', '..', 'python', 'leoflow', 'lease', 'hold.py');
/** Without what the environment or an installation adds: it starts sooner, and as it is. */
const PLAIN = ['-I', '-S'];

/** The command. */
export function leaseCommand(context: LocalContext): Command {
  return new Command('lease').description('Named leases of this machine: who holds one goes first, the others wait.').enablePositionalOptions().addCommand(runCommand(context)).addCommand(listCommand(context));
}

function runCommand(context: LocalContext): Command {
  return new Command('run').description('Run a command while holding a lease. It is held until the command ends, whatever happens to leoflow. Exit code and signals are the command’s.')
    .argument('<name>', 'name of the lease, such as cluster:staging').argument('<command...>', 'the command and its arguments').option('--wait <time>', 'wait at most so long: 30s, 10m, 1h30m (default: as long as it takes)').option('--no-wait', 'do not wait: exit code 75 when somebody holds it')
    .addHelpText('after', '\nWho waits longest does not always go first.\n\nExample:\n  leoflow lease run cluster:staging --wait 10m -- make integration-test\n')
    .action((name: string, command: string[], options: { wait?: string | boolean }) => {
      const limit = options.wait === false ? '0' : typeof options.wait === 'string' ? String(waitSeconds(options.wait)) : 'none';
      becomeProgram(findPython(context), [...PLAIN, PROGRAM, 'run', leaseFolder(), checkName(name), limit, treeAround(process.cwd()) ?? '', '--', ...command], callerEnvironment());
    });
}

function waitSeconds(text: string): number {
  const seconds = /^\d+$/.test(text) ? Number(text) : /^(?:\d+(?:\.\d+)?(?:ms|s|m|h|d))+$/.test(text) ? durationSeconds(text) : Number.NaN;
  if (Number.isNaN(seconds)) throw new AppError('usage', `--wait ${text}: expected a time such as 30s, 10m or 1h30m`);
  return seconds;
}

function checkName(name: string): string {
  if (!/^[\p{L}\p{N}][\p{L}\p{N}:._/@-]{0,99}$/u.test(name)) throw new AppError('usage', `${name} is no name for a lease: letters, digits and : . _ / @ -, at most 100`);
  return name;
}

function leaseFolder(): string {
  return join(stateFolder(), 'leases');
}

function findPython(context: LocalContext): string {
  const path = findProgram(context.readConfig().LEOFLOW_PYTHON ?? 'python3');
  if (path === null) throw new AppError('python_missing', 'there is no python3 on PATH');
  return path;
}

/** The working tree around a folder, without asking git. */
function treeAround(folder: string): string | null {
  if (existsSync(join(folder, '.git'))) return folder;
  return dirname(folder) === folder ? null : treeAround(dirname(folder));
}

function listCommand(context: LocalContext): Command {
  return new Command('list').description('List the leases of this machine and who holds them.').option('--json', 'print JSON').addHelpText('after', '\nExample:\n  leoflow lease list\n').action(async (options: { json?: boolean }) => {
    const asked = await run(findPython(context), [...PLAIN, PROGRAM, 'list', leaseFolder()], { timeoutMs: 20_000 });
    if (asked.status !== 0) throw new AppError('file_unreadable', `the leases in ${leaseFolder()} cannot be read: ${asked.stderr.trim().split('\n').at(-1) ?? ''}`);
    const leases = JSON.parse(asked.stdout) as readonly ListedLease[];
    const rows = leases.map((lease) => [lease.name, lease.is_held ? 'held' : 'free', lease.pid, lease.since, lease.worktree, lease.command.join(' ').slice(0, 80)]);
    context.out(options.json === true ? renderJson(leases) : leases.length === 0 ? 'no lease was ever taken on this machine\n' : renderTable(['lease', 'state', 'pid', 'since', 'worktree', 'command'], rows));
  });
}
