// The dates by which clients ask for a version of the API: which are served, and what stands between them.
import { HttpProblem } from '../problems.ts';

/** Versions that are served, oldest first. */
export const API_VERSIONS = ['2025-11-05', '2026-04-06'] as const;
/** A version that is served. */
export type ApiVersion = (typeof API_VERSIONS)[number];

/** What a request without a version gets. */
export const LATEST_VERSION = '2026-04-06' satisfies ApiVersion;
const OLDEST_VERSION = API_VERSIONS[0];
/** The first Task SDK that speaks it: 1.1.0 and 1.1.1 ask for 2025-09-23 and 2025-10-27. */
const OLDEST_SDK = '1.1.2';

/** The name of the header, as Airflow's refusals write it. */
export const VERSION_HEADER = 'Airflow-API-Version';

/**
 * The version for a date: the closest one at or below it, the latest without one.
 * Throws 422 for what is no date and for dates before the oldest version.
 */
export function versionFor(date: string | undefined): ApiVersion {
  if (date === undefined) return LATEST_VERSION;
  const fault = faultOf(date);
  if (fault !== null) throw refuse(date, { type: 'date_from_datetime_parsing', msg: `Input should be a valid date or datetime, ${fault}`, ctx: { error: fault } });
  const version = API_VERSIONS.findLast((each) => each <= date);
  if (version === undefined) {
    const reason = `version ${date} of the Task Execution API is not served, only ${OLDEST_VERSION} and later: install apache-airflow-task-sdk ${OLDEST_SDK} or newer where tasks run`;
    throw refuse(date, { type: 'value_error', msg: `Value error, ${reason}`, ctx: { error: {} } });
  }
  return version;
}

function refuse(input: string, problem: { type: string; msg: string; ctx: object }): HttpProblem {
  return new HttpProblem(422, [{ type: problem.type, loc: ['header', VERSION_HEADER], msg: problem.msg, input, ctx: problem.ctx }]);
}

/** What is wrong with a date, in pydantic's words; null when nothing is. */
function faultOf(text: string): string | null {
  if (text.length < 10) return 'input is too short';
  const match = /^\d{4}-(\d{2})-(\d{2})$/.exec(text);
  if (match === null) return 'invalid character in date';
  if (Number(match[1]) < 1 || Number(match[1]) > 12) return 'month value is outside expected range of 1-12';
  const ms = Date.parse(`${text}T00:00:00Z`);
  return Number.isNaN(ms) || !new Date(ms).toISOString().startsWith(text) ? 'day value is outside expected range' : null;
}

/** Whether a version has what exists since one and until another. */
export function isIn(version: ApiVersion, span: { readonly since?: ApiVersion; readonly until?: ApiVersion }): boolean {
  return (span.since === undefined || version >= span.since) && (span.until === undefined || version <= span.until);
}
