"""What the endpoints of LiteLLM's management API share."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Mapping
from typing import Any
from typing import TypeVar

from flask import Response
from flask import request

from llmgate import errors
from llmgate.access import refusals
from llmgate.access.management import fields
from llmgate.access.management.keys import ADMIN
from llmgate.access.management.keys import Office
from llmgate.endpoints import auth
from llmgate.endpoints import common
from llmgate.endpoints import json_bodies
from llmgate.endpoints.error_responses import printable
from llmgate.storage.database import TooSlow

T = TypeVar("T")


def office() -> Office:
    """Return where keys, users and teams are administered."""
    return auth.access().office


def actor() -> str:
    """Return who administers, for the audit."""
    return auth.actor() or ADMIN


def body() -> dict[str, Any]:
    """Return the JSON object of this request."""
    found: dict[str, Any] = json_bodies.parsed(common.settings().max_body)
    return found


def done(work: Callable[[], T]) -> T:
    """Return what *work* returns; raises StoreUnavailable if a store is not available."""
    with refusals.store_errors():
        return work()


def read(work: Callable[[], T]) -> T:
    """Return what *work* reads for a report; raises StoreUnavailable, or InvalidRequest if slow."""
    try:
        return done(work)
    except TooSlow:
        raise errors.InvalidRequest(
            "This takes too long; narrow the range of time, or filter by less.",
            code="range_too_wide",
        ) from None


def answer(value: Any, given: Mapping[str, Any] = {}, known: Collection[str] = ()) -> Response:
    """Return *value* as JSON, with a warning of the fields *given* that are ignored."""
    response = common.json_response(value)
    unknown = fields.ignored(given, known) if known else []
    if unknown:
        names = printable(", ".join(unknown))
        response.headers["x-llmgate-warning"] = f"these fields are ignored: {names}"
    return response


def text(name: str) -> str | None:
    """Return the parameter *name* of the query, None if it is absent or empty."""
    return request.args.get(name) or None


def required(given: Mapping[str, Any], name: str) -> str:
    """Return the string *name* of a body or query; raises InvalidField."""
    value = given.get(name)
    if not isinstance(value, str) or not value:
        raise fields.InvalidField(f"'{name}' is required, as a string.", param=name)
    return value


def names(given: Mapping[str, Any], name: str) -> list[str]:
    """Return the list of strings *name* of a body; raises InvalidField."""
    value = given.get(name)
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise fields.InvalidField(f"'{name}' must be a list of strings.", param=name)
    return value


def number(name: str, default: int, most: int) -> int:
    """Return the number *name* of the query; raises InvalidField."""
    value = request.args.get(name, str(default))
    if not value.isascii() or not value.isdigit() or not 1 <= int(value) <= most:
        raise fields.InvalidField(f"'{name}' must be from 1 to {most}.", param=name)
    return int(value)


def is_true(name: str) -> bool:
    """Return whether the parameter *name* of the query is true."""
    return request.args.get(name, "").lower() in ("true", "1")


def not_found(message: str, param: str) -> errors.NotFound:
    """Return the error for a record that does not exist."""
    return errors.NotFound(message, param=param)
