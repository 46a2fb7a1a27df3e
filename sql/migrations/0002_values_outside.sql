-- Why: the bytes of an XCom may lie outside PostgreSQL, in Redis.
-- Its row says under which name (null: in xcom_values); `store` stays the word for it. Names that no row holds any more are written down in the same transaction, whoever deletes or replaces the row (a retry,
-- a deleted run, pruning): the leader removes the bytes after the commit. `installation` keeps several databases apart in one Redis.
-- Locks: xcoms and leader for a moment each (columns without a rewrite of xcoms); one partial index on xcoms, empty so far: one scan.
-- Compatibility: additive; rows written before stay as they are and are read from xcom_values.

alter table xcoms add column location text;
alter table leader add column installation uuid not null default gen_random_uuid();

create table dead_values (
  location   text primary key,
  at         timestamptz not null default clock_timestamp()
);

-- Bytes in PostgreSQL whose time is over; the column was never written before.
create index xcoms_expiring on xcoms (expires_at) where expires_at is not null and store = 'postgres';

create function leave_value() returns trigger language plpgsql as $$
begin
  if old.location is not null then
    insert into dead_values (location) values (old.location) on conflict do nothing;
  else
    delete from xcom_values v where v.run = old.run and v.task_id = old.task_id and v.key = old.key and v.map_index = old.map_index;
  end if;
  return null;
end $$;

create trigger xcoms_deleted after delete on xcoms for each row when (old.location is not null) execute function leave_value();
create trigger xcoms_moved after update of location on xcoms for each row when (old.location is distinct from new.location) execute function leave_value();
