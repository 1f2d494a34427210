-- What is kept no longer than the operator wants. Each function removes a bounded number of rows in
-- one autocommit statement; the server calls them again while they find many.
--
-- One server at a time: others that try meanwhile find nothing to do. Rows that somebody else is
-- changing right now are left for the next time, so nobody waits for anybody here.

-- Rows lie in the order of their time, so a summary per range of pages finds the old ones, and
-- costs the statement that stores messages next to nothing.
create index notifications_by_age on notifications
    using brin (created_at) with (pages_per_range = 16, autosummarize = on);

-- Notifications older than `p_keep`, `p_most` of them at most. One of a message that was not read
-- counts as read from now on, so that the subtraction behind `unread_notifications` stays exact.
create function prune_notifications(p_keep interval, p_most integer) returns bigint
language plpgsql as $$
declare
    v_removed bigint;
begin
    if not pg_try_advisory_xact_lock(7234, 1) then
        return 0;
    end if;
    with old as (
        select n.recipient_id, n.id from notifications n
        where n.created_at < now() - p_keep
        limit p_most
        for update skip locked
    ), removed as (
        delete from notifications n using old o
        where n.recipient_id = o.recipient_id and n.id = o.id
        returning n.recipient_id, n.chat_id, n.kind, n.is_read
    ), turned as (
        update chat_members m set notices_read = m.notices_read + t.unread
        from (
            select r.recipient_id, r.chat_id, count(*) as unread from removed r
            where r.kind = 'message' and not r.is_read
            group by r.recipient_id, r.chat_id) t
        where m.chat_id = t.chat_id and m.user_id = t.recipient_id
    )
    select count(*) into v_removed from removed;
    return v_removed;
end
$$;

-- Sessions whose absolute life ended longer than `p_keep` ago, with their refresh tokens. Those of
-- a session that could still be alive stay: a used one that comes back is how a theft is found.
create function prune_sessions(p_keep interval, p_most integer) returns bigint
language plpgsql as $$
declare
    v_removed bigint;
begin
    if not pg_try_advisory_xact_lock(7234, 2) then
        return 0;
    end if;
    with old as (
        select s.id from sessions s
        where s.expires_at < now() - p_keep
        order by s.expires_at
        limit p_most
        for update skip locked
    ), removed as (
        delete from sessions s using old o where s.id = o.id returning s.id
    )
    select count(*) into v_removed from removed;
    return v_removed;
end
$$;

-- Endings that every node has heeded long ago.
create function prune_endings(p_keep interval, p_most integer) returns bigint
language sql as $$
    with old as (
        select e.id from endings e
        where e.at < now() - p_keep
        limit p_most
        for update skip locked
    ), removed as (
        delete from endings e using old o where e.id = o.id returning e.id
    )
    select count(*) from removed
$$;
