"""Policies on every route that spends: admitted once, each attempt recorded once."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from testing.answers import CUT
from testing.answers import json_answer
from testing.answers import raw
from testing.answers import sse
from testing.gateway import config_for
from testing.gateway import deployment
from testing.inprocess import CHAT
from testing.inprocess import asks
from testing.inprocess import posted
from testing.openai_bodies import chat_chunks
from testing.openai_bodies import chat_completion
from testing.openai_bodies import error_body
from testing.policies import Recorder
from testing.policies import client_with
from testing.upstream import Upstream

from llmgate import errors
from llmgate.accounting.records import Request
from llmgate.contract import Deployment
from llmgate.pipeline.policy import BasePolicy
from llmgate.server import warmup

MESSAGES = {"model": "gpt-4o", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}
CONTENTS = {"contents": [{"parts": [{"text": "Hi"}]}]}
SPENDING: list[tuple[str, Any, str, str]] = [  # path, body, operation, model
    (CHAT, asks(), "chat", "gpt-4o"),
    ("/v1/completions", {"model": "gpt-4o", "prompt": "Hi"}, "completions", "gpt-4o"),
    ("/v1/embeddings", {"model": "gpt-4o", "input": "Hi"}, "embeddings", "gpt-4o"),
    ("/v1/moderations", {"model": "gpt-4o", "input": "Hi"}, "moderations", "gpt-4o"),
    ("/v1/messages", MESSAGES, "messages", "gpt-4o"),
    ("/v1/messages/count_tokens", MESSAGES, "count_tokens", "gpt-4o"),
    ("/v1/responses", {"model": "gpt-4o", "input": "Hi"}, "responses", "gpt-4o"),
    ("/v1beta/models/gpt-4o:generateContent", CONTENTS, "generate", "gpt-4o"),
    ("/v1/images/generations", {"model": "gpt-4o", "prompt": "x"}, "images_generations", "gpt-4o"),
    ("/v1/audio/speech", {"model": "gpt-4o", "input": "x", "voice": "v"}, "speech", "gpt-4o"),
    ("/openai/v1/newest", {"x": 1}, "passthrough", "openai"),
    ("/v1/batches", {"input_file_id": "f", "endpoint": CHAT}, "passthrough", "openai"),
]


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def recorded(upstream: Upstream, tmp_path: Path, recorder: Recorder) -> FlaskClient:
    return client_with(tmp_path / "c.yaml", config_for(upstream), [recorder])


@pytest.mark.parametrize(("path", "body", "operation", "model"), SPENDING)
def test_a_request_is_admitted_once_and_ends_once(
    upstream: Upstream, recorded: FlaskClient, recorder: Recorder, path: str, body: Any,
    operation: str, model: str,
) -> None:  # fmt: skip
    upstream.plays(json_answer({"error": {"message": "no", "type": "x"}}, status=400))

    got = posted(recorded, body, path)

    (request,) = recorder.admitted
    assert (request.operation, request.model) == (operation, model)
    assert (request.id, request.parent) == (got.headers["x-request-id"], None)
    assert (request.body is None) == (operation == "passthrough")
    assert recorder.ends() == [request.id]
    assert recorder.recorded_attempts() == recorder.attempts


def test_each_model_of_several_is_admitted_as_a_part(
    upstream: Upstream, recorded: FlaskClient, recorder: Recorder
) -> None:
    upstream.plays(*[json_answer(chat_completion("Moin"))] * 2)

    got = posted(recorded, asks(model="gpt-4o,openai/gpt-4o"))

    whole = got.headers["x-request-id"]
    assert sorted((r.id, r.parent, r.model) for r in recorder.admitted) == [
        (f"{whole}.1", whole, "gpt-4o"),
        (f"{whole}.2", whole, "openai/gpt-4o"),
    ]
    assert sorted(recorder.ends()) == [f"{whole}.1", f"{whole}.2"]


def test_a_refused_request_is_sent_nowhere(upstream: Upstream, tmp_path: Path) -> None:
    class Closed(Recorder):
        def admit(self, request: Request) -> None:
            raise errors.RateLimited("Come back tomorrow.", headers={"Retry-After": "60"})

    policy = Closed()
    client = client_with(tmp_path / "c.yaml", config_for(upstream), [policy])

    got = posted(client, asks())

    assert (got.status_code, got.headers["Retry-After"]) == (429, "60")
    assert (upstream.requests, policy.attempts) == ([], [])
    assert [entry.status for entry in policy.entries] == [429]


class Never(BasePolicy):
    """Allows no deployment of a model."""

    def __init__(self, model: str) -> None:
        self.model = model

    def allows(self, request: Request, deployment: Deployment) -> bool:
        return deployment.group != self.model

    def refusal(self, request: Request) -> errors.GateError:
        return errors.Forbidden(f"Not {request.model}.", code="not_this_model")


def test_a_policy_that_leaves_no_deployment_answers_with_its_error(
    upstream: Upstream, tmp_path: Path
) -> None:
    client = client_with(tmp_path / "c.yaml", two(upstream), [Never("a")])
    upstream.plays(json_answer(chat_completion("Moin")))

    refused, served = posted(client, asks(model="a")), posted(client, asks(model="b"))

    assert (refused.status_code, refused.get_json()["error"]["code"]) == (403, "not_this_model")
    assert served.status_code == 200


def two(upstream: Upstream, **over: Any) -> dict[str, Any]:
    """Return a configuration with the models `a` and `b`, each of one deployment."""
    listed = [deployment(name, upstream.url, "openai/gpt-4o") for name in "ab"]
    return {**config_for(upstream, **over), "model_list": listed}


def test_a_fallback_that_a_policy_refuses_is_not_used(upstream: Upstream, tmp_path: Path) -> None:
    given = two(upstream, num_retries=0, fallbacks=[{"a": ["b"]}])
    client = client_with(tmp_path / "c.yaml", given, [Never("b")])
    upstream.plays(json_answer(error_body("x"), status=500))

    got = posted(client, asks(model="a"))

    assert (got.status_code, len(upstream.requests)) == (500, 1)


def test_lists_of_models_show_what_the_caller_may_use(upstream: Upstream, tmp_path: Path) -> None:
    client = client_with(tmp_path / "c.yaml", two(upstream), [Never("a")])

    listed = client.get("/v1/models").get_json()["data"]
    described = client.get("/model/info").get_json()["data"]
    googles = client.get("/v1beta/models").get_json()["models"]

    assert [each["id"] for each in listed] == ["b"]
    assert [each["model_name"] for each in described] == ["b"]
    assert [each["name"] for each in googles] == ["models/b"]
    assert client.get("/v1/models/a").status_code == 404
    assert client.get("/v1/models/b").status_code == 200


def test_a_policy_that_cannot_record_changes_no_answer(upstream: Upstream, tmp_path: Path) -> None:
    class Broken(BasePolicy):
        def record(self, entry: Any) -> None:
            raise ZeroDivisionError

    client = client_with(tmp_path / "c.yaml", config_for(upstream, num_retries=1), [Broken()])
    upstream.plays(json_answer(error_body("x"), status=503), json_answer(chat_completion("Moin")))

    assert posted(client, asks()).status_code == 200


def test_no_policy_sees_a_warm_up(recorded: FlaskClient, recorder: Recorder) -> None:
    warmup.warm_up(recorded.application)

    assert (recorder.admitted, recorder.attempts, recorder.entries) == ([], [], [])


def test_tokens_that_a_provider_does_not_count_are_one_attempt(
    upstream: Upstream, tmp_path: Path, recorder: Recorder
) -> None:
    given = {
        **config_for(upstream, num_retries=0),
        "model_list": [deployment("gpt-4o", upstream.url, "anthropic/claude-sonnet-4-5")],
    }
    client = client_with(tmp_path / "c.yaml", given, [recorder])
    refusal = {"type": "error", "error": {"type": "permission_error", "message": "no"}}
    upstream.plays(json_answer(refusal, status=403))

    got = posted(client, MESSAGES, "/v1/messages/count_tokens")

    assert (got.status_code, got.get_json()["estimated"]) == (200, True)
    assert len(recorder.attempts) == 1
    assert recorder.recorded_attempts() == recorder.attempts
    assert recorder.ends() == [recorder.admitted[0].id]


ANSWERS = {
    "whole": json_answer(chat_completion("Moin")),
    "stream": sse(chat_chunks("Moin")),
    "refusal": json_answer(error_body("x"), status=400),
    "busy": json_answer(error_body("x"), status=503),
    "empty": sse([]),
    "garbage": json_answer([1]),
    "cut": raw(CUT),
}


@pytest.mark.fault("P16")
@given(
    st.lists(st.sampled_from(sorted(ANSWERS)), min_size=1, max_size=6),
    st.sampled_from(["whole", "stream", "left", "several", "messages"]),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_attempt_is_recorded_once(
    upstream: Upstream, tmp_path: Path, played: list[str], kind: str
) -> None:
    upstream.reset()
    upstream.plays(*(ANSWERS[name] for name in played), *[ANSWERS["busy"]] * 12)
    recorder = Recorder()
    given = {**config_for(upstream, num_retries=1), "router_settings": {"fallbacks": []}}
    client = client_with(tmp_path / "c.yaml", given, [recorder])

    if kind == "left":
        with client.post(CHAT, json=asks(stream=True)) as got:
            next(iter(got.response), None)
    elif kind == "messages":
        posted(client, {**MESSAGES, "stream": True}, "/v1/messages")
    else:
        model = "gpt-4o,gpt-4o" if kind == "several" else "gpt-4o"
        posted(client, asks(model=model, stream=kind == "stream"))

    assert Counter(recorder.recorded_attempts()) == Counter(recorder.attempts)
    assert Counter(recorder.ends()) == Counter(request.id for request in recorder.admitted)
