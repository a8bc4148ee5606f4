from __future__ import annotations

import json
from typing import Any

import pydantic
import pytest
from openai.types.responses import response_create_params

from llmgate import errors
from llmgate.dialects.responses import request

REQUEST: pydantic.TypeAdapter[Any] = pydantic.TypeAdapter(
    response_create_params.ResponseCreateParamsNonStreaming
)
USER = {"role": "user", "content": "hi"}
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
FUNCTION = {"type": "function", "function": {"name": "f", "parameters": SCHEMA}}
FLAT = {"type": "function", "name": "f", "parameters": SCHEMA, "strict": False}


def sent(model: str = "o3-pro", **more: Any) -> Any:
    body = {"model": "g", "messages": [USER], **more}
    before = json.dumps(body)
    found = request.body_from_chat(body, model)
    assert json.dumps(body) == before
    REQUEST.validate_python({key: it for key, it in found.items() if key != "stream"})
    return found


def test_a_body_of_the_least_is_stored_nowhere() -> None:
    assert sent() == {
        "model": "o3-pro",
        "store": False,
        "input": [USER],
        "include": ["reasoning.encrypted_content"],
    }
    assert "include" not in sent("gpt-4.1")
    assert sent(store=True)["store"] is True


def test_what_both_apis_have_is_kept_and_null_is_not() -> None:
    both = {
        "stream": True,
        "service_tier": "flex",
        "user": "u",
        "safety_identifier": "s",
        "prompt_cache_key": "k",
        "truncation": "auto",
    }

    got = sent("gpt-4.1", **both, temperature=0.5, top_p=None, stream_options={"x": 1}, top_k=64)

    assert got == {**both, "temperature": 0.5, "model": "gpt-4.1", "store": False, "input": [USER]}


@pytest.mark.parametrize(
    ("given", "limit"),
    [
        ({"max_tokens": 50}, 50),
        ({"max_completion_tokens": 40, "max_tokens": 50}, 40),
        ({"max_tokens": 1}, 16),
        ({}, None),
    ],
)
def test_the_limit_has_a_name_and_a_minimum(given: Any, limit: int | None) -> None:
    assert sent(**given).get("max_output_tokens") == limit
    assert not {"max_tokens", "max_completion_tokens"} & set(sent(**given))


def test_sampling_is_dropped_for_models_that_refuse_it() -> None:
    given = {"temperature": 0.1, "presence_penalty": 1, "logit_bias": {"1": 1}}

    assert not set(sent(**given)) & set(given)


def test_a_penalty_is_refused_where_the_model_would_take_it() -> None:
    with pytest.raises(errors.InvalidRequest) as caught:
        sent("gpt-4.1", presence_penalty=1)

    assert (caught.value.param, caught.value.code) == ("presence_penalty", "unsupported_parameter")
    body = {"messages": [USER], "presence_penalty": 1}
    assert "presence_penalty" not in request.body_from_chat(body, "gpt-4.1", dropping=True)
    assert "frequency_penalty" not in sent("gpt-4.1", frequency_penalty=0)


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"response_format": {"type": "text"}}, None),
        ({"response_format": {"type": "json_object"}}, {"format": {"type": "json_object"}}),
        (
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "a", "schema": SCHEMA, "strict": None},
                },
                "verbosity": "low",
            },
            {
                "format": {"type": "json_schema", "name": "a", "schema": SCHEMA},
                "verbosity": "low",
            },
        ),
        ({"text": {"verbosity": "high"}}, {"verbosity": "high"}),
    ],
)
def test_the_format_of_the_answer_is_a_member_of_text(given: Any, text: Any) -> None:
    assert sent(**given).get("text") == text


