"""The app as gunicorn finds it, in a world where some public hosts are a fake upstream.

What would go to one of them goes to REROUTED in its place; the guard is asked all the same.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from llmgate import config
from llmgate import create_app
from llmgate.contract import Answer
from llmgate.contract import Call
from llmgate.trust import address_guard
from llmgate.upstream import session as http_session

HOSTS = ("https://api.openai.com", "https://litellm-dev.direct.fireworks.ai")

_send: Callable[..., Answer] = http_session.Session.send
_pinned = address_guard.pinned


def _rerouted(self: Any, call: Call, timeout: float, address: Any = None, *more: Any) -> Answer:
    for host in HOSTS:
        if call.url.startswith(f"{host}/"):
            url = os.environ["REROUTED"] + call.url.removeprefix(host)
            call, address = call._replace(url=url), None
    return _send(self, call, timeout, address, *more)


def _resolved(url: str, private: bool = False) -> str:
    known = any(url.startswith(f"{host}/") for host in HOSTS)
    return "1.1.1.1" if known else _pinned(url, private)


http_session.Session.send = _rerouted  # type: ignore[method-assign, assignment]
address_guard.pinned = _resolved  # type: ignore[assignment]
app = create_app(config.load(os.environ["LLMGATE_CONFIG"], os.environ))
