-- Opening, joining and resolving a dispute (flow: LSM JOINING DISPUTE). One autocommit statement
-- each; the chat's row is locked first, so memberships change between messages, never beside
-- them.

-- Verdicts: stored; denied; chat_closed; conflict (one is open already); no_lsm.
create function open_dispute(p_user bigint, p_chat uuid, p_job bigint, p_description text)
returns table (
    verdict text, dispute_id bigint, chat_id uuid, lsm_id bigint, lsm_name text, notices jsonb
)
language plpgsql as $$
#variable_conflict use_column
declare
    v_chat   chats;
    v_name   text;
    v_region text;
begin
    notices := '[]';
    perform from chats c
    join chat_members m on m.chat_id = c.id and m.user_id = p_user and m.removed_at is null
    where (c.id = p_chat or p_chat is null and c.job_id = p_job)
        and m.role in ('customer', 'service_provider')
    for no key update of c;
    -- Read again under the lock: a second statement sees what the first one waited for.
    select c.*  into v_chat from chats c
    join chat_members m on m.chat_id = c.id and m.user_id = p_user and m.removed_at is null
    join users u on u.id = m.user_id and u.disabled_at is null
    where (c.id = p_chat or p_chat is null and c.job_id = p_job)
        and m.role in ('customer', 'service_provider');
    if not found then
        verdict := 'denied';
        return next;
        return;
    end if;
    chat_id := v_chat.id;
    if v_chat.closed then
        verdict := 'chat_closed';
        return next;
        return;
    end if;
    if exists (select from disputes d where d.chat_id = v_chat.id and d.status <> 'resolved') then
        verdict := 'conflict';
        return next;
        return;
    end if;
    -- The LSM of the provider's region with the fewest open disputes; the one who is longest here
    -- where several have as few.
    select p.region_key into v_region
    from chat_members m join users p on p.id = m.user_id
    where m.chat_id = v_chat.id and m.role = 'service_provider';
    select u.id, u.name into lsm_id, lsm_name
    from users u
    where u.role = 'local_service_manager' and u.disabled_at is null
        and u.region_key is not distinct from v_region
    order by (
        select count(*) from disputes d where d.lsm_id = u.id and d.status <> 'resolved'), u.id
    limit 1;
    if not found then
        verdict := 'no_lsm';
        return next;
        return;
    end if;
    insert into disputes (chat_id, job_id, raised_by, description, lsm_id)
    values (v_chat.id, v_chat.job_id, p_user, p_description, lsm_id)
    returning id into dispute_id;
    update chats set lsm_invited = true where id = v_chat.id;
    select u.name into v_name from users u where u.id = p_user;
    select jsonb_build_array(tell(
            lsm_id, 'dispute', v_chat.id, v_chat.job_id, 'Dispute: you are asked in',
            v_name || ' asks for your help'))
        || coalesce(jsonb_agg(tell(
            m.user_id, 'dispute', v_chat.id, v_chat.job_id, 'Dispute opened',
            v_name || ' asked ' || lsm_name || ' for help')), '[]')
    into notices
    from chat_members m
    where m.chat_id = v_chat.id and m.user_id <> p_user and m.removed_at is null;
    verdict := 'stored';
    return next;
end
$$;

-- The invited LSM comes in: by the dispute, or by its chat when `p_dispute` is null.
-- Verdicts: stored; unchanged (is in already); denied.
create function join_dispute(p_user bigint, p_dispute bigint, p_chat uuid)
returns table (verdict text, chat_id uuid, notices jsonb)
language plpgsql as $$
#variable_conflict use_column
declare
    v_dispute disputes;
    v_name    text;
