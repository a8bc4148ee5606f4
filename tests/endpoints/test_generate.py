"""Gemini's API as clients see it that are no SDK: paths, keys, errors, the JSON array, the log."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from testing.answers import CUT
from testing.answers import json_answer
from testing.answers import sse
from testing.gateway import API_KEY
from testing.gateway import config_for
from testing.gateway import deployment
from testing.inprocess import posted
from testing.openai_bodies import chat_chunks
from testing.openai_bodies import chat_completion
from testing.openai_bodies import embedding
from testing.openai_bodies import error_body
from testing.openai_bodies import usage
from testing.places import places
from testing.places import replaced
from testing.request_bodies import GOOD
from testing.samples import sample
from testing.upstream import Upstream

AppFor = Callable[..., FlaskClient]
KEY = "sk-master-0123456789"
ASKED: dict[str, Any] = {"contents": [{"parts": [{"text": "Hi"}]}]}
ONE: dict[str, Any] = {"content": {"parts": [{"text": "Hi"}]}}
GENERATE = "/v1beta/models/gpt-4o:generateContent"
STREAM = "/v1beta/models/gpt-4o:streamGenerateContent"
METHODS = (
    "generateContent",
    "streamGenerateContent",
    "countTokens",
    "embedContent",
    "batchEmbedContents",
)


@pytest.fixture
def locked(shared_app_for: AppFor, upstream: Upstream) -> FlaskClient:
    """A gateway with a master key."""
    return shared_app_for(config_for(upstream) | {"general_settings": {"master_key": KEY}})


@pytest.fixture
def google(shared_app_for: AppFor, upstream: Upstream) -> FlaskClient:
    """A gateway with Gemini in both of its places, with defaults of its own."""
    own: dict[str, Any] = {"temperature": 0.5, "top_k": 3, "api_base": f"{upstream.url}/v1"}
    vertex = {"vertex_project": "p", "vertex_access_token": "t", "api_key": None}
    entries = [
        deployment("g", upstream.url, "gemini/gemini-2.5-flash", **own),
        deployment("v", upstream.url, "vertex_ai/gemini-2.5-flash", **own, **vertex),
    ]
    return shared_app_for({"model_list": entries, "router_settings": {"num_retries": 0}})


def failed(reply: Any) -> tuple[int, str, str]:
    """Return the status of an error in Google's shape, its name, and what it says."""
    body = reply.get_json()
    assert list(body) == ["error"]
    error = body["error"]
    assert error["code"] == reply.status_code
    return reply.status_code, error["status"], error["message"]


# Where it is


@pytest.mark.parametrize("prefix", ["/v1beta", "/v1", "/v1alpha", ""])
@pytest.mark.parametrize("model", ["gpt-4o", "openai/gpt-4o", "openai%2Fgpt-4o"])
def test_a_model_may_have_slashes_in_its_name(
    client: FlaskClient, upstream: Upstream, prefix: str, model: str
) -> None:
    upstream.plays(json_answer(chat_completion("Moin")))

    got = posted(client, ASKED, f"{prefix}/models/{model}:generateContent")

    assert got.get_json()["candidates"][0]["content"]["parts"] == [{"text": "Moin"}]
    assert upstream.requests[0].json["model"] == "gpt-4o"
    assert got.headers["x-llmgate-model"] == "gpt-4o"


@pytest.mark.parametrize(
    ("method", "path", "wanted"),
    [
        ("POST", "/v1beta/models/gpt-4o:predict", (404, "NOT_FOUND")),
        ("PUT", "/v1beta/models/gpt-4o", (405, "INVALID_ARGUMENT")),
        ("GET", GENERATE, (404, "NOT_FOUND")),
        ("POST", "/v1beta/nothing", (404, "NOT_FOUND")),
        ("POST", "/v1beta/models/gpt-99:generateContent", (404, "NOT_FOUND")),
        ("POST", "/v1/models/gpt-99:generateContent", (404, "NOT_FOUND")),
        ("POST", "/models/gpt-99:countTokens", (404, "NOT_FOUND")),
    ],
)
def test_what_is_not_there_is_told_in_googles_shape(
    client: FlaskClient, method: str, path: str, wanted: tuple[int, str]
) -> None:
    got = client.open(path, method=method, json=ASKED)

    assert failed(got)[:2] == wanted


