from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

import pytest

from llmgate import errors
from llmgate.dialects.bedrock import models as bedrock_models
from llmgate.dialects.bedrock import request as bedrock_request

LLAMA = bedrock_models.Model("meta.llama3-3-70b-instruct-v1:0")
NOVA = bedrock_models.Model("us.amazon.nova-2-lite-v1:0")
MISTRAL = bedrock_models.Model("mistral.mistral-large-2402-v1:0")
GPT_OSS = bedrock_models.Model("openai.gpt-oss-120b-1:0")
CLAUDE_35 = bedrock_models.Model("anthropic.claude-3-5-sonnet-20241022-v2:0")
CLAUDE_45 = bedrock_models.Model("us.anthropic.claude-sonnet-4-5-20250929-v1:0")
CLAUDE_46 = bedrock_models.Model("anthropic.claude-opus-4-6-v1")
CLAUDE_47 = bedrock_models.Model("global.anthropic.claude-opus-4-7")
HELLO = [{"role": "user", "content": "Hello"}]
TURNS = [{"role": "user", "content": [{"text": "Hello"}]}]


def request(
    model: bedrock_models.Model = LLAMA, dropping: bool = False, /, **body: Any
) -> dict[str, Any]:
    body = {"messages": HELLO, **body}
    before = deepcopy(body)
    got = bedrock_request.request(body, model, dropping)
    assert body == before
    return got


def test_a_plain_question_is_only_a_turn() -> None:
    assert request(model="gpt", stream=True, stream_options={}, user="u") == {"messages": TURNS}


def test_length_and_sampling_are_inference_config() -> None:
    got = request(max_tokens=10, temperature=0, top_p=0.5, stop="###")

    assert got == {
        "messages": TURNS,
        "inferenceConfig": {
            "maxTokens": 10,
            "temperature": 0,
            "topP": 0.5,
            "stopSequences": ["###"],
        },
    }


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        ({"max_completion_tokens": 5, "max_tokens": 10}, {"maxTokens": 5}),
        ({"stop": ["a", "b"]}, {"stopSequences": ["a", "b"]}),
        ({"stop": [], "temperature": None, "max_tokens": None, "top_p": None}, None),
        ({"temperature": 1, "top_p": 1}, {"temperature": 1, "topP": 1}),
    ],
)
def test_what_is_null_or_empty_is_left_out(body: dict[str, Any], wanted: Any) -> None:
    assert request(**body).get("inferenceConfig") == wanted


def test_claude_is_not_told_a_temperature_that_changes_nothing() -> None:
    assert request(CLAUDE_45, temperature=1, top_p=1.0) == {"messages": TURNS}
    assert request(CLAUDE_45, temperature=0, top_p=1)["inferenceConfig"] == {"temperature": 0}


def test_a_temperature_that_claude_refuses_is_dropped_if_that_is_allowed() -> None:
    wanted = {"temperature": 0.2, "topP": 0.9}

    assert request(CLAUDE_47, temperature=0.2, top_p=0.9)["inferenceConfig"] == wanted
    assert request(CLAUDE_45, True, temperature=0.2, top_p=0.9)["inferenceConfig"] == wanted
    assert request(CLAUDE_47, True, temperature=0.2, top_p=0.9) == {"messages": TURNS}


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        (None, None),
        ("auto", None),
        ("default", {"type": "default"}),
        ("flex", {"type": "flex"}),
        ("priority", {"type": "priority"}),
    ],
)
def test_service_tiers_are_passed_on(asked: str | None, wanted: Any) -> None:
    assert request(service_tier=asked).get("serviceTier") == wanted


def test_a_service_tier_that_aws_lacks_is_refused() -> None:
    with pytest.raises(errors.InvalidRequest, match="service_tier 'scale'") as caught:
        request(service_tier="scale")

    assert caught.value.param == "service_tier"


def test_what_nobody_knows_goes_to_the_model() -> None:
    got = request(CLAUDE_45, top_k=5, foo={"a": 1}, gone=None)

    assert got["additionalModelRequestFields"] == {"top_k": 5, "foo": {"a": 1}}


