// The flags that every command of the XCom reader has, and the transport that they choose.
import { join } from 'node:path';
import { Command, Option } from 'commander';
import { AppError } from '#contract/errors.ts';
import type { Config } from '#contract/config.ts';
import type { ExecChoice } from '#devloop/xcom-reader/exec-transport.ts';
import type { Cluster } from '#devloop/xcom-reader/kubectl.ts';
import type { LocalProbe } from '#devloop/xcom-reader/local-transports.ts';
import type { SessionLimits, Transport } from '#devloop/xcom-reader/transport.ts';
import { configFolder, userEnvironment } from '#platform/config.ts';
import type { LocalContext } from './local-context.ts';
import { type ReaderSite, type ResolvedSite, resolveSite } from './reader-settings.ts';

/** What the reader's commands get from the composition root. */
export type ReaderContext = Pick<LocalContext, 'readConfig' | 'out' | 'err' | 'errIsTerminal' | 'stop' | 'version' | 'exitWith'>;

/** What commander makes of the common flags. */
export interface ReaderFlags {
  readonly profile?: string;
  readonly transport?: string;
  readonly kubeContext?: string;
  readonly namespace?: string;
  readonly selector?: string;
  readonly container?: string;
  readonly pod?: string;
  readonly python?: string;
  readonly kubectl?: string;
  readonly forwardTo?: string;
  readonly server?: string;
  readonly timeout?: string;
}

const DEFAULT_SELECTOR = 'component=scheduler';
const DEFAULT_CONTAINER = 'scheduler';
/** Other parts of the chart that hold the connection; asked when no scheduler is there and nobody said where to look. */
const FALLBACKS = [{ selector: 'component=api-server', container: 'api-server' }, { selector: 'component=webserver', container: 'webserver' }, { selector: 'component=triggerer', container: 'triggerer' }] as const;

/** Adds the flags that say where to read. */
export function withReaderFlags(command: Command): Command {
  return command
    .option('-n, --namespace <name>', 'namespace of the pods (default: the context’s)')
    .option('-l, --selector <labels>', `labels of the pod to ask (default: ${DEFAULT_SELECTOR})`)
    .option('-c, --container <name>', `container in it (default: ${DEFAULT_CONTAINER})`)
    .option('--pod <name>', 'one pod by name')
    .option('--kube-context <name>', 'context of the kubeconfig (default: the current one)')
    .option('--profile <name>', 'profile of reader.yaml')
    .addOption(new Option('--transport <way>', 'how the database is reached').choices(['exec', 'api', 'dsn', 'port-forward']))
    .option('--server <url>', 'transport api: address of Airflow or Leoflow')
    .option('--forward-to <target>', 'transport port-forward: svc/NAME:PORT or pod/NAME:PORT')
    .option('--python <path>', 'Python that runs the probe (default: python3)')
    .option('--kubectl <path>', 'the program kubectl')
    .option('--timeout <seconds>', 'give a question up after this time (default: 60)');
}

function siteOf(flags: ReaderFlags): ReaderSite {
  const { transport, namespace, selector, container, pod, python, kubectl, server, kubeContext: kube_context, forwardTo: forward_to } = flags;
  const timeout = flags.timeout === undefined ? undefined : Number(flags.timeout);
  if (timeout !== undefined && !(timeout > 0 && timeout <= 3600)) throw new AppError('reader_usage', `--timeout ${flags.timeout ?? ''}: expected seconds up to 3600`);
  const given = { transport, namespace, selector, container, pod, python, kubectl, server, kube_context, forward_to, timeout };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}

/** A reader that is ready to be asked; close it. */
export interface OpenReader extends ResolvedSite {
  readonly transport: Transport;
  readonly cluster: Cluster;
  readonly limits: SessionLimits;
}

