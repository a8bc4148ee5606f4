"""Records as LiteLLM writes them: the same members in the same order, null where there is nothing.

litellm_rows.json holds the members of each kind of row and their defaults (LiteLLM 1.106).
"""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

from llmgate.access import periods
from llmgate.storage.control import Document
from llmgate.storage.ledger import Spent
from llmgate.storage.ledger import dollars

Row = dict[str, Any]

_IN_METADATA = ("model_rpm_limit", "model_tpm_limit")  # as LiteLLM shows them


@functools.cache
def _templates() -> dict[str, Row]:
    """Return the members of each kind of row with their defaults."""
    path = Path(__file__).with_name("litellm_rows.json")
    found: dict[str, Row] = json.loads(path.read_bytes())
    return found


class Sums:
    """What a record has spent: in the window of its budget, and in all."""

    def __init__(self, window: Spent = Spent(), total: Spent = Spent(), end: int | None = None):
        self.window = window
        self.total = total
        self.end = end  # of the window


def row(kind: str, data: Document, sums: Sums | None = None) -> Row:
    """Return the record *data* as a row of *kind*."""
    found = {**_templates()[kind]}
    shown = _shown(data, sums or Sums())
    for name in found:
        if name in shown and (shown[name] is not None or found[name] is None):
            found[name] = shown[name]
    return found


def _shown(data: Document, sums: Sums) -> Row:
    """Return the members of *data* as they are shown."""
    shown = {**data}
    limits = {name: data[name] for name in _IN_METADATA if data.get(name)}
    tags = {"tags": data["tags"]} if data.get("tags") else {}
    shown["metadata"] = {**(data.get("metadata") or {}), **tags, **limits}
    for name in _IN_METADATA:
        shown.pop(name, None)
    for name in ("created_at", "updated_at", "settings_updated_at", "last_rotation_at"):
        shown[name] = periods.iso(data[name]) if data.get(name) else None
    expires = data.get("expires_at")
    shown["expires"] = periods.iso(expires) if expires else None
    shown["budget_reset_at"] = periods.iso(sums.end) if sums.end else None
    shown["spend"] = dollars(sums.window.spent)
    shown["total_spend"] = dollars(sums.total.spent)
    shown["token_id"] = data.get("token")
    if isinstance(data.get("max_budget"), int):
        shown["max_budget"] = float(data["max_budget"])
    return shown


def page(found: list[Any], number: int, size: int) -> tuple[list[Any], int]:
    """Return the page *number* of *found*, and how many pages there are."""
    pages = -(-len(found) // size)
    return found[(number - 1) * size : number * size], pages
