// A small server that answers as HashiCorp Vault's HTTP API documents it: key-value engine, version 1 and 2, tokens, namespaces, and its failures.
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface VaultServer {
  readonly url: string;
  readonly token: string;
  /** Paths that were asked for. */
  readonly asked: string[];
  /** By mount and path: `secret/variables/a`. */
  readonly secrets: Map<string, Readonly<Record<string, unknown>>>;
  /** Answers everything with this status from now on; null: as Vault does. `hang`: no answer at all. */
  fail(how: number | 'hang' | null): void;
  close(): Promise<void>;
}

/** @param namespace refuses requests that name another one */
export async function startVaultServer(kvVersion: '1' | '2', namespace: string | null = null): Promise<VaultServer> {
  const token = 'hvs.test-token';
  const secrets = new Map<string, Readonly<Record<string, unknown>>>();
  const asked: string[] = [];
  let failure: number | 'hang' | null = null;
  const refuse = (request: IncomingMessage): { status: number; body: unknown } | null => {
    if (typeof failure === 'number') return { status: failure, body: { errors: [failure === 503 ? 'Vault is sealed' : 'internal error'] } };
    const isAllowed = request.headers['x-vault-token'] === token && (request.headers['x-vault-namespace'] ?? null) === namespace;
    return isAllowed ? null : { status: 403, body: { errors: ['permission denied'] } };
  };
  const find = (url: string): Readonly<Record<string, unknown>> | undefined => {
    const [, mount = '', rest = ''] = /^\/v1\/([^/]+)\/(.*)$/.exec(decodeURIComponent(url)) ?? [];
    if (kvVersion === '1') return secrets.get(`${mount}/${rest}`);
    return rest.startsWith('data/') ? secrets.get(`${mount}/${rest.slice('data/'.length)}`) : undefined;
  };
  const answer = (request: IncomingMessage): { status: number; body: unknown } => {
    const refused = refuse(request);
    if (refused !== null) return refused;
    const found = find(request.url ?? '');
    if (found === undefined) return { status: 404, body: { errors: [] } };
    const data = kvVersion === '2' ? { data: found, metadata: { version: 1, destroyed: false, deletion_time: '' } } : found;
    return { status: 200, body: { request_id: 'r', lease_id: '', renewable: false, lease_duration: 2_764_800, data, wrap_info: null, warnings: null, auth: null } };
  };
  const server: Server = createServer((request, response) => {
    asked.push(request.url ?? '');
    if (failure === 'hang') return;
    const { status, body } = answer(request);
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, token, asked, secrets,
    fail: (how) => void (failure = how),
    close: () => new Promise((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    }),
  };
}
