"""The JSON bodies of requests: read within limits, decoded, their faults named."""

from __future__ import annotations

import json
import re
from typing import Any
from typing import NoReturn

from flask import request
from gunicorn.http.errors import ParseException

from llmgate import errors
from llmgate.contract import Body

DEEPEST = 100
"""Levels of nesting that a body may have."""

_JSON_TYPES = re.compile(
    r"(application/([\w.-]+\+)?json|text/(json|plain)|application/x-www-form-urlencoded)?"
)


def parsed(limit: int) -> Body:
    """Return the JSON object that this request's body is.

    Raises InvalidRequest for anything else, TooLarge above *limit* bytes, UnsupportedMedia.
    """
    found = value(limit)
    if not isinstance(found, dict):
        raise _bad_json("it must be an object")
    return found


def value(limit: int) -> Any:
    """Return the JSON that this request's body is; raises what `parsed` raises."""
    _check_kind()
    return _read(_bytes(limit))


def read(data: bytes) -> Body:
    """Return the JSON object that *data*, this request's body, is; raises what `parsed` raises."""
    _check_kind()
    found = _read(data)
    if not isinstance(found, dict):
        raise _bad_json("it must be an object")
    return found


def _check_kind() -> None:
    """Raise UnsupportedMedia for a body that does not call itself JSON."""
    kind = request.mimetype
    if not _JSON_TYPES.fullmatch(kind):
        raise errors.UnsupportedMedia(
            f"This endpoint reads JSON, not {kind[:80]}: send Content-Type: application/json."
        )


def _read(data: bytes) -> Any:
    """Return the JSON in *data*; raises InvalidRequest."""
    found = _decoded(data)
    if _depth(data, found) > DEEPEST:
        raise _bad_json(f"it is nested more than {DEEPEST} levels deep")
    return found


def refuse_compression() -> None:
    """Raise UnsupportedMedia for a compressed request body."""
    if request.headers.get("Content-Encoding", "identity").lower() not in ("", "identity"):
        raise errors.UnsupportedMedia("Compressed request bodies are not read: send it as it is.")


def _bytes(limit: int) -> bytes:
    """Return the request's body; raises TooLarge above *limit* bytes, chunked ones too."""
    refuse_compression()
    length = request.content_length
    if length is not None and length > limit:
        raise too_large(limit)
    try:
        data: bytes = request.environ["wsgi.input"].read(limit + 1 if length is None else length)
    except (BlockingIOError, TimeoutError) as error:
        raise too_slow(error) from error
    except (OSError, EOFError, ParseException) as error:
        raise errors.InvalidRequest("The request body could not be read to its end.") from error
    if len(data) > limit:
        raise too_large(limit)
    if length is not None and len(data) < length:
        short = errors.InvalidRequest("The request body is shorter than its Content-Length.")
        short.cause = f"the client closed its connection after {len(data)} of {length} bytes"
        raise short
    return data


def too_slow(why: Exception) -> errors.RequestTimeout:
    """Return the error for a body that does not come, *why* being what reading it raised."""
    error = errors.RequestTimeout(
        "The request body did not come in time. Send it without long pauses.",
    )
    said = str(why)  # in words only if it came too slowly
    silent = "the client sent nothing more of its body within LLMGATE_READ_TIMEOUT"
    error.cause = said if said.startswith("the client") else silent
    return error


def too_large(limit: int) -> errors.TooLarge:
    """Return the error for a body above *limit* bytes."""
    return errors.TooLarge(
        f"The request body has more than {limit} bytes. Send less, or ask the operator to raise"
        " llmgate_settings.max_body_mb (max_upload_mb for files)."
    )


def _decoded(data: bytes) -> Any:
    """Return the JSON in *data*; raises InvalidRequest if it is none."""
    try:
        return _DECODER.decode(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise _bad_json("it is not UTF-8") from error
    except RecursionError as error:
        raise _bad_json("it is nested too deeply") from error
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise _bad_json(f"{error.msg} at {where}") from error
    except _NoNumber as error:
        raise _bad_json(f"{error} is no JSON number") from error
    except ValueError as error:
        raise _bad_json("a number is too large") from error


def _bad_json(why: str) -> errors.InvalidRequest:
    """Return the error for a body that is no usable JSON."""
    return errors.InvalidRequest(
        f"The request body is no JSON that can be used: {why}.", param="body", code="invalid_json"
    )


class _NoNumber(ValueError):
    """NaN or an infinity, by its name."""


def _no_number(name: str) -> NoReturn:
    raise _NoNumber(name)


def _finite(text: str) -> float:
    """Return the number that *text* writes, if it is one that a float can hold."""
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise ValueError
    return value


_DECODER = json.JSONDecoder(parse_constant=_no_number, parse_float=_finite)


def _depth(data: bytes, value: Any) -> int:
    """Return how deep *value*, the JSON of *data*, is nested; a quick guess if it is shallow."""
    most = data.count(b"{") + data.count(b"[")
    if most <= DEEPEST:
        return most
    depth, level = 0, [value]
    while level and depth <= DEEPEST:
        depth += 1
        level = [
            child
            for node in level
            for child in (node.values() if isinstance(node, dict) else node)
            if isinstance(child, dict | list)
        ]
    return depth
