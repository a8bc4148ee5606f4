"""A first chat before there are clients: what it makes, all workers then share.

Routes are sorted, patterns compiled and code made special the first time that it runs. In the
master that happens once, before it forks, and not in each worker, at its first client's expense.
"""

from __future__ import annotations

from flask import Flask
from werkzeug.test import EnvironBuilder
from werkzeug.test import run_wsgi_app

from llmgate.accounting import request_log

_PATH = "/v1/chat/completions"
_ROUNDS = 2  # code that has run twice is as warm as it gets


def rehearse(app: Flask) -> None:
    """Let *app* answer chats by the built-in echo, whole and streamed; nothing is asked or logged.

    They bring a router of their own, so that no deployment is used whatever is configured.
    """
    settings = app.extensions["llmgate.settings"]
    model = settings.routes.forced or "rehearsal"
    echo = {"model_name": model, "litellm_params": {"model": "echo/rehearsal"}}
    body = {
        "model": model,
        "messages": [{"role": "user", "content": "Hello?"}],
        "user_config": {"model_list": [echo]},
    }
    key = ("Authorization", f"Bearer {settings.master_key}")
    headers = [key, ("x-llmgate-heartbeat", "off")]
    with request_log.to(lambda line: None):
        for stream in (False, True) * _ROUNDS:
            asked = EnvironBuilder(
                _PATH, method="POST", json={**body, "stream": stream}, headers=headers
            )
            run_wsgi_app(app, asked.get_environ(), buffered=True)
