-- Why: assets are known from the registration of a DAG that names them, their events make runs, and watchers bring events from outside.
-- An asset is active while a DAG names it and no other active one has its name or its URI. A queued event waits until the schedule of its DAG holds;
-- the run that takes it names it in `consumed_asset_events`. `told_id` is what a trigger host calls an event, so that telling it again changes nothing.
-- DAGs that are scheduled by partitions get a run for each key as soon as its events make the condition hold; a planned run may be for a partition too.
-- Locks: dags, assets, asset_events and dag_asset_references for a moment.  Compatibility: queued_asset_events was written by nobody and is made anew, the rest is additive.

alter table assets add column active boolean not null default false;
update assets a set active = true where not exists (select 1 from assets o where o.tenant = a.tenant and (o.name = a.name or o.uri = a.uri) and o.id < a.id);
create unique index assets_active_name on assets (tenant, name) where active;
create unique index assets_active_uri on assets (tenant, uri) where active;

alter table asset_events add column told_id uuid;
create unique index asset_events_told on asset_events (told_id) where told_id is not null;

alter table dag_asset_references add column partitioned boolean not null default false;
alter table dag_asset_references add foreign key (tenant, dag_id) references dags on delete cascade;
create index dag_asset_references_name on dag_asset_references (tenant, kind, name);
create index dag_asset_references_partitioned on dag_asset_references (tenant, dag_id) where partitioned;
create index dag_asset_references_uri on dag_asset_references (tenant, kind, uri);

-- What tasks of a DAG's current version read and write.
create table task_asset_references (
  tenant        text not null default 'default',
  dag_id        text not null,
  task_id       text not null,
  direction     text not null check (direction in ('inlet', 'outlet')),
  asset_id      bigint not null references assets on delete cascade,
  primary key (tenant, dag_id, task_id, direction, asset_id),
  foreign key (tenant, dag_id) references dags on delete cascade
);
create index task_asset_references_asset on task_asset_references (asset_id);

-- Events that a DAG has got and no run of it has taken yet. One row for each: what comes while a run is being made is left for the next.
-- Without a foreign key to dags: the commit that writes them has locked assets, which a registration locks after the DAG.
drop table queued_asset_events;
create table queued_asset_events (
  tenant        text not null default 'default',
  dag_id        text not null,
  asset_id      bigint not null references assets on delete cascade,
  event_id      bigint not null references asset_events on delete cascade,
  at            timestamptz not null,
  primary key (tenant, dag_id, asset_id, event_id)
);
create index queued_asset_events_asset on queued_asset_events (asset_id);
create index queued_asset_events_event on queued_asset_events (event_id);

-- Triggers that watch for something outside and make it an event of an asset; `kwargs` is JSON text in Airflow's serialization, `digest` of both.
create table asset_watchers (
  id            uuid primary key,
  tenant        text not null default 'default',
  dag_id        text not null,
  asset_id      bigint not null references assets on delete cascade,
  name          text not null,
  classpath     text not null,
  kwargs        text not null,
  digest        text not null,
  unique (tenant, dag_id, asset_id, digest),
  foreign key (tenant, dag_id) references dags on delete cascade
);
create index asset_watchers_asset on asset_watchers (asset_id);

-- Events of partitions by the key that the DAG's own mapper made of theirs.
create table partition_events (
  tenant        text not null default 'default',
  dag_id        text not null,
  partition_key text not null,
  asset_id      bigint not null references assets on delete cascade,
  event_id      bigint not null references asset_events on delete cascade,
  primary key (tenant, dag_id, partition_key, asset_id, event_id),
  foreign key (tenant, dag_id) references dags on delete cascade
);
create index partition_events_asset on partition_events (asset_id);
create index partition_events_event on partition_events (event_id);
alter table dags add column next_partition_key text;

-- The window of events that a run takes begins after the one before.
create index dag_runs_asset_triggered on dag_runs (tenant, dag_id, run_after desc) where run_type = 'asset_triggered';
