-- Why: a task asks people and waits for their answer (Airflow's human-in-the-loop operators); one row per try that asked.
-- Locks: none that matter, the table is new.  Compatibility: additive.

create table hitl_details (
  -- Airflow's task-instance id of the try.
  attempt_id    uuid primary key,
  run           uuid not null,
  task_id       text not null,
  map_index     int  not null,
  options       json not null,
  subject       text not null,
  body          text,
  defaults      json,
  multiple      boolean not null default false,
  params        json not null default '{}',
  -- [{"id": …, "name": …}]; empty: everybody who may answer.
  assigned_users json not null default '[]',
  created_at    timestamptz not null default clock_timestamp(),
  -- Null until somebody answers.
  responded_at  timestamptz,
  -- {"id": …, "name": …}; null when the trigger answered, with the defaults.
  responded_by  json,
  chosen_options json,
  params_input  json not null default '{}'
);
create index hitl_details_run on hitl_details (run);
