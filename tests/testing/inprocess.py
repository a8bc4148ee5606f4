"""The gateway in this process, for all that gunicorn has no part in; fixtures are in conftest.

client = app_for(config_for(upstream))          what a configuration makes, as a test client
posted(client, asks(stream=True))               one request, its answer read to the end
chunks(reply) == [...]                          the events of a stream
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from collections.abc import Mapping
from contextlib import contextmanager
from datetime import UTC
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from llmgate import config
from llmgate import create_app
from llmgate.accounting import request_log as request_log_module

CHAT = "/v1/chat/completions"
DONE = "[DONE]"


def client_of(folder: Path, given: Mapping[str, Any], env: Mapping[str, str]) -> FlaskClient:
    """Return a client of the app that the configuration *given* and the environment *env* make."""
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(dict(given), sort_keys=False), encoding="utf-8")
    return create_app(config.load(str(path) if given else None, env)).test_client()


def asks(**over: Any) -> dict[str, Any]:
    """Return the body of a small chat request; *over* replaces and adds."""
    return {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hi"}], **over}


def posted(client: FlaskClient, body: Any, path: str = CHAT, **headers: str) -> TestResponse:
    """Return the answer to a POST of *body* as JSON (bytes as they are), read and closed.

    An underscore in the name of a header is sent as a dash.
    """
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    named = {"Content-Type": "application/json"} | named
    return client.post(path, data=data, headers=named, buffered=True)


def chunks(reply: TestResponse) -> list[Any]:
    """Return the data of each event of a stream, decoded; [DONE] as it is."""
    events = reply.data.decode().removesuffix("\n\n").split("\n\n")
    data = [event.removeprefix("data: ") for event in events if event]
    return [text if text == DONE else json.loads(text) for text in data]


def failed(reply: TestResponse) -> tuple[int, str, str | None, str | None]:
    """Return the status of an error in OpenAI's shape, its type, code and param."""
    body = reply.get_json()
    assert list(body) == ["error"]
    assert list(body["error"]) == ["message", "type", "param", "code"]
    error = body["error"]
    assert isinstance(error["message"], str) and error["message"]
    assert reply.content_type == "application/json"
    return reply.status_code, error["type"], error["code"], error["param"]


@contextmanager
def request_log() -> Iterator[list[Any]]:
    """Give the lines of the requests log, decoded, as they are written.

    Those of requests that began before are left out: who lost a race ends after its test.
    """
    lines: list[Any] = []
    began = datetime.now(UTC).isoformat(timespec="milliseconds")

    def take(text: str) -> None:
        line = json.loads(text)
        if line["time"] >= began:
            lines.append(line)

    with request_log_module.to(take):
        yield lines