def test_novas_top_k_is_where_nova_reads_it() -> None:
    got = request(NOVA, top_k=5, foo=1)

    assert got["additionalModelRequestFields"] == {"foo": 1, "inferenceConfig": {"topK": 5}}


def test_converses_own_fields_are_kept() -> None:
    own = {
        "guardrailConfig": {"guardrailIdentifier": "g", "guardrailVersion": "1"},
        "performanceConfig": {"latency": "optimized"},
        "requestMetadata": {"team": "a"},
        "additionalModelResponseFieldPaths": ["/stop_sequence"],
        "serviceTier": {"type": "reserved"},
        "outputConfig": {"effort": "low"},
        "promptVariables": {"a": {"text": "b"}},
    }

    got = request(top_k=1, additionalModelRequestFields={"top_k": 2, "x": 3}, **own)

    fields = {"top_k": 2, "x": 3}
    assert got == {"messages": TURNS, "additionalModelRequestFields": fields, **own}


@pytest.mark.parametrize(
    ("model", "effort", "wanted"),
    [
        (CLAUDE_45, "medium", {"thinking": {"type": "enabled", "budget_tokens": 2048}}),
        (CLAUDE_45, "none", None),
        (
            CLAUDE_46,
            "high",
            {"thinking": {"type": "adaptive"}, "output_config": {"effort": "high"}},
        ),
        (NOVA, "high", {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": "high"}}),
        (NOVA, "minimal", {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": "low"}}),
        (NOVA, "none", {"reasoningConfig": {"type": "disabled"}}),
        (GPT_OSS, "low", {"reasoning_effort": "low"}),
        (LLAMA, None, None),
    ],
)
def test_reasoning_effort_is_said_in_the_models_words(
    model: bedrock_models.Model, effort: str | None, wanted: Any
) -> None:
    got = request(model, reasoning_effort=effort)

    assert got.get("additionalModelRequestFields") == wanted


def test_thinking_stays_below_the_limit() -> None:
    got = request(CLAUDE_45, reasoning_effort="high", max_tokens=2000)

    wanted = {"thinking": {"type": "enabled", "budget_tokens": 1999}}
    assert got["additionalModelRequestFields"] == wanted
    assert "additionalModelRequestFields" not in request(
        CLAUDE_45, reasoning_effort="high", max_tokens=1000
    )


def test_anthropics_own_thinking_wins() -> None:
    thinking = {"type": "enabled", "budget_tokens": 5000}

    got = request(CLAUDE_45, reasoning_effort="low", thinking=thinking)

    assert got["additionalModelRequestFields"] == {"thinking": thinking}


CALLED = [
    *HELLO,
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {"id": "c1", "type": "function", "function": {"name": "now", "arguments": "{}"}}
        ],
    },
    {"role": "tool", "tool_call_id": "c1", "content": "12:00"},
]
THOUGHT = [
    CALLED[0],
    {**CALLED[1], "thinking_blocks": [{"type": "thinking", "thinking": "Hm", "signature": "s"}]},
    CALLED[2],
]


def test_claude_thinks_no_more_while_tools_run_without_its_earlier_thinking() -> None:
    def fields(model: bedrock_models.Model, messages: list[Any]) -> Any:
        got = request(model, messages=messages, reasoning_effort="low")
        return got.get("additionalModelRequestFields", {}).get("thinking")

    assert fields(CLAUDE_45, CALLED) is None
    assert fields(CLAUDE_45, THOUGHT) == {"type": "enabled", "budget_tokens": 1024}
    assert fields(CLAUDE_45, [*CALLED, {"role": "assistant", "content": "Noon"}, *HELLO])
    assert fields(CLAUDE_46, CALLED) == {"type": "adaptive"}


def tool(name: str = "now", **more: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, **more}}


def spec(name: str = "now", about: str | None = None, **schema: Any) -> dict[str, Any]:
    described = {"description": about} if about else {}
    taken = {"json": {"type": "object", **(schema or {"properties": {}})}}
    return {"toolSpec": {"name": name, **described, "inputSchema": taken}}


CITY = {"city": {"type": "string"}}


def test_tools_are_specs() -> None:
    parameters = {"type": "object", "properties": CITY, "required": ["city"]}
    tools = [
        tool("weather", description="Weather of a city", parameters=parameters, strict=True),
        tool("now", description=" "),
        tool("bare", parameters={"properties": CITY}),
    ]

    got = request(tools=tools)

    assert got["toolConfig"] == {
        "tools": [
            spec("weather", "Weather of a city", properties=CITY, required=["city"]),
            spec("now"),
            spec("bare", properties=CITY),
        ]
    }


def test_tools_in_converses_own_words_are_kept() -> None:
    tools = [
        spec(),
        {"systemTool": {"name": "nova_grounding"}},
        {"cachePoint": {"type": "default"}},
    ]

    assert request(NOVA, tools=tools)["toolConfig"] == {"tools": tools}


@pytest.mark.parametrize(
    "marked",
    [
        {**tool(), "cache_control": {"type": "ephemeral"}},
        tool(cache_control={"type": "ephemeral"}),
    ],
)
def test_a_cached_tool_is_followed_by_a_cache_point(marked: dict[str, Any]) -> None:
    got = request(bedrock_models.Model("anthropic.claude-sonnet-4-5"), tools=[marked, tool("b")])

    point = {"cachePoint": {"type": "default"}}
    assert got["toolConfig"] == {"tools": [spec(), point, spec("b")]}


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"type": "custom", "custom": {"name": "a"}}, "type 'custom'"),
        ({"type": "function"}, "type 'function'"),
        ({"type": "function", "function": {}}, "type 'function'"),
    ],
)
def test_tools_that_are_no_functions_are_refused(given: Any, named: str) -> None:
    with pytest.raises(errors.InvalidRequest, match=named) as caught:
        request(tools=[given])

    assert caught.value.param == "tools"


