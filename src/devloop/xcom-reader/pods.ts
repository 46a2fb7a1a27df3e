// Which pod is asked: the newest ready one with the container, and in words why none is.

/** Of a pod as `kubectl get pods -o json` gives it: what the choice needs. */
export interface Pod {
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly creationTimestamp?: string; readonly deletionTimestamp?: string };
  readonly spec?: { readonly containers?: readonly { readonly name: string }[] };
  readonly status?: { readonly phase?: string; readonly conditions?: readonly { readonly type: string; readonly status: string }[]; readonly containerStatuses?: readonly { readonly name: string; readonly ready?: boolean }[] };
}

/** Why a pod cannot be asked; null when it can. */
export function troubleOf(pod: Pod, container: string): string | null {
  if (pod.metadata.deletionTimestamp !== undefined) return 'is being deleted';
  if (pod.status?.phase !== 'Running') return `is ${pod.status?.phase ?? 'in no known phase'}`;
  const names = (pod.spec?.containers ?? []).map(({ name }) => name);
  if (!names.includes(container)) return `has no container ${container} (it has ${names.join(', ') || 'none'})`;
  const isReady = pod.status.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') === true;
  // Another container of the pod may be down: the one that is asked counts.
  const isContainerReady = pod.status.containerStatuses?.find(({ name }) => name === container)?.ready === true;
  return isReady || isContainerReady ? null : 'is not ready';
}

/** The pods that can be asked, newest first; those in `avoid` last. */
export function usablePods(pods: readonly Pod[], container: string, avoid: ReadonlySet<string> = new Set()): readonly Pod[] {
  const age = (pod: Pod): string => pod.metadata.creationTimestamp ?? '';
  const isAvoided = (pod: Pod): number => Number(avoid.has(pod.metadata.name));
  return pods.filter((pod) => troubleOf(pod, container) === null).sort((a, b) => isAvoided(a) - isAvoided(b) || (age(a) < age(b) ? 1 : age(a) > age(b) ? -1 : 0) || (a.metadata.name < b.metadata.name ? -1 : 1));
}
