"""Several models in one request, from end to end."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
import requests
from flask.testing import FlaskClient
from testing.gateway import Gateway
from testing.gateway import deployment
from testing.inprocess import asks
from testing.inprocess import chunks
from testing.inprocess import failed
from testing.inprocess import posted
from testing.upstream import HANG
from testing.upstream import Answer
from testing.upstream import Seen
from testing.upstream import Upstream
from testing.upstream import chat_chunks
from testing.upstream import chat_completion
from testing.upstream import error_body
from testing.upstream import json_answer
from testing.upstream import raw
from testing.upstream import sse
from testing.upstream import tool_call

AppFor = Callable[..., FlaskClient]


def config(upstream: Upstream, **more: Any) -> dict[str, Any]:
    listed = [deployment(name, f"{upstream.url}/{name}") for name in ("a", "b", "c")]
    return {"model_list": listed, "router_settings": {"num_retries": 0}, **more}


def playing(upstream: Upstream, *, together: int = 1, **answers: Answer) -> None:
    """Answer the models so, as soon as so many requests are *together*."""

    def played(seen: Seen) -> Answer:
        upstream.wait_for(together)
        return answers[seen.path[1]]

    upstream.answers = played


def saying(text: str, **more: Any) -> Answer:
    return json_answer(chat_completion(text, **more))


BAD = json_answer(error_body("no", code="broken"), 500)


def test_all_are_asked_at_once_and_answer_in_order(app_for: AppFor, upstream: Upstream) -> None:
    playing(upstream, together=3, a=saying("A"), b=saying("B"), c=saying("C"))

    got = posted(app_for(config(upstream)), asks(model="c, a,b"))

    assert got.status_code == 200
    elements = got.get_json()
    assert [each["choices"][0]["message"]["content"] for each in elements] == ["C", "A", "B"]
    assert all(each["_response_ms"] > 0 for each in elements)
    assert sorted(seen.json["model"] for seen in upstream.requests) == ["a", "b", "c"]


def test_a_failure_is_an_error_in_its_place(
    app_for: AppFor, upstream: Upstream, lines: list[Any]
) -> None:
    playing(upstream, a=BAD, b=saying("B"))

    got = posted(app_for(config(upstream)), asks(model="a,b,nowhere"))

    first, second, third = got.get_json()
    assert first == {
        "error": {"message": "no", "type": "server_error", "param": None, "code": "broken"}
    }
    assert second["object"] == "chat.completion"
    assert third["error"]["code"] == "model_not_found"
    assert sorted((line["model_group"], line["status"]) for line in lines) == [
        ("a", 500),
        ("b", 200),
        ("nowhere", 404),
    ]


def test_if_all_fail_it_is_one_plain_error(app_for: AppFor, upstream: Upstream) -> None:
    playing(upstream, a=BAD, b=json_answer(error_body("too", code="other"), 503))

    got = posted(app_for(config(upstream)), asks(model="a,b"))

    assert failed(got) == (500, "server_error", "broken", None)


def test_tools_and_metadata_go_to_each(
    app_for: AppFor, upstream: Upstream, lines: list[Any]
) -> None:
    called = json_answer(chat_completion(None, tool_calls=[tool_call()]))
    playing(upstream, a=called, b=called)
    tools = [{"type": "function", "function": {"name": "weather", "parameters": {}}}]

    got = posted(
        app_for(config(upstream)), asks(model="a,b", tools=tools, metadata={"tags": ["x"]})
    )

    assert [e["choices"][0]["finish_reason"] for e in got.get_json()] == ["tool_calls"] * 2
    assert all(seen.json["tools"] == tools for seen in upstream.requests)
    assert all("metadata" not in seen.json for seen in upstream.requests)
    assert [line["tags"] for line in lines] == [["x"], ["x"]]


@pytest.mark.parametrize("model", ["a,", ",", "a,,b", ",".join(["a"] * 17)])
def test_what_is_no_list_of_models_is_refused(
    app_for: AppFor, upstream: Upstream, model: str
) -> None:
    got = posted(app_for(config(upstream)), asks(model=model))

    assert failed(got) == (400, "invalid_request_error", None, "model")
    assert upstream.requests == []


def test_several_are_not_streamed(app_for: AppFor, upstream: Upstream) -> None:
    got = posted(app_for(config(upstream)), asks(model="a,b", stream=True))

    assert failed(got) == (400, "invalid_request_error", None, "stream")


def test_a_group_with_a_comma_in_its_name_is_itself(app_for: AppFor, upstream: Upstream) -> None:
    given = {"model_list": [deployment("a,b", f"{upstream.url}/a", "openai/x")]}
    playing(upstream, a=saying("A"))

    got = posted(app_for(given), asks(model="a,b"))

    assert got.get_json()["object"] == "chat.completion"


def test_the_fastest_success_wins_and_the_others_are_ended(upstream: Upstream) -> None:
    playing(upstream, together=3, a=BAD, b=saying("B"), c=raw(HANG))
    with Gateway(config(upstream)) as gate:
        began = time.monotonic()

        body = asks(model="a,b,c", fastest_response=True)
        got = requests.post(f"{gate.url}/v1/chat/completions", json=body)

        assert got.status_code == 200
        assert got.json()["choices"][0]["message"]["content"] == "B"
        assert got.headers["x-llmgate-model-group"] == "b"
        hung = next(seen for seen in upstream.wait_for(3) if seen.path[1] == "c")
        assert hung.closed_by_peer.wait(2)
        assert time.monotonic() - began < 5


def test_the_fastest_stream_wins(app_for: AppFor, upstream: Upstream) -> None:
    said = chat_chunks("Hi")
    playing(upstream, together=3, a=raw(HANG), b=sse(said), c=BAD)

    got = posted(app_for(config(upstream)), asks(model="a,b,c", stream=True, fastest_response=True))

    assert chunks(got) == [*said, "[DONE]"]
    assert got.headers["x-llmgate-model-group"] == "b"
    hung = next(seen for seen in upstream.wait_for(3) if seen.path[1] == "a")
    assert hung.closed_by_peer.wait(2)


def test_if_none_succeeds_the_first_error_is_told(app_for: AppFor, upstream: Upstream) -> None:
    playing(upstream, a=BAD, b=json_answer(error_body("too", code="other"), 503))

    got = posted(app_for(config(upstream)), asks(model="a,b", fastest_response=True))

    assert failed(got) == (500, "server_error", "broken", None)
