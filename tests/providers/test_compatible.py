from __future__ import annotations

import io
import json
from typing import Any

import pytest

from llmgate import errors
from llmgate import providers
from llmgate.codecs.multipart import Form
from llmgate.contract import Call
from llmgate.contract import Deployment
from llmgate.contract import Operation
from llmgate.contract import Upload
from llmgate.dialects.openai import wire as openai_wire
from llmgate.providers.compatible import provider
from llmgate.providers.row import Row
from llmgate.providers.rows import ROWS
from llmgate.schema import parameters

PROVIDERS = {name: provider(name, row) for name, row in ROWS.items()}
MATRIX = [(name, op) for name, row in ROWS.items() for op in row.operations]
KNOWN = parameters.OPENAI["chat"] | parameters.OPENAI["embeddings"]
BASE = "https://own.example/v1"


def deployment(name: str, model: str = "org/model", **over: Any) -> Deployment:
    return Deployment("g", name, model, BASE, **{"api_key": "k-1", **over})


def sent(call: Call) -> Any:
    assert isinstance(call.data, bytes)
    return json.loads(call.data)


def built(name: str, op: str, body: Any) -> Any:
    return sent(PROVIDERS[name].operations[op].build(body, deployment(name)))


@pytest.mark.parametrize(("name", "op"), MATRIX)
def test_each_operation_of_each_row_is_openais(name: str, op: str) -> None:
    file = Upload("a.wav", "audio/wav", io.BytesIO(b"RIFF"), 4)
    body = {"model": "g", **({"file": file} if op in openai_wire.FORMS else {"x": [1], "a": "ü"})}
    row = PROVIDERS[name]

    call = row.operations[op].build(body, deployment(name))
    signed = row.authorize(call, deployment(name))

    assert (call.method, call.url) == ("POST", f"{BASE}{openai_wire.path(op)}")
    assert signed == call._replace(headers={**call.headers, "Authorization": "Bearer k-1"})
    if isinstance(call.data, Form):
        assert call.headers == {"Content-Type": call.data.content_type}
    else:
        assert call.headers == {"Content-Type": "application/json"}
        assert sent(call) == {"model": "org/model", "x": [1], "a": "ü"}
    assert body["model"] == "g"


@pytest.mark.parametrize(("name", "op"), MATRIX)
def test_each_operation_reads_openais_answers(name: str, op: str) -> None:
    operation: Operation = PROVIDERS[name].operations[op]

    assert operation.passthrough
    assert (operation.stream is not None) == (op in ("chat", "completions"))
    assert operation.usage({"usage": {"prompt_tokens": 3}}) == {"prompt_tokens": 3}
    assert PROVIDERS[name].failure({"error": "x"}).message == "x"


@pytest.mark.parametrize(("name", "row"), ROWS.items())
def test_a_row_makes_sense(name: str, row: Row) -> None:
    assert row.base_url.startswith(("https://", "http://localhost", "http://127.0.0.1")) or (
        not row.base_url
    )
    assert not row.base_url.endswith("/")
    assert set(row.operations) <= {*openai_wire.PATHS, "rerank"}
    assert len(set(row.operations)) == len(row.operations)
    assert {*row.drop, *(ours for ours, _ in row.rename)} <= KNOWN
    assert all(variable.isupper() for variable in (*row.key_env, *row.base_env))


@pytest.mark.parametrize(("name", "row"), ROWS.items())
def test_a_missing_key_is_named_with_its_variables_where_one_is_needed(name: str, row: Row) -> None:
    call = Call("POST", BASE, {"A": "b"})
    keyless = deployment(name, api_key=None)

    if not row.key_env:
        assert PROVIDERS[name].authorize(call, keyless) == call
        assert PROVIDERS[name].env["api_key"] == (f"{name.upper()}_API_KEY",)
        return
    with pytest.raises(errors.Unauthorized) as caught:
        PROVIDERS[name].authorize(call, keyless)
    assert caught.value.message.startswith(
        f"Missing API key for provider {name}: set {' or '.join(row.key_env)} in the"
    )


@pytest.mark.parametrize(("name", "row"), ROWS.items())
def test_what_a_row_drops_is_not_taken(name: str, row: Row) -> None:
    for op in row.operations:
        taken = PROVIDERS[name].operations[op].params
        known = parameters.OPENAI.get(op, frozenset())
        refused = known & set(row.drop)

        assert taken == (known - refused if refused else None)


@pytest.mark.parametrize(("name", "row"), ROWS.items())
def test_what_a_row_renames_goes_by_its_name(name: str, row: Row) -> None:
    for op in set(row.operations) & {"chat", "completions"}:
        got = built(
            name, op, {"model": "g", **{ours: at for at, (ours, _) in enumerate(row.rename)}}
        )

        assert got == {
            "model": "org/model",
            **{theirs: at for at, (_, theirs) in enumerate(row.rename)},
        }


@pytest.mark.parametrize(
    ("name", "op"), [each for each in MATRIX if each[1] in openai_wire.STREAMED]
)
def test_usage_is_asked_for_where_it_is_taken(name: str, op: str) -> None:
    got = built(name, op, {"model": "g", "stream": True})

    assert ("stream_options" in got) is ("stream_options" not in ROWS[name].drop)