@pytest.mark.parametrize(
    ("choice", "wanted"),
    [
        (None, {}),
        ("auto", {}),
        ("required", {"toolChoice": {"any": {}}}),
        (tool("b"), {"toolChoice": {"tool": {"name": "b"}}}),
    ],
)
def test_tool_choices_keep_all_tools(choice: Any, wanted: Any) -> None:
    got = request(tools=[tool("a"), tool("b")], tool_choice=choice)

    assert got["toolConfig"] == {"tools": [spec("a"), spec("b")], **wanted}


def test_only_allowed_tools_are_offered() -> None:
    allowed = {"mode": "required", "tools": [tool("b")]}
    choice = {"type": "allowed_tools", "allowed_tools": allowed}

    got = request(tools=[tool("a"), tool("b")], tool_choice=choice)

    assert got["toolConfig"] == {"tools": [spec("b")], "toolChoice": {"any": {}}}


def test_the_choice_none_holds_the_tools_back() -> None:
    assert request(tools=[tool()], tool_choice="none") == {"messages": TURNS}


@pytest.mark.parametrize("body", [{}, {"tools": []}, {"tools": [tool()], "tool_choice": "none"}])
def test_tools_used_before_are_stood_in_for_as_aws_wants_some(body: dict[str, Any]) -> None:
    got = request(messages=CALLED, **body)["toolConfig"]

    assert got == {"tools": [spec("unavailable", bedrock_request._UNUSED)]}


SCHEMA = {
    "type": "object",
    "properties": {"a": {"type": "string"}},
    "required": ["a"],
    "additionalProperties": False,
}
OPEN = {"type": "object", "additionalProperties": {"type": "string"}}


def json_schema(schema: Any = SCHEMA, **more: Any) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "n", "schema": schema, **more}}


@pytest.mark.parametrize(
    "model",
    [CLAUDE_45, CLAUDE_46, GPT_OSS, LLAMA._replace(structured=True)],
)
def test_a_schema_is_enforced_by_models_that_can(model: bedrock_models.Model) -> None:
    got = request(model, response_format=json_schema(description="d", strict=True))

    held = got["outputConfig"]["textFormat"]["structure"]["jsonSchema"]
    assert json.loads(held.pop("schema")) == SCHEMA
    assert got == {
        "messages": TURNS,
        "outputConfig": {
            "textFormat": {
                "type": "json_schema",
                "structure": {"jsonSchema": {"name": "n", "description": "d"}},
            }
        },
    }


