// What the XCom reader and its probe say to each other, and what a pull gives whoever asked.

/** Version of the messages below. The probe refuses another one. */
export const PROBE_PROTOCOL = 1;

/**
 * The question. It travels on standard input as one line of JSON behind the probe's own text, never in argv.
 * Patterns are SQL LIKE patterns with `!` as escape, made by the reader from ids, globs and prefixes; every one is a bound parameter.
 */
export interface ProbeRequest {
  readonly protocol: typeof PROBE_PROTOCOL;
  /** 32 hexadecimal digits made for this question; frames carry it, so that nothing else on the stream is taken for an answer. */
  readonly sentinel: string;
  /** `values`: rows with their bytes; `keys`: the same rows without; `runs`: no rows, runs only; `examine`: connection, schema and rights only. */
  readonly question: 'values' | 'keys' | 'runs' | 'examine';
  readonly dag_id: string;
  /** The newest `limit` runs whose id is like `run_id` and whose state is `state` (any, when null). */
  readonly runs: { readonly run_id: string; readonly state: string | null; readonly limit: number };
  readonly task_id: string;
  readonly key: string;
  /** Inclusive; -1 is an instance that is not mapped. Null: every one. */
  readonly map_index: readonly [number, number] | null;
  /** Rows; one more is read to tell whether there are more. */
  readonly limit: number;
  /** Bytes of one value; longer ones are cut and marked. */
  readonly max_bytes: number;
  /** Whether values kept outside the database by XComObjectStorageBackend are fetched. */
  readonly resolve: boolean;
  readonly statement_timeout_ms: number;
  /** Name of the environment variable that holds the connection URL; null: found as Airflow finds it. */
  readonly url_variable: string | null;
}

/** How XComs lie in a database, told by its columns: what the reader calls its schema. */
export type XComSchema = '1.10' | '2.0' | '2.3' | '3.0';

/** A run, as far as its columns tell. */
export interface ProbeRun {
  readonly run_id: string;
  readonly state: string | null;
  readonly run_type: string | null;
  /** ISO 8601, UTC; null where the column is null or missing. */
  readonly logical_date: string | null;
  readonly run_after: string | null;
  readonly start_date: string | null;
  readonly end_date: string | null;
}

/** One XCom as it lies in the database. */
export interface ProbeRow {
  readonly run_id: string;
  readonly task_id: string;
  readonly map_index: number;
  readonly key: string;
  readonly timestamp: string | null;
  /** `json`: text of a JSON column. `bytes`: a binary column. */
  readonly column: 'json' | 'bytes';
  /** Base64 of the value's first `max_bytes` bytes (UTF-8 of JSON text); null for the question `keys`, or where the database holds NULL. */
  readonly data: string | null;
  /** Length of the whole value in bytes; null where it is NULL. */
  readonly bytes: number | null;
  /** What `resolve` fetched for this row: base64 of at most `max_bytes`, or why not. */
  readonly resolved?: { readonly url: string; readonly data: string | null; readonly bytes: number | null; readonly problem: string | null };
}

/** Told when no row matched: each part only as far as it was needed to say why. Lists hold at most 20, nearest or newest first. */
export interface ProbeHints {
  readonly dag_known: boolean;
  /** Ids of other DAGs, nearest first, when this one is unknown. */
  readonly dags: readonly string[];
  readonly recent_runs: readonly ProbeRun[];
  /** States of the instances that were asked for, when the run exists. */
  readonly instances: readonly { readonly task_id: string; readonly map_index: number; readonly state: string | null }[];
  readonly task_ids: readonly string[];
  /** Keys that the asked tasks have in the asked runs. */
  readonly keys: readonly string[];
  /** Lowest and highest map index with that key. */
  readonly map_indexes: readonly [number, number] | null;
  /** Rows in `_xcom_archive` that match: pickled values that Airflow 3 moved there. */
  readonly archived: number;
  /** Whether something may not be read, so that what is empty above says nothing. */
  readonly incomplete: boolean;
}

/** What the probe found. */
export interface ProbeAnswer {
  readonly protocol: typeof PROBE_PROTOCOL;
  readonly kind: 'answer';
  readonly schema: XComSchema;
  /** `postgresql`, `mysql` or `sqlite`. */
  readonly dialect: string;
  /** Where the connection was found, never the connection: `AIRFLOW__DATABASE__SQL_ALCHEMY_CONN`, `airflow.cfg`, … */
  readonly connection_from: string;
  /** Airflow's version by its package metadata; null where it is not installed. */
  readonly airflow_version: string | null;
  /** `[core] xcom_backend`; null when it is the default or not to be found. */
  readonly backend: string | null;
  readonly runs: readonly ProbeRun[];
  readonly rows: readonly ProbeRow[];
  readonly truncated: boolean;
  readonly hints: ProbeHints | null;
  /** Text of each statement that was sent, in order. Values are never in it. */
  readonly statements: readonly string[];
  /** For `examine`: tables that the role may change (nothing when it only reads), and whether that could be told. */
  readonly may_write: readonly string[] | null;
}

/** Why the probe could not answer. `message` never holds a connection URL, a password or a host. */
export interface ProbeFailure {
  readonly protocol: typeof PROBE_PROTOCOL;
  readonly kind: 'failure';
  readonly failure:
    | 'connection_missing' // no setting names a database
    | 'driver_missing' // SQLAlchemy or the dialect's driver cannot be imported
    | 'database_down' // connecting failed
    | 'schema_unknown' // no table xcom or dag_run, or columns that fit no schema
    | 'statement_failed' // time-out, permission, anything else of the database
    | 'write_refused' // the database refused a write: SQLSTATE 25006 and its kin
    | 'bad_request';
  readonly message: string;
  readonly sqlstate: string | null;
}

/** What the probe sends, once. */
export type ProbeReply = ProbeAnswer | ProbeFailure;

/** A value as far as it can be told without running anything. */
export interface DecodedValue {
  /** `json`, `pickle`, `text` (a JSON column's plain string), `opaque` (shown as base64), `null`, `absent` (only keys were asked for). */
  readonly encoding: 'json' | 'pickle' | 'text' | 'opaque' | 'null' | 'absent';
  /** The value as JSON data: see docs/guides/xcom-reader.md for how Python's types are shown. */
  readonly value: unknown;
  /** What was changed or could not be told, with its path: `$.when: datetime`. At most 20. */
  readonly notes: readonly string[];
}

/** One XCom as `--json` prints it. */
export interface PulledXCom {
  readonly dag_id: string;
  readonly run_id: string;
  readonly task_id: string;
  readonly map_index: number;
  readonly key: string;
  readonly timestamp: string | null;
  /** Where the value lies: a JSON column, a binary column, an object store, or behind an API. */
  readonly storage: 'json' | 'bytes' | 'objectstorage' | 'api';
  readonly encoding: DecodedValue['encoding'];
  /** The stored text as it is; for bytes that are no text, base64. Null where only keys were asked for. */
  readonly raw: string | null;
  readonly value: unknown;
  readonly decodeNotes: readonly string[];
  /** Length in bytes; `cut` when only the first --max-bytes of it were read. */
  readonly bytes: number | null;
  readonly cut: boolean;
}

/** What every transport gives. */
export interface XComPull {
  readonly source: { readonly transport: 'exec' | 'api' | 'dsn' | 'port-forward'; readonly target: string };
  readonly schema: XComSchema | 'api';
  readonly dag_id: string;
  readonly runs: readonly ProbeRun[];
  readonly xcoms: readonly PulledXCom[];
  readonly truncated: boolean;
  /** What to try when nothing matched. */
  readonly hints: readonly string[];
}
