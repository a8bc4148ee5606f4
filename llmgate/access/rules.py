"""What a key, a user, a team, a customer or a tag may do, from its record in LiteLLM's fields."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable
from collections.abc import Mapping
from typing import Any
from typing import NamedTuple

from llmgate.access import periods
from llmgate.storage.ledger import ALL_TIME
from llmgate.storage.ledger import nano_dollars


class Allowance(NamedTuple):
    """Money for a window."""

    nano: int
    period: str = ALL_TIME  # as periods.normalized returns it


class Limits(NamedTuple):
    """Requests and tokens a minute, and requests at a time; None: no limit."""

    requests: int | None = None
    tokens: int | None = None
    parallel: int | None = None


class Rules(NamedTuple):
    """What one record allows."""

    id: str
    models: tuple[str, ...] = ()  # empty: all
    is_blocked: bool = False
    budgets: tuple[Allowance, ...] = ()
    soft_budget: int | None = None
    limits: Limits = Limits()
    model_limits: Mapping[str, Limits] = {}
    model_budgets: Mapping[str, tuple[Allowance, ...]] = {}
    tags: tuple[str, ...] = ()
    alias: str | None = None


def rules(id: str, data: Mapping[str, Any]) -> Rules:
    """Return what the record *data* allows; its fields are valid."""
    metadata = data.get("metadata") or {}
    tags = [*(data.get("tags") or ()), *_strings(metadata.get("tags"))]
    return Rules(
        id,
        models=tuple(data.get("models") or ()),
        is_blocked=bool(data.get("blocked")),
        budgets=budgets(data),
        soft_budget=_nano(data.get("soft_budget")),
        limits=Limits(
            data.get("rpm_limit"), data.get("tpm_limit"), data.get("max_parallel_requests")
        ),
        model_limits=_model_limits(data),
        model_budgets={
            model: budgets(given) for model, given in (data.get("model_max_budget") or {}).items()
        },
        tags=tuple(dict.fromkeys(tags)),
        alias=data.get("key_alias") or data.get("team_alias"),
    )


def _strings(value: Any) -> list[str]:
    """Return the strings in *value*, if it is a list."""
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []


def _nano(dollars: float | None) -> int | None:
    """Return *dollars* in nano-dollars."""
    return None if dollars is None else nano_dollars(dollars)


def budgets(data: Mapping[str, Any]) -> tuple[Allowance, ...]:
    """Return the budgets in *data*: `max_budget` with its duration, and `budget_limits`.

    Those of a model name it `budget_limit` and `time_period`.
    """
    found = []
    for given in (data, *(data.get("budget_limits") or ())):
        cap = given.get("max_budget", given.get("budget_limit"))
        duration = given.get("budget_duration") or given.get("time_period")
        if cap is not None:
            period = periods.normalized(duration) if duration else None
            found.append(Allowance(nano_dollars(cap), period or ALL_TIME))
    return tuple(found)


def _model_limits(data: Mapping[str, Any]) -> dict[str, Limits]:
    """Return the limits of single models."""
    requests, tokens = data.get("model_rpm_limit") or {}, data.get("model_tpm_limit") or {}
    found = {m: Limits(requests.get(m), tokens.get(m)) for m in {*requests, *tokens}}
    for model, given in (data.get("model_max_budget") or {}).items():
        if given.get("rpm_limit") is not None or given.get("tpm_limit") is not None:
            found.setdefault(model, Limits(given.get("rpm_limit"), given.get("tpm_limit")))
    return found


# -- models

ALL_MODELS = ("all-team-models", "all-proxy-models", "*")
NO_MODELS = "no-default-models"


def allows_model(models: Iterable[str], model: str, access_groups: Iterable[str]) -> bool:
    """Return whether *models*, of a record, hold *model*, which is in *access_groups*.

    An entry is a name, a pattern such as `openai/*`, or an access group's name.
    """
    listed = tuple(models)
    if not listed:
        return True
    groups = set(access_groups)
    return any(
        entry in ALL_MODELS
        or entry == model
        or entry in groups
        or ("*" in entry and fnmatch.fnmatchcase(model, entry))
        for entry in listed
        if entry != NO_MODELS
    )


# -- routes

_OLLAMA = "/api/chat /api/generate /api/embed /api/embeddings /api/tags /api/show /api/ps".split()
ROUTE_GROUPS = {
    "llm_api_routes": ("/v1/*", "/v1beta/*", "/openai/*", "/api/engine/*", "/engines/*", *_OLLAMA),
    "info_routes": ("/key/info", "/v1/models", "/v1/models/*", "/v1/model/info", "/model/info"),
    "management_routes": tuple(
        f"/{name}/*" for name in "key user team customer end_user budget tag spend global".split()
    ),
}
"""The paths behind the names of groups that `allowed_routes` may hold."""

_OPENAIS = frozenset(
    """assistants audio batches chat chatkit completions containers conversations embeddings evals
    files fine_tuning images messages models moderations realtime rerank responses skills threads
    uploads vector_stores videos""".split()
)
"""The first segments of paths that exist with `/v1` and without."""

KEY_TYPES = {
    "default": [],
    "llm_api": ["llm_api_routes"],
    "management": ["management_routes"],
    "read_only": ["info_routes"],
}
"""The `allowed_routes` that a `key_type` stands for."""


def allows_route(routes: Iterable[str], path: str) -> bool:
    """Return whether *routes*, of a key, hold *path*; with `/v1` or without is the same."""
    listed = tuple(routes)
    if not listed:
        return True
    entries = [found for entry in listed for found in ROUTE_GROUPS.get(entry, (entry,))]
    wanted = _plain(path)
    full = f"/v1{wanted}" if wanted.partition("/")[2].partition("/")[0] in _OPENAIS else path
    return any(
        _plain(entry) == wanted
        or fnmatch.fnmatchcase(full, entry)
        or fnmatch.fnmatchcase(path, entry)
        or fnmatch.fnmatchcase(wanted, entry)
        or _pattern(entry, wanted)
        for entry in entries
    )


def _plain(path: str) -> str:
    """Return *path* without `/v1`, and without a slash at its end."""
    return path.removeprefix("/v1").rstrip("/")


def _pattern(entry: str, path: str) -> bool:
    """Return whether *path* is the *entry* with something in place of its `{parameters}`."""
    parts = [re.escape(part) for part in re.split(r"\{[^}]*\}", _plain(entry))]
    return re.fullmatch("[^/]+".join(parts), path) is not None
