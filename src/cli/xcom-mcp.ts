// `leoflow xcom mcp`: the reader as a tool of coding agents, by the Model Context Protocol on standard input and output.
import type { Command } from 'commander';
import { AppError } from '#contract/errors.ts';
import type { XComPull } from '#contract/xcom-reader.ts';
import { listRuns, pullXComs, requestOf } from '#devloop/xcom-reader/pull.ts';
import { renderExactJson } from '#devloop/xcom-reader/python-json.ts';
import { untilAborted } from '#platform/clock.ts';
import { type OpenReader, type ReaderContext, type ReaderFlags, withReader, withReaderFlags } from './open-reader.ts';
import { readerCommand } from './reader-command.ts';

/** As much of an answer as an agent is given at once. */
const MAX_ANSWER_CHARACTERS = 100_000;

interface PullArguments {
  readonly dag_id: string;
  readonly run_id?: string;
  readonly task_id?: string;
  readonly key?: string;
  readonly map_index?: string;
  readonly limit?: number;
  readonly keys_only?: boolean;
}

const PULL_SCHEMA = {
  type: 'object', required: ['dag_id'], additionalProperties: false,
  properties: {
    dag_id: { type: 'string' }, run_id: { type: 'string', description: 'id, a unique beginning of one, latest, or latest:success; latest unless said' }, task_id: { type: 'string', description: 'glob; every task unless said' },
    key: { type: 'string', description: "glob; return_value unless said, '*' for every one" }, map_index: { type: 'string', description: '3, 0..9, or -1 for what is not mapped' },
    limit: { type: 'integer', minimum: 1, maximum: 500, description: 'rows at most; 20 unless said' }, keys_only: { type: 'boolean', description: 'keys and sizes, no values' },
  },
} as const;

const RUNS_SCHEMA = { type: 'object', required: ['dag_id'], additionalProperties: false, properties: { dag_id: { type: 'string' }, limit: { type: 'integer', minimum: 1, maximum: 500 } } } as const;

/** `xcom mcp`. */
export function mcpCommand(context: ReaderContext): Command {
  return withReaderFlags(readerCommand('mcp', 'Serve the reader to coding agents (Model Context Protocol, standard input and output). It can read XComs and runs, nothing else.'))
    .addHelpText('after', '\nExample:\n  leoflow xcom mcp --namespace airflow\n\nIn an agent’s settings:\n  {"mcpServers": {"xcom-reader": {"command": "leoflow", "args": ["xcom", "mcp", "--namespace", "airflow"]}}}\n')
    .action((flags: ReaderFlags) => withReader(context, flags, (reader) => serve(context, reader)));
}

async function serve(context: ReaderContext, reader: OpenReader): Promise<void> {
  const [{ McpServer, fromJsonSchema }, { StdioServerTransport }] = await Promise.all([import('@modelcontextprotocol/server'), import('@modelcontextprotocol/server/stdio')]);
  const server = new McpServer({ name: 'leoflow-xcom-reader', version: context.version });
  const annotations = { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false };
  server.registerTool('xcom_pull', { description: 'Read XComs (values that Airflow tasks returned or pushed) of one run.', inputSchema: fromJsonSchema<PullArguments>(PULL_SCHEMA), annotations },
    (given: PullArguments) => answer(() => pull(reader, given)));
  server.registerTool('xcom_list_runs', { description: 'List the last runs of an Airflow DAG.', inputSchema: fromJsonSchema<{ dag_id: string; limit?: number }>(RUNS_SCHEMA), annotations },
    (given: { dag_id: string; limit?: number }) => answer(() => listRuns(reader.transport, { dagId: given.dag_id, limit: given.limit ?? 20 })));
  const closed = new Promise<void>((resolve) => (server.server.onclose = resolve));
  await server.connect(new StdioServerTransport());
  process.stdin.on('end', () => void server.close());
  await Promise.race([closed, untilAborted(context.stop)]);
}

function pull(reader: OpenReader, given: PullArguments): Promise<XComPull> {
  return pullXComs(reader.transport, requestOf({
    dagId: given.dag_id, runId: given.run_id ?? 'latest', task: given.task_id ?? null, key: given.key ?? (given.keys_only === true ? '*' : 'return_value'), mapIndex: given.map_index ?? null,
    limit: given.limit ?? 20, maxBytes: 1024 * 1024, keysOnly: given.keys_only === true, resolve: false, layers: 'auto',
  }));
}

interface ToolAnswer { readonly [key: string]: unknown; content: { type: 'text'; text: string }[]; isError?: boolean }

/** A result as text; a failure in its words, so that the agent can go on. */
async function answer(work: () => Promise<unknown>): Promise<ToolAnswer> {
  try {
    const text = renderExactJson(await work(), 1);
    if (text.length > MAX_ANSWER_CHARACTERS) return { content: [{ type: 'text', text: `the answer has ${text.length} characters, more than ${MAX_ANSWER_CHARACTERS}: narrow it with task_id, key, map_index or limit, or ask with keys_only` }], isError: true };
    return { content: [{ type: 'text', text }] };
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return { content: [{ type: 'text', text: `${error.message}\n${error.hint}` }], isError: true };
  }
}
