// The catalogue of failures: each code with its HTTP status, exit code, whether trying again may help, and what to do next.

interface ErrorKind {
  readonly status: number;
  readonly exit: number;
  readonly retryable: boolean;
  readonly hint: string;
}

const kind = (status: number, exit: number, hint: string, retryable = false): ErrorKind => ({ status, exit, retryable, hint });

/** Exit codes follow sysexits(3) where one fits: 64 usage, 65 data, 66 no input, 69 unavailable, 70 bug, 73 cannot create, 77 permission. */
export const ERRORS = {
  usage: kind(400, 64, 'See the command’s --help.'),
  invalid_config: kind(500, 78, 'Correct the setting; `leoflow doctor` lists them all.'),
  not_found: kind(404, 66, 'List what exists and check the id.'),
  file_unreadable: kind(400, 66, 'Check the path and its permissions.'),
  invalid_dag: kind(422, 65, 'Mend the file at the place named and compile again.'),
  invalid_json: kind(400, 65, 'Check the JSON near the place named.'),
  invalid_value: kind(422, 65, 'Correct the value named.'),
  conflict: kind(409, 75, 'Look at the current state, then try again.', true),
  unauthenticated: kind(401, 77, 'Get a token: POST /auth/token, or `leoflow auth create-token`.'),
  forbidden: kind(403, 77, 'Ask for a role that may do this.'),
  too_many_requests: kind(429, 75, 'Wait a minute, then try again.', true),
  too_large: kind(413, 65, 'Send less, or raise the limit named.'),
  unsupported: kind(501, 69, 'Use the way out that the message names.'),
  database_unavailable: kind(503, 69, 'Check that PostgreSQL runs and LEOFLOW_DATABASE_URL is right; the server tries again by itself.', true),
  database_too_old: kind(500, 69, 'Use PostgreSQL 15 or newer.'),
  database_pooled: kind(500, 78, 'Connect to PostgreSQL directly, not through a transaction pooler.'),
  embedded_store: kind(500, 69, 'See the log named; or set LEOFLOW_DATABASE_URL to a PostgreSQL of your own.'),
  address_in_use: kind(500, 69, 'Choose another --port, or stop the program that listens there.'),
  server_unreachable: kind(503, 69, 'Start one with `leoflow lite DIR`, or pass --server URL.', true),
  python_missing: kind(500, 69, 'Install Python 3.10 or newer with venv, or set LEOFLOW_PYTHON.'),
  dependencies_unreachable: kind(503, 69, 'Check the network and the package index; it is tried again.', true),
  dependencies_failed: kind(422, 65, 'Correct the requirement named in leoflow.yaml, then try again.'),
  run_failed: kind(500, 1, 'Look at the failed task’s log.'),
  interrupted: kind(500, 130, 'Start it again.'),
  xcom_too_large: kind(413, 65, 'Store the value elsewhere and push a reference, or raise LEOFLOW_XCOM_MAX_BYTES.'),
  xcom_lost: kind(500, 70, 'The value was recorded but its bytes are gone; clear the producing task to make it again.'),
  xcom_store_unavailable: kind(503, 69, 'Check that Redis runs, has memory left and LEOFLOW_REDIS_URL is right; nothing is lost meanwhile, the server tries again by itself.', true),
  secret_key_missing: kind(500, 78, 'Give the server that key: LEOFLOW_SECRET_KEYS, or the key file of its home folder. `leoflow keys check` lists what needs it; what is lost for good is given up with `leoflow keys forget`.'),
  secret_unreadable: kind(500, 65, 'Set it again.'),
  secrets_unavailable: kind(424, 69, 'Check the secrets backend and what LEOFLOW_SECRETS_BACKEND and its settings say; then run the task again.', true),
  stale: kind(409, 75, 'This execution was closed before; nothing was changed.'),
  call_failed: kind(500, 70, 'See the traceback: it is the project’s own code.'),
  not_leading: kind(503, 69, 'Another server leads; try that one.', true),
  disk_full: kind(507, 73, 'Free some space in the folder named.', true),
  reader_usage: kind(400, 2, 'See the command’s --help.'),
  reader_cluster: kind(502, 3, 'Look with `kubectl get pods --all-namespaces -l component=scheduler`; then name --namespace, --selector or --pod.'),
  reader_exec: kind(504, 4, 'Try again, with a longer --timeout if it was slow.', true),
  reader_database: kind(502, 5, 'Ask `leoflow xcom doctor` what it can tell about the connection.'),
  reader_protocol: kind(502, 6, 'Try again; nothing was changed.', true),
  reader_decode: kind(422, 7, 'Without --strict such values are shown as they lie.'),
  reader_empty: kind(404, 10, 'Without --fail-empty this is no error.'),
  git_missing: kind(500, 69, 'Install git 2.36 or newer.'),
  git_failed: kind(500, 75, 'Git says what is wrong; mend it and run the command again.'),
  not_a_repository: kind(400, 66, 'Run this inside a git repository.'),
  remote_unreachable: kind(503, 69, 'Check the network and your access; `--no-fetch` goes on with what was fetched last.', true),
  worktree_refused: kind(409, 75, 'Nothing was changed. Mend what is named, then run the command again.'),
  lease_held: kind(409, 75, 'Run it again without --no-wait, or later; `leoflow lease list` shows who holds it.', true),
  bug: kind(500, 70, 'Please report this with the log line.'),
} as const satisfies Record<string, ErrorKind>;

export type ErrorCode = keyof typeof ERRORS;

/** A failure with a code of the catalogue. `message` says what and where; the catalogue's hint says what to do. */
export class AppError extends Error {
  readonly code: ErrorCode;
  /** Replaces the catalogue's hint where more is known. */
  readonly hint: string;
  /** Further facts for `{"detail": …}`, or a list of problems. */
  readonly details: unknown;
  override readonly name = 'AppError';

  constructor(code: ErrorCode, message: string, more: { cause?: unknown; hint?: string; details?: unknown } = {}) {
    super(message, more.cause === undefined ? {} : { cause: more.cause });
    this.code = code;
    this.hint = more.hint ?? ERRORS[code].hint;
    this.details = more.details;
  }
}
