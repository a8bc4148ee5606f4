"""Upstreams that speak OpenAI's wire, one row each.

A new one is a row in `rows`. Its address may come from `<NAME>_API_BASE` as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from llmgate.contract import Body
from llmgate.contract import Build
from llmgate.contract import Call
from llmgate.contract import Deployment
from llmgate.contract import Provider
from llmgate.dialects.openai import embeddings as openai_embeddings
from llmgate.dialects.openai import prepare
from llmgate.dialects.openai import wire as openai_wire
from llmgate.providers import credentials
from llmgate.providers import listings
from llmgate.providers.openai import call_to
from llmgate.providers.openai import operation
from llmgate.providers.openai import with_optional_responses
from llmgate.providers.row import Row
from llmgate.schema import parameters


def provider(name: str, row: Row) -> Provider:
    """Return the provider called *name* that *row* describes."""

    def base_url(settings: Mapping[str, Any]) -> str:
        given = str(settings.get("api_base") or row.base_url).rstrip("/")
        return given + row.base_path if given and _is_bare(given) else given

    def responses_url(deployment: Deployment) -> str:
        return f"{deployment.api_base}{openai_wire.path('responses')}"

    optional_key = () if row.key_env else (f"{name.upper()}_API_KEY",)
    made = Provider(
        name=name,
        base_url=base_url,
        authorize=credentials.bearer(row.key_env),
        failure=openai_wire.failure,
        operations={op: operation(op, build(op, row), taken(op, row)) for op in row.operations},
        env={
            "api_key": row.key_env or optional_key,
            "api_base": row.base_env or (f"{name.upper()}_API_BASE",),
        },
        native=row.native,
        listing=listings.openai(row.models_path) if row.models_path else None,
    )
    if "chat" not in made.operations:
        return made
    return with_optional_responses(made, responses_url, row.responses == "stored")


def _is_bare(base: str) -> bool:
    """Return whether *base* has no path."""
    return not urlsplit(base).path


def taken(name: str, row: Row) -> frozenset[str] | None:
    """Return the parameters that *row* takes for the operation called *name*; None: all."""
    if not set(row.drop) & parameters.OPENAI.get(name, frozenset()):
        return None
    return parameters.OPENAI[name] - set(row.drop)


def build(name: str, row: Row) -> Build:
    """Return the function that builds calls of the operation called *name* for *row*."""
    renamed = dict(row.rename)
    asks_usage = "stream_options" not in row.drop

    def call(body: Body, deployment: Deployment) -> Call:
        if name == "chat":
            body = prepare.prepared(body, row.messages)
        if row.model_prefix and "/" not in deployment.model:
            deployment = deployment._replace(model=row.model_prefix + deployment.model)
        body = {renamed.get(key, key): value for key, value in body.items()}
        if not row.float_encoding and body.get("encoding_format") == "float":
            body.pop("encoding_format")
        if row.text_only and name == "embeddings":
            body = openai_embeddings.in_text(body)
        url = f"{deployment.api_base}{openai_wire.path(name)}"
        return call_to(url, name, body, deployment, asks_usage)

    return call
