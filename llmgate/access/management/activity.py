"""The activity of each day as LiteLLM's /user/daily/activity has it: sums, broken down."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping
from typing import Any

from llmgate.access.management import spend
from llmgate.access.management.spend import Names
from llmgate.storage.ledger import dollars
from llmgate.storage.reports.shapes import Combination
from llmgate.storage.reports.shapes import Measures

NOBODY = "Unassigned"
"""Who made calls that belong to no user or team."""

_NOT_COUNTED = """compression_saved_tokens compression_savings_spend prompt_caching_savings_spend
gateway_injected_caching_savings_spend autorouter_savings_spend""".split()
_BREAKDOWNS = "models model_groups providers endpoints api_keys entities".split()


def days(found: Iterable[Combination], entity: str, known: Names) -> list[dict[str, Any]]:
    """Return a row for each day of *found*, newest first; *entity* is user, team or id (a tag)."""
    of_days: dict[int, list[Combination]] = {}
    for each in found:
        of_days.setdefault(each.day, []).append(each)
    return [
        {
            "date": spend.date(day),
            "metrics": metrics(total(each.measures for each in rows)),
            "breakdown": _breakdown(rows, entity, known),
        }
        for day, rows in sorted(of_days.items(), reverse=True)
    ]


def total(found: Iterable[Measures]) -> Measures:
    """Return the sum of *found*."""
    return Measures(*(sum(column) for column in zip(Measures(), *found, strict=True)))


def metrics(sums: Measures) -> dict[str, Any]:
    """Return *sums* in LiteLLM's members; savings are not counted here, and are 0."""
    return {
        "spend": dollars(sums.nano),
        "flat_cost": 0.0,
        "prompt_tokens": sums.prompt_tokens,
        "completion_tokens": sums.completion_tokens,
        "cache_read_input_tokens": sums.cached_tokens,
        "cache_creation_input_tokens": sums.cache_write_tokens,
        **{name: 0.0 if name.endswith("spend") else 0 for name in _NOT_COUNTED},
        "total_tokens": sums.prompt_tokens + sums.completion_tokens,
        "successful_requests": sums.calls - sums.failed,
        "failed_requests": sums.failed,
        "api_requests": sums.calls,
        "total_response_time_ms": sums.duration_ms,
        "timed_requests": sums.calls,
    }


def metadata(sums: Measures, page: int, pages: int) -> dict[str, Any]:
    """Return *sums*, those of a page, as the metadata of the answer."""
    found = metrics(sums)
    shown = {
        name if name.startswith("total_") else f"total_{name}": value
        for name, value in found.items()
    }
    return {**shown, "page": page, "total_pages": pages, "has_more": page < pages}


def _breakdown(rows: list[Combination], entity: str, known: Names) -> dict[str, Any]:
    """Return *rows* of one day by model, group, provider, endpoint, key and *entity*."""
    found: dict[str, dict[str, list[Combination]]] = {name: {} for name in _BREAKDOWNS}
    for each in rows:
        named = {
            "models": f"{each.provider}/{each.upstream_model}",
            "model_groups": each.model,
            "providers": each.provider or "unknown",
            "endpoints": each.endpoint.removeprefix("/v1"),
            "api_keys": each.key,
            "entities": getattr(each, entity) or NOBODY,
        }
        for name, id in named.items():
            found[name].setdefault(id, []).append(each)
    return {"mcp_servers": {}, **{name: _part(name, found[name], known) for name in _BREAKDOWNS}}


def _part(name: str, found: Mapping[str, list[Combination]], known: Names) -> dict[str, Any]:
    """Return one breakdown."""
    if name == "api_keys":
        return {known.shown(id): _of_key(id, rows, known) for id, rows in found.items()}
    return {
        id: {
            "metrics": metrics(total(each.measures for each in rows)),
            "metadata": {},
            "api_key_breakdown": _keys(rows, known),
        }
        for id, rows in found.items()
    }


def _keys(rows: list[Combination], known: Names) -> dict[str, Any]:
    """Return *rows* by key."""
    found: dict[str, list[Combination]] = {}
    for each in rows:
        found.setdefault(each.key, []).append(each)
    return {known.shown(id): _of_key(id, rows, known) for id, rows in found.items()}


def _of_key(id: str, rows: list[Combination], known: Names) -> dict[str, Any]:
    """Return the sums of *rows*, which are those of the key *id*, and whose it is."""
    return {
        "metrics": metrics(total(each.measures for each in rows)),
        "metadata": {
            "key_alias": known.field(id, "key_alias"),
            "team_id": known.field(id, "team_id"),
            "user_id": known.field(id, "user_id"),
            "user_email": None,
            "key_exists": id in known.by_id,
        },
    }
