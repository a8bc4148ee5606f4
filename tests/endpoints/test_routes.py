"""Where things are, and what is said where there is nothing."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient
from testing.inprocess import asks
from testing.inprocess import failed
from testing.inprocess import posted
from testing.upstream import Upstream
from testing.upstream import chat_completion
from testing.upstream import completion
from testing.upstream import embedding
from testing.upstream import image
from testing.upstream import json_answer
from testing.upstream import moderation

PROMPT = {"prompt": "Hi"}
SPOKEN = {"input": "Hi", "voice": "alloy"}
MESSAGES = {"messages": asks()["messages"]}

OPERATIONS: dict[str, tuple[str, dict[str, Any], Any]] = {
    "chat/completions": ("gpt-4o", MESSAGES, chat_completion()),
    "completions": ("gpt-3.5-turbo-instruct", PROMPT, completion()),
    "embeddings": ("text-embedding-3-small", {"input": "Hi"}, embedding()),
    "images/generations": ("dall-e-3", PROMPT, image()),
    "audio/speech": ("tts-1", SPOKEN, {"a": "file"}),
}
"""Operations by their path: a model, the rest of a body, an answer."""


@pytest.mark.parametrize("name", [*OPERATIONS, "moderations"])
@pytest.mark.parametrize("prefix", ["", "/v1", "/openai/v1"])
@pytest.mark.parametrize("end", ["", "/", "?api-version=2024-10-21"])
def test_an_operation_is_below_every_prefix(
    client: FlaskClient, upstream: Upstream, name: str, prefix: str, end: str
) -> None:
    model, body, answer = OPERATIONS.get(
        name, ("omni-moderation-latest", {"input": "Hi"}, moderation())
    )
    upstream.plays(json_answer(answer))

    got = posted(client, {"model": model, **body}, f"{prefix}/{name}{end}")

    assert got.status_code == 200
    (seen,) = upstream.requests
    assert (seen.method, seen.path) == ("POST", f"/v1/{name}")
    assert seen.json == {"model": model, **body}


@pytest.mark.parametrize(
    "path",
    [
        "/v1/v1/chat/completions",
        "/v1//v1/chat/completions",
        "/chat/completions/chat/completions",
        "/v1/chat/completions/chat/completions",
    ],
)
def test_a_chat_is_found_where_a_base_url_is_too_long(
    client: FlaskClient, upstream: Upstream, path: str
) -> None:
    upstream.plays(json_answer(chat_completion()))

    assert posted(client, asks(), path).status_code == 200


@pytest.mark.parametrize("path", ["/v1/v1/models", "/chat/completions/models"])
def test_models_are_found_where_a_base_url_is_too_long(client: FlaskClient, path: str) -> None:
    assert client.get(path).get_json() == client.get("/v1/models").get_json()


@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize(
    "prefix", ["/engines", "/v1/engines", "/openai/deployments", "/deployments"]
)
def test_an_operation_is_below_the_name_of_a_model(
    client: FlaskClient, upstream: Upstream, name: str, prefix: str
) -> None:
    model, body, answer = OPERATIONS[name]
    upstream.plays(json_answer(answer))

    got = posted(client, body, f"{prefix}/{model}/{name}?api-version=2024-10-21")

    assert got.status_code == 200
    assert upstream.requests[0].json == {**body, "model": model}


def test_the_model_of_the_path_goes_before_the_bodys(
    client: FlaskClient, upstream: Upstream
) -> None:
    upstream.plays(json_answer(chat_completion()))

    posted(client, asks(model="gpt-4o-mini"), "/openai/deployments/gpt-4o/chat/completions")

    assert upstream.requests[0].json["model"] == "gpt-4o"


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/chat/completions/chat/completions"])
def test_a_chat_is_where_librechat_looks_for_it(
    client: FlaskClient, upstream: Upstream, path: str
) -> None:
    upstream.plays(json_answer(chat_completion()))

    assert posted(client, asks(), path).status_code == 200


def test_images_are_below_litellms_path_too(client: FlaskClient, upstream: Upstream) -> None:
    upstream.plays(json_answer(image()))

    got = [
        posted(client, {"model": "dall-e-3", "prompt": "x"}, path).status_code
        for path in ("/image/generations", "/v1/image/generations")
    ]

    assert got == [200, 200]


# Nothing there


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/nothing"),
        ("POST", "/v1/nothing"),
        ("POST", "/v1/chat/completions/x/y"),
        ("POST", "/V1/chat/completions"),
        ("DELETE", "/v1/models/x/y\x00/\u00e9"),
        ("GET", "/v1/chat"),
        ("GET", "/%00"),
        ("GET", "/%ff"),
        ("GET", "/" + "x" * 5000),
    ],
)
def test_where_there_is_nothing_openais_words_say_so(
    client: FlaskClient, lines: list[Any], method: str, path: str
) -> None:
    got = client.open(path, method=method, buffered=True)

    assert failed(got) == (404, "invalid_request_error", "not_found", None)
    assert [line["status"] for line in lines] == [got.status_code]


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/v1/chat/completions", "GET, HEAD, OPTIONS, POST"),
        ("DELETE", "/v1/chat/completions", "GET, HEAD, OPTIONS, POST"),
        ("POST", "/v1/models", "GET, HEAD, OPTIONS"),
        ("PUT", "/v1/embeddings", "OPTIONS, POST"),
        ("POST", "/health", "GET, HEAD, OPTIONS"),
        ("GET", "/v1/audio/transcriptions", "OPTIONS, POST"),
    ],
)
def test_a_method_that_a_path_does_not_know_is_refused(
    client: FlaskClient, lines: list[Any], method: str, path: str, allowed: str
) -> None:
    got = client.open(path, method=method, buffered=True)

    assert failed(got) == (405, "invalid_request_error", "method_not_allowed", None)
    assert got.headers["Allow"] == allowed
    assert [line["status"] for line in lines] == [405]


@pytest.mark.parametrize("name", ["chat/completions", "embeddings", "audio/speech"])
def test_a_model_that_is_not_there_is_not_found(
    client: FlaskClient, upstream: Upstream, name: str
) -> None:
    body = {**OPERATIONS[name][1], "model": "gpt-99"}

    got = posted(client, body, f"/v1/{name}")

    assert failed(got) == (404, "invalid_request_error", "model_not_found", "model")
    assert "'gpt-99'" in got.get_json()["error"]["message"]
    assert "gpt-4o-mini" in got.get_json()["error"]["message"]
    assert upstream.requests == []
