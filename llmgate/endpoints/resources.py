"""OpenAI's resources: files, batches, fine-tuning, threads and so on.

They are forwarded by the table of `dialects.openai.resources`, to the provider that the request
names, else to the one that the configuration names for them.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any
from typing import NamedTuple

from flask import Blueprint
from flask import Response
from flask import request

from llmgate import errors
from llmgate import providers
from llmgate.config import resource_deployments
from llmgate.contract import Call
from llmgate.contract import Deployment
from llmgate.contract import SpooledFile
from llmgate.dialects.openai import resources as openai_resources
from llmgate.dialects.openai.resources import Row
from llmgate.endpoints import auth
from llmgate.endpoints import common
from llmgate.endpoints import error_responses
from llmgate.endpoints import json_bodies
from llmgate.endpoints import other_clients
from llmgate.endpoints import passthrough
from llmgate.endpoints import passthrough_request
from llmgate.endpoints import routes
from llmgate.endpoints import spooled_bodies
from llmgate.endpoints.form_head import FormHead
from llmgate.pipeline import passthrough as passthrough_pipeline
from llmgate.pipeline import streaming
from llmgate.schema import validation

blueprint = Blueprint("resources", __name__)
error_responses.use_shape(blueprint, other_clients.error_body)

_METHODS = ["GET", "POST", "DELETE"]
_PREFIXES = ("", "/v1", "/openai", "/openai/v1", "/azure/v1", "/<provider>/v1")
_PROVIDER = "custom_llm_provider"
_VERSION = "api-version"
_CREDENTIALS = ("api_key", "api_base", "base_url")
_OURS = (_PROVIDER, *_CREDENTIALS)  # members of a body that are not forwarded
_RESPONSES = "responses"
_OPENAIS = ("responses", "chat")  # no other API has them, whatever headers a client sends
_SPOKEN = ("chat", "completions", "embeddings")


def _paths() -> list[str]:
    """Return the paths of resources."""
    own, _ = openai_resources.roots()
    root = f"<any({', '.join(own)}):root>"
    return [f"{above}/{root}{below}" for above in _PREFIXES for below in ("", "/<path:below>")]


def _shared(name: str) -> Callable[..., Response]:
    """Return the view of the resources that begin with *name*."""

    def view(below: str = "", provider: str | None = None) -> Response:
        return resource(name, below, provider)

    return auth.keyed(view)


@routes.route(blueprint, _paths(), methods=_METHODS)
@auth.keyed
def resource(root: str, below: str = "", provider: str | None = None) -> Response:
    """Forward a request for files, batches, threads and other [resources](#resources)."""
    steps = [root, *(step for step in below.split("/") if step)]
    if other_clients.api() and root.partition("/")[0] not in _OPENAIS:
        return passthrough.forwarded(f"v1/{'/'.join(steps)}", other_clients.api())
    row = _row("/".join(steps).split("/"))
    if row is None:
        if request.path.startswith("/openai/"):
            return passthrough.forwarded(request.path.removeprefix("/openai/"))
        raise errors.NotFound(
            "Unknown resource path. Check it against docs/endpoints.md; chat completions are at"
            " /v1/chat/completions, newer routes of OpenAI below /openai/."
        )
    common.meter().endpoint = f"/{row.path}"  # for the log: the route has all resources in it
    _check_method(row)
    body = _form() if row.takes_form and not request.is_json else _json()
    named = _named(body.members, provider)
    found, is_group = _serving(root, named, body.members.get("model"))
    return _relayed("/".join(steps), body, found, is_group)


def _methods(name: str, below: bool) -> list[str]:
    """Return the methods of what is at *name*, or *below* it."""
    rows = openai_resources.ROWS
    found = (r for r in rows if (r.path.startswith(f"{name}/") if below else r.path == name))
    return sorted({method for row in found for method in row.methods})


def _add_shared(name: str) -> None:
    """Add routes for the resources that begin with *name*, beside endpoints with that name."""
    view, endpoint = _shared(name), name.replace("/", "_")
    for above in _PREFIXES:
        for path, methods in (
            (f"{above}/{name}", _methods(name, False)),
            (f"{above}/{name}/<path:below>", _methods(name, True)),
        ):
            if methods:
                blueprint.add_url_rule(path, endpoint, view, methods=methods, strict_slashes=False)


for _name in openai_resources.roots()[1]:
    _add_shared(_name)


def _row(steps: Sequence[str]) -> Row | None:
    """Return the row for a path of *steps*; raises InvalidRequest for an invalid id."""
    match = openai_resources.found(steps)
    if match is None:
        return None
    row, ids = match
    if not all(map(passthrough_request.is_id, ids)):
        raise errors.InvalidRequest(
            "Invalid id in path: it may contain letters, digits and ._:@=+~-",
            code="invalid_path",
        )
    return row


def _check_method(row: Row) -> None:
    """Raise MethodNotAllowed if *row* does not have the request's method."""
    if ("GET" if request.method == "HEAD" else request.method) not in row.methods:
        allowed = ", ".join(sorted({*row.methods, "OPTIONS"}))
        raise errors.MethodNotAllowed(
            f"Method {request.method} not allowed; allowed: {allowed}.", headers={"Allow": allowed}
        )


# -- bodies


class _Body(NamedTuple):
    """A request's body: what the gate reads of it, and what is sent for a model's name."""

    members: Mapping[str, Any]
    data: Callable[[str | None], bytes | SpooledFile]  # None: the name stays


def _json() -> _Body:
    """Return the JSON body of this request, as it came if nothing of it is ours."""
    raw = spooled_bodies.body(common.settings().max_body, common.settings().max_body)
    assert isinstance(raw, bytes)
    if not raw:
        return _Body({}, lambda model: raw)
    members = json_bodies.read(raw)
    validation.check("resource", members)
    kept = {name: value for name, value in members.items() if name not in _OURS}

    def data(model: str | None) -> bytes:
        sent = {**kept, "model": model} if model and "model" in kept else kept
        return raw if sent == members else json.dumps(sent).encode()

    return _Body(members, data)


def _form() -> _Body:
    """Return the form of this request, on disk if it is large; what is ours is cut out of it."""
    raw = spooled_bodies.body(common.settings().max_upload)
    head = raw.head() if isinstance(raw, spooled_bodies.Spool) else raw
    form = FormHead(head, request.mimetype_params.get("boundary"))
    members = {name: form.value(name) for name in (_PROVIDER, "model")}

    def data(model: str | None) -> bytes | SpooledFile:
        sent = form.replaced("model", model, _PROVIDER) if model else form.without(_PROVIDER)
        return raw.with_head(sent, len(head)) if isinstance(raw, spooled_bodies.Spool) else sent

    return _Body({name: value for name, value in members.items() if value is not None}, data)


# -- which deployment


def _named(members: Mapping[str, Any], provider: str | None) -> str | None:
    """Return the provider that the path, a header, the query or the body names."""
    if request.path.startswith("/azure/"):
        provider = "azure"
    name = (
        provider
        or request.headers.get("custom-llm-provider")
        or request.args.get(_PROVIDER)
        or members.get(_PROVIDER)
    )
    if name is None:
        return None
    name = _provider(name)
    if not _speaks_openai(name):
        raise errors.UnsupportedOperation(
            f"Provider {name} does not have OpenAI's resources. For its own API see"
            " docs/passthrough.md.",
            param=_PROVIDER,
        )
    return name


def _provider(name: str) -> str:
    """Return the provider that is called *name*; raises NotFound."""
    try:
        found, rest = providers.split(f"{name}/x")
    except LookupError:
        found, rest = "", ""
    if rest != "x":
        raise errors.NotFound(
            f"Unknown provider '{name[:80]}'.", param=_PROVIDER, code="unknown_provider"
        )
    return found


def _speaks_openai(provider: str) -> bool:
    """Return whether *provider*'s API is OpenAI's."""
    known = providers.PROVIDERS[provider]
    spoken = (known.operations[name] for name in _SPOKEN if name in known.operations)
    return known.local_handler is None and any(operation.passthrough for operation in spoken)


def _serving(
    root: str, named: str | None, model: str | None
) -> tuple[tuple[Deployment, ...], bool]:
    """Return the deployments to use, and whether they are those of the model group *model*."""
    routes, known = common.gate().routes, common.settings().resource_deployments
    if model:
        found = _of_group(model, named)
        if root.startswith(_RESPONSES):
            found = tuple(d for d in found if _RESPONSES in providers.serving(d).operations)
        if found:
            return found, True
        if named is None and (root.startswith(_RESPONSES) or model in routes.names()):
            raise errors.UnsupportedOperation(
                f"The provider of model '{model[:200]}' does not have the operation /{root}.",
                param="model",
            )
    kept = [d for name in openai_resources.KEPT_BY.get(root, ()) for d in _section(name)]
    kept = [d for d in kept if named in (None, d.provider)]
    if kept:
        return (kept[0],), False
    for name in (named,) if named else _in_turn():
        found = resource_deployments.of(name, routes, known)
        if found:
            return found, False
    raise resource_deployments.missing(named or "openai")


def _in_turn() -> Iterator[str]:
    """Yield the providers to try if none is named, in order."""
    wanted = "versioned" if _VERSION in request.args else "plain"
    known = [each for each in providers.PROVIDERS.values() if each.resources]
    yield from (each.name for each in sorted(known, key=lambda each: each.resources != wanted))
    for found in common.gate().routes.groups.values():
        yield from (each.provider for each in found if _speaks_openai(each.provider))


def _section(name: str) -> tuple[Deployment, ...]:
    """Return the deployments in the section called *name*."""
    return common.settings().resource_deployments.sections.get(name, ())


def _of_group(model: str, named: str | None) -> tuple[Deployment, ...]:
    """Return the deployments of the group *model* that have resources, if any."""
    try:
        every = common.gate().routes.find(model)
    except errors.ModelNotFound:
        return ()
    return tuple(
        each for each in every if _speaks_openai(each.provider) and named in (None, each.provider)
    )


# -- forwarding


def _relayed(path: str, body: _Body, found: tuple[Deployment, ...], is_group: bool) -> Response:
    """Return the answer of one of *found* to this request for *path*."""
    method, headers = request.method, passthrough_request.headers()
    version = request.args.get(_VERSION)
    pairs = passthrough_request.query(less=(_VERSION,))

    def build(deployment: Deployment) -> Call:
        if not deployment.api_version:
            deployment = deployment._replace(api_version=version)
        url = passthrough_request.url(providers.resource_url(path, deployment), pairs)
        return Call(method, url, headers, body.data(deployment.model if is_group else None))

    native_request = passthrough_pipeline.PassthroughRequest(
        build, is_stream=body.members.get("stream") is True, write_error=streaming.written_error
    )
    credentials = {name: body.members[name] for name in _CREDENTIALS if body.members.get(name)}
    return passthrough.answered(native_request, found, body.members, credentials)
