from __future__ import annotations

import copy
from typing import Any

import pydantic
import pytest
from anthropic import types

from llmgate import errors
from llmgate.dialects.anthropic import wire as anthropic_wire

REQUEST: pydantic.TypeAdapter[types.MessageCreateParams] = pydantic.TypeAdapter(
    types.message_create_params.MessageCreateParamsBase
)
HI = [{"role": "user", "content": "Hi"}]
TURN = [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}]
TOOL = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}
CALL = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
SCHEMA = {
    "type": "object",
    "properties": {"n": {"type": "integer"}},
    "required": ["n"],
    "additionalProperties": False,
}


def asked(model: str = "claude-sonnet-4-5", dropping: bool = False, **body: Any) -> dict[str, Any]:
    body = {"model": "group", "messages": HI, **body}
    before = copy.deepcopy(body)
    found = anthropic_wire.messages_from_chat(body, model, dropping)
    assert body == before
    REQUEST.validate_python(found)
    return found


def rest(**body: Any) -> dict[str, Any]:
    known = ("model", "max_tokens", "messages")
    return {key: value for key, value in asked(**body).items() if key not in known}


def test_a_request_has_the_deployments_model_and_a_limit() -> None:
    assert asked() == {"model": "claude-sonnet-4-5", "max_tokens": 64_000, "messages": TURN}


def test_the_same_body_gives_the_same_request_in_the_same_order() -> None:
    body = {"tools": [TOOL], "zeta": 1, "stop": "x", "alpha": 2, "user": "u"}

    assert list(asked(**body).items()) == list(asked(**copy.deepcopy(body)).items())
    assert [key for key in asked(**body) if key in ("zeta", "alpha")] == ["zeta", "alpha"]


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        ({"max_tokens": 5}, 5),
        ({"max_completion_tokens": 6}, 6),
        ({"max_tokens": 5, "max_completion_tokens": 6}, 6),
        ({"max_tokens": None, "max_completion_tokens": None}, 64_000),
        ({"max_tokens": 0}, 0),
        ({"thinking": {"type": "enabled", "budget_tokens": 80_000}}, 84_096),
    ],
)
def test_the_limit_is_what_the_client_says(body: dict[str, Any], wanted: int) -> None:
    assert asked(**body)["max_tokens"] == wanted


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        ({"stop": "END"}, {"stop_sequences": ["END"]}),
        ({"stop": ["a", "b"]}, {"stop_sequences": ["a", "b"]}),
        ({"stop": None}, {}),
        ({"temperature": 0.3}, {"temperature": 0.3}),
        ({"temperature": 0}, {"temperature": 0}),
        ({"temperature": 1, "top_p": 1.0}, {}),
        ({"top_p": 0.5}, {"top_p": 0.5}),
        ({"top_k": 1}, {"top_k": 1}),
        ({"stream": True, "stream_options": {"include_usage": True}}, {"stream": True}),
        ({"service_tier": "auto"}, {"service_tier": "auto"}),
        ({"service_tier": "default"}, {"service_tier": "standard_only"}),
        ({"service_tier": None}, {}),
        ({"user": "u-1"}, {"metadata": {"user_id": "u-1"}}),
        ({"user": "ann@example.com"}, {}),
        ({"user": "+41 (44) 123-45-67"}, {}),
        ({"safety_identifier": "s"}, {"metadata": {"user_id": "s"}}),
        ({"user": "u", "metadata": {"user_id": "m"}}, {"metadata": {"user_id": "m"}}),
        ({"speed": "fast", "foo": {"bar": 1}}, {"speed": "fast", "foo": {"bar": 1}}),
        ({"thinking": {"type": "adaptive"}}, {}),  # no model before 4.6 has it
        ({"output_config": {"effort": "low"}}, {}),
        ({"tools": [], "tool_choice": "auto"}, {}),
    ],
)
def test_parameters(body: dict[str, Any], wanted: dict[str, Any]) -> None:
    assert rest(**body) == wanted


@pytest.mark.parametrize(
    ("model", "dropping", "wanted"),
    [
        ("claude-opus-4-6", True, {"temperature": 0.2, "top_k": 5}),
        ("claude-opus-4-7", False, {"temperature": 0.2, "top_k": 5}),
        ("claude-opus-4-7", True, {}),
        ("claude-haiku-5-5", True, {}),
    ],
)
def test_sampling_that_a_model_refuses_may_be_dropped(
    model: str, dropping: bool, wanted: dict[str, Any]
) -> None:
    assert rest(model=model, dropping=dropping, temperature=0.2, top_k=5) == wanted


