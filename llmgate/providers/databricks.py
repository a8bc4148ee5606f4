"""Databricks' model serving: endpoints of a workspace, on OpenAI's wire.

Source: https://docs.databricks.com/aws/en/machine-learning/model-serving/score-foundation-models
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from llmgate.contract import Body
from llmgate.contract import Call
from llmgate.contract import Deployment
from llmgate.contract import ModelListing
from llmgate.contract import Operation
from llmgate.contract import Provider
from llmgate.contract import passed_on
from llmgate.dialects.openai import embeddings as openai_embeddings
from llmgate.dialects.openai import wire as openai_wire
from llmgate.dialects.others import databricks
from llmgate.providers import credentials
from llmgate.providers import listings

_KEY_ENV = ("DATABRICKS_API_KEY", "DATABRICKS_TOKEN")
_PATH = "/serving-endpoints"
_MOST_INPUTS = 150  # in one call


def _base_url(settings: Mapping[str, Any]) -> str:
    """Return where the workspace's endpoints are: every workspace has its own address."""
    base = str(settings.get("api_base") or "").rstrip("/")
    if base and not urlsplit(base).path:
        return base + _PATH
    host, below, _ = base.partition(f"{_PATH}/")
    return host + _PATH if below else base


def _chat(body: Body, deployment: Deployment) -> Call:
    """Return the call for a chat *body*."""
    sent = {**databricks.chat_body(body, deployment.model), "model": deployment.model}
    return openai_wire.json_call(f"{deployment.api_base}{openai_wire.path('chat')}", sent)


def _parts(body: Body, deployment: Deployment) -> list[Body]:
    """Return the bodies of the calls that embed all inputs of *body*."""
    return openai_embeddings.parts(body, _MOST_INPUTS)


def _embed(body: Body, deployment: Deployment) -> Call:
    """Return the call for an embeddings *body*, whose vectors come as numbers."""
    sent = {key: value for key, value in body.items() if key != "encoding_format"}
    url = f"{deployment.api_base}{openai_wire.path('embeddings')}"
    return openai_wire.json_call(url, {**sent, "model": deployment.model})


def _list_models(deployment: Deployment) -> Call:
    """Return the call for the endpoints of the workspace.

    Source: https://docs.databricks.com/api/workspace/servingendpoints/list
    """
    root = deployment.api_base.removesuffix(_PATH)
    return Call("GET", f"{root}/api/2.0{_PATH}", {})


DATABRICKS = Provider(
    name="databricks",
    base_url=_base_url,
    authorize=credentials.bearer(_KEY_ENV),
    failure=databricks.failure,
    operations={
        "chat": Operation(
            _chat,
            databricks.chat_reply,
            databricks.chat_chunks,
            openai_wire.usage,
            databricks.PARAMS,
            databricks.EXTENSIONS,
        ),
        "embeddings": Operation(
            _embed,
            passed_on,
            usage=openai_wire.usage,
            params=frozenset({"model", "input", "encoding_format"}),
            split=_parts,
            merge=openai_embeddings.joined,
        ),
    },
    env={"api_key": _KEY_ENV, "api_base": ("DATABRICKS_API_BASE", "DATABRICKS_HOST")},
    listing=ModelListing(_list_models, listings.names("endpoints", "name")),
)
