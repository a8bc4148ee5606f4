"""Select deployments by the tags of a request."""

from __future__ import annotations

from collections.abc import Sequence

from llmgate import errors
from llmgate.contract import Deployment
from llmgate.routing.router_settings import RouterSettings

DEFAULT_TAG = "default"
"""The tag of deployments for requests whose own tags match none."""


def tagged(
    found: Sequence[Deployment], tags: Sequence[str], model: str, settings: RouterSettings
) -> tuple[Deployment, ...]:
    """Return those of *found* for requests with *tags*; raises Unauthorized if there are none.

    If no tag matches, those tagged `default`; without tags and without such deployments, all.
    """
    if not settings.tag_filtering:
        return tuple(found)
    fitting = any if settings.match_any_tag else all
    chosen = [d for d in found if tags and fitting(tag in _tags(d) for tag in tags)]
    chosen = chosen or [d for d in found if DEFAULT_TAG in _tags(d)]
    if chosen or not tags:
        return tuple(chosen or found)
    raise errors.Unauthorized(
        f"Not allowed to access model due to tags configuration: no deployment of '{model[:200]}'"
        " has the tags of this request. Send other tags, or none.",
        param="tags",
        code="tags_not_allowed",
    )


def _tags(deployment: Deployment) -> Sequence[str]:
    """Return the tags of *deployment*."""
    return deployment.routing.tags
