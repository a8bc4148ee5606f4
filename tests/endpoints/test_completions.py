"""Text completions, whole and streamed."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient
from testing.inprocess import DONE
from testing.inprocess import chunks
from testing.inprocess import failed
from testing.inprocess import posted
from testing.upstream import Upstream
from testing.upstream import completion
from testing.upstream import completion_chunks
from testing.upstream import json_answer
from testing.upstream import sse
from testing.upstream import usage

PATH = "/v1/completions"
MODEL = "gpt-3.5-turbo-instruct"


@pytest.mark.parametrize("prompt", ["Hi", ["Hi", "there"], [1, 2], [[1], [2]], "", None])
def test_a_prompt_is_completed(client: FlaskClient, upstream: Upstream, prompt: Any) -> None:
    upstream.plays(json_answer(completion()))
    body = {"model": MODEL, "prompt": prompt, "max_tokens": 7, "echo": True, "suffix": "x"}

    got = posted(client, body, PATH)

    assert got.get_json() == completion()
    assert upstream.requests[0].json == body


def test_a_completion_is_streamed(
    client: FlaskClient, upstream: Upstream, lines: list[Any]
) -> None:
    said = completion_chunks("Hel", "lo", usage=usage())
    upstream.plays(sse(said))

    got = posted(client, {"model": MODEL, "prompt": "Hi", "stream": True}, PATH)

    assert chunks(got) == [*said[:-1], DONE]
    assert upstream.requests[0].json == {
        "model": MODEL,
        "prompt": "Hi",
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    assert lines[0]["usage"]["completion_tokens"] == 12


@pytest.mark.parametrize("prompt", [7, [], [None], [[]], {}])
def test_a_bad_prompt_is_refused(client: FlaskClient, prompt: Any) -> None:
    status, kind, _, param = failed(posted(client, {"model": MODEL, "prompt": prompt}, PATH))

    assert (status, kind) == (400, "invalid_request_error")
    assert param is not None and param.startswith("prompt")