@pytest.mark.parametrize(
    ("choice", "parallel", "wanted"),
    [
        (None, None, None),
        (None, True, None),
        (None, False, {"type": "auto", "disable_parallel_tool_use": True}),
        ("auto", None, {"type": "auto"}),
        ("auto", False, {"type": "auto", "disable_parallel_tool_use": True}),
        ("required", True, {"type": "any"}),
        ("none", False, {"type": "none"}),
        (
            {"type": "function", "function": {"name": "weather"}},
            False,
            {"type": "tool", "name": "weather", "disable_parallel_tool_use": True},
        ),
        ({"type": "any"}, None, {"type": "any"}),
    ],
)
def test_tool_choice(choice: Any, parallel: Any, wanted: Any) -> None:
    body = {"tool_choice": choice, "parallel_tool_calls": parallel}

    assert asked(tools=[TOOL], **body).get("tool_choice") == wanted


@pytest.mark.parametrize(("choice", "wanted"), [("auto", None), ("required", {"type": "any"})])
def test_tool_choice_without_tools_is_said_only_if_it_asks_for_one(
    choice: str, wanted: Any
) -> None:
    assert asked(tool_choice=choice).get("tool_choice") == wanted


def test_allowed_tools_are_the_only_ones_on_offer() -> None:
    other = {"type": "function", "function": {"name": "clock"}}
    allowed = {"mode": "required", "tools": [{"type": "function", "function": {"name": "clock"}}]}
    choice = {"type": "allowed_tools", "allowed_tools": allowed}

    got = rest(tools=[TOOL, other], tool_choice=choice)

    assert got == {
        "tools": [{"name": "clock", "input_schema": {"type": "object", "properties": {}}}],
        "tool_choice": {"type": "any"},
    }


@pytest.mark.parametrize(
    ("tool", "wanted"),
    [
        (TOOL, {"name": "weather", "input_schema": {"type": "object"}}),
        (
            {
                "type": "function",
                "function": {
                    "name": "f",
                    "description": "d",
                    "strict": True,
                    "parameters": SCHEMA,
                    "cache_control": {"type": "ephemeral"},
                },
            },
            {
                "name": "f",
                "description": "d",
                "input_schema": SCHEMA,
                "cache_control": {"type": "ephemeral"},
            },
        ),
        (
            {"type": "function", "function": {"name": "f"}, "cache_control": {"type": "ephemeral"}},
            {
                "name": "f",
                "input_schema": {"type": "object", "properties": {}},
                "cache_control": {"type": "ephemeral"},
            },
        ),
        (
            {"type": "web_search_20250305", "name": "web_search", "max_uses": 2},
            {"type": "web_search_20250305", "name": "web_search", "max_uses": 2},
        ),
        ({"name": "f", "input_schema": SCHEMA}, {"name": "f", "input_schema": SCHEMA}),
    ],
)
def test_tools(tool: dict[str, Any], wanted: dict[str, Any]) -> None:
    assert rest(tools=[tool]) == {"tools": [wanted]}


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"tools": [{"type": "custom", "custom": {"name": "f"}}]}, "tools"),
        ({"tools": [TOOL], "tool_choice": "sometimes"}, "tool_choice"),
        ({"tools": [TOOL], "tool_choice": {"type": "custom"}}, "tool_choice"),
        ({"response_format": {"type": "grammar"}}, "response_format"),
        ({"response_format": {"type": "json_schema"}}, "response_format"),
        ({"response_format": {"type": "json_schema", "json_schema": {}}}, "response_format"),
    ],
)
def test_what_claude_has_no_words_for_is_refused(body: dict[str, Any], param: str) -> None:
    with pytest.raises(errors.InvalidRequest) as raised:
        asked(**body)

    assert raised.value.param == param


def test_a_schema_nested_too_deeply_is_refused() -> None:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(5000):
        schema = {"type": "array", "items": schema}
    asks = {"type": "json_schema", "json_schema": {"schema": schema}}

    with pytest.raises(errors.InvalidRequest, match="too deeply"):
        anthropic_wire.messages_from_chat(
            {"messages": HI, "response_format": asks}, "claude-opus-5"
        )


def test_a_schema_is_enforced_where_the_model_can() -> None:
    asks = {"type": "json_schema", "json_schema": {"name": "n", "strict": True, "schema": SCHEMA}}

    assert rest(response_format=asks) == {
        "output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}
    }


