"""Who a request is for, and its chat, as clients write them into headers.

Sources: https://docs.openwebui.com/reference/env-configuration (ENABLE_FORWARD_USER_INFO_HEADERS),
https://docs.litellm.ai/docs/proxy/customers
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from llmgate.accounting.records import Caller

_LONGEST = 256  # characters
_FIRST = ("x-litellm-customer-id", "x-litellm-end-user-id")
_USER = ("x-openwebui-user-id", "x-openwebui-user-email", "x-openwebui-user-name")
_CHAT = """x-openwebui-chat-id x-litellm-session-id x-litellm-trace-id x-claude-code-session-id
    session-id conversation-id x-session-id x-conversation-id helicone-session-id""".split()
"""Open WebUI's, LiteLLM's, Claude Code's, Codex' (session_id) and those that others let set."""


def environ_name(header: str) -> str:
    """Return the name of *header* in a WSGI environment."""
    return f"HTTP_{header.upper().replace('-', '_')}"


def _all(headers: Iterable[str]) -> tuple[str, ...]:
    return tuple(map(environ_name, headers))


_FIRST_NAMES, _USER_NAMES, _CHAT_NAMES = _all(_FIRST), _all(_USER), _all(_CHAT)
_NAMES = frozenset((*_FIRST_NAMES, *_USER_NAMES, *_CHAT_NAMES))


def identified(caller: Caller, environ: Mapping[str, Any], configured: tuple[str, ...]) -> Caller:
    """Return *caller* with the user and the chat of the headers in *environ*.

    *configured* are the names there of the operator's own headers for a user. They and LiteLLM's
    take precedence over the body's `user`, those of other clients do not.
    """
    metadata = caller.metadata
    if not environ.keys() & _NAMES and not configured and not isinstance(metadata, Mapping):
        return caller
    first = _text(environ, (*_FIRST_NAMES, *configured))
    user = first or caller.user or _text(environ, _USER_NAMES) or _named(metadata)
    return caller._replace(user=user, chat=_text(environ, _CHAT_NAMES))


def _text(environ: Mapping[str, Any], names: Iterable[str]) -> str | None:
    """Return the first of the headers *names* that is not empty, its escapes resolved."""
    found = (unquote(environ[name]).strip()[:_LONGEST] for name in names if name in environ)
    return next((text for text in found if text.isprintable() and text), None)


def _named(metadata: Any) -> str | None:
    """Return the `user_id` in *metadata*, as Anthropic's clients and others send it."""
    user = metadata.get("user_id") if isinstance(metadata, Mapping) else None
    return user if isinstance(user, str) and len(user) <= _LONGEST else None
