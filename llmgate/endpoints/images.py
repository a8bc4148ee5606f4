"""POST /v1/images/generations, edits and variations."""

from __future__ import annotations

from flask import Blueprint
from flask import Response

from llmgate.endpoints import auth
from llmgate.endpoints import common
from llmgate.endpoints import form_bodies
from llmgate.endpoints import routes
from llmgate.pipeline import dispatch

blueprint = Blueprint("images", __name__)

_MODEL = "dall-e-2"  # what OpenAI takes for requests without a model


@routes.route(
    blueprint,
    routes.paths("images/generations", azure=True) + routes.paths("image/generations"),
    methods=["POST"],
)
@auth.keyed
def generations(model: str | None = None) -> Response:
    """Generate images."""
    body = common.body("images_generations", model, default_model=lambda body: _MODEL)
    answer = dispatch.raw(common.gate(), "images_generations", body, common.meter())
    return common.flowing(answer)


@routes.route(blueprint, routes.paths("images/edits", azure=True), methods=["POST"])
@auth.keyed
def edits(model: str | None = None) -> Response:
    """Edit images."""
    return _from_form("images_edits", model)


@routes.route(blueprint, routes.paths("images/variations", azure=True), methods=["POST"])
@auth.keyed
def variations(model: str | None = None) -> Response:
    """Generate variations of an image."""
    return _from_form("images_variations", model)


def _from_form(name: str, model: str | None) -> Response:
    """Return the answer of the operation called *name* to a form with an image."""
    body = form_bodies.body(name, model, ("image", "image[]"), _MODEL)
    return common.flowing(dispatch.raw(common.gate(), name, body, common.meter()))
