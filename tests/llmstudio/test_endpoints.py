"""LLMstudio's engine: its answers, streams and errors, and who serves which model."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from testing.gateway import config_for
from testing.gateway import deployment
from testing.inprocess import posted
from testing.upstream import CUT
from testing.upstream import HANG
from testing.upstream import Upstream
from testing.upstream import chat_chunks
from testing.upstream import error_body
from testing.upstream import json_answer
from testing.upstream import sse
from testing.upstream import usage

from llmgate.llmstudio import models as engine_models
from llmgate.llmstudio import requests as engine_requests

AppFor = Callable[..., FlaskClient]
CHAT = "/api/engine/chat/openai"
CHAT_V1 = "/llmstudio/v1/api/engine/chat/openai"
USAGE = {"prompt_tokens": 6, "completion_tokens": 26, "total_tokens": 32}


def asks(**over: Any) -> dict[str, Any]:
    return {"model": "gpt-3.5-turbo", "chat_input": "Hello! Who are you?", **over}


def detail(reply: Any, status: int) -> Any:
    assert reply.status_code == status
    assert reply.content_type == "application/json"
    assert list(reply.get_json()) == ["detail"]
    return reply.get_json()["detail"]


def test_the_seeds_request_is_answered_in_the_seeds_shape(
    app_for: AppFor, upstream: Upstream, lines: list[Any]
) -> None:
    upstream.plays(sse(chat_chunks(*("x" * 26), usage=USAGE)))
    prices = {"input_cost_per_token": 1.5e-6, "output_cost_per_token": 2e-6}
    client = app_for({"model_list": [deployment("gpt-3.5-turbo", upstream.url, **prices)]})

    got = posted(client, asks(api_key="sk-mine", parameters={}, is_stream=False), CHAT)

    answer = got.get_json()
    assert got.status_code == 200
    assert list(answer) == (
        "id choices created model object system_fingerprint usage session_id chat_input"
        " chat_output context provider timestamp parameters metrics".split()
    )
    assert answer["usage"] is None
    assert answer["metrics"]["cost_usd"] == pytest.approx(0.000061)
    speed, latency = (answer["metrics"][name] for name in ("tokens_per_second", "latency_s"))
    assert speed * latency == pytest.approx(28)
    assert upstream.requests[0].headers["authorization"] == "Bearer sk-mine"
    assert json.loads(upstream.requests[0].body)["stream"] is True
    assert got.headers["x-llmgate-cost"] == "0.000061"
    [line] = lines
    assert (line["stream"], line["usage"]["completion_tokens"]) == (False, 26)
    assert line["endpoint"] == "/api/engine/chat/<provider>"
    assert "sk-mine" not in json.dumps(line)


def test_a_session_is_echoed_and_logged(
    client: FlaskClient, upstream: Upstream, lines: list[Any]
) -> None:
    upstream.plays(sse(chat_chunks("Hi")))

    got = posted(client, asks(session_id="s1"), CHAT)

    assert got.get_json()["session_id"] == "s1"
    assert lines[0]["metadata"] == {"session_id": "s1"}
    assert "metadata" not in json.loads(upstream.requests[0].body)


def test_what_an_upstream_does_not_count_is_estimated_and_marked(
    client: FlaskClient, upstream: Upstream, lines: list[Any]
) -> None:
    upstream.plays(sse(chat_chunks("Hi there")))

    got = posted(client, asks(), CHAT)

    assert got.headers["x-llmgate-usage-estimated"] == "true"
    assert got.get_json()["metrics"]["tokens_estimated"] is True
    assert lines[0]["usage"] == {"prompt_tokens": 5, "completion_tokens": 2}
    assert lines[0]["usage_estimated"] is True


def test_a_client_that_leaves_is_billed_what_it_got(
    client: FlaskClient, upstream: Upstream, lines: list[Any]
) -> None:
    upstream.plays(sse([*chat_chunks("Hello there")[:2], HANG], done=False))

    reply = client.post(CHAT, json=asks(is_stream=True))
    next(reply.iter_encoded())
    reply.close()

    assert (lines[0]["aborted"], lines[0]["usage"]["completion_tokens"]) == (True, 3)


def test_text_streams_as_it_is(client: FlaskClient, upstream: Upstream) -> None:
    upstream.plays(sse(chat_chunks("Grü", "ße", usage=usage())))

    got = posted(client, asks(is_stream=True), CHAT)

    assert got.data.decode() == "Grüße"
    assert got.content_type == "text/plain; charset=utf-8"


def test_objects_stream_below_the_prefix_of_1_x(client: FlaskClient, upstream: Upstream) -> None:
    upstream.plays(sse(chat_chunks("Hi", usage=USAGE)))

    reply = client.post(CHAT_V1, json=asks(is_stream=True))

    got = [json.loads(piece) for piece in reply.iter_encoded()]
    assert reply.content_type == "application/json"
    assert [each["chat_output_stream"] for each in got] == ["", "Hi", "", ""]
    assert got[-1]["metrics"]["output_tokens"] == 26


def test_the_whole_answer_of_1_x_has_its_deployment(
    client: FlaskClient, upstream: Upstream
) -> None:
    upstream.plays(sse(chat_chunks("Hi", usage=USAGE)))

    got = posted(client, asks(), CHAT_V1).get_json()

    assert (got["deployment"], got["usage"]) == ("gpt-4o-2024-08-06", USAGE)


def test_secrets_among_the_parameters_of_1_x_are_not_echoed(
    client: FlaskClient, upstream: Upstream
) -> None:
    upstream.plays(sse(chat_chunks("Hi", usage=USAGE)))
    secrets = {"extra_headers": {"X-Token": "secret"}, "api_key": "sk-mine"}

    got = posted(client, asks(parameters={"seed": 7, **secrets}), CHAT_V1).get_json()

    assert got["parameters"] == {"seed": 7}
    assert upstream.requests[0].headers["authorization"] == "Bearer sk-mine"


def test_an_address_is_called_where_the_operator_lets_clients_name_one(
    app_for: AppFor, upstream: Upstream
) -> None:
    upstream.plays(sse(chat_chunks("Hi", usage=USAGE)))
    config = {
        "model_list": [deployment("gpt-4o", "http://127.0.0.1:1", "azure/gpt-4o", api_key="ours")],
        "general_settings": {"allow_client_side_credentials": True},
        "llmgate_settings": {"allow_private_addresses": True},
    }
    named = {"api_endpoint": upstream.url, "api_key": "mine", "api_version": "2024-10-21"}

    got = posted(app_for(config), asks(model="gpt-4o", **named), "/api/engine/chat/azure")

    assert got.status_code == 200, got.data
    assert upstream.requests[0].headers["api-key"] == "mine"


def test_text_that_is_cut_short_breaks_the_connection(
    client: FlaskClient, upstream: Upstream
) -> None:
    upstream.plays(sse([*chat_chunks("Hi", "there")[:2], CUT], done=False))

    with pytest.raises(ConnectionResetError):
        posted(client, asks(is_stream=True), CHAT)


def test_objects_that_are_cut_short_end_with_a_detail(
    client: FlaskClient, upstream: Upstream
) -> None:
    upstream.plays(sse([*chat_chunks("Hi", "there")[:2], CUT], done=False))

    got = list(client.post(CHAT_V1, json=asks(is_stream=True)).iter_encoded())

    assert list(json.loads(got[-1])) == ["detail"]


def test_a_whole_answer_that_is_cut_short_is_an_error(
    client: FlaskClient, upstream: Upstream, lines: list[Any]
) -> None:
    upstream.plays(sse([*chat_chunks("Hi", "there")[:2], CUT], done=False))

    got = posted(client, asks(), CHAT)

    assert isinstance(detail(got, 502), str)
    assert lines[0]["stream"] is False


def test_an_upstreams_error_keeps_its_status_and_body(
    client: FlaskClient, upstream: Upstream
) -> None:
    upstream.plays(json_answer(error_body("Wrong key.", "e", code="invalid_api_key"), 401))

    got = posted(client, asks(), CHAT)

    assert detail(got, 401) == error_body("Wrong key.", "e", code="invalid_api_key")


def test_429_is_tried_again_as_often_as_asked(
    client: FlaskClient, upstream: Upstream, lines: list[Any]
) -> None:
    busy = json_answer(error_body("Slow down."), 429)
    upstream.plays(busy, busy, sse(chat_chunks("Hi")))

    once = posted(client, asks(retries=1), CHAT)
    again = posted(client, asks(retries=1), CHAT)

    assert detail(once, 429)["error"]["message"] == "Slow down."
    assert again.status_code == 200
    assert len(upstream.requests) == 3
    assert [line["attempts"] for line in lines] == [2, 1]


@pytest.mark.parametrize(
    "refusal",
    [
        json_answer(error_body("Come back."), 429, headers={"retry-after": "60"}),
        json_answer(error_body("Wrong."), 400),
    ],
)
def test_what_waiting_does_not_mend_is_not_tried_again(
    client: FlaskClient, upstream: Upstream, refusal: Any
) -> None:
    upstream.plays(refusal)

    got = posted(client, asks(retries=5), CHAT)

    assert got.status_code in (400, 429)
    assert len(upstream.requests) == 1


@pytest.mark.parametrize(
    ("body", "places"),
    [
        ({}, [["body", "model"], ["body", "chat_input"]]),
        (asks(is_stream="maybe"), [["body", "is_stream"]]),
        (asks(retries=-1), [["body", "retries"]]),
        (asks(parameters={"top_p": 2}), [["body", "parameters", "top_p"]]),
        (asks(chat_input=[{"content": "Hi"}]), [["body", "messages[0]", "role"]]),
    ],
)
def test_a_body_that_does_not_fit_is_told_field_by_field(
    client: FlaskClient, body: Any, places: list[Any]
) -> None:
    got = detail(posted(client, body, CHAT), 422)

    assert [each["loc"] for each in got] == places
    assert all(list(each) == ["type", "loc", "msg"] for each in got)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/api/engine/chat/nope", 404),
        ("GET", CHAT, 405),
        ("GET", "/api/nope", 404),
        ("GET", "/llmstudio/v1/api/nope", 404),
        ("GET", "/api/engine/models?provider=nope", 404),
        ("GET", "/api/engine/parameters?provider=nope", 404),
    ],
)
def test_what_is_not_there_is_told_in_a_detail(
    client: FlaskClient, method: str, path: str, status: int
) -> None:
    body = {"json": asks()} if method == "POST" else {}

    assert isinstance(detail(client.open(path, method=method, **body), status), str)


def test_a_body_that_is_no_json_is_refused(client: FlaskClient) -> None:
    assert isinstance(detail(posted(client, b"{", CHAT), 400), str)


@pytest.mark.parametrize("name", ["api_endpoint", "base_url"])
@pytest.mark.parametrize("path", [CHAT, CHAT_V1])
def test_addresses_of_clients_are_not_called(
    client: FlaskClient, upstream: Upstream, path: str, name: str
) -> None:
    got = posted(client, asks(**{name: upstream.url}), path)

    assert got.status_code in (400, 403)
    assert isinstance(got.get_json()["detail"], str)
    assert upstream.requests == []


def test_keys_of_the_gateway_come_as_basic_passwords_too(
    app_for: AppFor, upstream: Upstream
) -> None:
    upstream.plays(sse(chat_chunks("Hi")))
    config = config_for(upstream) | {"general_settings": {"master_key": "sk-master"}}
    client = app_for(config)

    refused = client.post(CHAT, json=asks())
    served = client.post(CHAT, json=asks(), auth=("any", "sk-master"))

    assert isinstance(detail(refused, 401), str)
    assert served.status_code == 200
    assert upstream.requests[0].headers["authorization"] == "Bearer sk-upstream-secret"


# -- who serves


def test_a_model_is_served_by_its_provider(app_for: AppFor, upstream: Upstream) -> None:
    upstream.answers = lambda seen: sse(chat_chunks("Hi", usage=USAGE))
    azure = {"api_key": "k", "api_base": upstream.url}
    served = {
        ("openai", "gpt-4o"): "mixed-openai",
        ("azure", "gpt-4o"): "mixed-azure",
        ("groq", "llama"): "wild",
        ("openai", "own"): "full",
        ("openai", "short"): "short",
    }
    entries = [
        (deployment("gpt-4o", upstream.url), "mixed-openai"),
        (deployment("gpt-4o", upstream.url, "azure/gpt-4o", **azure), "mixed-azure"),
        (deployment("groq/*", upstream.url, "groq/*"), "wild"),
        (deployment("openai/own", upstream.url, "azure/eu", **azure), "full"),
        (deployment("short", upstream.url, "openai/gpt-4o-mini"), "short"),
    ]
    client = app_for({"model_list": [{**each, "model_info": {"id": id}} for each, id in entries]})

    got = {
        (provider, model): posted(
            client, asks(model=model), f"/api/engine/chat/{provider}"
        ).headers.get("x-llmgate-deployment")
        for provider, model in served
    }

    assert got == served


def test_a_model_that_nobody_has_is_not_supported(client: FlaskClient) -> None:
    got = posted(client, asks(model="nope"), CHAT)

    assert detail(got, 400).startswith("Model nope is not supported by OpenAI.")


def test_a_model_of_another_provider_is_not_supported(client: FlaskClient) -> None:
    got = posted(client, asks(model="gpt-4o"), "/api/engine/chat/groq")

    assert detail(got, 400).startswith("Model gpt-4o is not supported by groq.")


def test_without_any_provider_the_echo_answers_for_all(app_for: AppFor) -> None:
    got = posted(app_for({}), asks(), CHAT)

    assert got.get_json()["chat_output"] == "Hello! Who are you?"


@pytest.mark.parametrize(
    ("provider", "brought"),
    [("openai", "openai"), ("vertexai", "gemini"), ("groq", "groq"), ("echo", None)],
)
def test_a_key_of_the_clients_is_enough_for_its_provider(
    app_for: AppFor, provider: str, brought: str | None
) -> None:
    routes = app_for({}).application.extensions["llmgate"].routes
    engine = engine_requests.engine_request(asks(api_key="sk-mine", api_version="v"), provider)

    got = engine_models.destination(routes, engine)

    params = {"model": f"{brought}/gpt-3.5-turbo", "api_key": "sk-mine", "api_version": "v"}
    entry = {"model_name": "gpt-3.5-turbo", "litellm_params": params}
    own = {"model": "gpt-3.5-turbo", "user_config": {"model_list": [entry]}}
    assert got == (own if brought else {"model": "gpt-3.5-turbo"})


def test_a_key_of_the_clients_goes_to_its_address_alone(
    app_for: AppFor, upstream: Upstream, lines: list[Any]
) -> None:
    upstream.plays(sse(chat_chunks("Hi", usage=USAGE)))
    config = config_for(upstream) | {
        "general_settings": {"allow_client_side_credentials": True},
        "llmgate_settings": {"allow_private_addresses": True},
    }
    own = {"api_key": "sk-mine", "base_url": f"{upstream.url}/v1", "model": "mixtral"}

    refused = posted(app_for(config_for(upstream)), asks(**own), "/api/engine/chat/groq")
    served = posted(app_for(config), asks(**own), "/api/engine/chat/groq")

    assert refused.status_code in (400, 403)
    assert served.get_json()["model"] == "mixtral"
    assert len(upstream.requests) == 1
    assert upstream.requests[0].headers["authorization"] == "Bearer sk-mine"
    assert "sk-mine" not in json.dumps(lines)


def test_the_model_that_serves_all_serves_the_engine(app_for: AppFor, upstream: Upstream) -> None:
    upstream.plays(sse(chat_chunks("Hi")))
    config = config_for(upstream) | {"general_settings": {"completion_model": "gpt-4o"}}

    got = posted(app_for(config), asks(model="any"), "/api/engine/chat/anthropic")

    assert (got.status_code, got.headers["x-llmgate-model"]) == (200, "gpt-4o")


# -- what there is


def test_providers_are_named_as_llmstudio_names_them_and_as_we_do(client: FlaskClient) -> None:
    got = client.get("/api/engine/providers").get_json()

    assert got[:6] == ["anthropic", "bedrock", "ollama", "openai", "azure", "vertexai"]
    assert {"vertex_ai", "groq", "echo"} < set(got)
    assert len(set(got)) == len(got)


def test_models_are_those_that_can_be_asked(app_for: AppFor, upstream: Upstream) -> None:
    listed = [
        deployment("gpt-4o", upstream.url),
        deployment("openai/mine", upstream.url, "openai/gpt-4o-mini"),
        deployment("dall-e-3", upstream.url),
        deployment("flash", upstream.url, "gemini/gemini-2.0-flash"),
    ]
    client = app_for({"model_list": listed})

    assert client.get("/api/engine/models").get_json() == {
        "openai": {"name": "OpenAI", "models": ["gpt-4o", "mine"]},
        "vertexai": {"name": "VertexAI", "models": ["flash"]},
    }
    assert client.get("/api/engine/models?provider=vertexai").get_json() == {
        "name": "VertexAI",
        "models": ["flash"],
    }
    assert client.get("/api/engine/models?provider=groq").get_json()["models"] == []


def test_parameters_are_listed_for_a_provider(client: FlaskClient) -> None:
    got = client.get("/api/engine/parameters?provider=openai&model=gpt-4o").get_json()

    assert [each["id"] for each in got] == [
        "temperature",
        "max_tokens",
        "top_p",
        "frequency_penalty",
        "presence_penalty",
    ]
    missing = detail(client.get("/api/engine/parameters"), 422)
    assert [each["loc"] for each in missing] == [["query", "provider"]]


def test_lists_are_exported(client: FlaskClient) -> None:
    got = client.post("/api/export", json=[{"a": "x", "b": 1}])

    assert got.data == b'a;b\n"x";1\n'
    assert got.content_type == "text/csv; charset=utf-8"
    assert got.headers["Content-Disposition"] == "attachment; filename=parameters.csv"
    assert detail(client.post("/api/export", json={}), 422)


def test_the_clients_of_1_x_find_a_healthy_server(client: FlaskClient) -> None:
    assert client.get("/llmstudio/v1/health").get_json()["status"] == "healthy"
