-- People, their sessions and what ended (CONTRACT §1, RELIABILITY §2.12).
--
-- A migration that has been released is never edited: sqlx refuses a database whose history
-- differs. Functions that change get a new migration, and a new name when their arguments change,
-- so that a server of the version before can go on while the next one starts.

create table users (
    id            bigint generated always as identity primary key,
    -- As typed at registration; shown to its owner alone.
    email         text not null,
    -- The form that is compared: trimmed and in lower case, made by the server, so that the rule
    -- does not depend on the collation of the database.
    email_key     text not null constraint users_email_key unique,
    -- PHC string of argon2id.
    password_hash text not null,
    first_name    text not null,
    last_name     text not null,
    name          text not null generated always as (first_name || ' ' || last_name) stored,
    role          text not null
                  check (role in ('customer', 'service_provider', 'local_service_manager')),
    region        text,
    -- The form in which regions are compared; null matches null.
    region_key    text,
    business_name text,
    -- When the last socket went; null before the first one.
    last_seen_at  timestamptz,
    disabled_at   timestamptz,
    created_at    timestamptz not null default now()
);

-- Who can be called to a dispute.
create index users_lsm on users (region_key, id)
    where role = 'local_service_manager' and disabled_at is null;
-- Who can be booked.
create index users_provider on users (id)
    where role = 'service_provider' and disabled_at is null;

-- A session is a refresh family: it begins with a login, its id is the `sid` of every access
-- token, and it ends once.
create table sessions (
    id         uuid primary key,
    user_id    bigint not null references users,
    created_at timestamptz not null default now(),
    -- Absolute: refreshing does not move it.
    expires_at timestamptz not null,
    ended_at   timestamptz
);
create index sessions_of_user on sessions (user_id) where ended_at is null;
create index sessions_by_expiry on sessions (expires_at);

-- Only digests: a stolen backup opens no session.
create table refresh_tokens (
    -- SHA-256 of the token.
    hash       bytea primary key,
    session_id uuid not null references sessions on delete cascade,
    created_at timestamptz not null default now(),
    -- When it was exchanged for its successor.
    used_at    timestamptz
);
create index refresh_tokens_of_session on refresh_tokens (session_id);

-- What other nodes must hear of within 2 s even when no notification reaches them: ended
-- sessions, and members put out of a chat. Read by time, never by id: ids do not rise in the
-- order of commit.
create table endings (
    id             bigint generated always as identity primary key,
    at             timestamptz not null default clock_timestamp(),
    user_id        bigint not null,
    -- This session; every session of the user when null and `chat_id` is null too.
    session_id     uuid,
    -- All but this one.
    except_session uuid,
    -- The user is no longer in this chat.
    chat_id        uuid
);
create index endings_by_time on endings (at);
