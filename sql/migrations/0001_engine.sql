-- Why: the engine's tables (design: one row per run, task instance, try and execution; history beside them).
-- The tables below task_instances carry no foreign keys: each check would cost a lock on the run's row in the hottest statement.
-- One function of the store deletes a run, from all of them.
-- Locks: none that matter, all tables are new.  Compatibility: first migration.

create table leader (
  one        boolean primary key default true check (one),
  epoch      bigint  not null default 0,
  holder     text,
  address    text,
  since      timestamptz
);
insert into leader default values;

create table dags (
  tenant          text not null default 'default',
  dag_id          text not null,
  display_name    text not null,
  description     text,
  fileloc         text not null,
  bundle          text not null default 'pushed',
  owners          text[] not null default '{}',
  tags            text[] not null default '{}',
  is_paused       boolean not null default true,
  is_stale        boolean not null default false,
  version_id      uuid,
  timetable_summary     text,
  timetable_description text,
  max_active_runs       int not null default 16,
  max_active_tasks      int not null default 16,
  max_consecutive_failed_runs int not null default 0,
  next_logical_date     timestamptz,
  next_interval_start   timestamptz,
  next_interval_end     timestamptz,
  next_run_after        timestamptz,
  last_registered       timestamptz not null default now(),
  parse_ms              double precision,
  created_at            timestamptz not null default now(),
  primary key (tenant, dag_id)
);
-- The schedule duty asks for due DAGs; a paused or unscheduled one is not in the index.
create index dags_due on dags (next_run_after) where not is_paused and not is_stale and next_run_after is not null;

create table dag_versions (
  id          uuid primary key,
  tenant      text not null default 'default',
  dag_id      text not null,
  number      int  not null,
  hash        text not null,
  spec        json not null,
  runtime     text not null,
  image       text,
  created_at  timestamptz not null default now(),
  unique (tenant, dag_id, number),
  unique (tenant, dag_id, hash),
  foreign key (tenant, dag_id) references dags on delete cascade
);
alter table dags add foreign key (version_id) references dag_versions (id) on delete set null deferrable initially deferred;

-- Source files by content; a version names its files by digest.
create table dag_sources (
  sha256   text primary key,
  content  bytea not null,
  created_at timestamptz not null default now()
);

create table dag_runs (
  id            uuid primary key,
  tenant        text not null default 'default',
  dag_id        text not null,
  run_id        text not null,
  run_type      text not null,
  state         text not null check (state in ('queued', 'running', 'success', 'failed')),
  finished      boolean not null default false,
  version_id    uuid not null references dag_versions (id),
  logical_date  timestamptz,
  data_interval_start timestamptz,
  data_interval_end   timestamptz,
  run_after     timestamptz not null,
  queued_at     timestamptz not null default clock_timestamp(),
  start_date    timestamptz,
  end_date      timestamptz,
  conf          json not null default '{}',
  triggered_by  text not null,
  triggering_user text,
  note          text,
  partition_key text,
  clear_number  int not null default 0,
  -- The epoch of the leader that decided last, null before the first decision (its task instances do not exist yet).
  epoch         bigint,
  last_decision timestamptz,
  updated_at    timestamptz not null default clock_timestamp(),
  unique (tenant, dag_id, run_id),
  foreign key (tenant, dag_id) references dags on delete cascade,
  check (finished = (state in ('success', 'failed')))
) with (fillfactor = 80);
create unique index dag_runs_logical_date on dag_runs (tenant, dag_id, logical_date) where logical_date is not null;
create index dag_runs_unfinished on dag_runs (tenant, dag_id, run_after) where not finished;
create index dag_runs_recent on dag_runs (tenant, dag_id, run_after desc, id desc);

-- One row per (run, task, map index): where it stands now. Small and hot.
create table task_instances (
  run           uuid not null references dag_runs (id) on delete cascade,
  task_id       text not null,
  map_index     int  not null default -1,
  state         text,
  finished      boolean not null default false,
  attempt_id    uuid,
  execution_id  uuid,
  try_number    int not null default 0,
  max_tries     int not null default 0,
  infra_failures int not null default 0,
  operator      text,
  pool          text not null default 'default_pool',
  pool_slots    int not null default 1,
  queue         text not null default 'default',
  priority_weight int not null default 1,
  scheduled_at  timestamptz,
  queued_at     timestamptz,
  start_date    timestamptz,
  end_date      timestamptz,
  -- When a retry or reschedule may start.
  wake_at       timestamptz,
  -- Airflow's skipmixin_key of this task: {"followed":[…]} or {"skipped":[…]}.
  skips         json,
  cause         text,
  reason        text,
  hostname      text,
  pid           int,
  note          text,
  rendered_map_index text,
  updated_at    timestamptz not null default clock_timestamp(),
  primary key (run, task_id, map_index)
) with (fillfactor = 70);
-- No further index on purpose: a move changes no indexed column, so it stays in its page (HOT).