begin
    notices := '[]';
    verdict := 'denied';
    perform from disputes d
    join chats c on c.id = d.chat_id
    where d.lsm_id = p_user and d.status <> 'resolved'
        and (d.id = p_dispute or p_dispute is null and d.chat_id = p_chat)
    for no key update of c;
    select d.* into v_dispute from disputes d
    where d.lsm_id = p_user and d.status <> 'resolved'
        and (d.id = p_dispute or p_dispute is null and d.chat_id = p_chat);
    select u.name into v_name from users u
    where u.id = p_user and u.role = 'local_service_manager' and u.disabled_at is null;
    if v_dispute.id is null or v_name is null then
        return next;
        return;
    end if;
    chat_id := v_dispute.chat_id;
    if v_dispute.status = 'joined' then
        verdict := 'unchanged';
        return next;
        return;
    end if;
    update disputes set status = 'joined', joined_at = clock_timestamp() where id = v_dispute.id;
    update chats set lsm_joined = true, lsm_joined_at = clock_timestamp() where id = chat_id;
    -- Who comes back goes on from the old mark; what other LSMs said since then was said by
    -- others.
    insert into chat_members (chat_id, user_id, role, added_seq, read_own, notices_base)
    select c.id, p_user, 'local_service_manager', c.last_seq, c.said_lsm, c.said_lsm - c.last_seq
    from chats c where c.id = chat_id
    on conflict (chat_id, user_id) do update
    set removed_at = null,
        joined_at = now(),
        added_seq = excluded.added_seq,
        read_own = excluded.read_own - (
            select count(*) from messages s
            where s.chat_id = excluded.chat_id and s.seq > chat_members.last_read_seq
                and s.sender_id = p_user),
        notices_base = chat_members.notices_base + excluded.notices_base;
    select coalesce(jsonb_agg(tell(
            m.user_id, 'dispute_joined', chat_id, v_dispute.job_id, v_name || ' joined',
            v_name || ' joined the chat to settle the dispute')), '[]')
    into notices
    from chat_members m
    where m.chat_id = chat_id and m.user_id <> p_user and m.removed_at is null;
    verdict := 'stored';
    return next;
end
$$;

-- The LSM settles the dispute and is out of the chat with the same commit.
-- Verdicts: stored; conflict (not joined yet, or resolved before); denied.
create function resolve_dispute(p_user bigint, p_dispute bigint, p_resolution text)
returns table (verdict text, chat_id uuid, notices jsonb)
language plpgsql as $$
#variable_conflict use_column
declare
    v_dispute disputes;
    v_name    text;
begin
    notices := '[]';
    verdict := 'denied';
    perform from disputes d
    join chats c on c.id = d.chat_id
    where d.id = p_dispute and d.lsm_id = p_user
    for no key update of c;
    select d.* into v_dispute from disputes d where d.id = p_dispute and d.lsm_id = p_user;
    select u.name into v_name from users u where u.id = p_user and u.disabled_at is null;
    if v_dispute.id is null or v_name is null then
        return next;
        return;
    end if;
    chat_id := v_dispute.chat_id;
    if v_dispute.status <> 'joined' then
        verdict := 'conflict';
        return next;
        return;
    end if;
    update disputes
    set status = 'resolved', resolution = p_resolution, resolved_at = clock_timestamp()
    where id = v_dispute.id;
    update chats set lsm_invited = false, lsm_joined = false, lsm_joined_at = null
    where id = chat_id;
    update chat_members m
    set removed_at = clock_timestamp(),
        notices_base = m.notices_base + c.last_seq - c.said_lsm
    from chats c
    where c.id = m.chat_id and m.chat_id = chat_id and m.user_id = p_user and m.removed_at is null;
    insert into endings (user_id, chat_id) values (p_user, chat_id);
    select coalesce(jsonb_agg(tell(
            m.user_id, 'dispute_resolved', chat_id, v_dispute.job_id, 'Dispute resolved',
            v_name || ': ' || left(p_resolution, 120))), '[]')
    into notices
    from chat_members m
    where m.chat_id = chat_id and m.removed_at is null;
    verdict := 'stored';
    return next;
end
$$;
