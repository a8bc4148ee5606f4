"""Which deployments a request for a model reaches, in what order, and why."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence

from llmgate import errors
from llmgate.config import audit
from llmgate.config.settings import Settings
from llmgate.contract import Deployment
from llmgate.routing import load_balancer
from llmgate.routing import tag_filter
from llmgate.routing.routes import Found
from llmgate.trust import redaction

_WHEN = (
    ("after errors of all of them", errors.UpstreamError("", status=503)),
    ("if the request is too long", errors.InvalidRequest("", code="context_length_exceeded")),
    ("if its content is refused", errors.InvalidRequest("", code="content_policy_violation")),
)
"""Errors of each kind that has fallbacks of its own."""


def lines(settings: Settings, model: str, tags: Sequence[str] = ()) -> Iterator[str]:
    """Yield the explanation of a request for *model* with *tags*, line by line.

    Raises ModelNotFound.
    """
    try:
        found = settings.routes.resolve(model)
    except errors.ModelNotFound as error:
        if not settings.router.fallbacks.after(model, error):
            raise
        yield f"{model}: no model group, alias or wildcard matches; default_fallbacks:"
        yield from _chain(settings, model, error, tags)
        return
    yield _head(settings, model, found)
    yield from _deployments(settings, found.deployments, model, tags)
    yield from _fallbacks(settings, model, tags)


def _head(settings: Settings, model: str, found: Found) -> str:
    """Return the line on how *model* was found."""
    forced = f"every request is for '{found.name}'" if settings.routes.forced else ""
    alias = f"alias of '{found.name}'" if found.alias and found.how == "group" else ""
    alias = alias or (f"alias of '{settings.routes.aliases[found.alias]}'" if found.alias else "")
    how = {
        "group": "" if forced or alias else "model group",
        "wildcard": f"wildcard '{found.name}'",
        "deployment": "the model string of deployments; no model group has this name",
    }[found.how]
    return f"{model}: {', '.join(filter(None, (forced, alias, how)))}"


def _deployments(
    settings: Settings, found: Sequence[Deployment], model: str, tags: Sequence[str]
) -> Iterator[str]:
    """Yield a line for each of *found*, in the order in which they are tried."""
    try:
        chosen = tag_filter.tagged(found, tags, model, settings.router)
    except errors.Unauthorized as error:
        yield f"  none: {error.message}"
        chosen = ()
    strategy = settings.router.strategy
    for number, alike in enumerate(load_balancer.by_order(chosen, {}), 1):
        total = sum(each.weight for each in alike)
        for each in alike:
            share = each.weight / total if total else 1 / len(alike)
            how = f"{share:.0%} of requests" if strategy == "simple-shuffle" else strategy
            yield f"  {number}. {_about(each)}{f'; {how}' if len(alike) > 1 else ''}"
    for each in found:
        if each not in chosen:
            named = ", ".join(each.routing.tags) or "none"
            yield f"  not: {_about(each)}; its tags ({named}) do not match"


def _about(deployment: Deployment) -> str:
    """Return what *deployment* is, and what decides when it is used."""
    options = deployment.routing
    limits = {"order": options.order, "rpm": options.rpm, "tpm": options.tpm}
    notes = [f"{name} {value:g}" for name, value in limits.items() if value is not None]
    if options.tags:
        notes.append(f"tags {', '.join(options.tags)}")
    if not deployment.has_key:
        notes.append(f"last of all: {audit.missing_key(deployment)}")
    base = redaction.without_login(deployment.api_base)
    place = f"{deployment.provider}/{deployment.model} at {base}"
    return "; ".join([f"{place} (id {deployment.id})", *notes])


def _fallbacks(settings: Settings, model: str, tags: Sequence[str]) -> Iterator[str]:
    """Yield the lines of the groups that are tried after *model*, for each kind of error."""
    for when, error in _WHEN:
        first = settings.router.fallbacks.after(model, error)
        general = settings.router.fallbacks.after(model, _WHEN[0][1])
        if not first or (error is not _WHEN[0][1] and first == general):
            continue
        yield f"{when}:"
        yield from _chain(settings, model, error, tags)


def _chain(
    settings: Settings, model: str, error: errors.GateError, tags: Sequence[str]
) -> Iterator[str]:
    """Yield the groups that are tried after *error* of *model*, and those after them."""
    fallbacks = settings.router.fallbacks
    queue, seen = [each.model for each in fallbacks.after(model, error)], {model}
    error = _WHEN[0][1] if isinstance(error, errors.ModelNotFound) else error
    while queue and len(seen) <= fallbacks.most:
        name = queue.pop(0)
        if name in seen:
            continue
        seen.add(name)
        try:
            found = settings.routes.resolve(name)
        except errors.ModelNotFound:
            yield f"  {name}: does not exist, and is skipped"
            continue
        yield f"  {_head(settings, name, found)}"
        yield from (f"  {line}" for line in _deployments(settings, found.deployments, name, tags))
        queue += [each.model for each in fallbacks.after(name, error)]