@pytest.mark.parametrize(
    ("model", "given", "reasoning"),
    [
        ("o3-pro", {"reasoning_effort": "high"}, {"effort": "high"}),
        ("o3-pro", {"reasoning_effort": "minimal"}, {"effort": "low"}),
        ("gpt-5-pro", {"reasoning_effort": "low"}, {"effort": "high"}),
        ("gpt-5.5", {"output_config": {"effort": "max"}}, {"effort": "xhigh"}),
        ("gpt-5.5", {"thinking": {"type": "disabled"}}, {"effort": "none"}),
        ("o3-pro", {"thinking": {"type": "enabled", "budget_tokens": 9000}}, {"effort": "high"}),
        ("o3-pro", {"thinking": {"type": "adaptive"}}, None),
        ("gpt-4.1", {"reasoning_effort": "high"}, None),
        (
            "o3-pro",
            {"reasoning_effort": "low", "reasoning": {"summary": "auto"}},
            {"effort": "low", "summary": "auto"},
        ),
    ],
)
def test_the_effort_is_one_that_the_model_takes(model: str, given: Any, reasoning: Any) -> None:
    assert sent(model, **given).get("reasoning") == reasoning


def test_log_probabilities_are_included() -> None:
    got = sent("gpt-4.1", logprobs=True, top_logprobs=2)

    assert (got["include"], got["top_logprobs"]) == (["message.output_text.logprobs"], 2)
    assert sent(include=["reasoning.encrypted_content"])["include"] == [
        "reasoning.encrypted_content"
    ]


def test_tools_are_flat() -> None:
    grammar = {"type": "grammar", "grammar": {"syntax": "lark", "definition": "start: /x/"}}
    custom = {"name": "patch", "description": None, "format": grammar}
    bare = {"type": "function", "function": {"name": "g", "description": "d", "strict": True}}

    got = sent(
        tools=[
            FUNCTION,
            bare,
            {"type": "custom", "custom": custom},
            {"type": "custom", "custom": {"name": "free"}},
            {"type": "code_interpreter", "container": {"type": "auto"}},
        ]
    )

    assert got["tool_choice"] == "auto"
    assert got["tools"] == [
        FLAT,
        {
            "type": "function",
            "name": "g",
            "parameters": {"type": "object", "properties": {}},
            "strict": True,
            "description": "d",
        },
        {
            "type": "custom",
            "name": "patch",
            "format": {"type": "grammar", "syntax": "lark", "definition": "start: /x/"},
        },
        {"type": "custom", "name": "free"},
        {"type": "code_interpreter", "container": {"type": "auto"}},
    ]


@pytest.mark.parametrize(
    ("choice", "flat"),
    [
        (None, "auto"),
        ("required", "required"),
        ({"type": "function", "function": {"name": "f"}}, {"type": "function", "name": "f"}),
        ({"type": "custom", "custom": {"name": "p"}}, {"type": "custom", "name": "p"}),
        (
            {
                "type": "allowed_tools",
                "allowed_tools": {
                    "mode": "required",
                    "tools": [{"type": "function", "function": {"name": "f"}}],
                },
            },
            {
                "type": "allowed_tools",
                "mode": "required",
                "tools": [{"type": "function", "name": "f"}],
            },
        ),
        ({"type": "web_search_preview"}, {"type": "web_search_preview"}),
    ],
)
def test_a_choice_among_tools_is_flat(choice: Any, flat: Any) -> None:
    got = sent(tools=[FUNCTION], tool_choice=choice, parallel_tool_calls=False)

    assert (got["tool_choice"], got["parallel_tool_calls"]) == (flat, False)


def test_without_tools_nothing_is_chosen() -> None:
    got = sent(tools=[], tool_choice="auto", parallel_tool_calls=False)

    assert not {"tools", "tool_choice", "parallel_tool_calls"} & set(got)


def test_the_search_of_the_web_is_a_tool() -> None:
    place = {"type": "approximate", "approximate": {"country": "DE"}}
    options = {"search_context_size": "low", "user_location": place}

    assert sent(web_search_options={})["tools"] == [{"type": "web_search"}]
    assert sent(web_search_options=options)["tools"] == [
        {
            "type": "web_search",
            "search_context_size": "low",
            "user_location": {"type": "approximate", "country": "DE"},
        }
    ]


@pytest.mark.parametrize(
    ("tools", "kinds"),
    [
        ([], ["web_search_preview"]),
        ([FUNCTION], ["function", "web_search_preview"]),
        ([{"type": "mcp", "server_label": "m", "server_url": "https://m"}], ["mcp"]),
    ],
)
def test_a_deep_research_has_a_source(tools: Any, kinds: list[str]) -> None:
    got = sent("o3-deep-research", tools=tools)

    assert [tool["type"] for tool in got["tools"]] == kinds
