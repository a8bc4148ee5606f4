from __future__ import annotations

import io
import json
from typing import Any

import pytest

from llmgate import errors
from llmgate.codecs.multipart import Form
from llmgate.contract import Call
from llmgate.contract import Deployment
from llmgate.contract import Upload
from llmgate.contract import passed_on
from llmgate.dialects.openai import normalize
from llmgate.dialects.openai import wire as openai_wire
from llmgate.providers.azure import AZURE
from llmgate.providers.openai import OPENAI

DEPLOYMENT = Deployment("g", "openai", "gpt-4o", "https://api.example.com/v1", api_key="sk-1")

POSTED = [name for name in OPENAI.operations if name != "stored_responses"]
USED: dict[str, dict[str, int]] = {"stored_responses": {}}


def body(name: str) -> dict[str, Any]:
    """Return a body of the operation called *name*."""
    if name in openai_wire.FORMS:
        file = Upload("a.bin", "audio/wav", io.BytesIO(b"RIFF"), 4)
        return {"model": "g", "file": file, "temperature": 0}
    return {"model": "g", "z": [1, {"b": None}], "a": "ü", "stream": True}


def posted(call: Call) -> dict[str, Any]:
    """Return the JSON that *call* sends."""
    assert isinstance(call.data, bytes)
    sent: dict[str, Any] = json.loads(call.data)
    return sent


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("chat", "/chat/completions"),
        ("completions", "/completions"),
        ("embeddings", "/embeddings"),
        ("moderations", "/moderations"),
        ("images_generations", "/images/generations"),
        ("images_edits", "/images/edits"),
        ("images_variations", "/images/variations"),
        ("speech", "/audio/speech"),
        ("transcriptions", "/audio/transcriptions"),
        ("translations", "/audio/translations"),
        ("responses", "/responses"),
    ],
)
def test_an_operation_posts_to_its_path(name: str, path: str) -> None:
    call = OPENAI.operations[name].build(body(name), DEPLOYMENT)

    assert (call.method, call.url) == ("POST", f"https://api.example.com/v1{path}")
    if name in openai_wire.FORMS:
        assert isinstance(call.data, Form)
        assert call.headers == {"Content-Type": call.data.content_type}
        assert b'name="model"\r\n\r\ngpt-4o\r\n' in b"".join(call.data)
    else:
        assert call.headers == {"Content-Type": "application/json"}
        assert [*posted(call)][:4] == ["model", "z", "a", "stream"]
        assert posted(call)["model"] == "gpt-4o"


def test_every_operation_is_there() -> None:
    assert set(OPENAI.operations) == {*openai_wire.PATHS, "responses", "stored_responses"}


def test_what_is_stored_is_asked_for_by_method_and_path() -> None:
    body = {"model": "g", "method": "GET", "path": "resp_1/input_items?limit=2"}

    call = OPENAI.operations["stored_responses"].build(body, DEPLOYMENT)

    url = "https://api.example.com/v1/responses/resp_1/input_items?limit=2"
    assert call == Call("GET", url, {})


@pytest.mark.parametrize("name", POSTED)
def test_nothing_is_changed_on_the_way(name: str) -> None:
    given = {key: value for key, value in body(name).items() if key != "file"}
    before = json.dumps(given)

    OPENAI.operations[name].build(given, DEPLOYMENT)

    assert json.dumps(given) == before


@pytest.mark.parametrize("name", sorted(set(POSTED) - openai_wire.FORMS))
def test_the_same_body_makes_the_same_bytes(name: str) -> None:
    build = OPENAI.operations[name].build

    assert build(body(name), DEPLOYMENT) == build(body(name), DEPLOYMENT)


@pytest.mark.parametrize("name", sorted(set(POSTED) - openai_wire.FORMS))
def test_usage_is_asked_for_where_a_stream_has_it(name: str) -> None:
    sent = posted(OPENAI.operations[name].build(body(name), DEPLOYMENT))

    wanted = {"include_usage": True} if name in ("chat", "completions") else None
    assert sent.get("stream_options") == wanted


@pytest.mark.parametrize(("name", "operation"), OPENAI.operations.items())
def test_its_wire_is_the_gates_own(name: str, operation: Any) -> None:
    assert operation.passthrough
    assert operation.parse is (normalize.reply if name == "chat" else passed_on)
    assert operation.params is None
    assert (operation.stream is not None) == (name in ("chat", "completions"))
    assert operation.usage({"usage": {"prompt_tokens": 3}}) == USED.get(name, {"prompt_tokens": 3})


