"""Warm-up requests before forking.

Routes are sorted, patterns compiled and bytecode specialized when code first runs. In the master
that happens once, and all workers share the result; else each worker's first client would wait.
"""

from __future__ import annotations

from flask import Flask
from werkzeug.test import EnvironBuilder
from werkzeug.test import run_wsgi_app

from llmgate.accounting import meter as metering

_PATH = "/v1/chat/completions"
_ROUNDS = 2  # CPython specializes bytecode after a few runs


def warm_up(app: Flask) -> None:
    """Send chats to *app* for the built-in echo, whole and streamed; nothing is logged.

    They send a `user_config`, so that no configured deployment is used.
    """
    settings = app.extensions["llmgate.settings"]
    model = settings.routes.forced or "warm-up"
    echo = {"model_name": model, "litellm_params": {"model": "echo/warm-up"}}
    body = {
        "model": model,
        "messages": [{"role": "user", "content": "Hello?"}],
        "user_config": {"model_list": [echo]},
    }
    key = ("Authorization", f"Bearer {settings.master_key}")
    headers = [key, ("x-llmgate-heartbeat", "off")]
    for stream in (False, True) * _ROUNDS:
        builder = EnvironBuilder(
            _PATH, method="POST", json={**body, "stream": stream}, headers=headers
        )
        environ = {**builder.get_environ(), metering.INTERNAL: True}
        run_wsgi_app(app, environ, buffered=True)
