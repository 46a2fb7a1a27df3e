-- Why: callbacks that no task's process can make (of DAGs, of tasks whose process is gone, e-mails, missed deadlines) are written in the commit that causes them and made by the leader afterwards.
-- Locks: none that matter, both tables are new.  Compatibility: additive.

create table callbacks (
  id            uuid primary key,
  run           uuid not null,
  version_id    uuid not null,
  kind          text not null check (kind in ('dag', 'task', 'email', 'deadline')),
  -- The task instance that it is about, as it was; of a DAG's the one that Airflow names in its context. Null: none.
  task_id       text,
  map_index     int not null default -1,
  attempt_id    uuid,
  execution_id  uuid,
  try_number    int not null default 0,
  max_tries     int not null default 0,
  -- What its kind says besides: reason, state, the callback of a deadline.
  request       json not null,
  state         text not null default 'pending' check (state in ('pending', 'begun', 'done', 'failed')),
  attempts      int not null default 0,
  -- When it is to be begun, or begun again because nobody has answered; null: it is over.
  due_at        timestamptz,
  error         text,
  created_at    timestamptz not null,
  ended_at      timestamptz
) with (fillfactor = 80);
create index callbacks_due on callbacks (due_at) where due_at is not null;
create index callbacks_run on callbacks (run);

-- Deadlines of runs; one that is met is deleted.
create table deadlines (
  id            uuid primary key,
  run           uuid not null,
  reference     text not null,
  interval_seconds float8 not null,
  -- As the Task SDK has serialized it.
  callback      json not null,
  deadline_at   timestamptz not null,
  missed        boolean not null default false,
  created_at    timestamptz not null
) with (fillfactor = 80);
create index deadlines_due on deadlines (deadline_at) where not missed;
create index deadlines_run on deadlines (run);