EMBEDDING = [name for name, op in MATRIX if op == "embeddings"]


@pytest.mark.parametrize("name", EMBEDDING)
def test_token_ids_are_sent_as_text_where_only_text_is_taken(name: str) -> None:
    ids = [[9906, 1917], [0]]

    got = built(name, "embeddings", {"model": "g", "input": ids})

    assert got["input"] == (["Hello world", "!"] if ROWS[name].text_only else ids)


def test_an_image_to_embed_is_sent_as_it_came() -> None:
    body = {"model": "g", "input": [{"image": "https://x.example/a.png"}, {"text": "b"}]}

    assert built("jina_ai", "embeddings", body)["input"] == body["input"]


def test_mistral_calls_some_things_by_other_names() -> None:
    body = {"model": "g", "seed": 1, "max_completion_tokens": 5, "temperature": 0}

    assert built("mistral", "chat", body) == {
        "model": "org/model",
        "random_seed": 1,
        "max_tokens": 5,
        "temperature": 0,
    }


@pytest.mark.parametrize(
    ("model", "wanted"),
    [
        ("llama-v3p1-8b", "accounts/fireworks/models/llama-v3p1-8b"),
        ("accounts/me/models/mine", "accounts/me/models/mine"),
    ],
)
def test_fireworks_models_are_below_its_account(model: str, wanted: str) -> None:
    operation = PROVIDERS["fireworks_ai"].operations["chat"]

    got = sent(operation.build({"model": "g"}, deployment("fireworks_ai", model)))

    assert got["model"] == wanted


@pytest.mark.parametrize(
    ("name", "given", "wanted"),
    [
        ("ollama", None, "http://localhost:11434/v1"),
        ("ollama", "http://host:11434", "http://host:11434/v1"),
        ("ollama", "http://host:11434/", "http://host:11434/v1"),
        ("ollama", "http://host:11434/v1", "http://host:11434/v1"),
        ("ollama", "https://host/ollama/v1/", "https://host/ollama/v1"),
        ("heroku", "https://us.inference.heroku.com", "https://us.inference.heroku.com/v1"),
        ("groq", None, "https://api.groq.com/openai/v1"),
        ("groq", "https://proxy.example", "https://proxy.example"),
        ("custom_openai", None, ""),
        ("custom_openai", "http://h/v1", "http://h/v1"),
    ],
)
def test_an_address_is_completed(name: str, given: str | None, wanted: str) -> None:
    assert PROVIDERS[name].base_url({"api_base": given}) == wanted


@pytest.mark.parametrize(
    ("name", "variables"),
    [
        ("together_ai", ("TOGETHER_AI_API_BASE",)),
        ("heroku", ("HEROKU_API_BASE", "INFERENCE_URL")),
        ("hosted_vllm", ("HOSTED_VLLM_API_BASE",)),
    ],
)
def test_an_address_may_come_from_the_environment(name: str, variables: tuple[str, ...]) -> None:
    assert PROVIDERS[name].env["api_base"] == variables


CHAT_PATH, RESPONSES_PATH = "/v1/chat/completions", "/v1/responses"


@pytest.mark.parametrize(
    ("info", "has_responses", "is_chat_over"),
    [
        ({}, False, False),
        ({"mode": "chat"}, False, False),
        ({"supported_endpoints": [CHAT_PATH]}, False, False),
        ({"supported_endpoints": [CHAT_PATH, RESPONSES_PATH]}, True, False),
        ({"supported_endpoints": [RESPONSES_PATH]}, True, True),
        ({"mode": "responses"}, True, True),
    ],
)
@pytest.mark.parametrize("name", ["xai", "ollama", "deepseek"])
def test_the_responses_api_is_used_where_the_deployment_has_it(
    name: str, info: Any, has_responses: bool, is_chat_over: bool
) -> None:
    deployment = Deployment("g", name, "m", "https://x/v1", info=info)

    found = providers.serving(deployment).operations

    assert ("responses" in found) is has_responses
    assert found["chat"].passthrough is not is_chat_over
    assert ("stored_responses" in found) is (has_responses and name == "xai")


def test_a_response_is_requested_below_the_base() -> None:
    info = {"mode": "responses"}
    deployment = Deployment("g", "xai", "grok-4", "https://x/v1", info=info)
    found = providers.serving(deployment).operations
    body = {"model": "g", "messages": [{"role": "user", "content": "hi"}]}

    native = found["responses"].build({"model": "g", "input": "hi"}, deployment)
    chat = found["chat"].build({**body, "reasoning_effort": "high"}, deployment)

    assert native.url == chat.url == "https://x/v1/responses"
    assert json.loads(native.data) == {"model": "grok-4", "input": "hi"}  # type: ignore[arg-type]
    assert json.loads(chat.data)["reasoning"] == {"effort": "high"}  # type: ignore[arg-type]


def test_voyage_takes_its_own_names_and_no_encoding_as_floats() -> None:
    body = {"model": "g", "input": ["a"], "dimensions": 256}

    assert built("voyage", "embeddings", {**body, "encoding_format": "float"}) == {
        "model": "org/model",
        "input": ["a"],
        "output_dimension": 256,
    }
    assert (
        built("voyage", "embeddings", {**body, "encoding_format": "base64"})["encoding_format"]
        == "base64"
    )
