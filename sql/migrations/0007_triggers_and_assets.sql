-- Why: deferrable tasks wait for triggers without a process, tasks tell of assets that they updated, and processes that speak the Task Execution API say themselves where they run.
-- A trigger's row lives from the deferral until the execution that goes on after it has ended: with the event it is `resumed`, and its next_method and next_kwargs are what is called.
-- Texts of triggers are kept as they came: they are JSON in the Task SDK's own serialization. `consumed_asset_events`, `dag_asset_references` and `queued_asset_events` are for runs that assets trigger.
-- Locks: executions for a moment (columns without a default); all tables are new.  Compatibility: additive.

create table triggers (
  id            uuid primary key,
  run           uuid not null,
  task_id       text not null,
  map_index     int  not null,
  attempt_id    uuid not null,
  -- The execution that deferred; null when the task deferred before any.
  execution_id  uuid,
  classpath     text not null,
  kwargs        text not null,
  next_method   text not null,
  next_kwargs   text not null,
  queue         text,
  resumed       boolean not null default false,
  timeout_at    timestamptz,
  created_at    timestamptz not null,
  -- The process that said last that it runs it, for people.
  host_pid      int
) with (fillfactor = 80);
create index triggers_run on triggers (run);

-- The process of an execution as it named itself when it began; null for our own agents, which are known by their sockets.
alter table executions add column process_host text;
alter table executions add column process_user text;
alter table executions add column process_pid int;

create table assets (
  id            bigint generated always as identity primary key,
  tenant        text not null default 'default',
  name          text not null,
  uri           text not null,
  asset_group   text not null default 'asset',
  extra         json not null default '{}',
  created_at    timestamptz not null default clock_timestamp(),
  updated_at    timestamptz not null default clock_timestamp(),
  unique (tenant, name, uri)
) with (fillfactor = 80);
create index assets_uri on assets (tenant, uri);

create table asset_aliases (
  id            bigint generated always as identity primary key,
  tenant        text not null default 'default',
  name          text not null,
  alias_group   text not null default 'asset',
  updated_at    timestamptz not null default clock_timestamp(),
  unique (tenant, name)
) with (fillfactor = 80);

-- Assets that tasks have given to an alias.
create table asset_alias_assets (
  alias_id      bigint not null references asset_aliases on delete cascade,
  asset_id      bigint not null references assets on delete cascade,
  primary key (alias_id, asset_id)
);

-- The source stays when its run is deleted: whoever looks at the asset still sees who updated it.
create table asset_events (
  id            bigint generated always as identity primary key,
  asset_id      bigint not null references assets on delete cascade,
  extra         json not null default '{}',
  -- Names of the aliases through which the task updated it.
  aliases       text[] not null default '{}',
  source_dag_id text,
  source_run_id text,
  source_task_id text,
  source_map_index int not null default -1,
  source_try    int,
  partition_key text,
  at            timestamptz not null
);
create index asset_events_asset on asset_events (asset_id, at, id);
create index asset_events_aliases on asset_events using gin (aliases);

-- What a DAG's schedule waits for; asset_id is null for a name or a URI that no asset has yet.
create table dag_asset_references (
  tenant        text not null default 'default',
  dag_id        text not null,
  kind          text not null check (kind in ('asset', 'alias', 'name', 'uri')),
  -- Name of the alias, name, or URI; of an asset its name and URI.
  name          text not null default '',
  uri           text not null default '',
  asset_id      bigint references assets on delete cascade,
  primary key (tenant, dag_id, kind, name, uri)
);
create index dag_asset_references_asset on dag_asset_references (asset_id);

-- Events that a DAG waiting for several assets has got so far.
create table queued_asset_events (
  tenant        text not null default 'default',
  dag_id        text not null,
  asset_id      bigint not null references assets on delete cascade,
  created_at    timestamptz not null default clock_timestamp(),
  primary key (tenant, dag_id, asset_id)
);
create index queued_asset_events_asset on queued_asset_events (asset_id);

-- The events that a run was made for.
create table consumed_asset_events (
  run           uuid not null,
  event_id      bigint not null references asset_events on delete cascade,
  primary key (run, event_id)
);
create index consumed_asset_events_event on consumed_asset_events (event_id);
