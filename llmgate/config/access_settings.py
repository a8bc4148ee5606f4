"""Keys, budgets and where they are stored, as the operator configures them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC
from datetime import tzinfo
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo
from zoneinfo import ZoneInfoNotFoundError

from llmgate.access import assembly
from llmgate.access import budgets
from llmgate.access import keys
from llmgate.access import periods
from llmgate.access import rules
from llmgate.access.management import fields
from llmgate.errors import ConfigError

_KEYS = "llmgate_settings.keys"


def load(
    litellm: Mapping[str, Any],
    general: Mapping[str, Any],
    own: Mapping[str, Any],
    environ: Mapping[str, str],
) -> assembly.Settings:
    """Return what the sections of the configuration say about keys; raises ConfigError."""
    status = litellm.get("budget_exceeded_status_code") or 422
    options = budgets.Options(
        gateway=_allowances(litellm, "max_budget", litellm.get("budget_duration")),
        end_user=_allowances(litellm, "max_end_user_budget", None),
        zone=_zone(litellm.get("timezone")),
        exceeded_status=int(status),
        allow_unpriced=bool(own.get("allow_unpriced_models")),
    )
    place = own.get("data_dir") or environ.get("LLMGATE_DATA_DIR") or "data"
    url = assembly.database_url(environ.get("DATABASE_URL"))
    declared = tuple(_key(at, given) for at, given in enumerate(own.get("keys") or ()))
    _check_unique(declared)
    redis_url = environ.get("REDIS_URL") or None
    keep = _retention(general.get("maximum_spend_logs_retention_period"))
    return assembly.Settings(
        Path(place), url, declared, options, "DYNO" in environ, redis_url, keep_calls=keep
    )


def _retention(text: str | None) -> int | None:
    """Return a retention period in microseconds, None for ever."""
    if not text:
        return None
    seconds = periods.seconds(str(text))
    if not seconds:
        raise ConfigError(
            f"general_settings.maximum_spend_logs_retention_period: '{text}' is invalid; use '30d'"
        )
    return seconds * 1_000_000


def _allowances(
    section: Mapping[str, Any], name: str, duration: str | None
) -> tuple[rules.Allowance, ...]:
    """Return the budget called *name* in litellm_settings; 0 is LiteLLM's word for none."""
    if duration and periods.normalized(duration) is None:
        raise ConfigError(
            f"litellm_settings.budget_duration: '{duration}' is invalid; use '1d', '7d' or '30d'"
        )
    cap = section.get(name)
    if cap and not 0 < float(cap) <= fields.MOST_DOLLARS:
        raise ConfigError(
            f"litellm_settings.{name}: must be from 0 to {fields.MOST_DOLLARS} dollars"
        )
    return rules.budgets({"max_budget": cap, "budget_duration": duration}) if cap else ()


def _zone(name: str | None) -> tzinfo:
    """Return the time zone called *name*."""
    try:
        return ZoneInfo(name) if name else UTC
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ConfigError(
            f"litellm_settings.timezone: '{name}' is unknown here; check its spelling, or install"
            " the tzdata package"
        ) from None


def _key(at: int, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the record of a key that is declared; raises ConfigError, InvalidRequest."""
    unknown = fields.ignored(given, (*fields.KEY, "key_hash"))
    if unknown:
        raise ConfigError(f"{_KEYS}[{at}]: unknown: {', '.join(unknown)}")
    value, token = given.get("key"), given.get("key_hash")
    if (value is None) == (token is None):
        raise ConfigError(f"{_KEYS}[{at}]: needs either 'key' or 'key_hash', its hex SHA-256")
    if value is not None and not keys.is_valid(value):
        raise ConfigError(f"{_KEYS}[{at}].key: a key is 'sk-' and 8 or more printable characters")
    if token is not None and keys.token_of(token) != token:
        raise ConfigError(f"{_KEYS}[{at}].key_hash: is not a SHA-256 in 64 lower-case hex digits")
    found = fields.checked(given, fields.KEY)
    for name in ("key", "duration"):
        if found.pop(name, None) is not None and name != "key":
            raise ConfigError(f"{_KEYS}[{at}].{name}: is for keys that are made by the API")
    token = keys.token(value) if value is not None else str(token)
    alias = found.get("key_alias")
    return {
        "token": token,
        "key_name": keys.short_name(value) if value else None,
        "spend_id": f"config:{alias}" if alias else token,  # it outlives a change of the value
        **found,
    }


def _check_unique(declared: tuple[dict[str, Any], ...]) -> None:
    """Raise ConfigError if two of the *declared* keys are the same, or have the same alias."""
    for name, words in (("token", "key"), ("key_alias", "key_alias")):
        given = [each[name] for each in declared if each.get(name)]
        if len(given) > len(set(given)):
            raise ConfigError(f"{_KEYS}: two entries have the same {words}")
