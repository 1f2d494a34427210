-- Two roles for a database of Trialogue: one that owns the tables and migrates, one that serves.
-- The one that serves has no DDL and no superpowers: whoever takes over a server cannot change what
-- its tables look like, drop them, or read anybody else's.
--
--   createdb trialogue
--   psql -d trialogue -f deploy/roles.sql
--   psql -d trialogue -c '\password trialogue_owner' -c '\password trialogue_server'
--   DATABASE_URL=postgres://trialogue_owner:…@host/trialogue trialogue migrate
--   DATABASE_URL=postgres://trialogue_server:…@host/trialogue trialogue serve --no-migrate
--
-- Run it as a role that may create roles and owns the database; again whenever you like.

do $$
begin
    if not exists (select from pg_roles where rolname = 'trialogue_owner') then
        create role trialogue_owner login;
    end if;
    if not exists (select from pg_roles where rolname = 'trialogue_server') then
        create role trialogue_server login;
    end if;
    execute format('revoke all on database %I from public', current_database());
    execute format('grant connect on database %I to trialogue_owner, trialogue_server',
        current_database());
end
$$;

revoke all on schema public from public;
grant usage, create on schema public to trialogue_owner;
grant usage on schema public to trialogue_server;

-- What a migration of the owner makes later.
alter default privileges for role trialogue_owner in schema public
    grant select, insert, update, delete on tables to trialogue_server;
alter default privileges for role trialogue_owner in schema public
    grant usage on sequences to trialogue_server;
alter default privileges for role trialogue_owner in schema public
    grant execute on functions to trialogue_server;

-- What is there already, for a database that was migrated before.
grant select, insert, update, delete on all tables in schema public to trialogue_server;
grant usage on all sequences in schema public to trialogue_server;
grant execute on all functions in schema public to trialogue_server;

-- The list of migrations is for the owner: who may write it can have a server run on tables that it
-- does not fit. (`trialogue migrate` does the same when it makes the list.)
do $$
begin
    if to_regclass('public._sqlx_migrations') is not null then
        revoke insert, update, delete on _sqlx_migrations from trialogue_server;
    end if;
end
$$;
