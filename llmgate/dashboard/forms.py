"""Forms of keys and teams: what a browser sends, as LiteLLM's fields."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from llmgate import errors
from llmgate.storage.control import Document

DURATIONS = (
    ("", "in all"),
    ("1d", "a day"),
    ("7d", "a week, from Monday"),
    ("30d", "a calendar month"),
)
"""Windows of budgets, with the words for them."""

EXPIRIES = (
    ("", "never"),
    ("1d", "1 day"),
    ("7d", "7 days"),
    ("30d", "30 days"),
    ("90d", "90 days"),
)
GRACES = (("", "at once"), ("1h", "1 hour"), ("1d", "1 day"), ("7d", "7 days"))

_LISTS = ("models", "tags")
_TEXTS = ("key_alias", "team_id", "team_alias", "user_id", "budget_duration", "duration")
_NUMBERS = ("max_budget", "rpm_limit", "tpm_limit", "max_parallel_requests")
_LIMITS = ("models", "tags", *_NUMBERS, "budget_duration")
KEY = (*_LIMITS, "key_alias", "team_id", "user_id")
TEAM = (*_LIMITS, "team_alias")


def fields(form: Mapping[str, str], names: tuple[str, ...]) -> dict[str, Any]:
    """Return the fields *names* of *form*; an empty one is null, which means without."""
    found: dict[str, Any] = {}
    for name in names:
        text = form.get(name, "").strip()
        if name in _LISTS:
            found[name] = listed(text)
        else:
            found[name] = text or None
    return found


def given(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields in *found* that are not null or empty: for a new record."""
    return {name: value for name, value in found.items() if value not in (None, [])}


def listed(text: str) -> list[str]:
    """Return the names in *text*, one a line or with commas between them."""
    return [each.strip() for each in re.split(r"[,\n]", text) if each.strip()]


def values(data: Document) -> dict[str, str]:
    """Return the record *data* as the values of its form."""
    found = {name: _text(data.get(name)) for name in (*_TEXTS, *_NUMBERS)}
    return found | {name: "\n".join(data.get(name) or ()) for name in _LISTS}


def _text(value: Any) -> str:
    """Return *value* as an input shows it."""
    if value is None:
        return ""
    return f"{value:g}" if isinstance(value, float) else str(value)


def problem(error: errors.GateError) -> tuple[str, str]:
    """Return the message of *error* and the field it is about; raises others."""
    if not isinstance(error, errors.InvalidRequest) or error.status not in (400, 422):
        raise error
    return error.message, error.param or ""
