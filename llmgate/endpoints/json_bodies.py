"""JSON request bodies: read within limits, decoded, errors reported as 400, 408, 413 or 415."""

from __future__ import annotations

import json
import re
from typing import Any
from typing import NoReturn

from flask import request
from gunicorn.http.errors import ParseException

from llmgate import errors
from llmgate.codecs import json_limits
from llmgate.contract import Body
from llmgate.endpoints import content_coding

DEEPEST = 100
"""The maximum nesting depth of a body."""

_BLOCK = 65536  # bytes that are decompressed at once
_MAX_VALUES = 500_000  # arrays, objects and commas: some 50 MB of Python objects

_JSON_TYPES = re.compile(
    r"(application/([\w.-]+\+)?json|text/(json|plain)|application/x-www-form-urlencoded)?"
)


def parsed(limit: int) -> Body:
    """Return the JSON object in this request's body.

    Raises InvalidRequest for anything else, TooLarge above *limit* bytes, UnsupportedMedia.
    """
    found = value(limit)
    if not isinstance(found, dict):
        raise _bad_json("it must be an object")
    return found


def value(limit: int) -> Any:
    """Return the JSON value in this request's body; raises what `parsed` raises."""
    _check_kind()
    return _read(_bytes(limit))


def read(data: bytes) -> Body:
    """Return the JSON object in *data*, this request's body; raises what `parsed` raises."""
    _check_kind()
    found = _read(data)
    if not isinstance(found, dict):
        raise _bad_json("it must be an object")
    return found


def _check_kind() -> None:
    """Raise UnsupportedMedia if Content-Type is not a JSON type."""
    kind = request.mimetype
    if not _JSON_TYPES.fullmatch(kind):
        raise errors.UnsupportedMedia(
            f"Unsupported Content-Type {kind[:80]}; send application/json."
        )


def _read(data: bytes) -> Any:
    """Return the JSON in *data*; raises InvalidRequest."""
    if json_limits.exceeds_values(data, _MAX_VALUES):
        raise errors.TooLarge(
            f"The request body has more than {_MAX_VALUES} JSON values. Send fewer in one request."
        )
    found = _decoded(data)
    if _depth(data, found) > DEEPEST:
        raise _bad_json(f"it is nested more than {DEEPEST} levels deep")
    return found


def _bytes(limit: int) -> bytes:
    """Return the request's body, decompressed; raises TooLarge above *limit* bytes."""
    coding = content_coding.name()
    data = _received(limit)
    return data if coding is None else _decompressed(data, coding, limit)


def _decompressed(data: bytes, coding: str, limit: int) -> bytes:
    """Return what *data* decompresses to; raises TooLarge above *limit* bytes, InvalidRequest."""
    found = bytearray()
    blocks = (data[at : at + _BLOCK] for at in range(0, len(data), _BLOCK))
    for piece in content_coding.decoded(blocks, coding, too_large(limit)):
        found += piece
        if len(found) > limit:
            raise too_large(limit)
    return bytes(found)


def _received(limit: int) -> bytes:
    """Return the request's body as it was sent; raises TooLarge above *limit* bytes."""
    length = request.content_length
    if length is not None and length > limit:
        raise too_large(limit)
    try:
        data: bytes = request.environ["wsgi.input"].read(limit + 1 if length is None else length)
    except (BlockingIOError, TimeoutError) as error:
        raise too_slow(error) from error
    except (OSError, EOFError, ParseException) as error:
        raise errors.InvalidRequest(
            "The request body is incomplete or its chunked encoding is invalid."
        ) from error
    if len(data) > limit:
        raise too_large(limit)
    if length is not None and len(data) < length:
        short = errors.InvalidRequest("The request body is shorter than Content-Length.")
        short.cause = f"the client closed its connection after {len(data)} of {length} bytes"
        raise short
    return data


def too_slow(why: Exception) -> errors.RequestTimeout:
    """Return the error for a body that arrives too slowly; reading it raised *why*."""
    error = errors.RequestTimeout(
        "Timed out while reading the request body. Send it without long pauses.",
    )
    text = str(why)  # of ours only if the body was below the minimum rate
    idle = "the client sent no data of its body for LLMGATE_READ_TIMEOUT seconds"
    error.cause = text if text.startswith("the client") else idle
    return error


def too_large(limit: int) -> errors.TooLarge:
    """Return the error for a body above *limit* bytes."""
    return errors.TooLarge(
        f"The request body exceeds {limit} bytes. Send less, or ask the operator to raise"
        " llmgate_settings.max_body_mb (max_upload_mb for files)."
    )


def _decoded(data: bytes) -> Any:
    """Return the JSON in *data*; raises InvalidRequest if it is invalid."""
    try:
        return _DECODER.decode(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise _bad_json("it is not UTF-8") from error
    except RecursionError as error:
        raise _bad_json("it is nested too deeply") from error
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise _bad_json(f"{error.msg} at {where}") from error
    except _InvalidNumber as error:
        raise _bad_json(f"{error} is not a valid JSON number") from error
    except ValueError as error:
        raise _bad_json("a number is too large") from error


def _bad_json(why: str) -> errors.InvalidRequest:
    """Return the error for a body that is not valid JSON, or outside our limits."""
    return errors.InvalidRequest(
        f"Invalid JSON in request body: {why}.", param="body", code="invalid_json"
    )


class _InvalidNumber(ValueError):
    """NaN or an infinity; its text is the name."""


def _invalid_number(name: str) -> NoReturn:
    raise _InvalidNumber(name)


def _finite(text: str) -> float:
    """Return the number in *text*; raises ValueError if a float cannot hold it."""
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise ValueError
    return value


_DECODER = json.JSONDecoder(parse_constant=_invalid_number, parse_float=_finite)


def _depth(data: bytes, value: Any) -> int:
    """Return the depth of *value*, the JSON of *data*, or an upper bound within DEEPEST."""
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
