-- Logins to the dashboard, by the HMAC of the cookie's value, and failed ones. Times in seconds.
create table sessions (
    id text primary key,
    subject text not null,            -- master, or key:<hash>
    created integer not null,
    expires integer not null
) without rowid;
create index sessions_by_subject on sessions (subject);

create table failures (
    n integer primary key,
    address text not null,
    at integer not null
);
create index failures_by_address on failures (address, at);
