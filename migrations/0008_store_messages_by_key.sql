-- `store_messages` again, the same promises for less: CONTRACT §3, promises 1, 2, 3, 5 and 6 in one
-- function. What 0004 says of its locks, its two statements and its verdicts holds here as well.
--
-- New is how rows are reached. Plain joins leave the way to the planner, which read a whole index
-- of memberships for each batch as long as that index was small, and compared every message with
-- every row of it. A lateral subquery with its own `limit` or aggregate can only be done one way:
-- by key, once per message. Members are read once and give the sender's role and the recipients.
-- Functions that return sets stand in the select list, where each costs no store of its own.
--
-- The caller sees to it that a key comes only once in a batch (a second one would find the unique
-- index, and the whole batch would be refused); it may want the verdicts in any order, so `n` says
-- which message each one is of.

create or replace function store_messages(
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
-- A plan that was made when the tables were empty must not scan them when they are full.
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set enable_material = off
set enable_bitmapscan = off
as $$
#variable_conflict use_column
declare
    v_held uuid[];
    v_now  timestamptz;
begin
    if p_wait then
        select array_agg(l.id) into v_held from (
            select c.id
            from (select distinct i.chat_id
                  from unnest(p_chat, p_sender) as i (chat_id, sender_id)
                  cross join lateral (
                      select from chat_members m
                      where m.chat_id = i.chat_id and m.user_id = i.sender_id
                        and m.removed_at is null
                      limit 1) m) i
            join chats c on c.id = i.chat_id
            order by c.id for no key update of c) l;
    else
        select array_agg(l.id) into v_held from (
            select c.id
            from (select distinct i.chat_id
                  from unnest(p_chat, p_sender) as i (chat_id, sender_id)
                  cross join lateral (
                      select from chat_members m
                      where m.chat_id = i.chat_id and m.user_id = i.sender_id
                        and m.removed_at is null
                      limit 1) m) i
            join chats c on c.id = i.chat_id
            order by c.id for no key update of c skip locked) l;
    end if;
    v_held := coalesce(v_held, '{}');
    v_now := clock_timestamp();

    return query
    with judged as materialized (
        select i.*, m.role, m.recipients, u.name, c.last_seq,
               p.id as known_id, p.seq as known_seq, p.created_at as known_at,
               case
                   when m.role is null or u.name is null or c.last_seq is null then 'denied'
                   -- The locked ones are in order, so they are searched by halves.
                   when v_held[width_bucket(i.chat_id, v_held)] is distinct from i.chat_id
                       then 'busy'
                   when p.id is not null then
                       case when p.body = i.body and p.message_type = i.type
                            then 'duplicate' else 'conflict' end
                   when c.closed then 'closed'
                   else 'stored'
               end as verdict
        from unnest(p_chat, p_sender, p_key, p_type, p_body, p_id) with ordinality
             as i (chat_id, sender_id, key, type, body, id, n)
        cross join lateral (
            select max(o.role) filter (where o.user_id = i.sender_id) as role,
                   array_agg(o.user_id) filter (where o.user_id <> i.sender_id) as recipients
            from chat_members o
            where o.chat_id = i.chat_id and o.removed_at is null) m
        left join lateral (
            select u.name from users u
            where u.id = i.sender_id and u.disabled_at is null limit 1) u on true
        left join lateral (
            select c.last_seq, c.closed from chats c where c.id = i.chat_id limit 1) c on true
        left join lateral (
            select p.id, p.seq, p.created_at, p.body, p.message_type from messages p
            where p.chat_id = i.chat_id and p.sender_id = i.sender_id
              and p.client_message_id = i.key
            limit 1) p on i.key is not null
    ), placed as materialized (
        select j.n, j.chat_id, j.sender_id, j.key, j.type, j.body, j.id, j.role, j.name,
               j.recipients, j.known_id, j.known_seq, j.known_at, j.verdict,
               j.last_seq + count(*) filter (where j.verdict = 'stored') over (
                   partition by j.chat_id order by j.n) as new_seq,
               -- The ids that came along, and more should a chat ever have more than three
               -- members.
               case when coalesce(cardinality(j.recipients), 0) <= 2
                    then p_notice[2 * j.n - 1 : 2 * j.n]
                    else p_notice[2 * j.n - 1 : 2 * j.n] || array(
                        select uuid_v7() from generate_series(3, cardinality(j.recipients)))
               end as notices
        from judged j
    ), inserted as (
        insert into messages
            (chat_id, seq, id, sender_id, client_message_id, message_type, body, created_at)
        select f.chat_id, f.new_seq, f.id, f.sender_id, f.key, f.type, f.body, v_now
        from placed f where f.verdict = 'stored'
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
        select unnest(f.recipients), unnest(f.notices[1 : cardinality(f.recipients)]),
               'message', f.chat_id, f.new_seq, v_now
        from placed f
        where f.verdict = 'stored' and f.recipients is not null
    )
    select f.n::integer, f.verdict,
           coalesce(f.known_id, f.id),
           coalesce(f.known_seq, f.new_seq),
           coalesce(f.known_at, v_now),
           f.role, f.name, f.recipients, f.notices
    from placed f;
end
$$;
