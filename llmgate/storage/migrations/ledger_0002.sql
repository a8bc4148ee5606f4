alter table calls add column upstream_model text not null default '';
alter table calls add column cache_write_tokens integer not null default 0;
alter table calls add column ttft_ms integer;
alter table calls add column error text not null default '';  -- the code alone, never a message

create index calls_by_model on calls (model, at);
create index calls_failed on calls (at) where status not between 1 and 399;

-- Sums of calls by hour and by day of UTC, for each key, user, team, ...; kind as in a scope.
create table rollups (
    kind text not null,
    unit text not null,               -- hour, day
    bucket integer not null,          -- its start
    id text not null,
    calls integer not null,
    failed integer not null,
    nano integer not null,
    prompt_tokens integer not null,
    completion_tokens integer not null,
    cached_tokens integer not null,
    cache_write_tokens integer not null,
    duration_ms integer not null,
    primary key (kind, unit, bucket, id)
) without rowid;
create index rollups_ranked on rollups (kind, id, bucket, nano, calls, failed, prompt_tokens,
    completion_tokens, cached_tokens, cache_write_tokens, duration_ms) where unit = 'day';

-- Sums of calls by day and everything that they have in common; kind: '' or tag.
create table combinations (
    n integer primary key,
    kind text not null,
    id text not null,
    day integer not null,
    key_id text not null,
    user_id text not null,
    team_id text not null,
    model text not null,
    upstream_model text not null,
    provider text not null,
    endpoint text not null,
    calls integer not null,
    failed integer not null,
    nano integer not null,
    prompt_tokens integer not null,
    completion_tokens integer not null,
    cached_tokens integer not null,
    cache_write_tokens integer not null,
    duration_ms integer not null,
    unique (kind, id, day, key_id, user_id, team_id, model, upstream_model, provider, endpoint)
);
create index combinations_by_key on combinations (key_id, day) where kind = '';
create index combinations_by_user on combinations (user_id, day) where kind = '';
create index combinations_by_team on combinations (team_id, day) where kind = '';

-- The calls that are in neither yet.
create table unsummed (n integer primary key);
insert into unsummed select n from calls;

-- What calls cost that were deleted because they are old.
create table expired (
    scope text primary key,
    spent integer not null,
    calls integer not null
);
