-- Why: variables and connections, encrypted at rest.
-- `value`, `password` and `extra` are ciphertexts that carry the id of their key (bytes 2 to 9) and are bound to their row's name and field. `secret_keys` says which keys this database's rows may be under:
-- a server that lacks the current one writes nothing. A value whose key was lost and given up is null.
-- Locks: none on older tables.  Compatibility: additive.

create table secret_keys (
  key_id       text primary key,
  is_current   boolean not null default false,
  -- Sealed with the key: shows that a key of this id is the key.
  check_value  bytea not null,
  created_at   timestamptz not null default clock_timestamp()
);
create unique index secret_keys_current on secret_keys (is_current) where is_current;

create table variables (
  id           bigint generated always as identity primary key,
  tenant       text not null default 'default',
  key          text not null,
  value        bytea,
  description  text,
  updated_at   timestamptz not null default clock_timestamp(),
  constraint variables_key unique (tenant, key)
);

create table connections (
  id           bigint generated always as identity primary key,
  tenant       text not null default 'default',
  conn_id      text not null,
  conn_type    text not null,
  description  text,
  host         text,
  schema       text,
  login        text,
  password     bytea,
  port         integer,
  extra        bytea,
  updated_at   timestamptz not null default clock_timestamp(),
  constraint connections_conn_id unique (tenant, conn_id)
);