@pytest.mark.parametrize(
    ("path", "body", "why"),
    [
        (GENERATE, {}, "Missing required parameter: 'contents'"),
        (GENERATE, [], "it must be an object"),
        (GENERATE, {"contents": [{"parts": [{"fileData": {}}]}]}, "it lacks 'fileUri'"),
        (GENERATE, {**ASKED, "tools": [{"functionDeclarations": [{}]}]}, "it lacks 'name'"),
        (GENERATE, {**ASKED, "tools": [{"functionDeclarations": [3]}]}, "look at it"),
        (
            GENERATE,
            {"contents": [{"parts": [{"inlineData": {"mimeType": "text/a", "data": "!"}}]}]},
            "look at it",
        ),
        (GENERATE, {**ASKED, "cachedContent": "c"}, "Only Gemini has cachedContent"),
        ("/v1beta/models/gpt-4o:countTokens", {}, "it lacks 'contents'"),
        ("/v1beta/models/gpt-4o:embedContent", {}, "Missing required parameter: 'content'"),
        ("/v1/models/gpt-4o:batchEmbedContents", {"requests": []}, "at least 1 item"),
    ],
)
def test_what_makes_no_sense_is_refused(
    client: FlaskClient, upstream: Upstream, path: str, body: Any, why: str
) -> None:
    status, named, message = failed(posted(client, body, path))

    assert (status, named) == (400, "INVALID_ARGUMENT")
    assert why in message
    assert upstream.requests == []


SPOILED: list[Any] = [None, 3, "x", [], {}, [None], [[]], {"x": None}, {"parts": 3}, True]


@pytest.mark.parametrize("name", ["generate_content", "generate_count"])
@pytest.mark.parametrize("model", ["gpt-4o", "g"])
def test_no_body_is_too_strange(
    client: FlaskClient, google: FlaskClient, upstream: Upstream, name: str, model: str
) -> None:
    upstream.plays(json_answer(chat_completion() if model == "gpt-4o" else {"totalTokens": 1}))
    asked = google if model == "g" else client
    method = "generateContent" if name == "generate_content" else "countTokens"
    statuses = set()

    for body in GOOD[name]:
        for place in places(body):
            for value in SPOILED:
                strange = replaced(body, place, value)
                got = posted(asked, strange, f"/v1beta/models/{model}:{method}")
                statuses.add(got.status_code)
                assert got.status_code in (200, 400), (strange, got.data)

    assert statuses == {200, 400}


# Keys


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("prefix", ["/v1beta", "/v1", ""])
def test_without_the_key_nothing_is_done(
    locked: FlaskClient, upstream: Upstream, method: str, prefix: str
) -> None:
    path = f"{prefix}/models/gpt-4o:{method}"

    got = [posted(locked, ASKED, path), posted(locked, ASKED, f"{path}?key=wrong")]

    assert [failed(each)[:2] for each in got] == [(401, "UNAUTHENTICATED")] * 2
    assert upstream.requests == []


@pytest.mark.parametrize(
    ("query", "headers"),
    [
        (f"?key={KEY}", {}),
        ("", {"x-goog-api-key": KEY}),
        ("", {"Authorization": f"Bearer {KEY}"}),
        ("?key=wrong", {"x-goog-api-key": KEY}),
    ],
)
def test_the_key_is_taken_from_where_googles_clients_put_it(
    locked: FlaskClient, upstream: Upstream, lines: list[Any], query: str, headers: dict[str, str]
) -> None:
    upstream.plays(json_answer(chat_completion()))

    got = posted(locked, ASKED, f"{GENERATE}{query}", **headers)

    assert got.status_code == 200
    (seen,) = upstream.requests
    assert KEY not in f"{seen.path} {seen.headers} {lines} {got.headers} {got.data!r}"
    assert seen.headers["authorization"] == f"Bearer {API_KEY}"
    assert [line["caller"] for line in lines] == ["master"]


