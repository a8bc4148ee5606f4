"""The paths of an operation."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterable
from typing import Any
from typing import TypeVar

from flask import Blueprint

View = TypeVar("View", bound=Callable[..., Any])


def route(blueprint: Blueprint, paths: Iterable[str], methods: list[str]) -> Callable[[View], View]:
    """Return the decorator that puts a view on all of *paths*."""

    def decorated(view: View) -> View:
        for path in paths:
            blueprint.add_url_rule(path, view_func=view, methods=methods, strict_slashes=False)
        return view

    return decorated


_PREFIXES = ("", "/v1", "/openai", "/openai/v1")


def paths(*names: str, azure: bool = False) -> list[str]:
    """Return where an operation is: with and without /v1, and below a model's name.

    `azure`: also on Azure's paths, and on those that AzureOpenAI(base_url=...) makes.
    """
    found = [f"{prefix}/{name}" for name in names for prefix in _PREFIXES]
    if azure:
        named = [f"{prefix}/engines" for prefix in _PREFIXES[:2]]
        named += [f"{prefix}/deployments" for prefix in _PREFIXES]
        found += [f"{above}/<path:model>/{name}" for name in names for above in named]
    return found
