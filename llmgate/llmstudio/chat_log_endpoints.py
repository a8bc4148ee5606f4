"""LLMstudio's tracking: /api/tracking/logs, the engine's chats, if they are stored."""

from __future__ import annotations

from flask import Blueprint
from flask import Response
from flask import current_app
from flask import request

from llmgate import errors
from llmgate.endpoints import auth
from llmgate.endpoints import common
from llmgate.endpoints import json_bodies
from llmgate.endpoints import routes
from llmgate.llmstudio.chat_log import ChatLog
from llmgate.llmstudio.endpoints import paths
from llmgate.llmstudio.parameters import Invalid
from llmgate.llmstudio.parameters import wrong

blueprint = Blueprint("tracking", __name__)

_MOST = 1000
_LARGEST = 2**62


@routes.route(blueprint, paths("/api/tracking/logs"), methods=["GET"])
@auth.keyed
def logs() -> Response:
    """List the stored chats, oldest first."""
    return _rows(None)


@routes.route(blueprint, paths("/api/tracking/logs_by_session"), methods=["GET"])
@auth.keyed
def logs_by_session() -> Response:
    """List the chats of the session that the query names."""
    session_id = request.args.get("session_id")
    if not session_id:
        fault = wrong("Name the session: ?session_id=", kind="missing")
        raise Invalid([fault | {"loc": ["query", "session_id"]}])
    return _rows(session_id)


@routes.route(blueprint, paths("/api/tracking/logs/<session_id>"), methods=["GET"])
@auth.keyed
def logs_of(session_id: str) -> Response:
    """List the chats of a session, on the path of 1.x."""
    return _rows(session_id)


@routes.route(blueprint, paths("/api/tracking/logs"), methods=["POST"])
@auth.keyed
def add() -> Response:
    """Store a log that a client of 1.x sends."""
    return common.json_response(_tracking().add(json_bodies.parsed(common.settings().max_body)))


def _tracking() -> ChatLog:
    """Return the chat log; raises NotFound if chats are not stored."""
    found: ChatLog | None = current_app.extensions.get("llmgate.tracking")
    if found is None:
        raise errors.NotFound(
            "Chats are not tracked here. To store them, prompts and answers included, set"
            " llmgate_settings.tracking to the path of a file."
        )
    return found


def _rows(session_id: str | None) -> Response:
    """Return the rows that the query asks for; raises Invalid."""
    skip, limit = _number("skip", 0, _LARGEST), _number("limit", _MOST, _MOST)
    return common.json_response(list(_tracking().rows(skip, limit, session_id)))


def _number(name: str, default: int, most: int) -> int:
    """Return the number called *name* in the query, *most* at most; raises Invalid."""
    text = request.args.get(name, str(default))
    if not (text.isascii() and text.isdecimal()):
        fault = wrong(f"'{name}' must be a whole number of at least 0", kind="int_parsing")
        raise Invalid([fault | {"loc": ["query", name]}])
    return min(int(text[:20]), most)
