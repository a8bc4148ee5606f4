create table leases (
    name text not null,
    id text not null,
    pid integer not null,
    at integer not null,
    primary key (name, id)
) without rowid;
create index leases_by_id on leases (id);
