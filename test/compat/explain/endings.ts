// The table of ends: task, state, what `explain` says line by line, and what a line of the log holds.

/** One end of a task. `logged` is looked for in the lines of `tryNumber`, each as JSON. */
export interface End {
  readonly task: string;
  readonly state: 'failed' | 'skipped' | 'success' | 'up_for_retry';
  readonly said: readonly RegExp[];
  readonly logged: RegExp;
  /** Default 1. */
  readonly tryNumber?: number;
}

const log = (tryNumber: number): RegExp => new RegExp(`^its log: leoflow tasks logs \\w+ manual__\\S+ \\w+ --try ${tryNumber}$`);
const NO_RETRIES = /^it is not tried again: the task has no retries$/;

/** It failed in its only try. */
const failed = (task: string, first: RegExp, logged: RegExp): End => ({ task, state: 'failed', said: [first, NO_RETRIES, log(1)], logged });
const skipped = (task: string, first: RegExp, logged: RegExp): End => ({ task, state: 'skipped', said: [first, log(1)], logged });

/** With the same words under both. */
const COMMON: readonly End[] = [
  failed('exits_hard', /^its process ended with exit status 7 before the task was done$/, /"logger":"leoflow","event":"its process ended with exit status 7/),
  failed('is_killed', /^its process was killed by SIGKILL$/, /"logger":"leoflow","event":"its process was killed by SIGKILL"/),
  failed('crashes', /^its process crashed with SIGSEGV$/, /"logger":"leoflow","event":"its process crashed with SIGSEGV"/),
  failed('exits', /^SystemExit: the task called sys\.exit\(3\)/, /exit/),
  failed('raises', /^ValueError: no such order: 7 \(endings\.py:17\)$/, /no such order: 7/),
  failed('raises_in_turn', /^KeyError: 'orders' \(endings\.py:\d+\)$/, /"is_cause":true/),
  {
    task: 'raises_twice', state: 'failed', tryNumber: 2, logged: /failure number 2/,
    said: [/^RuntimeError: failure number 2 \(endings\.py:\d+\)$/, /^it is not tried again: that was try 2 of 2$/, log(2), /^try 1 failed: RuntimeError: failure number 1 \(endings\.py:\d+\)$/],
  },
  {
    task: 'is_tried_later', state: 'up_for_retry', logged: /no such order: 9/,
    said: [/^ValueError: no such order: 9 \(endings\.py:17\)$/, /^that was try 1 of 3$/, /^tries again at \d{4}-\d\d-\d\dT/, log(1)],
  },
  { task: 'recovers', state: 'success', logged: /no such order: 10/, said: [/^it succeeded: try 2 of 2$/, /^try 1 failed: ValueError: no such order: 10 \(endings\.py:17\)$/] },
  {
    task: 'fails_for_good', state: 'failed', logged: /the order was cancelled/,
    said: [/^AirflowFailException: the order was cancelled \(endings\.py:\d+\)$/, /^it is not tried again although that was try 1 of 3: a failure of this kind is final$/, log(1)],
  },
  failed('raises_airflow', /^AirflowException: the API said no \(endings\.py:\d+\)$/, /the API said no/),
  skipped('skips', /^it skipped itself: nothing new today/, /nothing new today/),
  failed('is_too_slow', /^AirflowTaskTimeout: the task ran longer than its execution_timeout of 1 s/, /AirflowTaskTimeout/),
  failed('waits_in_vain', /^AirflowSensorTimeout: Sensor has timed out; run duration of [\d.]+ seconds exceeds the specified timeout of 0\.5\.?$/, /Sensor has timed out/),
  skipped('waits_softly', /^it skipped itself: Sensor has timed out; run duration of [\d.]+ seconds exceeds the specified timeout of 0\.5\.?$/, /Sensor has timed out/),
  { task: 'is_marked', state: 'failed', said: [/^marked failed by \w+$/, log(1)], logged: /it goes on/ },
  failed('lacks_a_variable', /^AirflowRuntimeError: Variable nobody_has_it not found \(endings\.py:\d+\)$/, /nobody_has_it/),
  failed('lacks_a_connection', /^AirflowNotFoundException: The conn_id `nobody_has_it` isn't defined \(endings\.py:\d+\)$/, /nobody_has_it/),
  failed('tells_a_secret', /^ValueError: cannot log in with \*\*\* \(endings\.py:\d+\)$/, /cannot log in with \*\*\*/),
  failed('is_misspelt', /^UndefinedError: 'nobody' is undefined, while its templates were rendered$/, /UndefinedError/),
];

/** By runtime. */
export const ENDINGS: Readonly<Record<'airflow' | 'leoflow', readonly End[]>> = {
  airflow: [
    ...COMMON,
    failed('returns_too_much', /^AirflowRuntimeError: the XCom return_value has 5002 bytes, the limit is 1000\. Store the value elsewhere .+, while its result was stored as an XCom$/, /the limit is 1000/),
    failed('returns_an_object', /^TypeError: cannot serialize object of type <class 'object'>, while its result was stored as an XCom$/, /cannot serialize/),
    failed('returns_no_number', /^AirflowRuntimeError: Out of range float values are not JSON compliant, while its result was stored as an XCom$/, /Out of range float values/),
  ],
  leoflow: [
    ...COMMON,
    failed('returns_too_much', /^XComTooLarge: the XCom 'return_value' of task 'returns_too_much' is 5002 bytes long, the limit is 1000\. Write the data to storage /, /the limit is 1000/),
    failed('returns_an_object', /^XComUnserializable: the XCom 'return_value' of task 'returns_an_object' cannot be written as JSON: cannot serialize object /, /cannot serialize/),
  ],
};

/** Of tasks that defer. */
export const DEFERRED_ENDINGS: readonly End[] = [
  failed('trigger_raises', /^its trigger endless\.Endless failed: ConnectionError: the service has gone away$/, /the service has gone away/),
  {
    task: 'trigger_raises_twice', state: 'failed', tryNumber: 2, logged: /the service has gone away/,
    said: [/^its trigger endless\.Endless failed: ConnectionError: the service has gone away$/, /^it is not tried again: that was try 2 of 2$/, log(2), /^try 1 failed: its trigger endless\.Endless failed: ConnectionError: the service has gone away$/],
  },
  failed('trigger_tells_a_secret', /^its trigger endless\.Endless failed: ConnectionError: cannot log in with \*\*\*$/, /cannot log in with \*\*\*/),
  failed('trigger_awaits_what_is_cancelled', /^its trigger endless\.Endless failed: asyncio\.exceptions\.CancelledError$/, /CancelledError/),
  failed('trigger_brings_an_error', /^AirflowException: the job failed: out of quota \(deferred_endings\.py:\d+\)$/, /out of quota/),
  failed('trigger_brings_no_number', /^its trigger endless\.Endless failed: ValueError: its event cannot be stored as JSON: Out of range float values are not JSON compliant/, /its event cannot be stored as JSON/),
  failed('trigger_ends_with_no_number', /^its trigger endless\.Endless failed: ValueError: the XCom 'ratio' that it ended with cannot be stored as JSON: Out of range float/, /the XCom 'ratio' that it ended with/),
  failed('trigger_ends_it_as_failed', /^its trigger endless\.Endless ended it as failed$/, /as DEFERRED/),
  skipped('trigger_skips_it', /^its trigger endless\.Endless skipped it$/, /as DEFERRED/),
  failed('waits_too_long', /^it was deferred for longer than its timeout of 1 s, waiting for the trigger endless\.Endless$/, /Trigger timeout/),
  failed('names_no_method', /^AttributeError: 'Defers' object has no attribute 'not_there', which it named as method_name when it deferred$/, /not_there/),
  failed('triggers_no_dag', /^AirflowRuntimeError: Dag with dag_id: 'not_there' not found$/, /Dag with dag_id: 'not_there' not found/),
];

/** Files that do not import: in the process that is kept warm, and in that of a task. */
export const BROKEN: Readonly<Record<'inForkServer' | 'inTask', End>> = {
  inForkServer: failed('never', /^the DAG file does not import: KeyError: 'EXPLAIN_NOT_SET' \(broken\.py:10\)$/, /"lineno":10/),
  inTask: failed('never', /^the DAG file does not import: RuntimeError: this file does import once \(broken_in_task\.py:\d+\)$/, /this file does import once/),
};

/** Of a task that failed while no server was there. */
export const OUTAGE: End = failed('fails_meanwhile', /^ValueError: while nobody led \(outage\.py:\d+\)$/, /while nobody led/);
