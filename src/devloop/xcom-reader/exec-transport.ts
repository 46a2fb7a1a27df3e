// Through `kubectl exec` into a pod where Airflow runs.
import { AppError } from '#contract/errors.ts';
import { answerOf, askProbe, type ProbeProgram, type SessionEnd } from './ask-probe.ts';
import { type Cluster, clusterArgs, clusterTrouble, isPodGone, isProgramMissing, listPods } from './kubectl.ts';
import { type Pod, troubleOf, usablePods } from './pods.ts';
import type { Question, SessionLimits, Transport } from './transport.ts';

/** Which pod is asked, and with which Python. */
export interface ExecChoice {
  readonly selector: string;
  readonly container: string;
  /** A pod by name, whatever its labels. */
  readonly pod: string | null;
  /** Python in the container; null: `python3`, then `python`. */
  readonly python: string | null;
  /** Where else Airflow and its connection are found when the selector matches nothing. */
  readonly fallbacks: readonly { readonly selector: string; readonly container: string }[];
}

interface Target { readonly pod: Pod; readonly container: string; readonly label: string }
type Ended = Exclude<SessionEnd, { kind: 'reply' }>;

/** The transport that needs nothing but a kubeconfig. A pod that goes away meanwhile, or a torn answer, is tried once more. */
export function createExecTransport(cluster: Cluster, choice: ExecChoice, limits: SessionLimits): Transport {
  return {
    name: 'exec',
    ask: async (question) => {
      const gone = new Set<string>();
      for (let attempt = 1; ; attempt += 1) {
        const target = await findTarget({ cluster, choice, gone, tell: limits.tell });
        const end = await askIn(target, question, { cluster, choice, limits });
        if (end.kind === 'reply') return { answer: answerOf(end.reply), target: target.label };
        const failure = failureOf(end, target, limits);
        if (attempt === 2 || !mayHelpAgain(end)) throw failure;
        limits.tell(`${failure.message}; trying once more`);
        gone.add(target.pod.metadata.name);
      }
    },
    close: () => Promise.resolve(),
  };
}

/** A pod that went away and an answer that was torn are tried again; what took its whole time is not. */
function mayHelpAgain(end: Ended): boolean {
  return end.kind === 'ended' && (end.status === 0 || end.received > 0 || end.damaged || isPodGone(end.stderr));
}

interface Search { readonly cluster: Cluster; readonly choice: ExecChoice; readonly gone: ReadonlySet<string>; readonly tell: (line: string) => void }

/** The pod to ask. Throws `reader_cluster` with what is there instead. */
async function findTarget(search: Search): Promise<Target> {
  const { cluster, choice, gone, tell } = search;
  const labelOf = (pod: Pod, container: string): string => `${pod.metadata.namespace ?? cluster.namespace ?? 'default'}/${pod.metadata.name} (${container})`;
  const places = choice.pod === null ? [{ selector: choice.selector, container: choice.container }, ...choice.fallbacks] : [{ pod: choice.pod, container: choice.container }];
  const seen: string[] = [];
  for (const place of places) {
    const pods = await listPods(cluster, place);
    const [pod, ...others] = usablePods(pods, place.container, gone);
    if (pod !== undefined) {
      if (others.length > 0) tell(`${others.length + 1} pods are ready; asking the newest, ${pod.metadata.name}`);
      return { pod, container: place.container, label: labelOf(pod, place.container) };
    }
    seen.push(...pods.map((one) => `${one.metadata.name} ${troubleOf(one, place.container) ?? 'is gone'}`));
    if (seen.length > 0) break;
  }
  const where = cluster.namespace === null ? 'this context’s namespace' : `namespace ${cluster.namespace}`;
  if (seen.length === 0) throw new AppError('reader_cluster', `no pod matches ${choice.selector} in ${where}`);
  throw new AppError('reader_cluster', `no pod can be asked in ${where}: ${seen.slice(0, 10).join('; ')}`, { hint: seen.some((line) => line.includes('no container')) ? 'Name the container where Airflow runs with --container.' : 'Wait until it is ready, or name another one with --pod.' });
}

async function askIn(target: Target, question: Question, how: { readonly cluster: Cluster; readonly choice: ExecChoice; readonly limits: SessionLimits }): Promise<SessionEnd> {
  const { cluster, choice, limits } = how;
  limits.tell(`asking ${target.label}`);
  const namespace = target.pod.metadata.namespace ?? cluster.namespace;
  const exec = [...clusterArgs({ ...cluster, namespace }), 'exec', '--stdin', target.pod.metadata.name, '--container', target.container, '--'];
  const pythons = choice.python === null ? ['python3', 'python'] : [choice.python];
  let end: SessionEnd = { kind: 'ended', status: null, stderr: '', received: 0, expected: null, damaged: false };
  for (const python of pythons) {
    end = await start({ command: cluster.kubectl, args: [...exec, python], urlVariable: null }, question, limits);
    if (end.kind !== 'ended' || end.received > 0 || !isProgramMissing(end.stderr)) return end;
  }
  return end;
}

async function start(program: ProbeProgram, question: Question, limits: SessionLimits): Promise<SessionEnd> {
  try {
    return await askProbe(program, question, limits);
  } catch (cause) {
    if (cause instanceof AppError) throw cause;
    throw new AppError('reader_cluster', `${program.command} cannot be started`, { cause, hint: 'Install kubectl, or name it with --kubectl.' });
  }
}

function failureOf(end: Ended, target: Target, limits: SessionLimits): AppError {
  if (end.kind === 'timed_out') return new AppError('reader_exec', `${target.label} gave no answer within ${limits.timeoutMs / 1000} s`);
  if (end.damaged) return new AppError('reader_protocol', `the answer of ${target.label} came damaged: its hash is another`);
  if (end.expected !== null) return new AppError('reader_protocol', `the answer of ${target.label} was cut: ${end.received} of ${end.expected} bytes came`);
  if (isPodGone(end.stderr)) return new AppError('reader_cluster', `${target.label} went away`, { hint: 'Try again once the rollout is over.' });
  if (isProgramMissing(end.stderr)) return new AppError('reader_exec', `${target.label} has no Python under that name`, { hint: 'Name the Python that runs Airflow with --python, e.g. --python /home/airflow/.local/bin/python.' });
  // Without kubectl's words: a program in the pod may have said the same, with a connection in it.
  const trouble = clusterTrouble(end.stderr);
  if (trouble !== null) return new AppError('reader_cluster', `${trouble.what}, said kubectl or a program in ${target.label}`, { hint: trouble.hint });
  if (end.status === 0) return new AppError('reader_protocol', `${target.label} ended without an answer`);
  return new AppError('reader_exec', `the probe failed in ${target.label}: ${probeWords(end)}`, { hint: 'The probe needs Python 3.6 or newer in the container; another one is named with --python.' });
}

/** What the probe's Python said is not repeated: a site's own start-up code may print a connection there. Its exception's name is enough. */
function probeWords(end: Extract<Ended, { kind: 'ended' }>): string {
  const error = /^(SyntaxError|AttributeError|ImportError|ModuleNotFoundError|MemoryError|UnicodeDecodeError)\b/m.exec(end.stderr)?.[1];
  return `exit ${end.status ?? 'by a signal'}${error === undefined ? '' : `, ${error}`}`;
}