-- One row per try. `id` is Airflow's task-instance id.
create table task_attempts (
  id            uuid primary key,
  run           uuid not null,
  task_id       text not null,
  map_index     int  not null,
  try_number    int  not null,
  state         text,
  start_date    timestamptz,
  end_date      timestamptz,
  cause         text,
  error         json,
  rendered_fields json,
  hostname      text,
  pid           int,
  scheduled_at  timestamptz,
  queued_at     timestamptz,
  created_at    timestamptz not null default clock_timestamp()
) with (fillfactor = 80);
create index task_attempts_instance on task_attempts (run, task_id, map_index, try_number);

-- One row per launch of a try. The token and every fence name it.
create table executions (
  id            uuid primary key,
  attempt_id    uuid not null,
  run           uuid not null,
  state         text not null,
  ended         boolean not null default false,
  executor      text not null,
  host          text,
  handle        text,
  pid           int,
  token_hash    bytea,
  created_at    timestamptz not null default clock_timestamp(),
  started_at    timestamptz,
  ended_at      timestamptz,
  heartbeat_at  timestamptz,
  exit_code     int,
  signal        int,
  cause         text
) with (fillfactor = 80);
create index executions_attempt on executions (attempt_id);
create index executions_live on executions (run) where not ended;

-- Append-only history of moves; the state column is its cache.
create table attempt_events (
  id            bigint generated always as identity primary key,
  run           uuid not null,
  task_id       text not null,
  map_index     int  not null,
  attempt_id    uuid,
  execution_id  uuid,
  from_state    text,
  to_state      text,
  epoch         bigint,
  cause         text,
  detail        text,
  at            timestamptz not null default clock_timestamp()
);
create index attempt_events_instance on attempt_events (run, task_id, map_index, id);

create table xcoms (
  run           uuid not null,
  task_id       text not null,
  map_index     int  not null,
  key           text not null,
  attempt_id    uuid,
  sha256        bytea not null,
  size_bytes    int not null,
  mapped_length int,
  store         text not null default 'postgres',
  expires_at    timestamptz,
  created_at    timestamptz not null default clock_timestamp(),
  primary key (run, task_id, key, map_index)
);
create table xcom_values (
  run           uuid not null,
  task_id       text not null,
  map_index     int  not null,
  key           text not null,
  value         bytea not null,
  primary key (run, task_id, key, map_index)
);
alter table xcom_values alter column value set storage external;

create table pools (
  tenant        text not null default 'default',
  name          text not null,
  slots         int  not null check (slots >= -1),
  description   text,
  include_deferred boolean not null default false,
  primary key (tenant, name)
);
insert into pools (name, slots, description) values ('default_pool', 128, 'Default pool');

create table users (
  tenant        text not null default 'default',
  username      text not null,
  password_hash text not null,
  role          text not null check (role in ('viewer', 'user', 'op', 'admin')),
  created_at    timestamptz not null default now(),
  primary key (tenant, username)
);
create table login_failures (
  subject       text not null,
  at            timestamptz not null default clock_timestamp()
);
create index login_failures_subject on login_failures (subject, at);
-- Secrets that all servers share, made once: the key that signs tokens.
create table server_secrets (
  name          text primary key,
  value         bytea not null,
  created_at    timestamptz not null default now()
);

create table import_errors (
  id            bigint generated always as identity primary key,
  tenant        text not null default 'default',
  bundle        text not null,
  filename      text not null,
  stack_trace   text not null,
  at            timestamptz not null default clock_timestamp(),
  unique (tenant, bundle, filename)
);

create table audit_log (
  id            bigint generated always as identity primary key,
  tenant        text not null default 'default',
  at            timestamptz not null default clock_timestamp(),
  event         text not null,
  owner         text,
  dag_id        text,
  task_id       text,
  run_id        text,
  map_index     int,
  try_number    int,
  extra         text
);
create index audit_log_at on audit_log (at desc, id desc);
