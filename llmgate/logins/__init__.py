"""Logins by the libraries of cloud vendors: extras, imported only when a deployment needs them."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from collections.abc import Mapping
from typing import Any
from typing import NamedTuple

from llmgate import errors
from llmgate.contract import Deployment
from llmgate.contract import Login
from llmgate.errors import ConfigError
from llmgate.logins import aws
from llmgate.logins import azure
from llmgate.upstream.oauth import Access


class Library(NamedTuple):
    """A library that logs in."""

    module: str
    extra: str  # of llmgate, which installs it
    options: frozenset[str]  # settings that nothing else can use
    log_in: Callable[[Deployment], Access]
    check: Callable[[Mapping[str, Any]], None]  # raises ValueError for what cannot work
    finds_credentials: Callable[[Mapping[str, Any]], bool]  # offline, as far as it can know
    completed: Callable[[Mapping[str, Any]], Mapping[str, Any]] = dict  # settings from its files


LIBRARIES = {
    "aws": Library(
        "botocore",
        "aws",
        aws.OPTIONS,
        aws.log_in,
        aws.check,
        aws.finds_credentials,
        aws.completed,
    ),
    "azure": Library(
        "azure.identity", "azure", azure.OPTIONS, azure.log_in, azure.check, lambda settings: False
    ),
}


_TOKENS = ("api_key", "azure_ad_token")
"""Settings beside which nothing logs in."""


def log_ins() -> Mapping[str, Callable[[Deployment], Access]]:
    """Return what logs in, by the names of the libraries."""
    return {name: _checked(library) for name, library in LIBRARIES.items()}


def _checked(library: Library) -> Callable[[Deployment], Access]:
    """Return what logs in by *library*, with the remedy if it is not installed."""

    def log_in(deployment: Deployment) -> Access:
        if is_installed(library):
            return library.log_in(deployment)
        raise errors.Unauthorized(
            f"Missing credentials for provider {deployment.provider}: set its keys, or log in"
            f" otherwise after pip install 'llmgate[{library.extra}]'.",
            code="missing_provider_key",
        )

    return log_in


def completed(login: Login | None, given: Mapping[str, Any], path: str) -> Mapping[str, Any]:
    """Return the settings *given*, completed from the files of the library that logs in.

    Raises ConfigError if *given*, at *path*, needs a library that is not installed.
    """
    library = LIBRARIES.get(login.library) if login else None
    options = sorted(library.options & given.keys()) if library else []
    if not library or not options or any(map(given.get, _TOKENS)):
        return given
    try:
        library.check(given)
    except ValueError as error:
        raise ConfigError(f"{path}{options[0]}: {error}") from None
    if not is_installed(library):
        raise ConfigError(
            f"{path}{options[0]}: needs an extra package: pip install 'llmgate[{library.extra}]'"
        )
    try:
        return library.completed(given)
    except ValueError as error:
        raise ConfigError(f"{path}{options[0]}: {error}") from None


def is_installed(library: Library) -> bool:
    """Return whether *library* can be imported."""
    try:
        return importlib.util.find_spec(library.module) is not None
    except ModuleNotFoundError:  # the package that it is in
        return False


def missing(login: Login, deployment: Deployment) -> str | None:
    """Return what to do if nothing can log in for *deployment*; empty if it lacks a key at all.

    None: it may work, as far as can be known without the network.
    """
    library = LIBRARIES[login.library]
    if library.options & deployment.settings.keys():
        return None
    if is_installed(library):
        return None if library.finds_credentials(deployment.settings) else ""
    return ""
