-- Ending a job, joining and resolving a dispute concern one chat. The functions of 0005 and 0006
-- compared `m.chat_id` with a name that was a column there, not the variable that was meant: they
-- told every member of every chat, and took an LSM out of all of them. Here PL/pgSQL's own rule
-- holds again, under which such a name is an error and not a guess.
--
-- What only an LSM may do asks for the role of now (a demoted one resolves nothing), and a person
-- whose account is disabled moves no read mark.

-- `completed` by the provider, `cancelled` by the customer, who also closes the chat.
-- Verdicts: stored; unchanged (it was so already); conflict (it ended otherwise); denied.
create or replace function end_job(p_user bigint, p_job bigint, p_status text)
returns table (verdict text, chat_id uuid, notices jsonb)
language plpgsql as $$
declare
    v_chat uuid;
    v_job  jobs;
    v_name text;
begin
    notices := '[]';
    -- The chat's lock first, as everywhere: a message is stored before the chat closes, or
    -- refused.
    select c.id, u.name into v_chat, v_name
    from chats c
    join chat_members m on m.chat_id = c.id and m.user_id = p_user and m.removed_at is null
    join users u on u.id = m.user_id and u.disabled_at is null
    where c.job_id = p_job
        and m.role = case p_status when 'completed' then 'service_provider' else 'customer' end
    for no key update of c;
    if not found then
        verdict := 'denied';
        return next;
        return;
    end if;
    chat_id := v_chat;
    select j.* into v_job from jobs j where j.id = p_job;
    verdict := case v_job.status
        when 'open' then 'stored' when p_status then 'unchanged' else 'conflict' end;
    if verdict = 'stored' then
        update jobs set status = p_status where id = p_job;
        if p_status = 'cancelled' then
            update chats set closed = true where id = v_chat;
        end if;
        select coalesce(jsonb_agg(tell(
                m.user_id, 'job', v_chat, p_job, 'Job ' || p_status,
                v_name || case p_status when 'completed' then ' completed ' else ' cancelled ' end
                    || coalesce('"' || v_job.title || '"', 'the job'))), '[]')
        into notices
        from chat_members m
        where m.chat_id = v_chat and m.user_id <> p_user and m.removed_at is null;
    end if;
    return next;
end
$$;

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

-- The LSM settles the dispute and is out of the chat with the same commit.
-- Verdicts: stored; conflict (not joined yet, or resolved before); denied.
create or replace function resolve_dispute(p_user bigint, p_dispute bigint, p_resolution text)
returns table (verdict text, chat_id uuid, notices jsonb)
language plpgsql as $$
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
    -- Read again under the lock: a second statement sees what the first one waited for.
    select d.* into v_dispute from disputes d where d.id = p_dispute and d.lsm_id = p_user;
    select u.name into v_name from users u
    where u.id = p_user and u.role = 'local_service_manager' and u.disabled_at is null;
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
    where id = v_dispute.chat_id;
    update chat_members m
    set removed_at = clock_timestamp(),
        notices_base = m.notices_base + c.last_seq - c.said_lsm
    from chats c
    where c.id = m.chat_id and m.chat_id = v_dispute.chat_id and m.user_id = p_user
        and m.removed_at is null;
    insert into endings (user_id, chat_id) values (p_user, v_dispute.chat_id);
    select coalesce(jsonb_agg(tell(
            m.user_id, 'dispute_resolved', v_dispute.chat_id, v_dispute.job_id, 'Dispute resolved',
            v_name || ': ' || left(p_resolution, 120))), '[]')
    into notices
    from chat_members m
    where m.chat_id = v_dispute.chat_id and m.removed_at is null;
    verdict := 'stored';
    return next;
end
$$;

-- Moves a person's mark in a chat forward, to `p_seq` or to the end, and answers where it is;
-- nothing for who is not in the chat.
create or replace function mark_read(p_user bigint, p_chat uuid, p_seq bigint) returns bigint
language sql as $$
    update chat_members m
    set last_read_seq = greatest(m.last_read_seq, s.mark),
        read_own = case
            when s.mark <= m.last_read_seq then m.read_own
            else s.own - (
                select count(*) from messages o
                where o.chat_id = m.chat_id and o.seq > s.mark and o.sender_id = m.user_id)
        end
    from (
        select b.own, least(coalesce(p_seq, b.last_seq), b.last_seq) as mark
        from memberships b
        join users u on u.id = b.user_id and u.disabled_at is null
        where b.chat_id = p_chat and b.user_id = p_user) s
    where m.chat_id = p_chat and m.user_id = p_user and m.removed_at is null
    returning m.last_read_seq
$$;

-- What the old functions have left behind: LSMs that were put out of chats whose dispute goes on,
-- and notifications that tell of a job to people of another one.
update chat_members m
set removed_at = null,
    notices_base = (
        select count(*) from notifications n
        where n.recipient_id = m.user_id and n.chat_id = m.chat_id and n.kind = 'message')
        - (c.last_seq - c.said_lsm)
from chats c
where c.id = m.chat_id and m.removed_at is not null
    and exists (
        select from disputes d
        where d.chat_id = m.chat_id and d.lsm_id = m.user_id and d.status = 'joined');

delete from notifications n
using chats c
where c.id = n.chat_id and n.kind <> 'message' and n.job_id <> c.job_id;
