-- Money is in nano-dollars, times are in microseconds since the epoch (UTC).

create table calls (
    n integer primary key,
    id text not null unique,          -- the gate's own request id
    at integer not null,              -- when the request was admitted
    key_id text not null default '',
    user_id text not null default '',
    team_id text not null default '',
    end_user text not null default '',
    model text not null default '',
    provider text not null default '',
    deployment text not null default '',
    endpoint text not null default '',
    status integer not null,          -- 0: the process died, the reservation was charged
    prompt_tokens integer not null default 0,
    completion_tokens integer not null default 0,
    cached_tokens integer not null default 0,
    nano integer,                     -- null: the price is unknown
    estimated integer not null default 0,
    attempts integer not null default 0,
    duration_ms integer not null default 0,
    stream integer not null default 0
);
create index calls_by_time on calls (at);
create index calls_by_key on calls (key_id, at);
create index calls_by_user on calls (user_id, at) where user_id <> '';
create index calls_by_team on calls (team_id, at) where team_id <> '';
create index calls_by_end_user on calls (end_user, at) where end_user <> '';

create table call_tags (
    tag text not null,
    call integer not null references calls (n),
    primary key (tag, call)
) without rowid;
create index call_tags_by_call on call_tags (call);

-- A row per scope and window: spent is the sum of its calls, held the sum of its reservations.
create table spend (
    scope text not null,              -- key:<hash>, team:<id>, ...
    period text not null,             -- '' for all time
    window_start integer not null,
    window_end integer not null,
    spent integer not null default 0,
    held integer not null default 0,
    calls integer not null default 0,
    primary key (scope, period, window_start)
) without rowid;
create index spend_by_window on spend (scope, window_end);

create table holds (
    id text primary key,
    at integer not null,
    expires integer not null,
    nano integer not null,
    payer text not null,              -- JSON: who is charged if the process dies
    windows text not null             -- JSON: the rows of spend whose sums it is in
) without rowid;
create index holds_by_expiry on holds (expires);
