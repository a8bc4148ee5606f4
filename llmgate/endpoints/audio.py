"""POST /v1/audio/speech, transcriptions and translations."""

from __future__ import annotations

from flask import Blueprint
from flask import Response

from llmgate.endpoints import auth
from llmgate.endpoints import common
from llmgate.endpoints import form_bodies
from llmgate.endpoints import routes
from llmgate.pipeline import dispatch

blueprint = Blueprint("audio", __name__)


@routes.route(blueprint, routes.paths("audio/speech", azure=True), methods=["POST"])
@auth.keyed
def speech(model: str | None = None) -> Response:
    """Convert text to speech; the audio is forwarded as the provider sends it."""
    body = common.body("speech", model)
    answer = dispatch.raw(common.gate(), "speech", body, common.meter())
    common.meter().add_usage({"characters": len(body["input"])})
    return common.flowing(answer)


@routes.route(blueprint, routes.paths("audio/transcriptions", azure=True), methods=["POST"])
@auth.keyed
def transcriptions(model: str | None = None) -> Response:
    """Transcribe an audio file."""
    return _from_form("transcriptions", model)


@routes.route(blueprint, routes.paths("audio/translations", azure=True), methods=["POST"])
@auth.keyed
def translations(model: str | None = None) -> Response:
    """Translate an audio file to English text."""
    return _from_form("translations", model)


def _from_form(name: str, model: str | None) -> Response:
    """Return the answer of the operation called *name* to a form with an audio file."""
    body = form_bodies.body(name, model, ("file",), None)
    return common.flowing(dispatch.raw(common.gate(), name, body, common.meter()))
