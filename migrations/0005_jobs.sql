-- Booking a job, and its end (flow: CREATING A CHAT). One autocommit statement each: all or none.

-- A stored notification as the functions below return it.
create function tell(
    p_recipient bigint, p_kind text, p_chat uuid, p_job bigint, p_title text, p_body text
) returns jsonb
language sql as $$
    insert into notifications (recipient_id, id, kind, chat_id, job_id, title, body, created_at)
    values (p_recipient, uuid_v7(), p_kind, p_chat, p_job, p_title, p_body, clock_timestamp())
    returning jsonb_build_object(
        'recipient_id', recipient_id, 'id', id, 'type', kind, 'chatId', chat_id, 'jobId', job_id,
        'title', title, 'message', body, 'is_read', is_read, 'created_at', created_at)
$$;

-- Verdicts: stored; duplicate (the same key with the same request); conflict (the same key with
-- another one); denied (not an active customer); no_provider.
create function book_job(
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
    where u.id = p_customer and u.role = 'customer' and u.disabled_at is null;
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
        where u.id = p_provider and u.role = 'service_provider' and u.disabled_at is null;
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

-- `completed` by the provider, `cancelled` by the customer, who also closes the chat.
-- Verdicts: stored; unchanged (it was so already); conflict (it ended otherwise); denied.
create function end_job(p_user bigint, p_job bigint, p_status text)
returns table (verdict text, chat_id uuid, notices jsonb)
language plpgsql as $$
#variable_conflict use_column
declare
    v_job  jobs;
    v_name text;
begin
    notices := '[]';
    -- The chat's lock first, as everywhere: a message is stored before the chat closes, or
    -- refused.
    select c.id, u.name into chat_id, v_name
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
    select j.* into v_job from jobs j where j.id = p_job;
    verdict := case v_job.status
        when 'open' then 'stored' when p_status then 'unchanged' else 'conflict' end;
    if verdict = 'stored' then
        update jobs set status = p_status where id = p_job;
        if p_status = 'cancelled' then
            update chats set closed = true where id = chat_id;
        end if;
        select coalesce(jsonb_agg(tell(
                m.user_id, 'job', chat_id, p_job, 'Job ' || p_status,
                v_name || case p_status when 'completed' then ' completed ' else ' cancelled ' end
                    || coalesce('"' || v_job.title || '"', 'the job'))), '[]')
        into notices
        from chat_members m
        where m.chat_id = chat_id and m.user_id <> p_user and m.removed_at is null;
    end if;
    return next;
end
$$;
