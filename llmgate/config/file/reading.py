"""From an operator's YAML to a valid value without references and without what is ignored."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from typing import Any

from llmgate import errors
from llmgate.config import provider_settings
from llmgate.config.file import litellm_params
from llmgate.config.file import references
from llmgate.config.file.problems import Problems
from llmgate.contract import Provider
from llmgate.errors import ConfigError
from llmgate.schema import parameters
from llmgate.schema import validation

_ANCHORS = re.compile(r"x-|_")
_ENTRY = re.compile(r"model_list\[(\d+)\]")
_UNKNOWN = {"model_name": "(invalid)", "litellm_params": {"model": "echo/echo"}}
"""Stands in for an entry of model_list with an error, so that the others keep their numbers."""


def value_of(raw: Mapping[str, Any], environ: dict[str, str], problems: Problems) -> dict[str, Any]:
    """Return the valid part of *raw*, its references resolved; the rest is in *problems*.

    The variables that *raw* sets are added to *environ*.
    """
    value = {key: item for key, item in raw.items() if not _ANCHORS.match(str(key))}
    value = _valid(_with_text_keys(value), problems)
    ignored = validation.unsupported(value)
    value = _less(value, ignored)
    own = references.resolved(
        value.get("environment_variables") or {}, environ, "environment_variables", problems
    )
    environ.update({name: str(text) for name, text in own.items() if text is not None})
    value = validation.typed(references.resolved(value, environ, "", problems))
    value = _valid(value, problems)
    again = validation.unsupported(value)
    value = _less(value, again)
    if ignored or again:
        named = ", ".join(dict.fromkeys([*ignored, *again]))
        problems.warn(f"these keys are ignored: {named}")
    return _with_options(value, problems)


def _with_text_keys(value: Any) -> Any:
    """Return *value* with the keys of each mapping as text: YAML reads `1:` as a number."""
    if isinstance(value, dict):
        return {str(key): _with_text_keys(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_with_text_keys(item) for item in value]
    return value


def _less(value: dict[str, Any], paths: list[str]) -> dict[str, Any]:
    """Return *value* without what is at *paths*."""
    for path in paths:
        value = parameters.without(value, parameters.steps(path))
    return value


def _valid(value: dict[str, Any], problems: Problems) -> dict[str, Any]:
    """Return what of *value* the schema allows: without the key, else the entry, else the section.

    What came out null because its reference could not be resolved is reported already.
    """
    for repair in (_without_key, _without_entry, _without_section):
        found = list(validation.violations("config", value))
        if not found:
            break
        explained = [each for _, each in found]
        for path, message in found:
            name = path.rpartition(".")[2]
            if any(f" '{name}' is unknown; did you mean" in each for each in explained):
                pass  # the message about the missing key names it
            elif not any(path.startswith(key) for key in map(_parent, problems.errors) if key):
                problems.error(f"{path or 'the file'}: {message}")
            value = repair(value, path)
    return value


def _parent(text: str) -> str:
    """Return the entry of model_list, or the key, that the error *text* is about."""
    path = text.partition(": ")[0]
    found = _ENTRY.match(path)
    return found[0] if found and path.endswith(".model") else path


def _without_key(value: dict[str, Any], path: str) -> dict[str, Any]:
    return _less(value, [path])


def _without_entry(value: dict[str, Any], path: str) -> dict[str, Any]:
    found = _ENTRY.match(path)
    if not found:
        return _less(value, [".".join(parameters.steps(path)[:2])])
    at, entries = int(found[1]), list(value["model_list"])
    name = entries[at].get("model_name") if isinstance(entries[at], dict) else None
    entries[at] = {**_UNKNOWN, "model_name": name} if isinstance(name, str) and name else _UNKNOWN
    return {**value, "model_list": entries}


def _without_section(value: dict[str, Any], path: str) -> dict[str, Any]:
    return _less(value, parameters.steps(path)[:1])


def _with_options(value: dict[str, Any], problems: Problems) -> dict[str, Any]:
    """Return *value* with credentials filled in, each parameter of a deployment in its place."""
    entries = []
    credentials = {
        each["credential_name"]: each["credential_values"]
        for each in value.get("credential_list") or ()
    }
    for at, entry in enumerate(value.get("model_list") or ()):
        path = f"model_list[{at}].litellm_params."
        given = dict(entry["litellm_params"])
        name = given.pop("litellm_credential_name", None)
        if name is not None:
            with problems.collect():
                given = {**_credential(name, credentials, path), **given}
        entry = {**entry, "litellm_params": given}
        entries.append(litellm_params.understood(entry, path, _provider(given), problems))
    return {**value, "model_list": entries} if "model_list" in value else value


def _credential(name: str, known: Mapping[str, Any], path: str) -> Mapping[str, Any]:
    """Return the values of the credential called *name*; raises ConfigError."""
    if name in known:
        found: Mapping[str, Any] = known[name]
        return found
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean '{near[0]}'?" if near else "add it there, or write api_key here"
    raise ConfigError(f"{path}litellm_credential_name: '{name}' is not in credential_list; {hint}")


def _provider(given: Mapping[str, Any]) -> Provider | None:
    """Return the provider of litellm_params, None for all of them, or if it is unknown."""
    if given["model"] == "*":
        return None
    try:
        return provider_settings.provider_of(given, "")[0]
    except (ConfigError, errors.InvalidRequest):
        return None
