"""/ui/playground: chats with one or more models, as the principal of the login."""

from __future__ import annotations

import json
from collections.abc import Iterator

from flask import Response
from flask import g

from llmgate.accounting import pricing
from llmgate.accounting.meter import Meter
from llmgate.contract import Deployment
from llmgate.dashboard import frame
from llmgate.dashboard import logins
from llmgate.dashboard import snippets
from llmgate.dashboard.logins import Principal
from llmgate.endpoints import auth
from llmgate.endpoints import common
from llmgate.pipeline import dispatch

_API = "/v1/chat/completions"


@frame.page("/playground", logins.HOLDER)
def playground() -> Response:
    """Show the page; its script sends the chats."""
    context = {"models": _models(frame.principal()), "base": snippets.origin()}
    return frame.render("playground.html", "Playground", context)


def _models(who: Principal) -> list[str]:
    """Return the models that *who* may chat with, those of unknown kinds included."""
    routes, policy = common.gate().routes, auth.access().policy
    names = routes.names()
    if who.member is not None:
        member = who.member
        names = [name for name in names if policy.allows_model(member, name)]
    return [name for name in names if _mode(routes.find(name)[0]) in ("chat", "responses")]


def _mode(deployment: Deployment) -> str:
    """Return what *deployment*'s model is for, `chat` if that is unknown."""
    about = {**pricing.about(deployment.provider, deployment.model), **deployment.info}
    return str(about.get("mode") or "chat")


@frame.page("/playground/chat", logins.HOLDER, "POST")
@auth.metered_login
def playground_chat() -> Response:
    """Answer the chat in the body as a stream, whose last event is a summary of ours.

    It is admitted, charged and logged as a request of the API with the principal's key.
    """
    who = frame.principal()
    g.key, g.member = who.key, who.member
    if who.member is not None:
        auth.access().check(who.member, _API)
    body = common.body("chat", None)
    body |= {"stream": True, "stream_options": {"include_usage": True}}
    meter = common.meter()
    answer = dispatch.stream(common.gate(), "chat", body, meter)
    return common.flowing(answer._replace(pieces=_summarized(answer.pieces, meter)))


def _summarized(pieces: Iterator[bytes], meter: Meter) -> Iterator[bytes]:
    """Yield *pieces*, then what the request used and cost."""
    yield from pieces
    deployment = meter.deployment
    summary = {
        "request_id": meter.request_id,
        "deployment": deployment and f"{deployment.provider}/{deployment.model}",
        "attempts": meter.attempts,
        "usage": meter.usage,
        "usage_estimated": meter.usage_estimated,
        "cost_usd": meter.cost(),
    }
    yield f"event: llmgate\ndata: {json.dumps(summary)}\n\n".encode()
