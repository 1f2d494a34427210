-- An LSM that comes in while the role is taken away: one after the other, and never a deadlock.

-- The invited LSM comes in: by the dispute, or by its chat when `p_dispute` is null.
-- Verdicts: stored; unchanged (is in already); denied.
create or replace function join_dispute(p_user bigint, p_dispute bigint, p_chat uuid)
returns table (verdict text, chat_id uuid, notices jsonb)
language plpgsql as $$
declare
    v_dispute disputes;
    v_name    text;
begin
    notices := '[]';
    verdict := 'denied';
    -- Before the chat, because the new membership refers to it: who takes the role away holds the
    -- person first and the chats after that.
    perform from users u where u.id = p_user for key share of u;
    perform from disputes d
    join chats c on c.id = d.chat_id
    where d.lsm_id = p_user and d.status <> 'resolved'
        and (d.id = p_dispute or p_dispute is null and d.chat_id = p_chat)
    for no key update of c;
    -- Read again under the lock: a second statement sees what the first one waited for.
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
    update chats set lsm_joined = true, lsm_joined_at = clock_timestamp()
    where id = v_dispute.chat_id;
    -- Who comes back goes on from the old mark; what other LSMs said since then was said by
    -- others.
    insert into chat_members (chat_id, user_id, role, added_seq, read_own, notices_base)
    select c.id, p_user, 'local_service_manager', c.last_seq, c.said_lsm, c.said_lsm - c.last_seq
    from chats c where c.id = v_dispute.chat_id
    on conflict on constraint chat_members_pkey do update
    set removed_at = null,
        joined_at = now(),
        added_seq = excluded.added_seq,
        read_own = excluded.read_own - (
            select count(*) from messages s
            where s.chat_id = excluded.chat_id and s.seq > chat_members.last_read_seq
                and s.sender_id = p_user),
        notices_base = chat_members.notices_base + excluded.notices_base;
    select coalesce(jsonb_agg(tell(
            m.user_id, 'dispute_joined', v_dispute.chat_id, v_dispute.job_id, v_name || ' joined',
            v_name || ' joined the chat to settle the dispute')), '[]')
    into notices
    from chat_members m
    where m.chat_id = v_dispute.chat_id and m.user_id <> p_user and m.removed_at is null;
    verdict := 'stored';
    return next;
end
$$;
