-- Who stops being an LSM, or is disabled, leaves the chats of the disputes at hand, and each of them
-- goes to another LSM who may settle it, or waits until there is one. Triggers do it, whatever
-- changes the row: no way of losing the role leaves a dispute to nobody, nor a person in a chat.
--
-- A dispute waits when it is pending while nobody is invited to its chat; `lsm_id` names the one who
-- was asked last.

-- When the dispute last lost its LSM, or another one was asked.
alter table disputes add column moved_at timestamptz;
create index disputes_by_step on disputes
    ((greatest(created_at, moved_at, joined_at, resolved_at)));
drop index disputes_by_change;

-- Appointments are rare, and each may touch many chats and other LSMs: one at a time, and this is
-- locked before any row is.
create function one_appointment_at_a_time() returns trigger language plpgsql as $$
begin
    perform pg_advisory_xact_lock(7234, 3);
    return null;
end
$$;

-- The LSM for what is disputed in a chat: of the provider's region, the one with the fewest open
-- disputes, who is longest here where several have as few; never a party of the chat. The key of the
-- row is held, so that whoever stops being an LSM at the same time is not asked, or leaves a dispute
-- that is seen.
create function fitting_lsm(p_chat uuid) returns bigint language plpgsql as $$
declare
    v_region text;
    v_lsm    bigint;
begin
    select p.region_key into v_region
    from chat_members m join users p on p.id = m.user_id
    where m.chat_id = p_chat and m.role = 'service_provider';
    loop
        select u.id into v_lsm
        from users u
        where u.role = 'local_service_manager' and u.disabled_at is null
            and u.region_key is not distinct from v_region
            and not exists (
                select from chat_members m
                where m.chat_id = p_chat and m.user_id = u.id
                    and m.role <> 'local_service_manager')
        order by (
            select count(*) from disputes d where d.lsm_id = u.id and d.status <> 'resolved'), u.id
        limit 1;
        if not found then
            return null;
        end if;
        perform from users u
        where u.id = v_lsm and u.role = 'local_service_manager' and u.disabled_at is null
        for key share of u;
        if found then
            return v_lsm;
        end if;
    end loop;
end
$$;

-- Asks an LSM into a dispute that waits, with the chat's lock held. `p_gone`: the name of who has
-- just left it. The ending has every server look at the chat again, also one that is alone.
create function move_dispute(p_chat uuid, p_gone text) returns void language plpgsql as $$
declare
    v_dispute disputes;
    v_lsm     bigint;
begin
    select d.* into v_dispute
    from disputes d join chats c on c.id = d.chat_id
    where d.chat_id = p_chat and d.status = 'pending' and not c.lsm_invited;
    if not found then
        return;
    end if;
    v_lsm := fitting_lsm(p_chat);
    if v_lsm is null and p_gone is null then
        return;
    end if;
    update disputes set lsm_id = coalesce(v_lsm, lsm_id), moved_at = clock_timestamp()
    where id = v_dispute.id;
    update chats set lsm_invited = v_lsm is not null where id = p_chat;
    insert into endings (user_id, chat_id) values (v_dispute.lsm_id, p_chat);
    perform tell(
        v_lsm, 'dispute', p_chat, v_dispute.job_id, 'Dispute: you are asked in',
        u.name || ' asks for your help')
    from users u where u.id = v_dispute.raised_by and v_lsm is not null;
    perform tell(
        m.user_id, 'dispute', p_chat, v_dispute.job_id,
        case when v_lsm is null then 'The dispute waits' else 'Another manager is asked' end,
        concat_ws(
            '; ', p_gone || ' cannot settle the dispute any more',
            coalesce(
                (select u.name from users u where u.id = v_lsm) || ' was asked for help',
                'somebody is asked as soon as there is somebody')))
    from chat_members m
    where m.chat_id = p_chat and m.removed_at is null;
end
$$;

-- Takes a person out of every dispute that is not settled yet, as an LSM.
create function release_disputes(p_user bigint) returns void language plpgsql as $$
declare
    v_chat uuid;
