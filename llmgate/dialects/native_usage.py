"""Usage in the responses of providers' own wires, found in pieces of their bytes.

The bytes may be JSON, server-sent events or an AWS event stream: what is looked for is JSON in all
of them, but for InvokeModel's chunks, which hold it in base64.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any

from llmgate.contract import Usage
from llmgate.dialects.anthropic import usage as anthropic_usage
from llmgate.dialects.gemini import usage as gemini_usage
from llmgate.dialects.openai import wire as openai_wire
from llmgate.dialects.others import cohere

_REPORT = re.compile(
    rb'"(usage|usageMetadata|meta|amazon-bedrock-invocationMetrics)"\s*:\s*'
    rb"(\{(?:[^{}]|\{[^{}]*\})*\})"
)
_MODEL = re.compile(rb'"(?:model|modelVersion)"\s*:\s*"([^"\\]{1,200})"')
_CHUNK = re.compile(rb'"bytes"\s*:\s*"([A-Za-z0-9+/]+={0,2})"')


def usage(data: bytes) -> Usage:
    """Return the usage reported in *data*, later reports over earlier ones."""
    found: dict[str, float] = {}
    for text in (data, *_chunks(data)):
        for name, report in _REPORT.findall(text):
            found |= _understood(name, report)
    return found


def model(data: bytes) -> str | None:
    """Return the model named first in *data*."""
    for text in (data, *_chunks(data)):
        found = _MODEL.search(text)
        if found:
            return found[1].decode("utf-8", "replace")
    return None


def _chunks(data: bytes) -> Iterator[bytes]:
    """Yield what the chunks of InvokeModelWithResponseStream in *data* hold."""
    for text in _CHUNK.findall(data):
        try:
            yield base64.b64decode(text, validate=True)
        except binascii.Error:
            continue


def _understood(name: bytes, report: bytes) -> Usage:
    """Return the usage in the JSON *report* called *name*; empty if it is unknown."""
    try:
        raw = json.loads(report)
    except (ValueError, RecursionError):
        return {}
    if name == b"usageMetadata":
        return _of(gemini_usage.usage, raw)
    reader = next((read for mark, read in _READERS if mark in raw), None)
    return _of(reader, raw) if reader else {}


def _of(read: Callable[[Mapping[str, Any]], Mapping[str, Any]], raw: Mapping[str, Any]) -> Usage:
    """Return the usage that *read* finds in *raw*; empty if a count is invalid."""
    try:
        return openai_wire.usage({"usage": read(raw)})
    except (TypeError, AttributeError, KeyError):
        return {}


def _billed(raw: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return Cohere's counts: those that are billed."""
    return dict(cohere.usage({"usage": raw}))


def _converse(raw: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the counts of Converse, which counts apart what is cached."""
    counts = {
        "input_tokens": raw.get("inputTokens") or 0,
        "cache_read_input_tokens": raw.get("cacheReadInputTokens") or 0,
        "cache_creation_input_tokens": raw.get("cacheWriteInputTokens") or 0,
        "output_tokens": raw.get("outputTokens") or 0,
    }
    return anthropic_usage.chat_usage(counts)


def _invoked(raw: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the counts of InvokeModel's last chunk."""
    return {
        "prompt_tokens": raw.get("inputTokenCount"),
        "completion_tokens": raw.get("outputTokenCount"),
    }


def _anthropic(raw: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return Anthropic's counts; the end of a stream may omit those of the prompt."""
    found = dict(anthropic_usage.chat_usage(raw))
    if not found["prompt_tokens"]:
        return {"completion_tokens": found["completion_tokens"]}
    return found


_READERS: tuple[tuple[str, Callable[[Mapping[str, Any]], Mapping[str, Any]]], ...] = (
    ("prompt_tokens", dict),
    ("input_tokens_details", dict),
    ("inputTokens", _converse),
    ("inputTokenCount", _invoked),
    ("billed_units", _billed),
    ("input_tokens", _anthropic),
    ("output_tokens", _anthropic),
    ("total_tokens", dict),
)
"""Reports by a member that they have, the first that fits, and what reads them."""