/** Opens the transport that flags, environment and files choose. Throws `reader_usage` where something is missing. */
export async function openReader(context: ReaderContext, flags: ReaderFlags): Promise<OpenReader> {
  const config = context.readConfig();
  const resolved = await resolveSite({ flags: { ...siteOf(flags), ...(flags.profile === undefined ? {} : { profile: flags.profile }) }, config, configFolder: join(configFolder(), 'leoflow'), folder: process.cwd() });
  const { site } = resolved;
  const limits: SessionLimits = { timeoutMs: (site.timeout ?? 60) * 1000, stop: context.stop, tell: (line) => (context.errIsTerminal ? context.err(`${line}\n`) : undefined) };
  const cluster: Cluster = { kubectl: site.kubectl ?? 'kubectl', context: site.kube_context ?? null, namespace: site.namespace ?? null, timeoutMs: limits.timeoutMs, stop: limits.stop };
  return { ...resolved, cluster, limits, transport: await createTransport({ site, config, cluster, limits, fetch }) };
}

interface Choice { readonly site: ReaderSite; readonly config: Config; readonly cluster: Cluster; readonly limits: SessionLimits; readonly fetch: typeof fetch }

async function createTransport(choice: Choice): Promise<Transport> {
  const { site, cluster, limits } = choice;
  switch (site.transport ?? 'exec') {
    case 'exec': return (await import('#devloop/xcom-reader/exec-transport.ts')).createExecTransport(cluster, execChoice(site), limits);
    case 'api': return (await import('#devloop/xcom-reader/api-transport.ts')).createApiTransport({ ...apiAccess(choice), fetch: choice.fetch }, limits);
    case 'dsn': return (await import('#devloop/xcom-reader/local-transports.ts')).createDsnTransport(localProbe(choice), limits);
    case 'port-forward': return (await import('#devloop/xcom-reader/local-transports.ts')).createPortForwardTransport({ cluster, ...forwardTarget(site) }, localProbe(choice), limits);
    default: throw new AppError('reader_usage', `there is no transport ${String(site.transport)}`, { hint: 'There are exec, api, dsn and port-forward.' });
  }
}

function execChoice(site: ReaderSite): ExecChoice {
  const isChosen = site.selector !== undefined || site.container !== undefined;
  return { selector: site.selector ?? DEFAULT_SELECTOR, container: site.container ?? DEFAULT_CONTAINER, pod: site.pod ?? null, python: site.python ?? null, fallbacks: isChosen ? [] : FALLBACKS };
}

function apiAccess({ site, config }: Choice): { url: string; token: string | null; user: string | null; password: string | null } {
  if (site.server === undefined) throw new AppError('reader_usage', 'the transport api needs an address', { hint: 'Name it with --server, or LEOFLOW_READER_SERVER.' });
  return { url: site.server.replace(/\/+$/, ''), token: config.LEOFLOW_READER_TOKEN, user: site.user ?? null, password: config.LEOFLOW_READER_PASSWORD };
}

function localProbe({ site, config }: Choice): LocalProbe {
  if (config.LEOFLOW_READER_URL === null) throw new AppError('reader_usage', `the transport ${site.transport ?? ''} needs a connection URL`, { hint: 'Put it into LEOFLOW_READER_URL, or the path of a file that holds it into LEOFLOW_READER_URL_FILE: a flag would show it to everybody on this machine.' });
  return { python: site.python ?? 'python3', env: userEnvironment(), url: config.LEOFLOW_READER_URL };
}

function forwardTarget(site: ReaderSite): { to: string; port: number } {
  const [, to, port] = /^((?:svc|service|pod|deploy|deployment|statefulset|sts)\/[^:/]+):(\d{1,5})$/.exec(site.forward_to ?? '') ?? [];
  if (to === undefined || port === undefined) throw new AppError('reader_usage', 'the transport port-forward needs a target', { hint: 'Name it with --forward-to, e.g. --forward-to svc/airflow-postgresql:5432.' });
  return { to, port: Number(port) };
}

/** Runs a command's work with a reader, and closes it whatever happens. */
export async function withReader<R>(context: ReaderContext, flags: ReaderFlags, work: (reader: OpenReader) => Promise<R>): Promise<R> {
  const reader = await openReader(context, flags);
  try {
    return await work(reader);
  } finally {
    await reader.transport.close();
  }
}
