-- Read marks and unread counts.

-- Moves a person's mark in a chat forward, to `p_seq` or to the end, and answers where it is;
-- nothing for who is not in the chat.
create function mark_read(p_user bigint, p_chat uuid, p_seq bigint) returns bigint
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
        from memberships b where b.chat_id = p_chat and b.user_id = p_user) s
    where m.chat_id = p_chat and m.user_id = p_user and m.removed_at is null
    returning m.last_read_seq
$$;

-- How many notifications each of these people has not read.
create function unread_notifications(p_users bigint[])
returns table (user_id bigint, unread bigint)
language sql stable as $$
    select u.id,
           coalesce((
               select sum(b.notices_unread) from memberships b where b.user_id = u.id), 0)::bigint
           + (select count(*) from notifications n
              where n.recipient_id = u.id and not n.is_read and n.kind <> 'message')
    from unnest(p_users) as u (id)
$$;

-- Marks a person's notifications as read: one, or all when `p_id` is null. Counts every row that
-- it turned, so that the subtraction behind `unread_notifications` stays exact whatever runs
-- beside it. Answers how many there were, read before or not.
create function read_notifications(p_user bigint, p_id uuid) returns bigint
language plpgsql as $$
declare
    v_found bigint;
begin
    if p_id is null then
        select count(*) into v_found from notifications n
        where n.recipient_id = p_user and not n.is_read;
    else
        select count(*) into v_found from notifications n
        where n.recipient_id = p_user and n.id = p_id;
    end if;
    with turned as (
        update notifications n set is_read = true
        where n.recipient_id = p_user and not n.is_read and (p_id is null or n.id = p_id)
        returning n.chat_id, n.kind
    )
    update chat_members m set notices_read = m.notices_read + t.turned
    from (
        select t.chat_id, count(*) as turned from turned t
        where t.kind = 'message' group by t.chat_id) t
    where m.chat_id = t.chat_id and m.user_id = p_user;
    return v_found;
end
$$;

-- A notification as the wire has it: those of messages are made from the message, as long as the
-- recipient is in the chat (promise 5).
create view notification_texts as
select n.recipient_id, n.id, n.kind, n.chat_id, n.is_read, n.created_at,
       coalesce(n.job_id, c.job_id) as job_id,
       coalesce(n.title, 'New message from ' || u.name) as title,
       case
           when n.kind <> 'message' then n.body
           when m.user_id is null then ''
           else left(s.body, 120)
       end as body
from notifications n
left join chats c on c.id = n.chat_id and n.kind = 'message'
left join messages s on s.chat_id = n.chat_id and s.seq = n.seq and n.kind = 'message'
left join users u on u.id = s.sender_id
left join chat_members m
    on m.chat_id = n.chat_id and m.user_id = n.recipient_id and m.removed_at is null;
