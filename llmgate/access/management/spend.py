"""What was spent, in LiteLLM's shapes: rows of calls, and sums by day."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
from datetime import UTC
from datetime import datetime
from typing import Any
from typing import NamedTuple

from llmgate.access import periods
from llmgate.access.management import keys
from llmgate.access.management.keys import Office
from llmgate.storage.control import Document
from llmgate.storage.ledger import dollars
from llmgate.storage.reports.shapes import MICROS
from llmgate.storage.reports.shapes import CallRow
from llmgate.storage.reports.shapes import Combination
from llmgate.storage.reports.shapes import Page
from llmgate.storage.reports.shapes import Range
from llmgate.storage.reports.shapes import Wanted

_DAY = MICROS["day"]
_MOST_IDS = 1000  # of a kind, in a day
_MOST_COMBINATIONS = 20_000

CSV = (
    "request_id startTime api_key user team_id end_user model_group model custom_llm_provider"
    " call_type status error_code prompt_tokens completion_tokens total_tokens spend"
    " request_duration_ms request_tags"
).split()
"""The columns of an export."""


class Names(NamedTuple):
    """The keys by what they are in the ledger."""

    by_id: dict[str, Document]

    def shown(self, id: str) -> str:
        """Return the hash that the key *id* has today; *id* itself if it was deleted."""
        return str(self.by_id[id]["token"]) if id in self.by_id else id

    def field(self, id: str, name: str) -> Any:
        """Return a field of the key *id*."""
        return self.by_id.get(id, {}).get(name)


def names(office: Office) -> Names:
    """Return the names of all keys."""
    return Names({data.get("spend_id") or data["token"]: data for data in keys.listed(office)})


def id_of_key(office: Office, named: str) -> str:
    """Return what the key *named* by its value, hash or alias is in the ledger."""
    try:
        data = keys.find(office, named)
    except keys.KeyNotFound:
        return named  # deleted, perhaps
    return data.get("spend_id") or str(data["token"])


def row(call: CallRow, known: Names) -> dict[str, Any]:
    """Return *call* as a row of LiteLLM's spend logs; prompts are stored nowhere."""
    ended = call.at + call.duration_ms * 1000
    first = call.at + call.ttft_ms * 1000 if call.ttft_ms is not None else ended
    failed = not 1 <= call.status <= 399
    return {
        "request_id": call.id.partition("/")[0],
        "call_type": call.endpoint,
        "api_key": known.shown(call.key),
        "spend": dollars(call.nano or 0),
        "total_tokens": call.prompt_tokens + call.completion_tokens,
        "prompt_tokens": call.prompt_tokens,
        "completion_tokens": call.completion_tokens,
        "startTime": periods.iso(call.at),
        "endTime": periods.iso(ended),
        "completionStartTime": periods.iso(first),
        "model": _model(call.provider, call.upstream_model),
        "model_id": call.deployment,
        "model_group": call.model,
        "custom_llm_provider": call.provider,
        "api_base": "",
        "user": call.user,
        "metadata": _metadata(call, known),
        "cache_hit": "None",
        "cache_key": "Cache OFF",
        "request_tags": list(call.tags),
        "team_id": call.team,
        "organization_id": "",
        "end_user": call.end_user,
        "requester_ip_address": None,
        "session_id": None,
        "status": "failure" if failed else "success",
        "litellm_call_id": call.id,
        "request_duration_ms": call.duration_ms,
        "stream": call.stream,
        "messages": {},
        "response": {},
    }


def _metadata(call: CallRow, known: Names) -> dict[str, Any]:
    """Return the members of the metadata of *call* that are known."""
    return {
        "user_api_key_alias": known.field(call.key, "key_alias"),
        "attempted_retries": max(0, call.attempts - 1),
        "cached_tokens": call.cached_tokens,
        "cache_write_tokens": call.cache_write_tokens,
        "usage_estimated": call.estimated,
        "price_known": call.nano is not None,
        "status_code": call.status or None,
        "error_code": call.error or None,
    }


def csv_row(call: CallRow, known: Names) -> list[Any]:
    """Return *call* as a row of an export.

    Clients choose names such as tags: one that a spreadsheet would run gets an apostrophe.
    """
    found = row(call, known)
    found |= {"error_code": call.error, "request_tags": ",".join(call.tags)}
    found["spend"] = f"{dollars(call.nano or 0):.9f}"
    return [_cell(found[name]) for name in CSV]