begin
    for v_chat in
        select d.chat_id from disputes d
        where d.lsm_id = p_user and d.status <> 'resolved'
        order by d.chat_id
    loop
        -- The chat's lock first, as everywhere: a message is stored before, or refused.
        perform from chats where id = v_chat for no key update;
        -- Read again under the lock: it may have been settled meanwhile.
        update disputes d set status = 'pending', joined_at = null
        where d.chat_id = v_chat and d.lsm_id = p_user and d.status <> 'resolved';
        continue when not found;
        update chats set lsm_invited = false, lsm_joined = false, lsm_joined_at = null
        where id = v_chat;
        update chat_members m
        set removed_at = clock_timestamp(),
            notices_base = m.notices_base + c.last_seq - c.said_lsm
        from chats c
        where c.id = m.chat_id and m.chat_id = v_chat and m.user_id = p_user
            and m.role = 'local_service_manager' and m.removed_at is null;
        perform move_dispute(v_chat, u.name) from users u where u.id = p_user;
    end loop;
end
$$;

create function lsm_goes() returns trigger language plpgsql as $$
begin
    -- Waits for every dispute that is just being opened with this person as its LSM.
    perform from users u where u.id = new.id for update of u;
    perform release_disputes(new.id);
    return null;
end
$$;

-- Somebody can be asked: what waits in the region does so no longer.
create function lsm_comes() returns trigger language plpgsql as $$
declare
    v_chat uuid;
begin
    perform pg_advisory_xact_lock(7234, 3);
    for v_chat in
        select c.id
        from disputes d
        join chats c on c.id = d.chat_id
        join chat_members m on m.chat_id = c.id and m.role = 'service_provider'
        join users p on p.id = m.user_id
        where d.status <> 'resolved' and d.status = 'pending' and not c.lsm_invited
            and p.region_key is not distinct from new.region_key
        order by c.id
    loop
        perform from chats where id = v_chat for no key update;
        perform move_dispute(v_chat, null);
    end loop;
    return null;
end
$$;

create trigger users_appointed before update of role, disabled_at on users
for each statement execute function one_appointment_at_a_time();

create trigger users_lsm_goes after update of role, disabled_at on users
for each row
when (old.role = 'local_service_manager' and old.disabled_at is null
    and (new.role <> 'local_service_manager' or new.disabled_at is not null))
execute function lsm_goes();

create trigger users_lsm_comes after update of role, disabled_at on users
for each row
when (new.role = 'local_service_manager' and new.disabled_at is null
    and (old.role <> 'local_service_manager' or old.disabled_at is not null))
execute function lsm_comes();

create trigger users_lsm_added after insert on users
for each row
when (new.role = 'local_service_manager' and new.disabled_at is null)
execute function lsm_comes();

-- Gives a person another role and ends the sessions, with the same commit. A customer or provider
-- keeps the chats of jobs that have ended, in the role of then; what is open must be ended first,
-- because nobody else could.
-- Verdicts: stored; unchanged (it was so, or there is no such person); open_jobs: the first
-- `p_most` of them, and how many there are.
create function set_role(p_user bigint, p_role text, p_most integer)
returns table (verdict text, job_ids bigint[], jobs_open bigint)
language plpgsql as $$
declare
    v_role text;
begin
    perform pg_advisory_xact_lock(7234, 3);
    -- The strongest lock: a booking that names the person is seen below, or waits and is refused.
    select u.role into v_role from users u where u.id = p_user for update of u;
    if not found or v_role = p_role then
        verdict := 'unchanged';
        return next;
        return;
    end if;
    select (array_agg(j.id order by j.id))[:p_most], count(*) into job_ids, jobs_open
    from jobs j
    where j.status = 'open' and (j.customer_id = p_user or j.provider_id = p_user);
    if jobs_open > 0 then
        verdict := 'open_jobs';
        return next;
        return;
    end if;
    update users set role = p_role where id = p_user;
    update sessions set ended_at = clock_timestamp() where user_id = p_user and ended_at is null;
    insert into endings (user_id) values (p_user);
    verdict := 'stored';
    return next;
