-- Keys (by their SHA-256), users, teams, members, customers, tags and budgets, as JSON documents.
create table records (
    n integer primary key autoincrement,
    kind text not null,
    id text not null,
    alias text,
    user_id text,
    team_id text,
    data text not null,
    unique (kind, id)
);
create unique index records_by_alias on records (kind, alias) where alias is not null;
create index records_by_user on records (kind, user_id) where user_id is not null;
create index records_by_team on records (kind, team_id) where team_id is not null;

create table audit (
    n integer primary key,
    at integer not null,
    actor text not null,
    action text not null,
    kind text not null,
    id text not null,
    data text not null                -- the record after the action, 'null' if it was deleted
);