@pytest.mark.parametrize(
    ("settings", "wanted"),
    [
        ({}, {}),
        ({"organization": "org", "project": None}, {"OpenAI-Organization": "org"}),
        (
            {"organization": "org", "project": "proj"},
            {"OpenAI-Organization": "org", "OpenAI-Project": "proj"},
        ),
        ({"project": 7}, {"OpenAI-Project": "7"}),
    ],
)
def test_a_call_is_signed_with_the_key(settings: Any, wanted: Any) -> None:
    call = Call("POST", "https://x", {"A": "b"}, b"x")

    got = OPENAI.authorize(call, DEPLOYMENT._replace(settings=settings))

    assert got[:2] == ("POST", "https://x")
    assert got.headers == {"A": "b", "Authorization": "Bearer sk-1", **wanted}
    assert got.data == b"x"
    assert call.headers == {"A": "b"}


@pytest.mark.parametrize("key", [None, ""])
def test_a_missing_key_is_named_with_its_variable(key: str | None) -> None:
    with pytest.raises(errors.Unauthorized) as caught:
        OPENAI.authorize(Call("POST", "https://x", {}), DEPLOYMENT._replace(api_key=key))

    assert (caught.value.status, caught.value.code) == (401, "missing_provider_key")
    assert caught.value.message == (
        "Missing API key for provider openai: set OPENAI_API_KEY in the environment, or"
        " litellm_params.api_key in the configuration."
    )


@pytest.mark.parametrize(
    ("settings", "wanted"),
    [
        ({}, "https://api.openai.com/v1"),
        ({"api_base": None}, "https://api.openai.com/v1"),
        ({"api_base": "http://localhost:8000/v1"}, "http://localhost:8000/v1"),
    ],
)
def test_it_is_at_openai_or_at_what_stands_in(settings: Any, wanted: str) -> None:
    assert OPENAI.base_url(settings) == wanted


def test_no_repr_shows_the_key() -> None:
    call = OPENAI.authorize(OPENAI.operations["chat"].build(body("chat"), DEPLOYMENT), DEPLOYMENT)

    assert "sk-1" not in repr(call)


def chat_of(model: str, provider: Any = OPENAI, **info: Any) -> Any:
    """Return the operation chat for *model* with this `model_info`."""
    deployment = DEPLOYMENT._replace(provider=provider.name, model=model, info=info)
    return provider.for_model(deployment).operations["chat"]


@pytest.mark.parametrize(
    ("model", "info", "is_over"),
    [
        ("gpt-4o", {}, False),
        ("o3-pro", {}, True),
        ("gpt-5-codex", {}, True),
        ("my-name", {"base_model": "gpt-5-pro"}, True),
        ("gpt-4o", {"mode": "responses"}, True),
        ("o3-pro", {"mode": "chat"}, False),
        ("gpt-5.5", {"mode": "chat"}, False),
    ],
)
@pytest.mark.parametrize("provider", [OPENAI, AZURE], ids=lambda it: it.name)
def test_chat_goes_through_the_api_that_the_model_has(
    provider: Any, model: str, info: Any, is_over: bool
) -> None:
    chat = chat_of(model, provider, **info)

    assert chat.passthrough is not is_over
    assert chat.instead is None


@pytest.mark.parametrize(
    ("more", "is_over"),
    [
        ({}, False),
        ({"tools": []}, False),
        ({"tools": [{}]}, True),
        ({"tools": [{}], "reasoning_effort": "none"}, False),
        ({"tools": [{}], "reasoning_effort": "low"}, True),
    ],
)
def test_tools_beside_reasoning_go_through_the_responses_api(more: Any, is_over: bool) -> None:
    chat = chat_of("gpt-5.5")

    assert chat.passthrough
    assert (chat.instead({"model": "g", **more}) is not None) is is_over


@pytest.mark.parametrize(
    ("provider", "url"),
    [
        (OPENAI, "https://api.example.com/v1/responses"),
        (AZURE, "https://api.example.com/v1/openai/v1/responses"),
    ],
    ids=lambda it: getattr(it, "name", ""),
)
def test_chat_over_the_responses_api_posts_there(provider: Any, url: str) -> None:
    deployment = DEPLOYMENT._replace(provider=provider.name, model="o3-pro", drop_params=True)
    body = {"model": "g", "messages": [{"role": "user", "content": "hi"}], "presence_penalty": 1}

    call = chat_of("o3-pro", provider).build(body, deployment)

    assert call.url == url
    assert posted(call)["input"] == [{"role": "user", "content": "hi"}]
    assert posted(call)["model"] == "o3-pro"


def test_a_response_without_a_model_names_none() -> None:
    call = OPENAI.operations["responses"].build({"prompt": {"id": "p"}}, DEPLOYMENT)

    assert posted(call) == {"prompt": {"id": "p"}}
