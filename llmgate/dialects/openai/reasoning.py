"""The text and the reasoning of a message, in whatever form an upstream writes them.

Sources: https://docs.mistral.ai/capabilities/reasoning (a list of `thinking` and `text` parts),
https://openrouter.ai/docs/use-cases/reasoning-tokens (`reasoning`, `reasoning_details`),
https://api-docs.deepseek.com/guides/reasoning_model (`reasoning_content`), and `<think>` in the
text, as servers without a reasoning parser leave it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_BEGIN, _END = "<think>", "</think>"
_TEXTS = ("text", "output_text")
_THOUGHTS = ("thinking", "reasoning")


def texts(message: Mapping[str, Any]) -> tuple[str, str]:
    """Return the reasoning and the text of a message, or of a delta."""
    content = message.get("content")
    thought, text = _parts(content) if isinstance(content, list) else ("", content or "")
    return _reasoning(message) or thought, text if isinstance(text, str) else str(text)


def is_text(content: Any) -> bool:
    """Return whether *content* is a list of nothing but text and reasoning."""
    return isinstance(content, list) and all(
        not isinstance(part, dict) or part.get("type", "text") in (*_TEXTS, *_THOUGHTS)
        for part in content
    )


def _reasoning(message: Mapping[str, Any]) -> str:
    """Return the reasoning that stands beside the content."""
    for name in ("reasoning_content", "reasoning"):
        found = _flat(message.get(name))
        if found:
            return found
    details = message.get("reasoning_details")
    return _flat(details) if isinstance(details, list) else ""


def _flat(value: Any) -> str:
    """Return the text in *value*: a text, a part, or a list of these."""
    if isinstance(value, list):
        return "".join(map(_flat, value))
    if isinstance(value, dict):
        names = ("text", "thinking", "summary", "content")
        return next((_flat(value[name]) for name in names if value.get(name)), "")
    return value if isinstance(value, str) else ""


def _parts(content: list[Any]) -> tuple[str, str]:
    """Return the reasoning and the text in a list of parts."""
    thoughts, words = [], []
    for part in content:
        kind = part.get("type", "text") if isinstance(part, dict) else "text"
        if kind in _TEXTS:
            words.append(_flat(part))
        elif kind in _THOUGHTS:
            thoughts.append(_flat({**part, "type": None}))
    return "".join(thoughts), "".join(words)


class ThinkTags:
    """Moves what stands in `<think>` at the beginning of a text, which comes in pieces."""

    def __init__(self) -> None:
        self.is_over = False  # the rest is text
        self._inside = False
        self._after = False  # directly after the tag, where newlines are dropped
        self._held = ""  # may be the beginning of a tag

    def split(self, text: str) -> tuple[str, str]:
        """Return the reasoning and the text in the next piece of *text*."""
        if self.is_over or not text:
            return "", text
        if self._after:
            return "", self._answer(text)
        text, self._held = self._held + text, ""
        return self._in(text) if self._inside else self._before(text)

    def end(self) -> tuple[str, str]:
        """Return what was held back, when nothing more comes."""
        held, self._held, self.is_over = self._held, "", True
        return (held, "") if self._inside else ("", held)

    def _before(self, text: str) -> tuple[str, str]:
        """Return the parts of a *text* that may begin with the tag."""
        begins = text.lstrip()
        if begins.startswith(_BEGIN):
            self._inside = True
            return self._in(begins[len(_BEGIN) :])
        if _BEGIN.startswith(begins):
            self._held = text
            return "", ""
        self.is_over = True
        return "", text

    def _in(self, text: str) -> tuple[str, str]:
        """Return the parts of a *text* within the tag."""
        thought, tag, rest = text.partition(_END)
        if tag:
            self._inside, self._after = False, True
            return thought, self._answer(rest)
        size = next(n for n in range(len(_END) - 1, -1, -1) if thought.endswith(_END[:n]))
        self._held = thought[len(thought) - size :]
        return thought[: len(thought) - size], ""

    def _answer(self, text: str) -> str:
        """Return the first *text* after the tag without its newlines."""
        text = text.lstrip("\n")
        self.is_over = bool(text)
        return text
