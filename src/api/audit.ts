// The audit row of a request that changed something: who, what, with secrets masked.
import { isSensitive, MASK } from '#core/sensitive.ts';
import { errorText } from '#platform/report.ts';
import { recordAudit } from '#store/audit-log.ts';
import type { RawCall, Services } from './operation.ts';
import type { Route } from './routes.ts';

/** What holds a variable's or connection's secret in bodies about them: the audit log is kept in plain text. */
const ENCRYPTED_FIELDS = /^(value|password|extra)$/;
/** Beside the names that are sensitive everywhere: bodies of requests are anybody's. */
const SECRET_NAME = /private_?key|credential/i;
const MAX_EXTRA_LENGTH = 64 * 1024;
const MAX_DEPTH = 20;

/** Clears ask first: a dry run changes nothing. */
const SILENT_DRY_RUNS = new Set(['clear_dag_run', 'post_clear_task_instances']);

/** Writes the row. The request was carried out: when the row cannot be written, the log says so and the answer stands. */
export async function auditRequest(services: Services, route: Pick<Route, 'id' | 'method'>, call: RawCall): Promise<void> {
  const body = recordOf(call.body);
  if (SILENT_DRY_RUNS.has(route.id) && body['dry_run'] !== false) return;
  const params = recordOf(call.params);
  const facts = { ...body, ...params };
  const hides = /variable|connection/.test(route.id) ? ENCRYPTED_FIELDS : null;
  const extra = JSON.stringify({ ...maskSecrets(recordOf(call.query)), ...maskSecrets(params), ...maskSecrets(body, hides), method: route.method });
  try {
    await recordAudit(services.database, {
      event: route.id, owner: call.person.name, dagId: textOf(facts['dag_id']), taskId: textOf(facts['task_id']), runId: textOf(facts['dag_run_id']),
      mapIndex: integerOf(facts['map_index']), tryNumber: null, extra: extra.length > MAX_EXTRA_LENGTH ? JSON.stringify({ ...params, method: route.method, note: 'the request was too long to keep' }) : extra,
    });
  } catch (error) {
    services.reporter.report({ event: 'failure', where: `audit of ${route.id}`, error: errorText(error) });
  }
}

/** The same value with `***` for everything that a telling name holds. @param hides names that are hidden as well */
export function maskSecrets(value: Readonly<Record<string, unknown>>, hides: RegExp | null = null): Record<string, unknown> {
  return maskFields(value, { depth: 0, hides });
}

interface Masking { readonly depth: number; readonly hides: RegExp | null }

function maskFields(value: object, { depth, hides }: Masking): Record<string, unknown> {
  const isHidden = (name: string): boolean => isSensitive(name) || SECRET_NAME.test(name) || hides?.test(name) === true;
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, isHidden(name) && item !== null ? MASK : maskValue(item, { depth: depth + 1, hides })]));
}

function maskValue(value: unknown, at: Masking): unknown {
  if (at.depth > MAX_DEPTH) return '…';
  if (Array.isArray(value)) return value.map((item) => maskValue(item, { ...at, depth: at.depth + 1 }));
  return typeof value === 'object' && value !== null ? maskFields(value, at) : value;
}

function recordOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {};
}

function textOf(value: unknown): string | null {
  return typeof value === 'string' && value !== '~' ? value : null;
}

function integerOf(value: unknown): number | null {
  const read = typeof value === 'string' ? Number(value) : value;
  return typeof read === 'number' && Number.isInteger(read) ? read : null;
}
