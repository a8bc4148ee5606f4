"""Gemini's own answers, passed on as they came: what they count, and whether they came to an end.

Source: https://ai.google.dev/api/generate-content#v1beta.GenerateContentResponse
"""

from __future__ import annotations

import json
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any

from llmgate import errors
from llmgate.codecs import sse
from llmgate.contract import Usage
from llmgate.dialects.gemini import errors as gemini_errors
from llmgate.dialects.gemini import usage as gemini_usage
from llmgate.dialects.openai import wire as openai_wire


def usage(reply: Mapping[str, Any]) -> Usage:
    """Return the usage in Google's *reply*, or in one event of it."""
    counts = reply.get("usageMetadata")
    return (
        openai_wire.usage({"usage": gemini_usage.usage(counts)}) if isinstance(counts, dict) else {}
    )


def relayed(
    pieces: Iterable[bytes], shows_usage: bool, report: Callable[[Usage], None]
) -> Iterator[bytes]:
    """Yield a stream's bytes as they came, in whole events; usage is passed to *report*.

    Raises UpstreamError for an error among them, CutShort if no candidate came to its end.
    """
    scan = _Scan(report)
    for block in sse.blocks(pieces):
        kept = scan.kept(block)
        if kept:
            yield kept
        if scan.error:
            raise scan.error
    if not scan.finished():
        raise errors.CutShort("Google ended its stream before the answer was complete.")


class _Scan:
    """The state of one stream."""

    def __init__(self, report: Callable[[Usage], None]) -> None:
        self._report = report
        self._ended: dict[int, bool] = {}  # candidates
        self._blocked = False
        self.error: errors.UpstreamError | None = None

    def finished(self) -> bool:
        """Return whether Google has sent a finish reason."""
        return self._blocked or (bool(self._ended) and all(self._ended.values()))

    def kept(self, block: bytes) -> bytes:
        """Return the bytes of *block* that go on: up to an error."""
        kept = bytearray()
        for raw in sse.split(block):
            for _, data in sse.decoded(raw):
                self._read(json.loads(data))
            if self.error:
                break
            kept += raw
        return bytes(kept)

    def _read(self, event: Any) -> None:
        """Update the state from *event*."""
        if isinstance(event, list) or "error" in event:
            self.error = gemini_errors.stream_error(event)
            return
        self._report(usage(event))
        self._blocked = self._blocked or bool(
            (event.get("promptFeedback") or {}).get("blockReason")
        )
        for candidate in event.get("candidates") or ():
            index = candidate.get("index", 0)
            self._ended[index] = self._ended.get(index, False) or bool(
                candidate.get("finishReason")
            )
