"""Anthropic's signed thinking, carried through Google's API as a thought signature.

Google's clients return what they received, and have only one text and one signature. Theirs are
bytes in base64, of either alphabet; ours begin with a mark that distinguishes them.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

_MARK = b"llmgate."


def standard(data: str) -> str:
    """Return base64 *data* of either alphabet in that of RFC 4648's section 4."""
    return data.replace("-", "+").replace("_", "/")


def decoded(data: str) -> bytes:
    """Return the bytes of base64 *data*, padded or not; raises ValueError."""
    bare = standard(data).rstrip("=")
    return base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True)


def signature(block: Mapping[str, Any]) -> str:
    """Return what stands for a *block* of thinking, but for its text, as a thoughtSignature."""
    kept = {key: value for key, value in block.items() if key not in ("thinking", "index")}
    return base64.b64encode(_MARK + json.dumps(kept, separators=(",", ":")).encode()).decode()


def block(signature: Any, text: str) -> dict[str, Any] | None:
    """Return the block of thinking that *signature* and its *text* make, None if it is not ours."""
    try:
        data = decoded(signature) if isinstance(signature, str) else b""
        kept = json.loads(data.removeprefix(_MARK)) if data.startswith(_MARK) else None
    except (ValueError, RecursionError):
        return None
    if not isinstance(kept, dict) or "type" not in kept:
        return None
    if kept["type"] != "thinking":
        return kept
    return {"type": "thinking", "thinking": text, **kept}


_OURS = base64.b64encode(_MARK + b"{")[:10].decode()
_NAMES = ("thoughtSignature", "thought_signature")


def without_ours(contents: Any) -> Any:
    """Return the *contents* of a request less our signatures, which Google takes for forged ones.

    What has not the shape of contents is returned as it is.
    """
    return [_unsigned(turn) for turn in contents] if isinstance(contents, list) else contents


def _unsigned(turn: Any) -> Any:
    """Return a *turn* less our signatures."""
    parts = turn.get("parts") if isinstance(turn, Mapping) else None
    if not isinstance(parts, list):
        return turn
    return {**turn, "parts": [_bare(part) if isinstance(part, Mapping) else part for part in parts]}


def _bare(part: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return *part* less our signature."""
    return {
        key: value
        for key, value in part.items()
        if key not in _NAMES or not str(value).startswith(_OURS)
    }
