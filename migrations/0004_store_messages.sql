-- The statement behind `send_message`: CONTRACT §3, promises 1, 2, 3, 5 and 6 in one function.
--
-- It takes a batch, so that one commit pays for many messages, and answers every message by
-- itself: one that is refused never fails its neighbours. Called as a single autocommit
-- statement.
--
-- Two statements inside, because under READ COMMITTED each one sees what was committed before it
-- began: the first takes the locks, the second then sees every row that the lock waited for. All
-- that decides (membership, closed, earlier keys, `last_seq`) is read by the second one, under
-- the lock; whoever changes a membership or closes a chat takes the same lock.
--
-- Locks are taken in the order of the chats' ids, so two batches cannot wait for each other. Only
-- chats in which the sender is a member are locked: a stranger can hold up nobody.
--
-- Without `p_wait`, chats that somebody else holds are left out and answered `busy`; the server
-- asks again for those alone, with `p_wait`, so that one locked chat stalls no other.
--
-- Verdicts: stored, duplicate, conflict (same key, other content), closed, denied, busy.

create function store_messages(
    p_chat   uuid[],
    p_sender bigint[],
    p_key    text[],
    p_type   text[],
    p_body   text[],
    p_id     uuid[],
    -- Ids for the notifications, two per message: a chat has three members.
    p_notice uuid[],
    p_wait   boolean
) returns table (
    n            integer,
    verdict      text,
    id           uuid,
    seq          bigint,
    created_at   timestamptz,
    sender_role  text,
    sender_name  text,
    recipients   bigint[],
    notices      uuid[]
)
language plpgsql
-- The batch is small and every table is reached by key. A plan that was made when the tables were
-- empty must not scan them when they are full.
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set enable_bitmapscan = off
set jit = off
as $$
#variable_conflict use_column
declare
    v_held uuid[];
    v_now  timestamptz;
begin
    if p_wait then
        select array_agg(l.id) into v_held from (
            select c.id from chats c
            where c.id in (
                select m.chat_id from unnest(p_chat, p_sender) as i (chat_id, sender_id)
                join chat_members m on m.chat_id = i.chat_id and m.user_id = i.sender_id
                where m.removed_at is null)
            order by c.id for no key update of c) l;
    else
        select array_agg(l.id) into v_held from (
            select c.id from chats c
            where c.id in (
                select m.chat_id from unnest(p_chat, p_sender) as i (chat_id, sender_id)
                join chat_members m on m.chat_id = i.chat_id and m.user_id = i.sender_id
                where m.removed_at is null)
            order by c.id for no key update of c skip locked) l;
    end if;
    v_now := clock_timestamp();

    return query
    with input as materialized (
        select i.*,
               -- A second message with the key of an earlier one in this batch must see that
               -- one's row, so it has to come back.
               i.key is not null and row_number() over (
                   partition by i.chat_id, i.sender_id, i.key order by i.n) > 1 as twin
        from unnest(p_chat, p_sender, p_key, p_type, p_body, p_id) with ordinality
             as i (chat_id, sender_id, key, type, body, id, n)
    ), judged as materialized (
        select i.*, m.role, u.name, c.last_seq,
               p.id as known_id, p.seq as known_seq, p.created_at as known_at,
               case
                   when u.id is null or c.id is null then 'denied'
                   when i.twin or not i.chat_id = any(coalesce(v_held, '{}')) then 'busy'
                   when p.id is not null then
                       case when p.body = i.body and p.message_type = i.type
                            then 'duplicate' else 'conflict' end
                   when c.closed then 'closed'
                   else 'stored'
               end as verdict
        from input i
        left join chat_members m
            on m.chat_id = i.chat_id and m.user_id = i.sender_id and m.removed_at is null
        left join users u on u.id = m.user_id and u.disabled_at is null
        left join chats c on c.id = m.chat_id
        left join messages p
            on p.chat_id = i.chat_id and p.sender_id = i.sender_id and p.client_message_id = i.key
    ), placed as materialized (
        select j.*,
               j.last_seq + count(*) filter (where j.verdict = 'stored') over (
                   partition by j.chat_id order by j.n) as new_seq,
               t.recipients,
               -- The ids that came along, and more should a chat ever have more than three
               -- members.
               p_notice[2 * j.n - 1 : 2 * j.n] || array(
                   select uuid_v7()
                   from generate_series(3, cardinality(t.recipients))) as notices
        from judged j
        left join lateral (
            select array_agg(o.user_id order by o.user_id) as recipients
            from chat_members o
            where o.chat_id = j.chat_id and o.removed_at is null and o.user_id <> j.sender_id
        ) t on j.verdict = 'stored'
    ), inserted as (
        insert into messages
            (chat_id, seq, id, sender_id, client_message_id, message_type, body, created_at)
        select f.chat_id, f.new_seq, f.id, f.sender_id, f.key, f.type, f.body, v_now
        from placed f where f.verdict = 'stored' order by f.chat_id, f.new_seq
    ), moved as (
        update chats c
        set last_seq = f.top,
            active_at = v_now,
            said_customer = c.said_customer + f.customer,
            said_provider = c.said_provider + f.provider,
            said_lsm = c.said_lsm + f.lsm
        from (
            select g.chat_id, max(g.new_seq) as top,
                   count(*) filter (where g.role = 'customer') as customer,
                   count(*) filter (where g.role = 'service_provider') as provider,
                   count(*) filter (where g.role = 'local_service_manager') as lsm
            from placed g where g.verdict = 'stored' group by g.chat_id) f
        where c.id = f.chat_id
    ), noted as (
        insert into notifications (recipient_id, id, kind, chat_id, seq, created_at)
        select t.user_id, t.notice, 'message', f.chat_id, f.new_seq, v_now
        from placed f
        cross join lateral unnest(
            f.recipients, f.notices[1 : cardinality(f.recipients)]) as t (user_id, notice)
        where f.verdict = 'stored'
    )
    select f.n::integer, f.verdict,
           coalesce(f.known_id, f.id),
           coalesce(f.known_seq, f.new_seq),
           coalesce(f.known_at, v_now),
           f.role, f.name, f.recipients, f.notices
    from placed f order by f.n;
end
$$;