@pytest.mark.parametrize("path", ["/v1beta/models", "/v1alpha/models/gpt-4o"])
def test_the_key_of_a_list_may_be_in_the_query(locked: FlaskClient, path: str) -> None:
    assert locked.get(path).status_code == 401
    assert locked.get(f"{path}?key={KEY}").status_code == 200


@pytest.mark.fault("S13")
def test_a_key_in_the_query_of_another_path_is_none(locked: FlaskClient) -> None:
    assert locked.get(f"/v1/models?key={KEY}").status_code == 401


# Streams


def test_without_alt_a_stream_is_a_list(client: FlaskClient, upstream: Upstream) -> None:
    upstream.plays(sse(chat_chunks("Mo", "in", usage=usage(9, 2))))

    got = posted(client, ASKED, STREAM)

    assert got.content_type == "application/json; charset=UTF-8"
    texts = [e["candidates"][0]["content"].get("parts") for e in got.get_json()]
    assert texts == [[{"text": "Mo"}], [{"text": "in"}], None]
    assert upstream.requests[0].json["stream"] is True


@pytest.mark.parametrize("query", ["", "?alt=sse"])
def test_what_fails_at_once_has_a_status(
    client: FlaskClient, upstream: Upstream, query: str
) -> None:
    upstream.plays(json_answer(error_body("Slowly"), 429))

    got = posted(client, ASKED, f"{STREAM}{query}")

    assert failed(got) == (429, "RESOURCE_EXHAUSTED", "Slowly")


def test_what_fails_later_is_the_last_of_the_list(client: FlaskClient, upstream: Upstream) -> None:
    upstream.plays(sse([*chat_chunks("Mo")[:2], CUT], done=False))

    first, last = posted(client, ASKED, STREAM).get_json()

    assert first["candidates"][0]["content"]["parts"] == [{"text": "Mo"}]
    assert (last["error"]["code"], last["error"]["status"]) == (502, "UNAVAILABLE")


def test_a_stream_is_asked_for_by_the_path_alone(client: FlaskClient, upstream: Upstream) -> None:
    upstream.plays(json_answer(chat_completion("Moin")))

    got = posted(client, {**ASKED, "stream": True}, f"{GENERATE}?alt=sse")

    assert got.content_type == "application/json"
    assert "stream" not in upstream.requests[0].json


# What is made of it


@pytest.mark.parametrize("model", ["g", "v"])
def test_a_deployments_defaults_hold_here_too(
    google: FlaskClient, upstream: Upstream, model: str
) -> None:
    upstream.plays(json_answer(sample("gemini", "reply_text")["response"]))
    body = {**ASKED, "generationConfig": {"topK": 9}, "tags": ["a"], "num_retries": 0}

    got = posted(google, body, f"/v1beta/models/{model}:generateContent")

    assert got.get_json() == sample("gemini", "reply_text")["response"]
    role = {} if model == "g" else {"role": "user"}
    assert upstream.requests[0].json == {
        "contents": [{**role, **ASKED["contents"][0]}],
        "generationConfig": {"temperature": 0.5, "topK": 9},
    }


def test_vertex_counts_whole_requests(google: FlaskClient, upstream: Upstream) -> None:
    upstream.plays(json_answer({"totalTokens": 3}))

    got = posted(google, {"generateContentRequest": ASKED}, "/v1beta/models/v:countTokens")

    assert got.get_json() == {"totalTokens": 3}
    assert upstream.requests[0].json["contents"] == [{"role": "user", **ASKED["contents"][0]}]


def test_an_estimate_says_that_it_is_one(client: FlaskClient, upstream: Upstream) -> None:
    whole = {"generateContentRequest": {**ASKED, "systemInstruction": {"parts": [{"text": "x"}]}}}

    got = posted(client, whole, "/v1beta/models/gpt-4o:countTokens")

    assert got.get_json() == {"totalTokens": 9}
    assert got.headers["x-llmgate-usage-estimated"] == "true"
    assert upstream.requests == []


