-- What begins, prolongs and ends a session. Each function is one autocommit statement and answers
-- with a verdict; a refusal is never an exception.

-- Verdicts: stored, taken.
create function register_user(
    p_email text, p_email_key text, p_password_hash text, p_first_name text, p_last_name text,
    p_role text, p_region text, p_region_key text, p_business_name text,
    p_session uuid, p_refresh_hash bytea, p_ttl interval
) returns table (verdict text, user_id bigint)
language plpgsql as $$
declare
    v_user bigint;
begin
    insert into users
        (email, email_key, password_hash, first_name, last_name, role, region, region_key,
         business_name)
    values
        (p_email, p_email_key, p_password_hash, p_first_name, p_last_name, p_role, p_region,
         p_region_key, p_business_name)
    on conflict (email_key) do nothing
    returning id into v_user;
    if v_user is null then
        return query select 'taken', null::bigint;
        return;
    end if;
    insert into sessions (id, user_id, expires_at) values (p_session, v_user, now() + p_ttl);
    insert into refresh_tokens (hash, session_id) values (p_refresh_hash, p_session);
    return query select 'stored', v_user;
end
$$;

-- Opens a session for a password that was checked against `p_checked_hash`: nothing, when that is
-- no longer the user's hash or the user was disabled meanwhile. `p_better_hash` replaces a hash
-- that was made with weaker parameters than today's.
create function open_session(
    p_user bigint, p_checked_hash text, p_better_hash text, p_session uuid, p_refresh_hash bytea,
    p_ttl interval
) returns boolean
language plpgsql as $$
begin
    update users set password_hash = coalesce(p_better_hash, password_hash)
    where id = p_user and password_hash = p_checked_hash and disabled_at is null;
    if not found then
        return false;
    end if;
    insert into sessions (id, user_id, expires_at) values (p_session, p_user, now() + p_ttl);
    insert into refresh_tokens (hash, session_id) values (p_refresh_hash, p_session);
    return true;
end
$$;

-- Exchanges a refresh token for its successor. The server derives the successor from the token
-- and a key of its own, so that a second request within the grace gets the same one, although
-- only digests are stored. Verdicts: fresh; again (within the grace); reused (after it: the
-- session is ended); refused.
create function refresh_session(p_hash bytea, p_successor_hash bytea, p_grace interval)
returns table (verdict text, session_id uuid, user_id bigint, role text, email text)
language plpgsql as $$
#variable_conflict use_column
declare
    v_used timestamptz;
begin
    -- The session's row is the lock: parallel requests with one token take turns.
    select s.id, s.user_id, u.role, u.email into session_id, user_id, role, email
    from refresh_tokens t
    join sessions s on s.id = t.session_id
    join users u on u.id = s.user_id
    where t.hash = p_hash and s.ended_at is null and s.expires_at > now() and u.disabled_at is null
    for no key update of s;
    verdict := 'refused';
    if found then
        select t.used_at into v_used from refresh_tokens t
        join sessions s on s.id = t.session_id
        where t.hash = p_hash and s.ended_at is null;
        if not found then
            verdict := 'refused';
        elsif v_used is null then
            update refresh_tokens set used_at = clock_timestamp() where hash = p_hash;
            insert into refresh_tokens (hash, session_id) values (p_successor_hash, session_id);
            verdict := 'fresh';
        elsif v_used > clock_timestamp() - p_grace
            and exists (select from refresh_tokens t where t.hash = p_successor_hash) then
            verdict := 'again';
        else
            update sessions set ended_at = clock_timestamp() where id = session_id;
            insert into endings (user_id, session_id) values (user_id, session_id);
            verdict := 'reused';
        end if;
    end if;
    return next;
end
$$;

-- Ends one session. True when it was alive.
create function end_session(p_user bigint, p_session uuid) returns boolean
language plpgsql as $$
begin
    update sessions set ended_at = clock_timestamp()
    where id = p_session and user_id = p_user and ended_at is null;
    if found then
        insert into endings (user_id, session_id) values (p_user, p_session);
    end if;
    return found;
end
$$;

-- Sets a new password for a user whose old one was checked against `p_checked_hash`, and ends
-- every other session. False when that is no longer the hash, or the session is over.
create function change_password(
    p_user bigint, p_session uuid, p_checked_hash text, p_new_hash text
) returns boolean
language plpgsql as $$
begin
    update users set password_hash = p_new_hash
    where id = p_user and password_hash = p_checked_hash and disabled_at is null
        and exists (
            select from sessions s
            where s.id = p_session and s.user_id = p_user and s.ended_at is null);
    if not found then
        return false;
    end if;
    update sessions set ended_at = clock_timestamp()
    where user_id = p_user and id <> p_session and ended_at is null;
    insert into endings (user_id, except_session) values (p_user, p_session);
    return true;
end
$$;
