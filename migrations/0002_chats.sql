-- Jobs, their chats, and what is said in them (CONTRACT §2, RELIABILITY §2.3).

-- UUID v7 for rows that SQL makes: 48 bits of milliseconds, then random bits.
create function uuid_v7() returns uuid language sql volatile as $$
    select encode(
        set_bit(set_bit(
            overlay(
                uuid_send(gen_random_uuid())
                placing substring(
                    int8send((extract(epoch from clock_timestamp()) * 1000)::bigint) from 3)
                from 1 for 6),
            52, 1), 53, 1),
        'hex')::uuid
$$;

create table jobs (
    id              bigint generated always as identity primary key,
    customer_id     bigint not null references users,
    provider_id     bigint not null references users,
    title           text,
    description     text,
    location        text,
    scheduled_at    timestamptz,
    budget          double precision,
    status          text not null default 'open'
                    check (status in ('open', 'completed', 'cancelled')),
    -- `Idempotency-Key` of the request that booked it, and what that request said.
    idempotency_key text,
    request_digest  bytea,
    created_at      timestamptz not null default now()
);
create unique index jobs_idempotency on jobs (customer_id, idempotency_key)
    where idempotency_key is not null;
create index jobs_of_customer on jobs (customer_id, id);
create index jobs_of_provider on jobs (provider_id, id);

-- The row that every write of a chat locks first. Nothing in it that a message changes is
-- indexed, so that the update of each message stays within the page (HOT); the fill factor leaves
-- room for it.
create table chats (
    id             uuid primary key,
    job_id         bigint not null unique references jobs,
    -- `seq` of the newest message: taken under this row's lock, therefore without holes.
    last_seq       bigint not null default 0,
    -- How many messages each role has said: unread counts are subtractions, never scans.
    said_customer  bigint not null default 0,
    said_provider  bigint not null default 0,
    said_lsm       bigint not null default 0,
    -- When something was last said.
    active_at      timestamptz not null default now(),
    lsm_invited    boolean not null default false,
    lsm_joined     boolean not null default false,
    lsm_joined_at  timestamptz,
    -- It takes no more messages.
    closed         boolean not null default false,
    created_at     timestamptz not null default now()
) with (fillfactor = 60);

-- Who may read and speak. One row per person that ever was in the chat.
create table chat_members (
    chat_id       uuid not null references chats,
    user_id       bigint not null references users,
    role          text not null
                  check (role in ('customer', 'service_provider', 'local_service_manager')),
    joined_at     timestamptz not null default now(),
    -- How far the chat was when the person came: for audits, it hides nothing.
    added_seq     bigint not null default 0,
    -- The person is out, and sees nothing more, the past included.
    removed_at    timestamptz,
    -- How far the person has read, and how many messages of the own role lay before that mark.
    last_read_seq bigint not null default 0,
    read_own      bigint not null default 0,
    -- How many notifications of this chat's messages the person has got is a subtraction as well:
    -- what others have said, plus this base, which makes up for the time before the person came;
    -- for a person who is out the base alone. How many of them the person has read is counted.
    notices_base  bigint not null default 0,
    notices_read  bigint not null default 0,
    primary key (chat_id, user_id)
) with (fillfactor = 80);
create index chat_members_of_user on chat_members (user_id, chat_id);

-- A membership with what is counted for it. `others`: messages of everybody else.
create view memberships as
select m.chat_id, m.user_id, m.role, m.joined_at, m.removed_at, m.last_read_seq,
       c.last_seq, c.closed, c.job_id,
       s.own,
       c.last_seq - s.own as others,
       (c.last_seq - m.last_read_seq) - (s.own - m.read_own) as unread,
       case when m.removed_at is null then c.last_seq - s.own else 0 end
           + m.notices_base - m.notices_read as notices_unread
from chat_members m
join chats c on c.id = m.chat_id
cross join lateral (
    select case m.role
               when 'customer' then c.said_customer
               when 'service_provider' then c.said_provider
               else c.said_lsm
           end as own) s;

-- No foreign keys here and in `notifications`: the storing function is the only way in, it holds
-- the chat's lock and has just read the membership; checking both again per row costs more than
-- the insert.
create table messages (
    chat_id           uuid not null,
    seq               bigint not null,
    id                uuid not null,
    sender_id         bigint not null,
    -- The sender's own name for it. Keys never expire: they are the row (CONTRACT §3.3).
    client_message_id text,
    message_type      text not null,
    body              text not null,
    created_at        timestamptz not null,
    -- Promise 2: one message per place.
    constraint messages_pkey primary key (chat_id, seq)
);
-- Promise 3: one row per key.
create unique index messages_key on messages (chat_id, sender_id, client_message_id)
    where client_message_id is not null;

create table disputes (
    id          bigint generated always as identity primary key,
    chat_id     uuid not null references chats,
    job_id      bigint not null references jobs,
    raised_by   bigint not null references users,
    description text not null,
    status      text not null default 'pending'
                check (status in ('pending', 'joined', 'resolved')),
    lsm_id      bigint not null references users,
    resolution  text,
    created_at  timestamptz not null default now(),
    joined_at   timestamptz,
    resolved_at timestamptz
);
-- One open dispute per chat, whatever races.
create unique index disputes_open on disputes (chat_id) where status <> 'resolved';
create index disputes_of_chat on disputes (chat_id, id);
-- The invitations and the load of an LSM.
create index disputes_of_lsm on disputes (lsm_id, id);

create table notifications (
    recipient_id bigint not null,
    -- v7, so the key lists a person's notifications by time.
    id           uuid not null,
    kind         text not null,
    chat_id      uuid,
    job_id       bigint,
    -- The message that it tells of: then title and text are made from that row when they are
    -- read, and nothing is stored twice.
    seq          bigint,
    title        text,
    body         text,
    is_read      boolean not null default false,
    created_at   timestamptz not null,
    primary key (recipient_id, id)
);
-- Unread notifications of messages are counted by subtraction (see `unread_notifications`), so
-- this index holds the few others alone and the statement that stores messages never touches it.
create index notifications_unread on notifications (recipient_id)
    where not is_read and kind <> 'message';
