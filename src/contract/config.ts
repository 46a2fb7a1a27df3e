// THE table of settings and limits: key, environment variable, type, default, sentence. Docs, validation and help derive from it.

type Kind = 'text' | 'integer' | 'number' | 'boolean' | 'choice';

interface Setting<K extends Kind, D> {
  readonly kind: K;
  readonly default: D;
  readonly help: string;
  readonly secret?: boolean;
  readonly min?: number;
  readonly max?: number;
  readonly choices?: readonly string[];
}

const text = (value: string | null, help: string, more: { secret?: boolean } = {}): Setting<'text', string | null> => ({ kind: 'text', default: value, help, ...more });
const integer = (value: number, help: string, min = 0, max = 2 ** 31 - 1): Setting<'integer', number> => ({ kind: 'integer', default: value, help, min, max });
const number = (value: number, help: string, min = 0, max = 1e9): Setting<'number', number> => ({ kind: 'number', default: value, help, min, max });
const boolean = (value: boolean, help: string): Setting<'boolean', boolean> => ({ kind: 'boolean', default: value, help });
const choice = <const C extends readonly string[]>(choices: C, value: C[number], help: string): Setting<'choice', C[number]> => ({ kind: 'choice', default: value, help, choices });

/** Every setting by its environment variable. An unknown `LEOFLOW_*` variable is an error. A secret may also be given as `…_FILE`. */
export const SETTINGS = {
  LEOFLOW_HOME: text(null, 'Folder for data, logs and sockets. Default: /var/lib/leoflow as root, else $XDG_DATA_HOME/leoflow.'),
  LEOFLOW_DATABASE_URL: text(null, 'PostgreSQL ≥ 15 to use instead of the embedded one.', { secret: true }),
  LEOFLOW_REDIS_URL: text(null, 'Redis that holds the bytes of XComs (redis://, rediss:// or a socket’s path). Default: they stay in PostgreSQL.', { secret: true }),
  LEOFLOW_HOST: text('127.0.0.1', 'Address the API listens on.'),
  LEOFLOW_PORT: integer(8088, 'Port the API listens on; 0 picks a free one.', 0, 65_535),
  LEOFLOW_PYTHON: text(null, 'Python ≥ 3.10 that parses DAG files and runs tasks. Default: the home folder’s environment, else python3.'),
  LEOFLOW_ADMIN_PASSWORD: text(null, 'Password of the user admin in lite. Default: made up once and kept in the home folder.', { secret: true }),
  LEOFLOW_JWT_SECRET: text(null, 'Key that signs API tokens, at least 32 characters. Default: made once, kept in the database.', { secret: true }),
  LEOFLOW_SECRET_KEYS: text(null, 'Keys that encrypt variables and connections: 32 bytes each in base64 or hexadecimal, one per line or separated by commas. The first encrypts, all decrypt. Default: keys/secrets.keys in the home folder, made once.', { secret: true }),
  LEOFLOW_SECRETS_BACKEND: choice(['none', 'files', 'vault'], 'none', 'Where variables and connections are looked up first, before the server’s environment and the database.'),
  LEOFLOW_SECRETS_FOLDER: text(null, 'Backend files: the folder with variables/KEY and connections/ID, one file per secret.'),
  LEOFLOW_VAULT_URL: text(null, 'Backend vault: address of HashiCorp Vault, e.g. https://vault.example:8200.'),
  LEOFLOW_VAULT_TOKEN: text(null, 'Backend vault: its token. LEOFLOW_VAULT_TOKEN_FILE is read again for each look-up.', { secret: true }),
  LEOFLOW_VAULT_MOUNT: text('secret', 'Backend vault: mount point of the key-value engine.'),
  LEOFLOW_VAULT_KV_VERSION: choice(['1', '2'], '2', 'Backend vault: version of the key-value engine.'),
  LEOFLOW_VAULT_VARIABLES_PATH: text('variables', 'Backend vault: path of variables below the mount point; each has one field named value.'),
  LEOFLOW_VAULT_CONNECTIONS_PATH: text('connections', 'Backend vault: path of connections below the mount point; each has a field conn_uri, or the fields of a connection.'),
  LEOFLOW_VAULT_NAMESPACE: text(null, 'Backend vault: namespace (Vault Enterprise).'),
  LEOFLOW_VAULT_CA_FILE: text(null, 'Backend vault: certificates of the authority that signed Vault’s, in PEM. Default: the ones Node knows.'),
  LEOFLOW_VAULT_TIMEOUT_SECONDS: number(5, 'Backend vault: a request that takes longer fails.', 0.1, 60),
  LEOFLOW_VAULT_CACHE_SECONDS: number(5, 'Backend vault: answers are used again for this long; 0 asks each time.', 0, 3600),
  LEOFLOW_TOKEN_TTL_SECONDS: integer(86_400, 'Life of an API token.', 60),
  LEOFLOW_SERVER_URL: text(null, 'Server that the CLI talks to.'),
  LEOFLOW_TOKEN: text(null, 'API token of the CLI.', { secret: true }),
  LEOFLOW_READER_PROFILE: text(null, 'XCom reader: profile of reader.yaml that its commands use. Default: the one that the file names.'),
  LEOFLOW_READER_TRANSPORT: text(null, 'XCom reader: how it reaches the database: exec, api, dsn or port-forward. Default: exec.'),
  LEOFLOW_READER_KUBE_CONTEXT: text(null, 'XCom reader: context of the kubeconfig. Default: the current one.'),
  LEOFLOW_READER_NAMESPACE: text(null, 'XCom reader: namespace of the pods. Default: the context’s.'),
  LEOFLOW_READER_SELECTOR: text(null, 'XCom reader: labels of the pod to ask. Default: component=scheduler.'),
  LEOFLOW_READER_CONTAINER: text(null, 'XCom reader: container in it. Default: scheduler.'),
  LEOFLOW_READER_POD: text(null, 'XCom reader: one pod by name.'),
  LEOFLOW_READER_PYTHON: text(null, 'XCom reader: Python that runs the probe, in the container or on this machine. Default: python3.'),
  LEOFLOW_READER_KUBECTL: text(null, 'XCom reader: the program kubectl.'),
  LEOFLOW_READER_FORWARD_TO: text(null, 'XCom reader, transport port-forward: what is forwarded to, as svc/NAME:PORT or pod/NAME:PORT.'),
  LEOFLOW_READER_URL: text(null, 'XCom reader, transports dsn and port-forward: connection URL of the database, as SQLAlchemy writes it.', { secret: true }),
  LEOFLOW_READER_SERVER: text(null, 'XCom reader, transport api: address of Airflow or Leoflow, e.g. https://airflow.example.'),
  LEOFLOW_READER_TOKEN: text(null, 'XCom reader, transport api: token.', { secret: true }),
  LEOFLOW_READER_USER: text(null, 'XCom reader, transport api: user whose password gets a token (Airflow 3) or is sent (Airflow 2).'),
  LEOFLOW_READER_PASSWORD: text(null, 'XCom reader, transport api: password.', { secret: true }),
  LEOFLOW_READER_TIMEOUT_SECONDS: number(0, 'XCom reader: a question that takes longer is given up; 0 leaves it to the profile, else it is 60.', 0, 3600),
  LEOFLOW_OTLP_ENDPOINT: text(null, 'OpenTelemetry collector that receives traces (base URL of OTLP/HTTP, e.g. http://localhost:4318). Default: no traces are made.'),
  LEOFLOW_OTLP_SERVICE_NAME: text('leoflow', 'The name of this service in traces.'),
  LEOFLOW_LOG_LEVEL: choice(['debug', 'info', 'warn', 'error'], 'info', 'Least level of the server’s own log.'),
  LEOFLOW_PARALLELISM: integer(32, 'Executions running at once on this server (Airflow’s [core] parallelism).', 1, 10_000),
  LEOFLOW_PARKED_CHILDREN: integer(4, 'Warm children kept ready per active DAG version.', 0, 64),
  LEOFLOW_PARKED_NODE_CHILDREN: integer(2, 'Warm Node processes kept ready per active DAG version with tasks in TypeScript.', 0, 64),
  LEOFLOW_FORK_SERVER_IDLE_SECONDS: integer(300, 'An idle fork server is ended after this time.', 1),
  LEOFLOW_IMPORT_TIMEOUT_SECONDS: integer(30, 'A DAG file that is still importing after this time is refused. What it waits for a processor does not count.', 1, 3600),
  LEOFLOW_ENVIRONMENT_TIMEOUT_SECONDS: integer(900, 'Building an environment with pip or npm may take this long.', 1, 86_400),
  LEOFLOW_CANCEL_GRACE_SECONDS: integer(30, 'Time between SIGTERM and SIGKILL of a cancelled execution.', 0, 3600),
  LEOFLOW_HEARTBEAT_TIMEOUT_SECONDS: number(30, 'A running execution that nobody has heard of for ten times this long is told to end, and run again when it is gone. A launcher or fork server that says nothing for this long, at least 15 s, is killed with what it runs.', 0.1),
  LEOFLOW_DRAIN_SECONDS: integer(30, 'When `leoflow server` is stopped, running executions have this long to end before they are ended (and run again later).', 0, 86_400),
  LEOFLOW_INFRA_RETRIES: integer(3, 'Executions of one try that may be lost to infrastructure before the try fails.', 0, 100),
  LEOFLOW_INFRA_RETRY_DELAY_SECONDS: number(0.2, 'Wait before an execution lost to infrastructure is started again; doubles each time.', 0, 3600),
  LEOFLOW_CALLBACK_TIMEOUT_SECONDS: integer(300, 'A callback that the server has asked for (of a DAG, of a task whose process is gone, of a missed deadline) is ended after this time and made again, three times at most.', 1, 86_400),
  LEOFLOW_XCOM_MAX_BYTES: integer(262_144, 'Largest XCom value.', 1, 64 * 1024 * 1024),
  LEOFLOW_MAX_BODY_BYTES: integer(1_048_576, 'Largest request body of the public API.', 1024),
  LEOFLOW_MAX_PUSH_BYTES: integer(16 * 1024 * 1024, 'Largest pushed DAG version with its sources.', 1024),
  LEOFLOW_MAX_MAP_LENGTH: integer(1024, 'Most instances one mapped task may expand to (Airflow’s [core] max_map_length).', 1, 1_000_000),
  LEOFLOW_LOGIN_FAILURES_PER_MINUTE: integer(5, 'Failed logins per account and address before 429.', 1),
  LEOFLOW_CATCHUP_SLOTS: integer(100, 'Runs created at most per DAG and pass of the schedule.', 1),
  LEOFLOW_RETENTION_DAYS: integer(0, 'Runs that ended longer ago are deleted with values, history and logs, but for the last of each DAG; 0 keeps everything.', 0, 36_500),
  LEOFLOW_DAGS_ACTIVE: boolean(false, 'New DAGs start unpaused (lite does so).'),
  LEOFLOW_DOCS_REQUIRE_AUTH: boolean(false, 'The API reference at /docs asks for a token.'),
} as const;

