// /openapi.json and the reference page at /docs, whose files come from the npm package: no other host is asked.
import Fastify, { type FastifyInstance, type FastifyRequest } from 'fastify';
import { authorize } from './auth/authenticate.ts';
import { renderOpenApi } from './openapi.ts';
import type { Route } from './routes.ts';

interface DocsOptions {
  readonly routes: readonly Route[];
  readonly version: string;
  readonly requireAuth: boolean;
  readonly signingKey: Buffer;
}

/** Adds both. The page's program is 4 MB of source: it is loaded when somebody first opens the page. */
export function addDocs(app: FastifyInstance, options: DocsOptions): void {
  const mayRead = async (request: FastifyRequest): Promise<void> => {
    if (options.requireAuth) await authorize(options.signingKey, request.headers, 'viewer');
  };
  let document: string | null = null;
  app.get('/openapi.json', { onRequest: mayRead }, (_request, reply) => {
    document ??= JSON.stringify(renderOpenApi(options.routes, options.version));
    return reply.type('application/json').send(document);
  });
  let pages: Promise<FastifyInstance> | null = null;
  for (const url of ['/docs', '/docs/*']) {
    app.get(url, { onRequest: mayRead }, async (request, reply) => {
      pages ??= buildPages();
      const page = await (await pages).inject({ method: 'GET', url: request.url });
      const { 'content-type': type = 'text/html', location } = page.headers;
      if (location !== undefined) void reply.header('location', location);
      return reply.code(page.statusCode).type(String(type)).send(page.body);
    });
  }
}

/** Nothing that sends the reader, or the document, to a host of somebody else. */
const QUIET = { url: '/openapi.json', withDefaultFonts: false, telemetry: false, showDeveloperTools: 'never', hideClientButton: true, agent: { disabled: true }, mcp: { disabled: true } } as const;

async function buildPages(): Promise<FastifyInstance> {
  const { default: scalar } = await import('@scalar/fastify-api-reference');
  const pages = Fastify();
  await pages.register(scalar, { routePrefix: '/docs', configuration: QUIET });
  return pages;
}
