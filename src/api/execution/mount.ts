// Puts the Task Execution API into servers: the public one, and any of node:http.
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import type { FastifyInstance } from 'fastify';
import type { ExecutionRequest } from './execution-call.ts';
import type { ExecutionApi } from './serve-execution.ts';

/** Where it is served. */
export const EXECUTION_PREFIX = '/execution';
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];

/** Adds everything below /execution. The bearer of a request is its own access: no login. */
export function addExecution(app: FastifyInstance, api: ExecutionApi, maxBodyBytes: number): void {
  void app.register((scope, _options, done) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, parsed) => parsed(null, body));
    scope.route({
      method: METHODS, url: `${EXECUTION_PREFIX}/*`, bodyLimit: maxBodyBytes, config: { access: 'none' }, compress: false,
      async handler({ method, raw, headers, body }, reply) {
        const answer = await api.handle(requestOf({ method, url: raw.url, headers }, Buffer.isBuffer(body) ? body : Buffer.alloc(0)));
        return reply.code(answer.status).headers(answer.headers).send(answer.body === null ? undefined : Buffer.from(answer.body, 'utf8'));
      },
    });
    done();
  });
}

/** Whether a request is for this API. */
export function isForExecution(url: string | undefined): boolean {
  return url?.startsWith(`${EXECUTION_PREFIX}/`) ?? false;
}

/** Answers a request whose body has been read. */
export async function answerExecution(api: ExecutionApi, call: { readonly request: IncomingMessage; readonly response: ServerResponse; readonly body: Buffer }): Promise<void> {
  const { request, response, body } = call;
  const answer = await api.handle(requestOf({ method: request.method ?? 'GET', url: request.url, headers: request.headers }, body));
  const payload = answer.body === null ? null : Buffer.from(answer.body, 'utf8');
  response.writeHead(answer.status, { ...answer.headers, ...(answer.status === 204 ? {} : { 'content-length': payload?.length ?? 0 }) });
  response.end(payload);
}

function requestOf(from: { readonly method: string; readonly url: string | undefined; readonly headers: IncomingHttpHeaders }, body: Buffer): ExecutionRequest {
  const [path = '', query = ''] = (from.url ?? '').slice(EXECUTION_PREFIX.length).split(/\?(.*)/s);
  const headers = Object.fromEntries(Object.entries(from.headers).map(([name, value]) => [name, Array.isArray(value) ? value[0] : value]));
  return { method: from.method, path, query, headers, body };
}