end
$$;

-- As before, but that the customer and the provider are held in their roles until it is booked.
-- Verdicts: stored; duplicate (the same key with the same request); conflict (the same key with
-- another one); denied (not an active customer); no_provider.
create or replace function book_job(
    p_customer bigint, p_provider bigint, p_title text, p_description text, p_location text,
    p_scheduled_at timestamptz, p_budget double precision, p_key text, p_digest bytea
) returns table (verdict text, job_id bigint, chat_id uuid, notices jsonb)
language plpgsql as $$
#variable_conflict use_column
declare
    v_customer text;
    v_digest   bytea;
begin
    notices := '[]';
    select u.name into v_customer from users u
    where u.id = p_customer and u.role = 'customer' and u.disabled_at is null
    for key share of u;
    if not found then
        verdict := 'denied';
        return next;
        return;
    end if;
    if p_key is not null then
        -- A booking with this key that is about to commit is waited for by the insert below.
        select j.id, c.id, j.request_digest into job_id, chat_id, v_digest
        from jobs j join chats c on c.job_id = j.id
        where j.customer_id = p_customer and j.idempotency_key = p_key;
    end if;
    if job_id is null then
        perform from users u
        where u.id = p_provider and u.role = 'service_provider' and u.disabled_at is null
        for key share of u;
        if not found then
            verdict := 'no_provider';
            return next;
            return;
        end if;
        insert into jobs
            (customer_id, provider_id, title, description, location, scheduled_at, budget,
             idempotency_key, request_digest)
        values
            (p_customer, p_provider, p_title, p_description, p_location, p_scheduled_at, p_budget,
             p_key, p_digest)
        on conflict (customer_id, idempotency_key) where idempotency_key is not null do nothing
        returning id into job_id;
        if job_id is not null then
            chat_id := uuid_v7();
            insert into chats (id, job_id) values (chat_id, job_id);
            insert into chat_members (chat_id, user_id, role)
            values (chat_id, p_customer, 'customer'), (chat_id, p_provider, 'service_provider');
            notices := jsonb_build_array(tell(
                p_provider, 'job', chat_id, job_id, 'New job',
                v_customer || ' booked ' || coalesce('"' || p_title || '"', 'a job')));
            verdict := 'stored';
            return next;
            return;
        end if;
        select j.id, c.id, j.request_digest into job_id, chat_id, v_digest
        from jobs j join chats c on c.job_id = j.id
        where j.customer_id = p_customer and j.idempotency_key = p_key;
    end if;
    verdict := case when v_digest = p_digest then 'duplicate' else 'conflict' end;
    return next;
end
$$;

-- As before, but for how the LSM is found.
-- Verdicts: stored; denied; chat_closed; conflict (one is open already); no_lsm.
create or replace function open_dispute(
    p_user bigint, p_chat uuid, p_job bigint, p_description text
)
returns table (
    verdict text, dispute_id bigint, chat_id uuid, lsm_id bigint, lsm_name text, notices jsonb
)
language plpgsql as $$
declare
    v_chat chats;
    v_name text;
begin
    notices := '[]';
    perform from chats c
    join chat_members m on m.chat_id = c.id and m.user_id = p_user and m.removed_at is null
    where (c.id = p_chat or p_chat is null and c.job_id = p_job)
        and m.role in ('customer', 'service_provider')
    for no key update of c;
    -- Read again under the lock: a second statement sees what the first one waited for.
    select c.* into v_chat from chats c
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
    lsm_id := fitting_lsm(v_chat.id);
    if lsm_id is null then
        verdict := 'no_lsm';
        return next;
        return;
    end if;
    select u.name into lsm_name from users u where u.id = lsm_id;
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

-- Disputes that were left to nobody before.
select release_disputes(u.id)
from users u
where (u.role <> 'local_service_manager' or u.disabled_at is not null)
    and exists (select from disputes d where d.lsm_id = u.id and d.status <> 'resolved')
order by u.id;
