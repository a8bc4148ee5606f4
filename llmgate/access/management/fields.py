"""The fields of LiteLLM's management requests: their types, and which of them do something here."""

from __future__ import annotations

import math
from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Mapping
from typing import Any

from llmgate import errors
from llmgate.access import periods

Check = Callable[[Any], bool]


class InvalidField(errors.InvalidRequest):
    """A field has a value of the wrong type."""

    status = 422


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return type(value) in (int, float)


def _is_count(value: Any) -> bool:
    return type(value) is int


def _is_object(value: Any) -> bool:
    return isinstance(value, dict)


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


def _is_objects(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, dict) for each in value)


_WORDS: dict[Check, str] = {
    _is_text: "a string",
    _is_flag: "true or false",
    _is_number: "a number",
    _is_count: "an integer",
    _is_object: "an object",
    _is_texts: "a list of strings",
    _is_objects: "a list of objects",
}

MOST_DOLLARS = 1_000_000_000
"""The largest budget: nano-dollars are 64-bit integers, and sums of them must be, too."""

LIMITS: dict[str, Check] = {
    "max_budget": _is_number,
    "budget_duration": _is_text,
    "tpm_limit": _is_count,
    "rpm_limit": _is_count,
    "max_parallel_requests": _is_count,
    "model_max_budget": _is_object,
}
"""Budgets and limits, that every kind of record may have."""

OWNED: dict[str, Check] = {
    **LIMITS,
    "budget_limits": _is_objects,
    "models": _is_texts,
    "metadata": _is_object,
    "blocked": _is_flag,
    "model_rpm_limit": _is_object,
    "model_tpm_limit": _is_object,
}

KEY: dict[str, Check] = {
    **OWNED,
    "key": _is_text,
    "key_alias": _is_text,
    "duration": _is_text,
    "user_id": _is_text,
    "team_id": _is_text,
    "tags": _is_texts,
    "allowed_routes": _is_texts,
    "key_type": _is_text,
    "budget_id": _is_text,
}

USER: dict[str, Check] = {
    **OWNED,
    "user_id": _is_text,
    "user_email": _is_text,
    "user_alias": _is_text,
    "user_role": _is_text,
    "teams": _is_texts,
    "auto_create_key": _is_flag,
}

MEMBER: dict[str, Check] = {
    "team_id": _is_text,
    "user_id": _is_text,
    "user_email": _is_text,
    "role": _is_text,
    "max_budget_in_team": _is_number,
    "budget_duration": _is_text,
    "allowed_models": _is_texts,
    "rpm_limit": _is_count,
    "tpm_limit": _is_count,
}

BUDGET: dict[str, Check] = {**LIMITS, "budget_id": _is_text, "soft_budget": _is_number}

CUSTOMER: dict[str, Check] = {
    **BUDGET,
    "user_id": _is_text,
    "alias": _is_text,
    "blocked": _is_flag,
    "models": _is_texts,
}

TAG: dict[str, Check] = {
    **BUDGET,
    "name": _is_text,
    "description": _is_text,
    "models": _is_texts,
}

TEAM: dict[str, Check] = {
    **OWNED,
    "team_id": _is_text,
    "team_alias": _is_text,
    "members_with_roles": _is_objects,
    "tags": _is_texts,
}


def checked(given: Mapping[str, Any], known: Mapping[str, Check]) -> dict[str, Any]:
    """Return the fields of *given* that do something; null ones stay. Raises InvalidRequest."""
    found = {}
    for name, value in given.items():
        check = known.get(name)
        if check is None:
            continue
        if check in (_is_number, _is_count):
            value = _number(value)
        if value is not None and not check(value):
            raise InvalidField(
                f"'{name}' must be {_WORDS[check]}.", param=name, code="invalid_type"
            )
        found[name] = value
    _check_values(found)
    return found


def ignored(given: Mapping[str, Any], known: Collection[str]) -> list[str]:
    """Return the names in *given* that do nothing here."""
    return sorted(name for name, value in given.items() if name not in known and value is not None)


def _number(value: Any) -> Any:
    """Return *value* as a number if it is written as one, as LiteLLM's forms send them."""
    if not isinstance(value, str):
        return value
    try:
        found = float(value)
    except ValueError:
        return value
    return int(found) if found.is_integer() else found


def _check_values(found: Mapping[str, Any]) -> None:
    """Raise InvalidRequest for a value of the right type that is out of range."""
    for given in (found, *(found.get("budget_limits") or ())):
        _check_budget(given)
    for given in (found.get("model_max_budget") or {}).values():
        if not isinstance(given, dict):
            raise InvalidField("'model_max_budget' must hold an object for each model.")
        _check_budget(given)
    for name in ("model_rpm_limit", "model_tpm_limit"):
        if not all(_is_count(limit) for limit in (found.get(name) or {}).values()):
            raise InvalidField(f"'{name}' must hold an integer for each model.", param=name)


def _check_budget(given: Mapping[str, Any]) -> None:
    """Raise InvalidRequest for money or durations that are invalid."""
    for name in ("max_budget", "budget_limit", "soft_budget", "max_budget_in_team"):
        value = given.get(name)
        if value is not None and not (_is_number(value) and 0 <= value < math.inf):
            raise errors.InvalidRequest(
                f"{name} must be a non-negative finite number. Received: {value}", param=name
            )
        if value is not None and value > MOST_DOLLARS:
            raise errors.InvalidRequest(
                f"{name} must be at most {MOST_DOLLARS}; leave it out for no limit.", param=name
            )
    for name in ("budget_duration", "time_period"):
        value = given.get(name)
        if value and (not isinstance(value, str) or periods.normalized(value) is None):
            raise errors.InvalidRequest(
                f"Invalid {name} '{value}'. Use a format like '1h', '24h', '7d', or '30d'.",
                param=name,
            )


def expiry(duration: str | None, now: int) -> int | None:
    """Return when a key of *duration* expires, None for never; raises InvalidRequest."""
    if duration in (None, "", "-1"):
        return None
    seconds = periods.seconds(duration or "")
    if seconds is None:
        raise errors.InvalidRequest(
            f"Invalid duration '{duration}'. Use a format like '30s', '30m', '30h' or '30d'.",
            param="duration",
        )
    return now + seconds * 1_000_000