@pytest.mark.parametrize("model", ["g", "text-embedding-3-small"])
def test_one_content_has_one_vector(
    google: FlaskClient, client: FlaskClient, upstream: Upstream, model: str
) -> None:
    native = model == "g"
    vector = {"embedding": {"values": [0.5]}}
    upstream.plays(json_answer(vector if native else embedding([0.5])))

    got = posted(google if native else client, ONE, f"/v1beta/models/{model}:embedContent")

    assert got.get_json()["embedding"] == vector["embedding"]
    if native:
        assert upstream.requests[0].json == {"model": "models/gemini-2.5-flash", **ONE}


@pytest.mark.parametrize(
    ("method", "answer"),
    [
        ("generateContent", {"choices": [{}]}),
        ("generateContent", {"choices": [{"message": {"tool_calls": [{}]}}]}),
        ("streamGenerateContent", {"choices": [{"message": 3}]}),
        ("embedContent", {"data": []}),
        ("batchEmbedContents", {"data": [{}]}),
    ],
)
def test_an_answer_of_another_shape_is_the_upstreams_fault(
    client: FlaskClient, upstream: Upstream, method: str, answer: Any
) -> None:
    upstream.plays(json_answer(answer))
    body = {**ASKED, **ONE, "requests": [ONE]}

    got = posted(client, body, f"/v1beta/models/gpt-4o:{method}")

    assert failed(got)[:2] == (502, "UNAVAILABLE")


def test_the_log_tells_of_usage(google: FlaskClient, upstream: Upstream, lines: list[Any]) -> None:
    upstream.plays(sse(sample("gemini", "stream_text")["events"], done=False))

    posted(google, {**ASKED, "user": "u"}, "/v1beta/models/g:streamGenerateContent?alt=sse&key=x")

    (line,) = lines
    assert line["endpoint"] == "/v1beta/models/<path:model>:streamGenerateContent"
    assert (line["user"], line["model_group"], line["stream"]) == ("u", "g", True)
    assert (line["usage"]["prompt_tokens"], line["usage"]["completion_tokens"]) == (9, 7)
    assert line["cost"] > 0


def test_what_a_broken_stream_used_is_estimated(
    google: FlaskClient, upstream: Upstream, lines: list[Any]
) -> None:
    said = [{"candidates": [{"content": {"parts": [{"text": "a"}]}}]}] * 3
    upstream.plays(sse([*said, CUT], done=False))
    body = {"contents": [{"parts": [{"text": "a" * 400}]}]}

    posted(google, body, "/v1beta/models/g:streamGenerateContent?alt=sse")

    (line,) = lines
    assert line["usage"] == {"prompt_tokens": 100, "completion_tokens": 3}
    assert (line["usage_estimated"], line["error_code"]) == (True, "upstream_cut_short")


def test_a_key_of_the_upstream_is_not_shown(upstream: Upstream, client: FlaskClient) -> None:
    upstream.plays(json_answer(error_body(f"{API_KEY} is no key", code="x"), 401))

    assert failed(posted(client, ASKED, GENERATE))[2] == "*** is no key"


def test_a_group_of_both_kinds_is_served_by_either(upstream: Upstream, app_for: AppFor) -> None:
    entries = [
        deployment("mixed", upstream.url, "gemini/gemini-2.5-flash"),
        deployment("mixed", upstream.url, "openai/gpt-4o"),
    ]
    client = app_for({"model_list": entries})
    upstream.answers = lambda asked: json_answer(
        chat_completion("Moin")
        if asked.path == "/v1/chat/completions"
        else sample("gemini", "reply_text")["response"]
    )
    seen = set()

    for _ in range(20):
        got = posted(client, ASKED, "/v1beta/models/mixed:generateContent")
        assert got.get_json()["candidates"][0]["finishReason"] == "STOP"
        seen.add(got.headers["x-llmgate-provider"])

    assert seen == {"gemini", "openai"}
    counted = posted(client, ASKED, "/v1beta/models/mixed:countTokens")
    assert counted.headers["x-llmgate-usage-estimated"] == "true"
