// What the reader asks of a cluster: `get pods` and `exec` for a pull; `auth can-i` for its doctor. Nothing that changes anything is ever sent.
import { AppError } from '#contract/errors.ts';
import { type Finished, run } from '#platform/exec.ts';
import type { Pod } from './pods.ts';

/** How kubectl is called. */
export interface Cluster {
  readonly kubectl: string;
  /** Context of the kubeconfig; null: its current one. */
  readonly context: string | null;
  /** Null: the context's own. */
  readonly namespace: string | null;
  readonly timeoutMs: number;
  readonly stop: AbortSignal;
}

/** Arguments that come before any verb. */
export function clusterArgs(cluster: Cluster): readonly string[] {
  return [...(cluster.context === null ? [] : ['--context', cluster.context]), ...(cluster.namespace === null ? [] : ['--namespace', cluster.namespace])];
}

const RBAC_HINT = 'A role that may `get` and `list` pods and `create` pods/exec is enough: `leoflow xcom rbac` prints it.';

const TROUBLES: readonly (readonly [RegExp, string, string])[] = [
  [/unable to connect to the server|the connection to the server|connection refused|no such host|i\/o timeout|couldn't get current server|dial tcp|TLS handshake/i, 'the Kubernetes API does not answer', 'Check the VPN and the context: `kubectl config get-contexts`; another one is named with --kube-context.'],
  [/you must be logged in|unauthorized|provide credentials|token has expired/i, 'the cluster does not accept your login', 'Log in again as your cluster asks for it, then try again.'],
  [/forbidden/i, 'the cluster does not allow it', RBAC_HINT],
  [/context ".*" does not exist|context was not found|no context exists|no configuration has been provided/i, 'kubectl knows no such context', 'List them with `kubectl config get-contexts`, name one with --kube-context.'],
  [/namespaces? ".*" not found/i, 'there is no such namespace', 'List them with `kubectl get namespaces`, name one with --namespace.'],
];

const OWN_LINE = /^(error: |Error from server|Unable to connect to the server|The connection to the server |couldn't get current server|error from server)/;

/**
 * Kubectl's own lines of a standard error, its last three. What a program in the pod said stands there as well and may hold a connection:
 * it is left out, and no URL with a user in it is repeated.
 */
export function ownWords(stderr: string): string {
  return stderr.split('\n').filter((line) => OWN_LINE.test(line)).slice(-3).join('; ').replace(/\w[\w+.-]*:\/\/\S*@\S*/g, '***').slice(0, 600);
}

/** What kubectl's own words mean, and what to do; null when they say nothing that is known. */
export function clusterTrouble(stderr: string): { readonly what: string; readonly hint: string } | null {
  const words = ownWords(stderr);
  const known = TROUBLES.find(([pattern]) => pattern.test(words));
  return known === undefined ? null : { what: known[1], hint: known[2] };
}

/** Whether a failed exec says that the pod or its container went away meanwhile. */
export function isPodGone(stderr: string): boolean {
  return /pods? ".*" not found|container not found|unable to upgrade connection|container is not created or running|cannot exec (in|into) a (stopped|completed)|current phase is|has been deleted|error dialing backend/i.test(ownWords(stderr));
}

/** Whether the container has no such program. */
export function isProgramMissing(stderr: string): boolean {
  return /executable file not found|no such file or directory: unknown|exec: ".*": stat|command terminated with exit code 127|exit code 126/i.test(stderr);
}

async function kubectl(cluster: Cluster, args: readonly string[]): Promise<Finished> {
  try {
    return await run(cluster.kubectl, [...clusterArgs(cluster), ...args], { timeoutMs: cluster.timeoutMs, signal: cluster.stop });
  } catch (cause) {
    throw new AppError('reader_cluster', `${cluster.kubectl} cannot be started`, { cause, hint: 'Install kubectl (https://kubernetes.io/docs/tasks/tools/), or name it with --kubectl.' });
  }
}

/** Pods by selector, or the one named. Throws `reader_cluster`, or `reader_exec` when it took too long. */
export async function listPods(cluster: Cluster, which: { readonly selector: string } | { readonly pod: string }): Promise<readonly Pod[]> {
  const what = 'pod' in which ? ['pod', which.pod] : ['pods', '--selector', which.selector];
  const done = await kubectl(cluster, ['get', ...what, '--output', 'json']);
  if (cluster.stop.aborted) throw new AppError('interrupted', 'stopped');
  if (done.timedOut) throw new AppError('reader_exec', `\`kubectl get pods\` gave no answer within ${cluster.timeoutMs / 1000} s`);
  if (done.status !== 0) {
    if ('pod' in which && /not found/i.test(done.stderr) && !/namespaces? "/i.test(done.stderr)) throw new AppError('reader_cluster', `there is no pod ${which.pod}: ${ownWords(done.stderr)}`);
    const trouble = clusterTrouble(done.stderr);
    if (trouble !== null) throw new AppError('reader_cluster', `${trouble.what}: ${ownWords(done.stderr)}`, { hint: trouble.hint });
    throw new AppError('reader_cluster', `\`kubectl get pods\` failed: ${ownWords(done.stderr) || `exit ${done.status}`}`);
  }
  try {
    const answer = JSON.parse(done.stdout) as { kind?: string; items?: readonly Pod[] } & Pod;
    return answer.items ?? [answer];
  } catch (cause) {
    throw new AppError('reader_cluster', '`kubectl get pods` gave no JSON', { cause });
  }
}

/** What the reader needs to be allowed, in kubectl's words. */
export function clusterRights(transport: 'exec' | 'port-forward'): readonly string[] {
  return ['get pods', 'list pods', transport === 'exec' ? 'create pods/exec' : 'create pods/portforward'];
}

/** Whether the caller may do something; null when that cannot be told. */
export async function allowed(cluster: Cluster, right: string): Promise<boolean | null> {
  const done = await kubectl(cluster, ['auth', 'can-i', ...right.split(' ')]);
  const answer = done.stdout.trim();
  return answer === 'yes' ? true : answer === 'no' ? false : null;
}
