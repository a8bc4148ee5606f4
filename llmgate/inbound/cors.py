"""Cross-origin requests of browser apps: preflights answered, responses marked as readable.

Source: https://fetch.spec.whatwg.org/#http-cors-protocol
"""

from __future__ import annotations

import re
from collections.abc import Callable
from collections.abc import Iterable
from typing import Any
from typing import NamedTuple

HEADERS = (
    "accept accept-language anthropic-* api-key authorization cache-control content-language"
    " content-type http-referer idempotency-key openai-* traceparent tracestate x-api-key x-app"
    " x-conversation-id x-goog-api-client x-goog-api-key x-goog-user-project x-litellm-*"
    " x-llmgate-* x-openwebui-* x-request-id x-requested-with x-session-id x-stainless-* x-title"
    " x-user-id"
)
"""The request headers that browser apps may send by default."""

_METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE"
_Headers = list[tuple[str, str]]


class Rules(NamedTuple):
    """Who may read responses; a star in an origin or a header stands for any text."""

    origins: tuple[str, ...]
    headers: tuple[str, ...] = ()  # besides HEADERS
    max_age: int = 7200  # seconds a browser may keep the answer to a preflight


class Cors:
    """WSGI middleware that applies *rules* to requests with an Origin header."""

    def __init__(self, app: Callable[..., Any], rules: Rules) -> None:
        self._app = app
        self._max_age = str(rules.max_age)
        self._is_open = "*" in rules.origins
        self._origins = _pattern(rules.origins, "[^/]*")
        self._allowed = _pattern([*HEADERS.split(), *rules.headers], ".*")

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        """Answer a request, as WSGI applications do."""
        origin = environ.get("HTTP_ORIGIN")
        if origin is None:
            return self._app(environ, start_response)
        if (
            environ["REQUEST_METHOD"] == "OPTIONS"
            and "HTTP_ACCESS_CONTROL_REQUEST_METHOD" in environ
        ):
            start_response("204 No Content", self._preflight(origin, environ))
            return []
        own = self._shared(origin)

        def start(status: str, headers: _Headers, exc_info: Any = None) -> Any:
            return start_response(status, [*headers, *own], exc_info)

        return self._app(environ, start)

    def _shared(self, origin: str) -> _Headers:
        """Return the headers of each response to *origin*."""
        if self._is_open:
            return [("Access-Control-Allow-Origin", "*"), ("Access-Control-Expose-Headers", "*")]
        if not self._origins.fullmatch(origin):
            return [("Vary", "Origin")]
        return [
            ("Access-Control-Allow-Origin", origin),
            ("Access-Control-Expose-Headers", "*"),
            ("Vary", "Origin"),
        ]

    def _preflight(self, origin: str, environ: dict[str, Any]) -> _Headers:
        """Return the headers of the response to a preflight of *origin*."""
        shared = self._shared(origin)
        if shared[0][0] == "Vary":
            return shared
        requested = environ.get("HTTP_ACCESS_CONTROL_REQUEST_HEADERS", "").lower()
        names = [name.strip() for name in requested.split(",")]
        return [
            *shared,
            ("Access-Control-Allow-Methods", _METHODS),
            ("Access-Control-Allow-Headers", ", ".join(filter(self._allowed.fullmatch, names))),
            ("Access-Control-Max-Age", self._max_age),
            ("Vary", "Access-Control-Request-Headers"),
        ]


def _pattern(names: Iterable[str], star: str) -> re.Pattern[str]:
    """Return the pattern of *names*; their stars stand for *star*."""
    return re.compile("|".join(re.escape(name).replace(r"\*", star) for name in names), re.I)