def test_the_format_stands_beside_what_the_client_configured() -> None:
    asks = {"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA}}

    got = rest(
        model="claude-opus-4-6",
        response_format=asks,
        reasoning_effort="high",
        output_config={"effort": "max"},
    )

    assert got["output_config"] == {
        "effort": "max",
        "format": {"type": "json_schema", "schema": SCHEMA},
    }


@pytest.mark.parametrize(
    ("model", "schema"),
    [
        ("claude-opus-4-8", {"type": "object", "additionalProperties": {"type": "string"}}),
    ],
)
def test_a_schema_that_cannot_be_enforced_is_told(model: str, schema: dict[str, Any]) -> None:
    asks = {"type": "json_schema", "json_schema": {"name": "n", "schema": schema}}

    got = rest(model=model, response_format=asks)

    assert list(got) == ["system"]
    assert "JSON Schema" in got["system"][0]["text"]
    assert '"type":"object"' in got["system"][0]["text"]


def test_a_json_object_is_asked_for_after_what_the_system_said() -> None:
    messages = [{"role": "system", "content": "Be brief."}, *HI]

    got = rest(messages=messages, response_format={"type": "json_object"})

    assert [block["text"][:16] for block in got["system"]] == ["Be brief.", "Answer with one "]


def test_text_is_the_ordinary_format() -> None:
    assert rest(response_format={"type": "text"}) == {}


def test_an_effort_is_a_budget_for_models_up_to_4_5() -> None:
    assert rest(reasoning_effort="medium") == {
        "thinking": {"type": "enabled", "budget_tokens": 2048}
    }


def test_an_effort_is_an_effort_for_later_models() -> None:
    assert rest(model="claude-opus-4-8", reasoning_effort="medium") == {
        "thinking": {"type": "adaptive", "display": "summarized"},
        "output_config": {"effort": "medium"},
    }


def test_what_the_client_says_of_thinking_stays() -> None:
    thinking = {"type": "adaptive", "display": "omitted"}

    assert rest(model="claude-opus-4-8", reasoning_effort="low", thinking=thinking) == {
        "thinking": thinking,
        "output_config": {"effort": "low"},
    }


@pytest.mark.parametrize(
    ("model", "asked", "wanted"),
    [
        ("claude-sonnet-4-5", {"type": "enabled", "budget_tokens": 4000}, 4000),
        ("claude-sonnet-4-5", {"type": "enabled", "budget_tokens": 99_000}, 63_999),
        ("claude-opus-4-6", {"type": "enabled", "budget_tokens": 4000}, 4000),
    ],
)
def test_a_budget_for_thinking_is_kept_below_the_limit(
    model: str, asked: dict[str, Any], wanted: int
) -> None:
    got = rest(model=model, thinking=asked, max_tokens=64_000)

    assert got == {"thinking": {"type": "enabled", "budget_tokens": wanted}}


def test_a_budget_becomes_an_effort_for_models_without_budgets() -> None:
    got = rest(model="claude-opus-4-8", thinking={"type": "enabled", "budget_tokens": 4000})

    assert got == {
        "thinking": {"type": "adaptive", "display": "summarized"},
        "output_config": {"effort": "medium"},
    }


def test_adaptive_thinking_stays_for_models_that_have_it() -> None:
    got = rest(model="claude-opus-4-6", thinking={"type": "adaptive"})

    assert got == {"thinking": {"type": "adaptive"}}


def test_an_effort_of_the_output_alone_does_not_turn_thinking_on() -> None:
    assert rest(model="claude-opus-4-6", output_config={"effort": "low", "task_budget": 9}) == {
        "output_config": {"effort": "low", "task_budget": 9}
    }


def test_a_mode_of_thinking_that_is_not_known_is_sent_unchanged() -> None:
    got = rest(model="claude-sonnet-5-5", thinking={"type": "between_tools"})

    assert got == {"thinking": {"type": "between_tools"}}


def used(**more: Any) -> list[dict[str, Any]]:
    return [
        *HI,
        {"role": "assistant", "content": None, "tool_calls": [CALL], **more},
        {"role": "tool", "tool_call_id": "call_1", "content": "Sun"},
    ]


def test_there_is_no_thinking_with_a_budget_while_tools_run_and_the_thought_is_lost() -> None:
    assert rest(messages=used(), reasoning_effort="low") == {}


def test_there_is_thinking_while_tools_run_if_the_client_kept_the_thought() -> None:
    thought = {"type": "thinking", "thinking": "Hm", "signature": "s"}

    got = asked(messages=used(thinking_blocks=[thought]), reasoning_effort="low")

    assert got["thinking"] == {"type": "enabled", "budget_tokens": 1024}
    assert got["messages"][1]["content"][0] == thought


def test_there_is_thinking_once_the_tools_are_done() -> None:
    messages = [*used(), {"role": "assistant", "content": "Sunny."}, *HI]

    assert "thinking" in asked(messages=messages, reasoning_effort="low")


def test_a_turn_of_reasoning_alone_is_left_out() -> None:
    hi = {"role": "user", "content": "Hi"}
    thought = {"role": "assistant", "content": "", "reasoning_content": "Hm."}

    got = asked(messages=[hi, thought, hi])["messages"]

    assert [turn["role"] for turn in got] == ["user"]


def test_no_options_of_a_search_are_no_search() -> None:
    assert "tools" not in asked(web_search_options=None)


def test_the_place_of_a_search_is_translated() -> None:
    place = {"type": "approximate", "approximate": {"country": "DE", "city": "Bonn"}}

    (tool,) = asked(web_search_options={"user_location": place})["tools"]

    assert tool["user_location"] == {"type": "approximate", "country": "DE", "city": "Bonn"}
