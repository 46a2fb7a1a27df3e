// `leoflow server`: the production role. An external database, DAGs by push; several may run, one leads.
import { Command } from 'commander';
import { resolve } from 'node:path';
import type { DrainEnd } from '#contract/events.ts';
import { monotonicMs } from '#platform/clock.ts';
import type { OpenEngine } from './engine-port.ts';
import { ensureHome } from './home-folder.ts';
import { untilStopped } from './lite.ts';
import type { LocalContext } from './local-context.ts';
import { findPython } from './python-command.ts';

interface Options { port?: string; host?: string; home?: string }

/** The command. Its JSON log goes to standard output. */
export function serverCommand(context: LocalContext): Command {
  return new Command('server').description('Server and scheduler on LEOFLOW_DATABASE_URL. Several may run; one leads, the others take over.')
    .option('--host <address>', 'address to listen on (default 127.0.0.1)').option('--port <n>', 'port to listen on (default 8088)').option('--home <folder>', 'where logs and sockets are kept')
    .addHelpText('after', '\nExample:\n  LEOFLOW_DATABASE_URL=postgresql://user@host/leoflow leoflow server --port 8088\n  leoflow auth create-user admin --role admin --password-file secret.txt\n  leoflow push dags/ --server http://127.0.0.1:8088\n')
    .action((options: Options) => serve(context, options));
}

async function serve(context: LocalContext, options: Options): Promise<void> {
  const config = context.readConfig({
    ...(options.port === undefined ? {} : { LEOFLOW_PORT: options.port }), ...(options.host === undefined ? {} : { LEOFLOW_HOST: options.host }),
    ...(options.home === undefined ? {} : { LEOFLOW_HOME: resolve(options.home) }),
  });
  const home = ensureHome(context.homeOf(config));
  const python = await findPython(config, home, context.err);
  const started = monotonicMs();
  const engine = await context.openEngine({ config, home, store: 'external', python, writeLog: (line) => context.out(`${line}\n`) });
  let isLeft = false;
  try {
    const { url } = await engine.serve({ host: config.LEOFLOW_HOST ?? '127.0.0.1', port: config.LEOFLOW_PORT });
    engine.report({ event: 'server.ready', url, boot_ms: monotonicMs() - started });
    await untilStopped(context.stop);
    isLeft = (await drain(context, engine, config.LEOFLOW_DRAIN_SECONDS)) === 'handed_over';
  } finally {
    await engine.stop({ endExecutions: !isLeft });
  }
}

const DONE: Readonly<Record<DrainEnd, (left: number) => string>> = {
  not_leading: () => 'another server leads',
  handed_over: (left) => `another server of this home folder goes on with ${executions(left)}`,
  idle: () => 'nothing runs any more',
  time_over: (left) => `ended ${executions(left)}, which will run again`,
  hurried: (left) => `ended ${executions(left)}, which will run again`,
};

/** Tells people on standard error and machines by events. @returns what became of running executions */
async function drain(context: LocalContext, engine: OpenEngine, seconds: number): Promise<DrainEnd> {
  const hurry = new AbortController();
  context.onSecondStop(() => hurry.abort());
  const running = engine.countExecutions();
  const started = monotonicMs();
  engine.report({ event: 'server.stopping', reason: String(context.stop.reason), executions: running, drain_seconds: seconds });
  if (running > 0) context.err(`stopping: ${executions(running)} may end within ${seconds} s; stop again to end at once\n`);
  const { how, left } = await engine.drain({ seconds, hurry: hurry.signal });
  engine.report({ event: 'server.drained', how, executions: left, ms: monotonicMs() - started });
  context.err(`stopped: ${DONE[how](left)}\n`);
  return how;
}

function executions(count: number): string {
  return count === 1 ? '1 execution' : `${count} executions`;
}
