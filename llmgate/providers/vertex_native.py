"""Vertex AI's own API as it is: where its paths are, in the deployment's project alone."""

from __future__ import annotations

import re

from llmgate import errors
from llmgate.contract import Deployment
from llmgate.providers import gemini
from llmgate.providers import natives
from llmgate.providers import vertex
from llmgate.providers import vertex_login

_PLACE = re.compile(r"(?:^|/)projects/([^/]+)/locations/([^/]+)")
_LOCATION = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


def url(path: str, deployment: Deployment) -> str:
    """Return the address in the location that the path names, of the deployment's project alone.

    Raises InvalidRequest for an invalid location, Forbidden for another project.
    """
    base, found = deployment.api_base, _PLACE.search(path)
    if found:
        _check_project(found[1], deployment)
        if not _LOCATION.fullmatch(found[2]):
            raise errors.InvalidRequest("Invalid location in the path.")
        if base == vertex.base_url(deployment.settings):
            base = vertex.base_url({**deployment.settings, "vertex_location": found[2]})
    version, slash, below = path.partition("/")
    if not gemini.is_versioned(path):
        version, slash, below = base.rpartition("/")[2], "/", path
    if below.startswith("publishers/") and not found:
        below = _place(deployment) + below
    return f"{gemini.unversioned(base)}/{natives.escaped(version + slash + below)}"


def _check_project(project: str, deployment: Deployment) -> None:
    """Raise Forbidden for a *project* that is not the deployment's, if that is known."""
    own = _project(deployment)
    if own is not None and project != own:
        raise errors.Forbidden(
            f"The path names another project: use projects/{own}.",
            code="project_not_allowed",
        )


def _project(deployment: Deployment) -> str | None:
    """Return the deployment's project, None if it is unknown."""
    settings = deployment.settings
    return settings.get("vertex_project") or vertex_login.project(settings)


def _place(deployment: Deployment) -> str:
    """Return the path of the project and its location; nothing without one: a key has its own."""
    own = _project(deployment)
    return f"projects/{own}/locations/{vertex.location(deployment.settings)}/" if own else ""
