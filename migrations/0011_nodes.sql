-- Several servers on one database are one service (RELIABILITY §2.14): who they are, and who is
-- with each of them.
--
-- Both tables are unlogged. They tell of sockets, which end with a crash in any case; so a change
-- costs no flush of the disk, and a database that crashed, or a standby that took over, begins with
-- empty ones: each server then finds itself missing and says everything again.

create unlogged table nodes (
    id          uuid primary key,
    beat_at     timestamptz not null,
    -- By this database's clock. After it the node counts as dead, and so does everybody with it.
    lease_until timestamptz not null,
    -- Of its newest change in `node_people`. One node writes it, in turn, and together with the
    -- rows: who has read up to a version has missed nothing.
    version     bigint not null,
    -- Whoever has read less than this must read all: what went before has been forgotten.
    whole_from  bigint not null,
    -- False from when it begins until it has said everybody who is with it. What it has said by
    -- then is only a part, and nobody is gone because a part leaves them out: until it is true,
    -- what others have read of this node before stays.
    said_all    boolean not null
) with (fillfactor = 50);

-- Who has a socket at a node, and in which chats' rooms. Written only while another node is alive.
create unlogged table node_people (
    node_id uuid not null,
    user_id bigint not null,
    -- All zeros: has a socket at all.
    chat_id uuid not null,
    -- False for a while after it was true, so that readers of changes hear of it.
    here    boolean not null,
    version bigint not null,
    primary key (node_id, user_id, chat_id)
);
create index node_people_by_version on node_people (node_id, version);

-- A node begins, or begins anew: nothing that it said before counts. Rows of a node that died while
-- it wrote them belong to nobody, and somebody has to remove them. When the node has said something
-- later, this was given up long ago, came late and does nothing.
create function enter_node(p_node uuid, p_version bigint, p_lease interval) returns void
language sql as $$
    insert into nodes (id, beat_at, lease_until, version, whole_from, said_all)
    values (p_node, clock_timestamp(), clock_timestamp() + p_lease, p_version, p_version, false)
    on conflict (id) do update
    set beat_at = excluded.beat_at, lease_until = excluded.lease_until,
        version = excluded.version, whole_from = excluded.whole_from,
        said_all = excluded.said_all
    where nodes.version <= excluded.version;
    delete from node_people p
    where p.node_id = p_node
        and exists (select from nodes n where n.id = p_node and n.version = p_version)
        or not exists (select from nodes n where n.id = p.node_id);
$$;

-- Who came and went at a node. `p_is_all`: with that it has said everybody, since it began. False
-- when its lease is over: then it has to begin anew. False too when a later version was said: this
-- one was given up long ago, and came late.
create function store_people(
    p_node uuid, p_version bigint, p_is_all boolean,
    p_users bigint[], p_chats uuid[], p_here boolean[]
) returns boolean
language plpgsql as $$
begin
    update nodes set version = p_version, said_all = said_all or p_is_all
    where id = p_node and lease_until > clock_timestamp() and version <= p_version;
    if not found then
        return false;
    end if;
    insert into node_people (node_id, user_id, chat_id, here, version)
    select p_node, i.user_id, i.chat_id, i.here, p_version
    from unnest(p_users, p_chats, p_here) as i (user_id, chat_id, here)
    on conflict (node_id, user_id, chat_id) do update
    set here = excluded.here, version = excluded.version;
    return true;
end
$$;

-- Forgets who is gone since a version that every reader should have passed long ago.
create function forget_people(p_node uuid, p_through bigint) returns void
language sql as $$
    update nodes set whole_from = greatest(whole_from, p_through) where id = p_node;
    delete from node_people where node_id = p_node and version <= p_through and not here;
$$;

-- For the sweep of other nodes: where `lsmInvited` and `lsmJoined` changed lately, and which jobs
-- ended, some with their chat.
create index disputes_by_change on disputes ((greatest(created_at, joined_at, resolved_at)));

-- Of jobs that ended before this column came nobody needs to hear.
alter table jobs add column ended_at timestamptz;
create index jobs_by_end on jobs (ended_at) where ended_at is not null;

create function note_job_end() returns trigger
language plpgsql as $$
begin
    new.ended_at := clock_timestamp();
    return new;
end
$$;

create trigger job_ends before update of status on jobs
for each row when (new.status is distinct from old.status) execute function note_job_end();
