// Straight to a database from this machine: by its connection URL, or through `kubectl port-forward`. The same probe, in a local Python.
import { AppError } from '#contract/errors.ts';
import { startLineProgram } from '#platform/exec.ts';
import { settledWithin, sleep } from '#platform/clock.ts';
import { answerOf, askProbe } from './ask-probe.ts';
import { type Cluster, clusterArgs } from './kubectl.ts';
import type { Question, SessionLimits, Transport } from './transport.ts';

const URL_VARIABLE = 'XCOM_READER_URL';

/** A local Python with SQLAlchemy, its environment, and the connection. */
export interface LocalProbe {
  readonly python: string;
  /** What the probe gets beside the connection; the URL itself is handed over in its environment, never in argv. */
  readonly env: Readonly<Record<string, string>>;
  readonly url: string;
}

async function askLocally(local: LocalProbe, question: Question, limits: SessionLimits): Promise<ReturnType<typeof answerOf>> {
  let end;
  try {
    end = await askProbe({ command: local.python, args: [], env: { ...local.env, [URL_VARIABLE]: local.url }, urlVariable: URL_VARIABLE }, question, limits);
  } catch (cause) {
    if (cause instanceof AppError) throw cause;
    throw new AppError('reader_exec', `${local.python} cannot be started`, { cause, hint: 'Name a Python that has SQLAlchemy and the database’s driver with --python.' });
  }
  if (end.kind === 'reply') return answerOf(end.reply);
  if (end.kind === 'timed_out') throw new AppError('reader_exec', `the database gave no answer within ${limits.timeoutMs / 1000} s`);
  throw new AppError('reader_exec', `the probe failed: exit ${end.status ?? 'by a signal'}`, { hint: 'It needs Python 3.6 or newer; another one is named with --python.' });
}

/** As SQLAlchemy reads a URL: a user without `:` and `/`, a password without `@`, a host, and the rest from its `/` or `?` on. */
const URL_PARTS = /^([\w+.-]+:\/\/)((?:[^:/@]*(?::[^@]*)?@)?)(?:\[[^/?\]]*\]|[^/?#@]*)((?:[/?].*)?)$/s;

/** What may be shown of a connection URL: its database's name. */
function databaseOf(url: string): string {
  const path = URL_PARTS.exec(url)?.[3] ?? '';
  return /([^/?]+)(?:\?.*)?$/s.exec(path.split('?')[0] ?? '')?.[1] ?? 'the database';
}

/** By connection URL. */
export function createDsnTransport(local: LocalProbe, limits: SessionLimits): Transport {
  return {
    name: 'dsn',
    ask: async (question) => ({ answer: await askLocally(local, question, limits), target: databaseOf(local.url) }),
    close: () => Promise.resolve(),
  };
}

/** What is forwarded: `svc/airflow-postgresql` or `pod/…` and the port there. */
export interface Forwarding {
  readonly cluster: Cluster;
  readonly to: string;
  readonly port: number;
}

/** The URL with another host and port; user, password, database and options stay. Throws `reader_usage` when it names no host. */
function redirectUrl(url: string, host: string, port: number): string {
  const [whole, scheme = '', user = '', rest = ''] = URL_PARTS.exec(url) ?? [];
  if (/[?&]host(addr)?=/.test(rest)) throw new AppError('reader_usage', 'the connection URL names its host behind the ?, where a forwarded port cannot take its place', { hint: 'Write it as postgresql://user:password@host:5432/database.' });
  if (whole === undefined) throw new AppError('reader_usage', 'the connection URL names no host', { hint: 'It reads postgresql://user:password@host:5432/database.' });
  return `${scheme}${user}${host}:${port}${rest}`;
}

/** Through a forwarded port, opened once and kept until the transport is closed. */
export function createPortForwardTransport(forwarding: Forwarding, local: LocalProbe, limits: SessionLimits): Transport {
  let open: Promise<Forwarded> | null = null;
  return {
    name: 'port-forward',
    ask: async (question) => {
      // One that ended, or never opened, is opened again.
      if (open === null || (await open.then((one) => one.hasEnded(), () => true))) open = forward(forwarding, limits);
      const { port } = await open;
      return { answer: await askLocally({ ...local, url: redirectUrl(local.url, '127.0.0.1', port) }, question, limits), target: `${forwarding.to}:${forwarding.port}/${databaseOf(local.url)}` };
    },
    close: async () => {
      if (open !== null) await (await open.catch(() => null))?.close();
    },
  };
}

interface Forwarded { readonly port: number; readonly hasEnded: () => boolean; readonly close: () => Promise<void> }

async function forward(forwarding: Forwarding, limits: SessionLimits): Promise<Forwarded> {
  const { cluster, to, port } = forwarding;
  limits.tell(`forwarding to ${to}:${port}`);
  let opened: (port: number) => void = () => undefined;
  const ready = new Promise<number>((resolve) => (opened = resolve));
  const program = await startLineProgram(cluster.kubectl, [...clusterArgs(cluster), 'port-forward', '--address', '127.0.0.1', to, `:${port}`], {
    onLine: (line) => {
      const found = /^Forwarding from 127\.0\.0\.1:(\d+) ->/.exec(line)?.[1];
      if (found !== undefined) opened(Number(found));
    },
  }).catch((cause: unknown) => {
    throw new AppError('reader_cluster', `${cluster.kubectl} cannot be started`, { cause, hint: 'Install kubectl, or name it with --kubectl.' });
  });
  const close = async (): Promise<void> => {
    program.stop();
    await settledWithin(program.ended, 5000);
  };
  let isOver = false;
  const ended = program.ended.then(() => {
    isOver = true;
    return null;
  });
  const waited = new AbortController();
  const local = await Promise.race([ready, ended, sleep(limits.timeoutMs, AbortSignal.any([limits.stop, waited.signal])).then(() => null)]);
  waited.abort();
  if (local !== null) return { port: local, hasEnded: () => isOver, close };
  await close();
  if (limits.stop.aborted) throw new AppError('interrupted', 'stopped');
  throw new AppError('reader_cluster', `\`kubectl port-forward ${to} :${port}\` was not opened`, { hint: 'Look with `kubectl get svc,pods` what is there and whether you may forward to it.' });
}