@pytest.mark.parametrize(
    ("model", "schema", "choice"),
    [
        (CLAUDE_35, SCHEMA, {"tool": {"name": "json_tool_call"}}),
        (CLAUDE_45, OPEN, {"tool": {"name": "json_tool_call"}}),
        (CLAUDE_45._replace(structured=False), SCHEMA, {"tool": {"name": "json_tool_call"}}),
        (NOVA, SCHEMA, {"tool": {"name": "json_tool_call"}}),
        (MISTRAL, SCHEMA, {"any": {}}),
    ],
)
def test_other_models_are_made_to_call_a_tool_with_the_answer(
    model: bedrock_models.Model, schema: dict[str, Any], choice: Any
) -> None:
    got = request(model, response_format=json_schema(schema, description="An answer."))

    answer = spec("json_tool_call", "An answer.")
    answer["toolSpec"]["inputSchema"]["json"] = schema
    assert got == {"messages": TURNS, "toolConfig": {"tools": [answer], "toolChoice": choice}}


def test_the_answer_is_one_tool_among_the_callers() -> None:
    got = request(CLAUDE_35, response_format=json_schema(), tools=[tool()])["toolConfig"]

    assert [block["toolSpec"]["name"] for block in got["tools"]] == ["now", "json_tool_call"]
    assert got["toolChoice"] == {"any": {}}


@pytest.mark.parametrize(
    ("model", "schema", "more"),
    [
        (LLAMA, SCHEMA, {}),
        (CLAUDE_47, SCHEMA, {}),
        (CLAUDE_45, OPEN, {"reasoning_effort": "low"}),
        (NOVA, {"anyOf": [SCHEMA]}, {}),
    ],
)
def test_a_schema_that_nothing_enforces_is_told(
    model: bedrock_models.Model, schema: dict[str, Any], more: dict[str, Any]
) -> None:
    messages = [{"role": "system", "content": "Be brief."}, *HELLO]

    got = request(model, messages=messages, response_format=json_schema(schema), **more)

    assert "toolConfig" not in got and "outputConfig" not in got
    brief, told = got["system"]
    assert brief == {"text": "Be brief."}
    assert json.loads(told["text"].partition("\n")[2]) == schema


def test_json_without_a_schema_is_told() -> None:
    got = request(CLAUDE_45, response_format={"type": "json_object"})

    assert got["messages"] == TURNS
    assert ["one JSON object" in block["text"] for block in got["system"]] == [True]


@pytest.mark.parametrize("asked", [None, {"type": "text"}, {}])
def test_text_needs_no_format(asked: Any) -> None:
    assert request(CLAUDE_45, response_format=asked) == {"messages": TURNS}


@pytest.mark.parametrize("asked", [{"type": "grammar"}, {"type": "json_schema"}, json_schema(None)])
def test_formats_that_aws_lacks_are_refused(asked: Any) -> None:
    with pytest.raises(errors.InvalidRequest, match="json_schema") as caught:
        request(CLAUDE_45, response_format=asked)

    assert caught.value.param == "response_format"


@pytest.mark.parametrize(
    ("model", "wanted"),
    [
        ("anthropic.claude-v2:1", "anthropic.claude-v2:1"),
        ("converse/anthropic.claude-v2:1", "anthropic.claude-v2:1"),
        ("us-east-1/anthropic.claude-v2:1", "anthropic.claude-v2:1"),
        (
            "converse/arn:aws:bedrock:us-east-1:1:inference-profile/us.x",
            "arn:aws:bedrock:us-east-1:1:inference-profile/us.x",
        ),
        (
            "arn:aws:bedrock:us-east-1::foundation-model/x",
            "arn:aws:bedrock:us-east-1::foundation-model/x",
        ),
    ],
)
def test_a_models_name_is_what_stands_behind_the_route(model: str, wanted: str) -> None:
    assert bedrock_models.bare(model) == wanted
