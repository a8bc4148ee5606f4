"""The tags and metadata of a request that are for the gateway itself, wherever they are."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from llmgate.codecs import json_limits

_MAX_DEPTH = 100  # as of a body
_METADATA = ("metadata", "litellm_metadata")  # the first takes precedence, member by member


def tags(body: Mapping[str, Any], header: str | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the tags that choose deployments, and the others.

    Those of *body* take precedence over those of the *header*, and both over the metadata's.
    """
    sources = [body.get("tags"), header, *(_listed(body.get(name)) for name in _METADATA)]
    first, *more = [found for found in map(_tags, sources) if found] or [()]
    others = dict.fromkeys(tag for found in more for tag in found if tag not in first)
    return first, tuple(others)


def metadata(body: Mapping[str, Any], header: str | None) -> Any:
    """Return the metadata of *body* as one, that of the *header* for the spend in it."""
    merged = _merged({name: body[name] for name in _METADATA if body.get(name) is not None})
    if not header:
        return merged
    noted = merged if isinstance(merged, Mapping) else {"metadata": merged}
    return {**(noted if merged else {}), "spend_logs_metadata": _object(header)}


def _listed(metadata: Any) -> Any:
    """Return the tags in *metadata*, None if it has none."""
    return metadata.get("tags") if isinstance(metadata, Mapping) else None


def _merged(given: Mapping[str, Any]) -> Any:
    """Return what is *given* as metadata as one: the only one as it is; None if there is none."""
    if len(given) < 2:
        return next(iter(given.values()), None)
    merged: dict[str, Any] = {}
    for name in reversed(_METADATA):
        found = given[name]
        merged |= found if isinstance(found, Mapping) else {name: found}
    return merged


def _object(text: str) -> Any:
    """Return the JSON of *text*, else the text itself."""
    if json_limits.exceeds_depth(text.encode(), _MAX_DEPTH):
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _tags(value: Any) -> tuple[str, ...]:
    """Return tags out of a list, a comma-separated text, or anything else (none)."""
    if isinstance(value, str):
        value = value.split(",")
    if not isinstance(value, list):
        return ()
    return tuple(tag.strip() for tag in value if isinstance(tag, str) and tag.strip())