export type SettingName = keyof typeof SETTINGS;
export type Config = { readonly [N in SettingName]: (typeof SETTINGS)[N] extends Setting<Kind, infer D> ? D : never };

/** Limits that are not settings: nothing is unbounded. */
export const LIMITS = {
  /** Moves in one commit; the rest waits for the next. */
  maxBatchOperations: 2_000,
  /** Runs the leader starts in one pass. */
  maxRunsPerPass: 500,
  /** JSON of an agent's report: XComs of one execution, plus its error. */
  maxReportBytes: 96 * 1024 * 1024,
  maxErrorTextBytes: 64 * 1024,
  maxDagTasks: 100_000,
  maxJsonDepth: 64,
  pageLimit: 100,
  maxLogReadBytes: 8 * 1024 * 1024,
  databaseConnections: 10,
  databaseTimeoutMs: 30_000,
  /** A leader whose idle session gives no sign of life for this long leads no more. */
  leaderTimeoutMs: 4_000,
  /** PostgreSQL ends a leader's session that says nothing for this long, and gives its lock to the next. */
  leaderLeaseMs: 3_000,
  /** XComs outside PostgreSQL: names in one call, bytes in one answer, and how long a call may take. */
  maxValuesPerCall: 500,
  maxValueReadBytes: 8 * 1024 * 1024,
  valueStoreTimeoutMs: 5_000,
  /** Ended spans that wait for the collector; what comes on top is dropped. */
  maxQueuedSpans: 8_192,
  /** Arguments of one trigger, and of what follows it; events of assets in one report. */
  maxDeferralBytes: 4 * 1024 * 1024,
  maxAssetEvents: 1_000,
  /** Events that are written down as those of one run, the newest; watchers of all DAGs. */
  maxConsumedEvents: 10_000,
  maxWatchers: 10_000,
  /** Triggers that a host is told of in one answer, and characters of their arguments; the rest follows. */
  maxTriggerOrders: 1_000,
  maxTriggerOrderBytes: 8 * 1024 * 1024,
  /** Triggers that one host runs at once, and events that it tells in one call. */
  maxHostTriggers: 50_000,
  maxTriggerEventsAtOnce: 1_000,
  /** Callbacks made at once, of them those of one DAG version (whose environment may be long in coming), and deadlines looked at in one pass; the rest waits. */
  maxCallbacksAtOnce: 16,
  maxCallbacksPerVersion: 4,
  maxDeadlinesPerPass: 100,
  maxParseOutputBytes: 32 * 1024 * 1024,
  /** A dag.yaml. */
  maxDagYamlBytes: 1024 * 1024,
  /** What `include_files` of leoflow.yaml adds to one version. */
  maxIncludedFiles: 2_000,
  maxIncludedBytes: 10_000_000,
} as const;
