// Column types of every table, for Kysely. Written beside sql/migrations; test/house compares the two.
import type { ColumnType, Generated } from 'kysely';

type Time = ColumnType<Date, Date | string, Date | string>;
type TimeOrNull = ColumnType<Date | null, Date | string | null | undefined, Date | string | null>;
/** May be left out when written; what a `Time` reads and takes stays as it is. */
type Defaulted<T> = [T] extends [ColumnType<infer S, infer I, infer U>] ? ColumnType<S, I | undefined, U> : Generated<T>;
/** `json` columns are read as values and written as text. `Json` has a default in the database, `NeededJson` has none. */
type NeededJson = ColumnType<unknown, string, string>;
type Json = ColumnType<unknown, string | undefined, string>;
type JsonOrNull = ColumnType<unknown, string | null | undefined, string | null>;

/** Every table by name. `tenant` has a default everywhere: one tenant is all there is yet. */
export interface Tables {
  leader: { one: Generated<boolean>; epoch: Generated<number>; holder: string | null; address: string | null; since: TimeOrNull; installation: Generated<string> };
  dags: {
    tenant: Defaulted<string>; dag_id: string; display_name: string; description: string | null; fileloc: string; bundle: Defaulted<string>;
    owners: Defaulted<string[]>; tags: Defaulted<string[]>; is_paused: Defaulted<boolean>; is_stale: Defaulted<boolean>; version_id: string | null;
    timetable_summary: string | null; timetable_description: string | null; max_active_runs: Defaulted<number>; max_active_tasks: Defaulted<number>;
    max_consecutive_failed_runs: Defaulted<number>; next_logical_date: TimeOrNull; next_interval_start: TimeOrNull; next_interval_end: TimeOrNull;
    next_run_after: TimeOrNull; next_partition_key: string | null; last_registered: Defaulted<Time>; parse_ms: number | null; created_at: Defaulted<Time>;
  };
  dag_versions: {
    id: string; tenant: Defaulted<string>; dag_id: string; number: number; hash: string; spec: NeededJson; runtime: string; image: string | null; created_at: Defaulted<Time>;
  };
  dag_sources: { sha256: string; content: Buffer; created_at: Defaulted<Time> };
  dag_runs: {
    id: string; tenant: Defaulted<string>; dag_id: string; run_id: string; run_type: string; state: string; finished: Defaulted<boolean>; version_id: string;
    logical_date: TimeOrNull; data_interval_start: TimeOrNull; data_interval_end: TimeOrNull; run_after: Time; queued_at: Defaulted<Time>;
    start_date: TimeOrNull; end_date: TimeOrNull; conf: Json; triggered_by: string; triggering_user: string | null; note: string | null;
    partition_key: string | null; clear_number: Defaulted<number>; action_number: Defaulted<number>; epoch: number | null; last_decision: TimeOrNull; updated_at: Defaulted<Time>;
  };
  task_instances: {
    run: string; task_id: string; map_index: Defaulted<number>; state: string | null; finished: Defaulted<boolean>; attempt_id: string | null;
    execution_id: string | null; try_number: Defaulted<number>; max_tries: Defaulted<number>; infra_failures: Defaulted<number>; operator: string | null;
    pool: Defaulted<string>; pool_slots: Defaulted<number>; queue: Defaulted<string>; priority_weight: Defaulted<number>; scheduled_at: TimeOrNull;
    queued_at: TimeOrNull; start_date: TimeOrNull; end_date: TimeOrNull; wake_at: TimeOrNull; skips: JsonOrNull; cause: string | null; reason: string | null;
    hostname: string | null; pid: number | null; note: string | null; rendered_map_index: string | null; updated_at: Defaulted<Time>;
  };
  task_attempts: {
    id: string; run: string; task_id: string; map_index: number; try_number: number; state: string | null; start_date: TimeOrNull; end_date: TimeOrNull;
    cause: string | null; error: JsonOrNull; rendered_fields: JsonOrNull; hostname: string | null; pid: number | null; scheduled_at: TimeOrNull;
    queued_at: TimeOrNull; created_at: Defaulted<Time>;
  };
  executions: {
    id: string; attempt_id: string; run: string; state: string; ended: Defaulted<boolean>; executor: string; host: string | null; handle: string | null;
    pid: number | null; token_hash: Buffer | null; created_at: Defaulted<Time>; started_at: TimeOrNull; ended_at: TimeOrNull; heartbeat_at: TimeOrNull;
    exit_code: number | null; signal: number | null; cause: string | null; process_host: string | null; process_user: string | null; process_pid: number | null;
  };
  triggers: {
    id: string; run: string; task_id: string; map_index: number; attempt_id: string; execution_id: string | null; classpath: string; kwargs: string; next_method: string;
    next_kwargs: string; queue: string | null; resumed: Defaulted<boolean>; timeout_at: TimeOrNull; created_at: Time; host_pid: number | null; hosts: Defaulted<number>;
  };
  callbacks: {
    id: string; run: string; version_id: string; kind: string; task_id: string | null; map_index: Defaulted<number>; attempt_id: string | null; execution_id: string | null;
    try_number: Defaulted<number>; max_tries: Defaulted<number>; request: NeededJson; state: Defaulted<string>; attempts: Defaulted<number>; due_at: TimeOrNull; error: string | null;
    created_at: Time; ended_at: TimeOrNull;
  };
  deadlines: {
    id: string; run: string; reference: string; interval_seconds: number; callback: NeededJson; deadline_at: Time; missed: Defaulted<boolean>; created_at: Time;
  };
  assets: {
    id: Generated<number>; tenant: Defaulted<string>; name: string; uri: string; asset_group: Defaulted<string>; extra: Json; created_at: Defaulted<Time>; updated_at: Defaulted<Time>;
    active: Defaulted<boolean>;
  };
  asset_aliases: { id: Generated<number>; tenant: Defaulted<string>; name: string; alias_group: Defaulted<string>; updated_at: Defaulted<Time> };
  asset_alias_assets: { alias_id: number; asset_id: number };
  asset_events: {
    id: Generated<number>; asset_id: number; extra: Json; aliases: Defaulted<string[]>; source_dag_id: string | null; source_run_id: string | null; source_task_id: string | null;
    source_map_index: Defaulted<number>; source_try: number | null; partition_key: string | null; at: Time; told_id: string | null;
  };
  dag_asset_references: { tenant: Defaulted<string>; dag_id: string; kind: string; name: Defaulted<string>; uri: Defaulted<string>; asset_id: number | null; partitioned: Defaulted<boolean> };
  task_asset_references: { tenant: Defaulted<string>; dag_id: string; task_id: string; direction: string; asset_id: number };
  queued_asset_events: { tenant: Defaulted<string>; dag_id: string; asset_id: number; event_id: number; at: Time };
  partition_events: { tenant: Defaulted<string>; dag_id: string; partition_key: string; asset_id: number; event_id: number };
  asset_watchers: { id: string; tenant: Defaulted<string>; dag_id: string; asset_id: number; name: string; classpath: string; kwargs: string; digest: string };
  consumed_asset_events: { run: string; event_id: number };
  hitl_details: {
    attempt_id: string; run: string; task_id: string; map_index: number; options: NeededJson; subject: string; body: string | null; defaults: JsonOrNull; multiple: Defaulted<boolean>;
    params: Json; assigned_users: Json; created_at: Defaulted<Time>; responded_at: TimeOrNull; responded_by: JsonOrNull; chosen_options: JsonOrNull; params_input: Json;
  };
  attempt_events: {
    id: Generated<number>; run: string; task_id: string; map_index: number; attempt_id: string | null; execution_id: string | null; from_state: string | null;
    to_state: string | null; epoch: number | null; cause: string | null; detail: string | null; at: Defaulted<Time>;
  };
  xcoms: {
    run: string; task_id: string; map_index: number; key: string; attempt_id: string | null; sha256: Buffer; size_bytes: number; mapped_length: number | null;
    store: Defaulted<string>; location: string | null; expires_at: TimeOrNull; created_at: Defaulted<Time>;
  };
  dead_values: { location: string; at: Defaulted<Time> };
  xcom_values: { run: string; task_id: string; map_index: number; key: string; value: Buffer };
  pools: { tenant: Defaulted<string>; name: string; slots: number; description: string | null; include_deferred: Defaulted<boolean> };
  users: { tenant: Defaulted<string>; username: string; password_hash: string; role: string; created_at: Defaulted<Time> };
  login_failures: { subject: string; at: Defaulted<Time> };
  server_secrets: { name: string; value: Buffer; created_at: Defaulted<Time> };
  secret_keys: { key_id: string; is_current: Defaulted<boolean>; check_value: Buffer; created_at: Defaulted<Time> };
  variables: { id: Generated<number>; tenant: Defaulted<string>; key: string; value: Buffer | null; description: string | null; updated_at: Defaulted<Time> };
  connections: {
    id: Generated<number>; tenant: Defaulted<string>; conn_id: string; conn_type: string; description: string | null; host: string | null; schema: string | null;
    login: string | null; password: Buffer | null; port: number | null; extra: Buffer | null; updated_at: Defaulted<Time>;
  };
  import_errors: { id: Generated<number>; tenant: Defaulted<string>; bundle: string; filename: string; stack_trace: string; at: Defaulted<Time> };
  audit_log: {
    id: Generated<number>; tenant: Defaulted<string>; at: Defaulted<Time>; event: string; owner: string | null; dag_id: string | null; task_id: string | null;
    run_id: string | null; map_index: number | null; try_number: number | null; extra: string | null;
  };
}
