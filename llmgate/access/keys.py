"""Our keys: how they are made, known by their hash, and what one may do."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Mapping
from typing import Any
from typing import NamedTuple

from llmgate.access import rules
from llmgate.access.rules import Rules

PREFIX = "sk-"
_HASH = re.compile(r"[0-9a-f]{64}")
_VALUE = re.compile(r"sk-[\x21-\x7e]{8,252}")


class Key(NamedTuple):
    """One of our keys, and what it may do."""

    token: str  # hex SHA-256 of its value
    spend_id: str  # what it is in the ledger: stays when its value is rotated
    rules: Rules
    name: str = ""  # `sk-...` and the last four characters
    user: str | None = None
    team: str | None = None
    routes: tuple[str, ...] = ()
    expires: int | None = None  # microseconds since the epoch
    metadata: Any = None


def generate() -> str:
    """Return the value of a new key, in LiteLLM's form: 16 random bytes."""
    return PREFIX + secrets.token_urlsafe(16)


def is_valid(value: str) -> bool:
    """Return whether *value* can be the value of a key."""
    return _VALUE.fullmatch(value) is not None


def token_of(text: str) -> str:
    """Return the hash of a key's value; *text* itself if it is one already.

    For administration alone: who has only the hash must not pass for who has the key.
    """
    return text if _HASH.fullmatch(text) else token(text)


def token(value: str) -> str:
    """Return the hash of a key's value."""
    return hashlib.sha256(value.encode("utf-8", "surrogateescape")).hexdigest()


def short_name(value: str) -> str:
    """Return what may be shown of a key's value."""
    return f"{PREFIX}...{value[-4:]}"


def key(data: Mapping[str, Any]) -> Key:
    """Return the key that the record *data* describes."""
    token: str = data["token"]
    return Key(
        token,
        data.get("spend_id") or token,
        rules.rules(token, data),
        name=data.get("key_name") or "",
        user=data.get("user_id"),
        team=data.get("team_id"),
        routes=tuple(data.get("allowed_routes") or ()),
        expires=data.get("expires_at"),
        metadata=data.get("metadata") or None,
    )
