from __future__ import annotations

import json
from typing import Any

import pytest

from llmgate import errors
from llmgate.llmstudio import requests as engine_requests
from llmgate.llmstudio.parameters import Invalid

TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
FUNCTION = {"name": "f", "parameters": {"type": "object"}}


def body(**over: Any) -> dict[str, Any]:
    return {"model": "gpt-4o", "chat_input": "Hi", **over}


def test_a_text_is_what_the_user_says() -> None:
    got = engine_requests.engine_request(body(), "openai")

    assert got._asdict() == {
        "provider": "openai",
        "model": "gpt-4o",
        "chat_input": "Hi",
        "context": [{"role": "user", "content": "Hi"}],
        "parameters": {
            "temperature": 1,
            "max_tokens": 2048,
            "top_p": 1,
            "frequency_penalty": 0,
            "presence_penalty": 0,
        },
        "session_id": None,
        "is_stream": False,
        "has_end_token": False,
        "retries": 0,
        "chat": {
            "model": "gpt-4o",
            "messages": [{"role": "user", "content": "Hi"}],
            "max_tokens": 2048,
            "stream": True,
        },
    }


def test_everything_that_can_be_said_is_put_into_the_chat() -> None:
    said = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]
    given = body(
        chat_input=said,
        parameters={"temperature": 0.2, "max_tokens": 9, "logit_bias": {}},
        api_key="sk-mine",
        api_endpoint="https://eu.openai.azure.com",
        base_url="",
        api_version="2024-10-21",
        is_stream="True",
        has_end_token=1,
        functions=[FUNCTION],
        tools=[TOOL],
        tool_choice="auto",
        response_format={"type": "json_object"},
        session_id="s1",
        retries=99,
        temperature=2,
        n=3,
    )
    before = json.dumps(given)

    got = engine_requests.engine_request(given, "azure")

    assert (got.chat_input, got.context, got.session_id) == ("Hi", said, "s1")
    assert (got.is_stream, got.has_end_token, got.retries) == (True, True, 10)
    assert got.chat == {
        "model": "gpt-4o",
        "messages": said,
        "temperature": 0.2,
        "max_tokens": 9,
        "tools": [TOOL],
        "tool_choice": "auto",
        "response_format": {"type": "json_object"},
        "functions": [FUNCTION],
        "function_call": "auto",
        "stream": True,
        "api_key": "sk-mine",
        "api_base": "https://eu.openai.azure.com",
        "api_version": "2024-10-21",
        "metadata": {"session_id": "s1"},
    }
    assert json.dumps(given) == before


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (None, False),
        (False, False),
        (0, False),
        ("false", False),
        ("no", False),
        (True, True),
        (1, True),
        ("TRUE", True),
        ("1", True),
        ("on", True),
    ],
)
def test_flags_are_read_as_pydantic_reads_them(value: Any, wanted: bool) -> None:
    assert engine_requests.engine_request(body(is_stream=value), "openai").is_stream is wanted


@pytest.mark.parametrize("model", ["o3-mini", "gpt-5", "team/gpt-5-mini"])
def test_models_that_refuse_max_tokens_get_its_successor(model: str) -> None:
    got = engine_requests.engine_request(body(model=model), "openai")

    assert got.chat["max_completion_tokens"] == 2048
    assert "max_tokens" not in got.chat
    assert got.parameters["max_tokens"] == 2048


def test_on_the_wire_of_1_x_unknown_keys_are_parameters() -> None:
    given = body(
        parameters={"temperature": 0.5, "seed": None, "n": 2},
        tools=[TOOL],
        functions=[FUNCTION],
        max_tokens=7,
        api_key="sk-mine",
        is_stream=True,
        retries=1,
        session_id="s1",
        stream=False,
        messages=[],
        model="gpt-5",
    )

    got = engine_requests.engine_request_v1(given, "openai")

    assert got.parameters == {"temperature": 0.5, "tools": [TOOL], "max_tokens": 7}
    assert (got.is_stream, got.retries, got.session_id) == (True, 1, "s1")
    assert got.chat == {
        "model": "gpt-5",
        "messages": [{"role": "user", "content": "Hi"}],
        "temperature": 0.5,
        "tools": [TOOL],
        "max_completion_tokens": 7,
        "functions": [FUNCTION],
        "function_call": "auto",
        "stream": True,
        "api_key": "sk-mine",
        "metadata": {"session_id": "s1"},
    }


def test_on_the_wire_of_1_x_nothing_is_added() -> None:
    got = engine_requests.engine_request_v1(
        body(parameters={"api_base": "http://10.0.0.1"}), "openai"
    )

    assert got.parameters == {"api_base": "http://10.0.0.1"}
    assert got.chat["api_base"] == "http://10.0.0.1"  # for `clientside` to refuse


def test_violations_are_a_list_of_what_is_wrong_where() -> None:
    with pytest.raises(Invalid) as caught:
        engine_requests.check(
            {"model": ""}, [("chat_input", "It is missing."), ("a.b", "It is wrong.")]
        )

    assert caught.value.details == [
        {"type": "missing", "loc": ["body", "chat_input"], "msg": "It is missing."},
        {"type": "value_error", "loc": ["body", "a", "b"], "msg": "It is wrong."},
    ]
    engine_requests.check({}, [])


@pytest.mark.parametrize(
    ("error", "wanted"),
    [
        (errors.InvalidRequest("No."), "No."),
        (
            Invalid([{"type": "t", "loc": ["body"], "msg": "m"}]),
            [{"type": "t", "loc": ["body"], "msg": "m"}],
        ),
        (
            errors.UpstreamError("Slow.", status=429, code="c"),
            {
                "error": {
                    "message": "Slow.",
                    "type": "rate_limit_error",
                    "param": None,
                    "code": "c",
                }
            },
        ),
    ],
)
def test_errors_have_a_detail(error: errors.GateError, wanted: Any) -> None:
    assert engine_requests.detail(error) == {"detail": wanted}


def test_providers_have_titles() -> None:
    assert [engine_requests.title(name) for name in ("openai", "vertexai", "groq")] == [
        "OpenAI",
        "VertexAI",
        "groq",
    ]


def test_exports_are_json_values_between_semicolons() -> None:
    rows = [{"a": "x;y", "b": [1]}, {"b": None, "c": 3}]

    assert "".join(engine_requests.csv(rows)) == 'a;b\n"x;y";[1]\n;null\n'
    assert list(engine_requests.csv([])) == []


@pytest.mark.parametrize("rows", [{}, "a", [1], None])
def test_what_is_no_list_of_objects_is_not_exported(rows: Any) -> None:
    with pytest.raises(Invalid):
        list(engine_requests.csv(rows))