def _cell(value: Any) -> Any:
    """Return *value* so that no spreadsheet takes it for a formula."""
    risky = isinstance(value, str) and value[:1] in tuple("=+-@\t\r")
    return f"'{value}" if risky else value


def _model(provider: str, model: str) -> str:
    """Return the name of an upstream's model as LiteLLM writes it."""
    return f"{provider}/{model}" if provider and model else model


def date(at: int) -> str:
    """Return the day of *at*, as YYYY-MM-DD in UTC."""
    return datetime.fromtimestamp(at // 1_000_000, UTC).strftime("%Y-%m-%d")


def days(range: Range) -> Iterator[Range]:
    """Yield each day of *range*."""
    start = range.start - range.start % _DAY
    while start < range.end:
        yield Range(start, start + _DAY)
        start += _DAY


def by_day(office: Office, range: Range, key: str | None, user: str | None) -> list[dict[str, Any]]:
    """Return what was spent on each day, by keys, users and models; the last day always."""
    known, last = names(office), date(range.end - 1)
    if key or user:
        found = _of_combinations(office, range, key, user)
    else:
        found = {date(day.start): _of_day(office, day) for day in days(range)}
    rows = []
    for day, (spent, by_key, users, models) in sorted(found.items()):
        if spent or day == last:
            shown = {known.shown(id): value for id, value in by_key.items()}
            rows.append({**shown, "startTime": day, "spend": spent, "users": users})
            rows[-1]["models"] = models
    return rows


_Sums = tuple[float, dict[str, float], dict[str, float], dict[str, float]]


def _of_day(office: Office, day: Range) -> _Sums:
    """Return what was spent on *day*: in all, by key, by user, by model."""
    key, user, model = (
        {id: dollars(sums.nano) for id, sums in office.reports.top(kind, "day", day, _MOST_IDS)}
        for kind in ("key", "user", "model")
    )
    return dollars(office.reports.totals("day", day).nano), key, user, model


def _of_combinations(
    office: Office, range: Range, key: str | None, user: str | None
) -> dict[str, _Sums]:
    """Return what *key* or *user* spent on each day."""
    wanted = Wanted(range, "user" if user else "", [user] if user else [], key)
    sums: dict[str, tuple[dict[str, int], dict[str, int], dict[str, int]]] = {}
    for each in office.reports.combinations(wanted, Page(0, _MOST_COMBINATIONS)):
        of_day = sums.setdefault(date(each.day), ({}, {}, {}))
        for found, id in zip(of_day, (each.key, each.user, each.model), strict=True):
            found[id] = found.get(id, 0) + each.measures.nano
    result: dict[str, _Sums] = {date(range.end - 1): (0.0, {}, {}, {})}
    for day, (keys_, users, models) in sums.items():
        total = dollars(sum(keys_.values()))
        result[day] = (total, _dollars(keys_), _dollars(users), _dollars(models))
    return result


def _dollars(sums: dict[str, int]) -> dict[str, float]:
    """Return *sums* in dollars."""
    return {id: dollars(nano) for id, nano in sums.items()}


def grouped(
    found: Iterable[Combination], by: str, known: Names
) -> Iterator[tuple[str, str, list[dict[str, Any]]]]:
    """Yield each day and each *by* (key, user or team) with the models and keys that it used."""
    groups: dict[tuple[str, str], dict[tuple[str, str], list[int]]] = {}
    for each in found:
        id: str = getattr(each, by)
        rows = groups.setdefault((date(each.day), id), {})
        sums = rows.setdefault((each.model, each.key), [0, 0, 0])
        sums[0] += each.measures.nano
        sums[1] += each.measures.prompt_tokens
        sums[2] += each.measures.completion_tokens
    for (day, id), used in sorted(groups.items()):
        yield day, id, [_used(model, known.shown(key), sums) for (model, key), sums in used.items()]


def _used(model: str, key: str, sums: Sequence[int]) -> dict[str, Any]:
    """Return what *key* used of *model*."""
    nano, prompt, completion = sums
    return {
        "model": model,
        "spend": dollars(nano),
        "total_tokens": prompt + completion,
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "api_key": key,
    }
