"""One JSON line per request on standard output; prompts only if enabled, secrets never."""

from __future__ import annotations

import contextlib
import json
import os
import select
import sys
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from datetime import UTC
from datetime import datetime
from typing import Any

from llmgate.accounting.background_stream import BackgroundStream
from llmgate.accounting.records import Caller
from llmgate.accounting.records import Entry
from llmgate.contract import Upload
from llmgate.inbound import disconnect
from llmgate.trust import client_credentials
from llmgate.trust import redaction

_LONGEST = 8 * 1024  # characters of metadata that are written
# fields with text of clients and upstreams
_FOREIGN = """request_id endpoint user chat_id model_group error error_code cause upstream failures
tags metadata request""".split()
_SECRETS = client_credentials.SECRETS | {"extra_headers"}  # of a request


def writer(secrets: Iterable[str], prompts: bool) -> Callable[[Entry], None]:
    """Return the function that logs each request's final entry, without *secrets*."""
    clean = redaction.cleaner(secrets)

    def write(entry: Entry) -> None:
        if entry.final:
            text = _text(entry, prompts, clean)
            for take in WRITERS:
                take(text)

    return write


def _text(entry: Entry, prompts: bool, clean: Callable[[str], str]) -> str:
    """Return the line of *entry*; one that cannot be written in full has `log_error`."""
    try:
        found = line(entry, prompts)
        found |= {k: _cleaned(found[k], clean) for k in _FOREIGN if found.get(k)}
        return json.dumps(found)
    except (RecursionError, ValueError, TypeError) as error:
        found = line(entry._replace(caller=Caller(entry.caller.key), body=None), False)
        found |= {k: _cleaned(found[k], clean) for k in _FOREIGN if found.get(k)}
        return json.dumps({**found, "log_error": f"{type(error).__name__}: fields left out"})


def _cleaned(value: Any, clean: Callable[[str], str]) -> Any:
    """Return *value* with all its strings cleaned."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, list):
        return [_cleaned(item, clean) for item in value]
    if isinstance(value, dict):
        return {clean(k): _cleaned(item, clean) for k, item in value.items()}
    return value


def _dropped(number: int) -> str:
    """Return the line for *number* lines that the reader of standard output was too slow for."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    return json.dumps({"time": now, "log_lines_dropped": number}) + "\n"


STDOUT = BackgroundStream(lambda: sys.stdout, _dropped)
"""Standard output, behind a queue."""


def printed(text: str) -> None:
    """Write *text* as a line of standard output, soon; if that is closed, it is lost.

    Not through `logging`, which would only add time to a complete line.
    """
    STDOUT.write(text + "\n")


def print_lost(requests: Iterable[Mapping[str, Any]]) -> None:
    """Print a line for each of the *requests* of a worker that was killed.

    The master does this. It must not wait for the reader, and has no threads: it prints as long as
    standard output has room.
    """
    for each in requests:
        started = datetime.fromtimestamp(each["started"], UTC)
        found = {
            "time": started.isoformat(timespec="milliseconds"),
            "request_id": each["request_id"],
            "endpoint": each["endpoint"],
            "status": 500,
            "caller": each["caller"],
            "error": "The worker process ended before the response was complete.",
            "error_code": "worker_lost",
            "aborted": True,
        }
        with contextlib.suppress(OSError, ValueError, AttributeError):
            fd = sys.stdout.fileno()
            poll = disconnect.native("select").poll()
            poll.register(fd, select.POLLOUT)
            if poll.poll(0):  # a pipe then takes PIPE_BUF bytes
                os.write(fd, json.dumps(found).encode() + b"\n")


@contextlib.contextmanager
def to(writer: Callable[[str], None]) -> Iterator[None]:
    """Send the lines of requests that end in this context to *writer* alone."""
    before = WRITERS[:]
    WRITERS[:] = [writer]
    try:
        yield
    finally:
        WRITERS[:] = before


WRITERS: list[Callable[[str], None]] = [printed]
"""Functions that receive each line."""


def line(entry: Entry, prompts: bool) -> dict[str, Any]:
    """Return the fields of the line for *entry*, the most important first."""
    deployment = entry.deployment
    found: dict[str, Any] = {
        "time": datetime.fromtimestamp(entry.started, UTC).isoformat(timespec="milliseconds"),
        "request_id": entry.request_id,
        "endpoint": entry.endpoint,
        "status": entry.status,
        "caller": entry.caller.key or None,
        "user": entry.caller.user,
        "model_group": entry.group,
        "provider": deployment and deployment.provider,
        "model": deployment and deployment.model,
        "deployment": deployment and deployment.id,
        "attempts": entry.attempt,
        "stream": entry.stream,
        "usage": dict(entry.usage) or None,
        "cost": entry.cost,
        "latency_ms": round(entry.latency * 1000, 3),
        "ttft_ms": None if entry.ttft is None else round(entry.ttft * 1000, 3),
        "tags": [*entry.caller.tags, *entry.caller.more_tags],
        "metadata": _short(entry.caller.metadata),
    }
    optional = {
        "chat_id": entry.caller.chat,
        "error": entry.error,
        "error_code": entry.error_code,
        "cause": entry.cause,
        "upstream": dict(entry.upstream),
        "failures": list(entry.failures),
        "aborted": entry.aborted,
        "usage_estimated": entry.usage_estimated,
        "request": _without_files(entry.body) if prompts else None,
    }
    return {**found, **{name: value for name, value in optional.items() if value}}


def _short(metadata: Any) -> Any:
    """Return *metadata*, or a note in its place if it is too long for a log line."""
    if metadata is None or len(json.dumps(metadata)) <= _LONGEST:
        return metadata
    return f"(more than {_LONGEST} characters)"


def _without_files(body: Any) -> Any:
    """Return *body* with the names of its files in their places, and without its secrets."""
    if not isinstance(body, dict):
        return body
    return {k: _named(v) for k, v in body.items() if k not in _SECRETS}


def _named(value: Any) -> Any:
    """Return a file's name for a file."""
    if isinstance(value, list):
        return [_named(item) for item in value]
    return value.filename if isinstance(value, Upload) else value
