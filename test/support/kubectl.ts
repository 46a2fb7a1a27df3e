// A kubectl for tests: a folder with a program of that name that answers from a cluster told as data, and can fail in every way a stream can.
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const PROGRAM = join(import.meta.dirname, 'kubectl-stand-in');
/** Selector of the pods below, as in Airflow's chart. */
const SCHEDULER_LABELS = { component: 'scheduler', tier: 'airflow', release: 'airflow' } as const;

/** A container is a program's environment: commands run in it as processes of this machine with nothing else of it. */
export interface StandInContainer {
  readonly environment: Readonly<Record<string, string>>;
  /** Working directory of commands; / unless said. */
  readonly folder?: string;
}

export interface StandInPod {
  readonly name: string;
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly phase: 'Running' | 'Pending' | 'Succeeded' | 'Failed';
  /** Whether a running pod's conditions say Ready. */
  readonly ready: boolean;
  /** creationTimestamp, ISO 8601. */
  readonly created: string;
  /** deletionTimestamp of a pod that is going. */
  readonly deleted?: string;
  /** In the order of the pod's specification. */
  readonly containers: Readonly<Record<string, StandInContainer>>;
  /** Where a forwarded port leads: the path of a unix socket, or HOST:PORT. */
  readonly ports?: Readonly<Record<string, string>>;
}

/** What goes wrong in calls of exec. Offsets and counts are bytes of the command's standard output. */
export interface StandInFaults {
  /** Only the n-th call of exec, from 1, has these faults; all unless said. */
  readonly only?: number;
  /** The call waits so long before it does anything. */
  readonly startMs?: number;
  /** `deaf`: the command is never started, nothing is read, nothing is answered, the call never ends. */
  readonly stall?: 'deaf';
  /** After so many bytes nothing comes any more, and the call never ends. 0: the command runs and is never heard. */
  readonly stallAfter?: number;
  /** Standard output ends after so many bytes, and the call ends with 0 and without a word. */
  readonly cut?: number;
  /** The lowest bit of this byte is turned. */
  readonly flip?: number;
  /** Noise around the command's output. */
  readonly before?: string;
  readonly after?: string;
  readonly errorBefore?: string;
  readonly errorAfter?: string;
  /** The command's whole output comes so many times more. */
  readonly repeat?: number;
  /** The output of the n-th call of exec comes instead of this one's, or after it. */
  readonly replay?: { readonly of: number; readonly how: 'instead' | 'after' };
  /** The command finds its standard input closed. */
  readonly stdin?: 'dropped';
  /** Its standard input ends after so many bytes. */
  readonly stdinBytes?: number;
  /** Exit code after a full answer. */
  readonly exit?: number;
  /** The pod, or the container in it, is gone when the command would start. */
  readonly gone?: 'pod' | 'container';
}

/** Everything there is to know about a cluster. */
export interface StandInCluster {
  /** Current context, and what each has: the namespace, if any. */
  readonly context: string;
  readonly contexts: Readonly<Record<string, { readonly namespace?: string }>>;
  /** As an API server names whoever calls. */
  readonly user: string;
  /** What the user may do: `list pods`, `create pods/exec`. */
  readonly rights: readonly string[];
  readonly pods: readonly StandInPod[];
  /** Pods from the moment on at which so many calls of exec were made. */
  readonly later?: { readonly afterExecs: number; readonly pods: readonly StandInPod[] };
  /** Ports of services by their names, told as a pod's. */
  readonly services?: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly api?: 'unreachable' | 'unauthorized';
  readonly faults?: StandInFaults;
}

/** A prepared program and what became of its calls. */
export interface KubectlStandIn {
  /** To be put in front of PATH. */
  readonly folder: string;
  readonly program: string;
  /** Tells another cluster from now on; what is not named stays. */
  tell(change: Partial<StandInCluster>): void;
  /** Arguments of each call so far. */
  readCalls(): string[][];
  /** Why calls were refused that no reader may make; they end with 97. */
  readRefused(): string[];
  /** What the n-th call of exec, from 1, read and what its command said, before any fault. */
  readExec(ordinal: number): { readonly stdin: Buffer; readonly stdout: Buffer };
  remove(): void;
}

/** A scheduler's pod as Airflow's chart makes it, the log groomer beside it: its container has none of the environment. */
export function schedulerPod(environment: Readonly<Record<string, string>>, more: Partial<StandInPod> = {}): StandInPod {
  return {
    name: 'airflow-scheduler-0', namespace: 'airflow', labels: SCHEDULER_LABELS, phase: 'Running', ready: true, created: '2026-03-01T08:00:00Z',
    containers: { scheduler: { environment }, 'scheduler-log-groomer': { environment: { PATH: '/nowhere' } } }, ...more,
  };
}

/**
 * Prepares a kubectl that knows a cluster of one namespace `airflow`, in which whoever calls may look for pods and run commands in them.
 * @param options `python`: path of the Python that it runs by
 */
export function prepareKubectl(cluster: Partial<StandInCluster>, options: { readonly python?: string } = {}): KubectlStandIn {
  const folder = mkdtempSync(join(tmpdir(), 'lf-kubectl-'));
  chmodSync(folder, 0o755);
  const path = (name: string): string => join(folder, name);
  let told: StandInCluster = {
    context: 'production', contexts: { production: { namespace: 'airflow' } }, user: 'developer@example.com',
    rights: ['get pods', 'list pods', 'create pods/exec', 'create pods/portforward'], pods: [], ...cluster,
  };
  const write = (): void => writeFileSync(path('cluster.json'), JSON.stringify(told, null, 1));
  write();
  const python = options.python ?? '/usr/bin/env -S python3';
  writeFileSync(path('kubectl'), `#!${python} -IS\n${readFileSync(PROGRAM, 'utf8').split('\n').slice(1).join('\n')}`, { mode: 0o755 });
  const entries = (): Record<string, unknown>[] => (existsSync(path('calls.jsonl')) ? readFileSync(path('calls.jsonl'), 'utf8').trimEnd().split('\n').map((line) => JSON.parse(line) as Record<string, unknown>) : []);
  return {
    folder, program: path('kubectl'),
    tell: (change) => {
      told = { ...told, ...change };
      write();
    },
    readCalls: () => entries().flatMap((entry) => ('call' in entry ? [entry['call'] as string[]] : [])),
    readRefused: () => entries().flatMap((entry) => ('refused' in entry ? [String(entry['refused'])] : [])),
    readExec: (ordinal) => ({ stdin: readFileSync(path(`exec-${ordinal}.stdin`)), stdout: readFileSync(path(`exec-${ordinal}.stdout`)) }),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/**
 * A folder for a container's PATH in which `python3` and `python` are the Python given, and whose `sitecustomize` runs first in each of them:
 * what a site's hooks print, or what its drivers say. Give `environment` to the container.
 */
export function prepareContainerPython(folder: string, python: string, sitecustomize = ''): Readonly<Record<string, string>> {
  const [bin, site] = [join(folder, 'bin'), join(folder, 'site')];
  for (const made of [bin, site]) mkdirSync(made, { recursive: true });
  for (const name of ['python', 'python3']) writeFileSync(join(bin, name), `#!/bin/sh\nexec ${python} "$@"\n`, { mode: 0o755 });
  writeFileSync(join(site, 'sitecustomize.py'), sitecustomize);
  return { PATH: `${bin}:/usr/bin:/bin`, PYTHONPATH: site, PYTHONDONTWRITEBYTECODE: '1' };
}
