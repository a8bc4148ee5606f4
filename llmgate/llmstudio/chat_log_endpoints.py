"""LLMstudio's tracking: /api/tracking/logs, what was said in the engine's chats, if it is kept."""

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
from llmgate.llmstudio.chat_log import Tracking
from llmgate.llmstudio.endpoints import paths
from llmgate.llmstudio.parameters import Invalid
from llmgate.llmstudio.parameters import wrong

blueprint = Blueprint("tracking", __name__)

_MOST = 1000
_LARGEST = 2**62


@routes.route(blueprint, paths("/api/tracking/logs"), methods=["GET"])
@auth.keyed
def logs() -> Response:
    """List what was said, oldest first."""
    return _rows(None)


@routes.route(blueprint, paths("/api/tracking/logs_by_session"), methods=["GET"])
@auth.keyed
def logs_by_session() -> Response:
    """List what was said in the session that the query names."""
    session_id = request.args.get("session_id")
    if not session_id:
        fault = wrong("Name the session: ?session_id=", kind="missing")
        raise Invalid([fault | {"loc": ["query", "session_id"]}])
    return _rows(session_id)


@routes.route(blueprint, paths("/api/tracking/logs/<session_id>"), methods=["GET"])
@auth.keyed
def logs_of(session_id: str) -> Response:
    """List what was said in a session, on the path of 1.x."""
    return _rows(session_id)


@routes.route(blueprint, paths("/api/tracking/logs"), methods=["POST"])
@auth.keyed
def add() -> Response:
    """Keep what a client has seen said: those of 1.x keep their logs themselves."""
    return common.json_response(_tracking().add(json_bodies.parsed(common.settings().max_body)))


def _tracking() -> Tracking:
    """Return where chats are kept; raises NotFound if they are not."""
    found: Tracking | None = current_app.extensions.get("llmgate.tracking")
    if found is None:
        raise errors.NotFound(
            "Chats are not tracked here. The operator sets llmgate_settings.tracking to a file's"
            " path to have them kept, prompts and answers too."
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
