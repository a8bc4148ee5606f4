"""References to environment variables, and text that only looks like a value.

`os.environ/NAME` and `${NAME}` (`${NAME:-default}`) are the variable's value. Whatever else looks
like a reference is an error, and so is a setting that is empty: an address or a key that came out
empty would silently be replaced by a public address or another key.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from llmgate.config.file.problems import Problems
from llmgate.errors import ConfigError

_WHOLE = re.compile(r"\s*os\.environ/(\w+)\s*")
_SHELL_WHOLE = re.compile(r"\s*\$\{(\w+)(?::?-([^{}]*))?\}\s*")
_SHELL = re.compile(r"\$\{(\w+)(?::?-([^{}]*))?\}")
_WITHIN = re.compile(r"os\.environ/(\w+)")
_FOREIGN = re.compile(
    r"""os\.(?:environ(?:\.get)?|getenv)\s*[/.(\[]*\s*["']?(\w*)|process\.env\.(\w+)|^\$(\w+)$"""
    r"""|^%(\w+)%$|^\$env:(\w+)$|^\$?\{\{?\s*(?:env\.)?(\w+)\s*\}?\}$"""
)
"""Other languages' ways to write a reference; a group holds the variable's name."""

_HEADERS = re.compile(r"(^|\.)(extra_headers|headers)\.")
_PAYLOAD = re.compile(r"(^|\.)(extra_body|model_info|tools|stop|response_format|metadata)(\.|\[|$)")
"""Where text goes upstream or to clients as it stands: only a whole `os.environ/NAME` is read."""

_KEY = re.compile(r"[\x21-\x7e]*")
_SECRET_NAME = re.compile(r"(^|_)(api_key|access_key|access_key_id|secret_access_key|ad_token)$")
_QUOTES = "\"'\u201c\u201d\u2018\u2019`"

SETTINGS = frozenset(
    """model api_key api_base base_url api_version organization project custom_llm_provider
    master_key target region_name""".split()
)
"""Options, besides a provider's own settings, whose text is never empty, quoted or a leftover."""


def resolved(value: Any, environ: Mapping[str, str], path: str, problems: Problems) -> Any:
    """Return *value*, which stands at *path*, with references replaced and keys made text.

    A reference that cannot be resolved is an error in *problems*, and null in the result.
    """
    if isinstance(value, dict):
        dot = f"{path}." if path else ""
        return {
            str(key): resolved(item, environ, f"{dot}{key}", problems)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [resolved(item, environ, f"{path}[{at}]", problems) for at, item in enumerate(value)]
    if not isinstance(value, str):
        return value
    return problems.attempt(lambda: _text(value, environ, path), None)


def _text(value: str, environ: Mapping[str, str], path: str) -> str:
    """Return the text *value* at *path* with its references replaced; raises ConfigError."""
    whole = _WHOLE.fullmatch(value)
    if whole:
        return _unquoted(_variable(whole[1], environ, path), f"{path}: {_of(whole[1])}", path)
    if _PAYLOAD.search(path):
        return value
    if _HEADERS.search(path):
        value = _WITHIN.sub(lambda found: _variable(found[1], environ, path), value)
    elif found := _WITHIN.search(value):
        raise ConfigError(
            f"{path}: os.environ/{found[1]} must be the whole value; put all of it into the"
            f" variable, or write ${{{found[1]}}} within the text"
        )
    text = _SHELL.sub(lambda found: _shell(found, environ, path), value)
    if text == value and (found := _FOREIGN.search(value)):
        name = next((group for group in found.groups() if group), "NAME")
        raise ConfigError(
            f"{path}: this is not a reference that llmgate reads; write os.environ/{name}"
        )
    return text


def _shell(found: re.Match[str], environ: Mapping[str, str], path: str) -> str:
    """Return the value of a `${NAME}` or `${NAME:-default}`; raises ConfigError."""
    if found[2] is not None and not environ.get(found[1]):
        return found[2]
    return _variable(found[1], environ, path)


def _variable(name: str, environ: Mapping[str, str], path: str) -> str:
    """Return the variable called *name*, which *path* refers to; raises ConfigError without it."""
    if name not in environ:
        raise ConfigError(f"{path}: the environment variable {name} is not set; set it")
    if not environ[name].strip():
        raise ConfigError(f"{path}: the environment variable {name} is empty; set it")
    return environ[name]


def _of(name: str) -> str:
    return f"the environment variable {name} "


def _unquoted(value: str, subject: str, path: str) -> str:
    """Return *value*, of a variable; raises ConfigError if quotes of a shell are around it."""
    text = value.strip()
    if len(text) > 1 and text[0] in _QUOTES and text[-1] in _QUOTES and not _PAYLOAD.search(path):
        raise ConfigError(f"{subject}has quotation marks around its value; remove them")
    return value


def check(name: str, value: Any, subject: str) -> None:
    """Raise ConfigError if the text *value* cannot be the setting called *name*.

    *subject* is its key path and a colon, or names its variable; the message never holds the value.
    """
    if not isinstance(value, str):
        return
    text = value.strip()
    if not text:
        raise ConfigError(
            f"{subject} is empty; write a value or os.environ/NAME, or remove the key"
        )
    if text[0] in _QUOTES or text[-1] in _QUOTES:
        raise ConfigError(f"{subject} has quotation marks around its value; remove them")
    if _is_key(name):
        _check_key(text, subject)
    if text.startswith(("$", "os.environ")) or "${" in text or "os.environ" in text:
        raise ConfigError(f"{subject} contains an unresolved reference; write os.environ/NAME")


def _is_key(name: str) -> bool:
    """Return whether the setting called *name* goes into a header as it is."""
    return bool(_SECRET_NAME.search(name))


def _check_key(text: str, subject: str) -> None:
    """Raise ConfigError if *text* cannot be a key."""
    if text.lower().startswith("bearer "):
        raise ConfigError(f"{subject} begins with 'Bearer ', which llmgate adds; remove it")
    if not _KEY.fullmatch(text):
        raise ConfigError(
            f"{subject} contains a space, a line break or another character that headers cannot"
            " carry; a key is ASCII without spaces"
        )
