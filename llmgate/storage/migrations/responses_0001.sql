-- Responses of the Responses API that were translated, for previous_response_id. Times in seconds.
create table responses (
    id text primary key,
    owner text not null,              -- the caller's key
    previous text,                    -- the response that it continues
    expires integer not null,
    size integer not null,            -- of input and response
    input text not null,              -- its own items alone, in JSON
    response text not null            -- in JSON
) without rowid;
create index responses_by_expiry on responses (expires, size);
