// Pods like those of Airflow's chart in a real cluster, their databases on the host side of its network.
import { execFile } from 'node:child_process';
import { connect, createServer, type Server } from 'node:net';
import { HOST_ADDRESS, PYTHON_IMAGE } from './cluster.ts';
import type { XComDatabase } from '../support/xcom-databases.ts';

/** Where the cluster is, as prove.ts tells its tests. */
export interface Site { readonly kubeconfig: string; readonly kubectl: string }

/** Namespace of everything here. */
export const NAMESPACE = 'airflow';
/** Password in the pods' connection; no output may ever hold it. */
export const PASSWORD = 'hunter2-of-the-pod';

export interface Done { readonly code: number; readonly out: string; readonly err: string }

/** Calls kubectl as the cluster's admin, or with another kubeconfig. */
export function kubectl(site: Site, args: readonly string[], input = ''): Promise<Done> {
  return new Promise((resolve) => {
    const child = execFile(site.kubectl, ['--kubeconfig', site.kubeconfig, ...args], { maxBuffer: 64_000_000, timeout: 120_000 }, (error, out, err) => {
      resolve({ code: error === null ? 0 : typeof error.code === 'number' ? error.code : 1, out, err });
    });
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(input);
  });
}

/** Calls kubectl and gives its output. Throws with its error. */
export async function mustKubectl(site: Site, args: readonly string[], input = ''): Promise<string> {
  const { code, out, err } = await kubectl(site, args, input);
  if (code !== 0) throw new Error(`kubectl ${args.join(' ')} ended with ${code}: ${err}`);
  return out;
}

/** Lets pods reach a database that listens on a unix socket only. */
export async function exposeDatabase(database: XComDatabase): Promise<{ readonly port: number; readonly server: Server }> {
  const server = createServer((socket) => {
    const target = connect(database.target);
    for (const [from, to] of [[socket, target], [target, socket]] as const) from.on('error', () => to.destroy()).pipe(to);
  });
  await new Promise<void>((resolve, reject) => void server.on('error', reject).listen(0, HOST_ADDRESS, resolve));
  const address = server.address();
  return { port: address !== null && typeof address === 'object' ? address.port : 0, server };
}

/** The connection of a pod, as Airflow names it. */
export function podUrl(database: XComDatabase, port: number): string {
  const { pathname, username } = new URL(database.url.replace(/@(?=[/?])/, '@localhost'));
  return `postgresql+psycopg2://${username}:${PASSWORD}@${HOST_ADDRESS}:${port}${pathname}`;
}

/** A scheduler with its sidecar first, the connection in a Secret as the chart keeps it. */
export function schedulerManifest(name: string, how: { readonly release: string; readonly variable: string; readonly url: string }): string {
  const labels = { tier: 'airflow', component: 'scheduler', release: how.release };
  const container = (called: string, env: readonly object[]): object => ({ name: called, image: PYTHON_IMAGE, imagePullPolicy: 'Never', command: ['/bin/busybox', 'sleep', '86400'], env });
  const secret = { apiVersion: 'v1', kind: 'Secret', metadata: { name: `of-${name}`, namespace: NAMESPACE }, stringData: { connection: how.url } };
  const pod = {
    apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace: NAMESPACE, labels },
    spec: {
      automountServiceAccountToken: false, terminationGracePeriodSeconds: 1,
      containers: [container('scheduler-log-groomer', []), container('scheduler', [{ name: how.variable, valueFrom: { secretKeyRef: { name: `of-${name}`, key: 'connection' } } }])],
    },
  };
  return `${JSON.stringify(secret)}\n---\n${JSON.stringify(pod)}\n`;
}
