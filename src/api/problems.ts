// Failures as HTTP answers, in one place: Airflow's bodies and texts, and the catalogue's statuses for everything else.
import { randomBytes } from 'node:crypto';
import { AppError, ERRORS } from '#contract/errors.ts';

/** One entry of a 422's list, as FastAPI writes it. */
export interface ValidationProblem {
  readonly type: string;
  readonly loc: readonly (string | number)[];
  readonly msg: string;
  readonly input: unknown;
  readonly ctx?: Readonly<Record<string, unknown>>;
}

/** An answer that ends a request early: a status and what stands under `detail`. */
export class HttpProblem extends Error {
  readonly status: number;
  readonly detail: unknown;
  override readonly name = 'HttpProblem';

  constructor(status: number, detail: unknown) {
    super(typeof detail === 'string' ? detail : `HTTP ${status}`);
    this.status = status;
    this.detail = detail;
  }
}

/** 404 with Airflow's text. */
export const notFound = (text: string): HttpProblem => new HttpProblem(404, text);
/** 400 with Airflow's text. */
export const badRequest = (text: string): HttpProblem => new HttpProblem(400, text);
/** 409 with Airflow's text. */
export const conflict = (text: string): HttpProblem => new HttpProblem(409, text);
/** 422 with FastAPI's list. */
export const invalid = (problems: readonly ValidationProblem[]): HttpProblem => new HttpProblem(422, problems);

/** 422 for a body whose values contradict each other. */
export function contradiction(message: string, body: unknown): HttpProblem {
  return invalid([{ type: 'value_error', loc: ['body'], msg: `Value error, ${message}`, input: body, ctx: { error: {} } }]);
}

/** 404 of a DAG that is not there. */
export const dagNotFound = (dagId: string): HttpProblem => notFound(`The Dag with ID: \`${dagId}\` was not found`);
/** 404 of a run that is not there. */
export const runNotFound = (dagId: string, runId: string): HttpProblem => notFound(`The DagRun with dag_id: \`${dagId}\` and run_id: \`${runId}\` was not found`);

/** 409 of a name or date that is taken, with Airflow's body and without the database's words. */
export function uniqueViolation(): HttpProblem {
  const id = randomBytes(6).toString('hex');
  return new HttpProblem(409, {
    reason: 'Unique constraint violation', statement: 'hidden', orig_error: 'hidden',
    message: `Serious error when handling your request. Check logs for more details - you will find it in api server when you look for ID ${id}`,
  });
}

/** A failure as an HTTP answer. */
export interface ErrorAnswer {
  readonly status: number;
  /** Body: JSON when it is an object, else plain text. */
  readonly body: { readonly detail: unknown } | string;
  /** Nobody foresaw it: it belongs into the log. */
  readonly isBug: boolean;
}

/** Any failure as an answer. An unforeseen one tells nothing of itself. */
export function answerOf(error: unknown): ErrorAnswer {
  if (error instanceof HttpProblem) return { status: error.status, body: { detail: error.detail }, isBug: false };
  if (error instanceof AppError && error.code !== 'bug') {
    const detail = error.details ?? (error.hint === '' ? error.message : `${error.message}. ${error.hint}`);
    return { status: ERRORS[error.code].status, body: { detail }, isBug: false };
  }
  return fastifyAnswer(error) ?? valueAnswer(error) ?? { status: 500, body: 'Internal Server Error', isBug: true };
}

/** PostgreSQL's refusals of values that no check of ours foresees: U+0000 in a text, a date outside its range. */
function valueAnswer(error: unknown): ErrorAnswer | null {
  if (!(error instanceof Error) || !('code' in error) || !['22021', '22P05', '22007', '22008', '22009'].includes(String(error.code))) return null;
  return { status: 422, body: { detail: 'A text or a date in the request cannot be stored' }, isBug: false };
}

/** Fastify's own refusals: a body that is too large, a URL that cannot be decoded. */
function fastifyAnswer(error: unknown): ErrorAnswer | null {
  if (!(error instanceof Error) || !('statusCode' in error) || typeof error.statusCode !== 'number' || error.statusCode >= 500) return null;
  const text = error.statusCode === 413 ? 'Request body is too large. Send less, or raise LEOFLOW_MAX_BODY_BYTES.' : error.message;
  return { status: error.statusCode, body: { detail: text }, isBug: false };
}
