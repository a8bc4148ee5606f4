"""OpenAI's tools, tool choices and JSON schemas as Gemini takes them."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmgate import errors
from llmgate.contract import Deployment
from llmgate.dialects.gemini import request as gemini_request
from llmgate.dialects.gemini import tools as gemini_tools


def function(name: str = "f", **over: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, **over}}


@pytest.mark.parametrize(
    "parameters",
    [
        None,
        {},
        {"type": "object", "properties": {}},
        {
            "$schema": "x",
            "type": "object",
            "properties": {},
            "required": [],
            "additionalProperties": False,
        },
    ],
)
def test_a_function_without_parameters_has_none_set(parameters: Any) -> None:
    got = gemini_tools.tools({"tools": [function(parameters=parameters, description="")]})

    assert got == [{"functionDeclarations": [{"name": "f"}]}]


@pytest.mark.parametrize(
    "parameters",
    [
        {"type": "object", "additionalProperties": {"type": "string"}},
        {"type": "object", "additionalProperties": True},
        {"anyOf": [{"type": "object"}]},
    ],
)
def test_parameters_without_names_are_parameters(parameters: Any) -> None:
    got = gemini_tools.tools({"tools": [function(parameters=parameters)]})

    assert got == [{"functionDeclarations": [{"name": "f", "parametersJsonSchema": parameters}]}]


def test_no_tools_are_none() -> None:
    assert gemini_tools.tools({"tools": None}) == []


@pytest.mark.parametrize(
    ("tool", "param"),
    [
        ({"type": "custom", "custom_thing": {}}, "tools.0.type"),
        ({"type": "function"}, "tools.0.function.name"),
        ({"type": "function", "function": {"name": None}}, "tools.0.function.name"),
        (function(parameters={"properties": ["a"]}), "tools.0.function.parameters"),
        (function(parameters={"enum": 5, "type": "string"}), "tools.0.function.parameters"),
    ],
)
def test_a_tool_that_cannot_be_declared_is_refused(tool: Any, param: str) -> None:
    with pytest.raises(errors.InvalidRequest) as caught:
        gemini_tools.tools({"tools": [tool]})

    assert caught.value.param == param


def test_a_schema_too_deep_is_refused() -> None:
    deep: dict[str, Any] = {}
    for _ in range(5_000):
        deep = {"items": deep}

    with pytest.raises(errors.InvalidRequest) as caught:
        gemini_tools.schema(deep, "here")

    assert caught.value.param == "here"


@pytest.mark.parametrize(
    ("choice", "wanted"),
    [
        (None, {}),
        ("auto", {"mode": "AUTO"}),
        ("none", {"mode": "NONE"}),
        ("required", {"mode": "ANY"}),
        (function("a"), {"mode": "ANY", "allowedFunctionNames": ["a"]}),
        (
            {
                "type": "allowed_tools",
                "allowed_tools": {"mode": "required", "tools": [function("a"), function("b")]},
            },
            {"mode": "ANY", "allowedFunctionNames": ["a", "b"]},
        ),
        (
            {
                "type": "allowed_tools",
                "allowed_tools": {"mode": "auto", "tools": [function("a")]},
            },
            {"mode": "VALIDATED", "allowedFunctionNames": ["a"]},
        ),
        ({"type": "allowed_tools"}, {"mode": "VALIDATED"}),
    ],
)
def test_a_choice_of_tools_is_a_mode(choice: Any, wanted: Any) -> None:
    got = gemini_tools.tool_config(choice)

    assert got == ({"functionCallingConfig": wanted} if wanted else {})


@pytest.mark.parametrize(
    ("choice", "param"),
    [
        ("sometimes", "tool_choice"),
        ({"type": "custom", "custom": {"name": "c"}}, "tool_choice"),
        ({"type": "function"}, "tool_choice.function.name"),
        (
            {"type": "allowed_tools", "allowed_tools": {"tools": [{"type": "function"}]}},
            "tool_choice.function.name",
        ),
        (7, "tool_choice"),
    ],
)
def test_a_choice_that_means_nothing_is_refused(choice: Any, param: str) -> None:
    with pytest.raises(errors.InvalidRequest) as caught:
        gemini_tools.tool_config(choice)

    assert caught.value.param == param


def asked(drop_params: bool = False, **body: Any) -> dict[str, Any]:
    deployment = Deployment("g", "gemini", "gemini-3-flash", "x", drop_params=drop_params)
    message = {"role": "user", "content": "Hi"}
    return gemini_request.request({"model": "g", "messages": [message], **body}, deployment)


def test_calls_one_by_one_of_several_tools_are_refused() -> None:
    with pytest.raises(errors.InvalidRequest) as caught:
        asked(tools=[function("a"), function("b")], parallel_tool_calls=False)

    assert (caught.value.param, caught.value.code) == (
        "parallel_tool_calls",
        "unsupported_parameter",
    )


@pytest.mark.parametrize(
    ("tools", "drop_params"),
    [([], False), ([function("a")], False), ([function("a"), function("b")], True)],
)
def test_calls_one_by_one_are_no_matter_with_one_tool_or_dropped(
    tools: Any, drop_params: bool
) -> None:
    got = asked(drop_params, tools=tools, parallel_tool_calls=False)

    assert "parallel_tool_calls" not in got


@pytest.mark.parametrize(
    ("schema", "wanted"),
    [
        (True, True),
        ({"const": "a"}, {"enum": ["a"], "type": "string"}),
        ({"const": "a", "type": "string"}, {"enum": ["a"], "type": "string"}),
        ({"const": True}, {"type": "boolean"}),
        ({"const": {"a": 1}}, {}),
        ({"enum": ["a", None]}, {"enum": ["a"], "type": ["string", "null"]}),
        ({"enum": [1, 2.5]}, {"enum": [1, 2.5], "type": ["integer", "number"]}),
        ({"enum": []}, {}),
        (
            {"items": [{"const": 1}], "type": "array"},
            {"prefixItems": [{"enum": [1], "type": "integer"}], "type": "array"},
        ),
        ({"oneOf": [{"type": "null"}, {"not": {}}]}, {"oneOf": [{"type": "null"}, {}]}),
        ({"$ref": "#/definitions/A", "description": "d"}, {"$ref": "#/$defs/A"}),
        ({"properties": {"default": {"default": 1}}}, {"properties": {"default": {}}}),
        ({"additionalProperties": False}, {"additionalProperties": False}),
        ({"allOf": "nonsense"}, {}),
        (
            {"allOf": [True, {"type": "string"}], "description": "d"},
            {"description": "d", "type": "string"},
        ),
        (
            {
                "required": ["a"],
                "properties": {"a": {"type": "string"}},
                "allOf": [
                    {"required": ["b"], "properties": {"a": {}, "b": {"type": "number"}}},
                    {"allOf": [{"title": "t"}]},
                ],
            },
            {
                "required": ["a", "b"],
                "properties": {"a": {"type": "string"}, "b": {"type": "number"}},
                "title": "t",
            },
        ),
    ],
)
def test_a_schema_is_said_in_the_keywords_that_gemini_reads(schema: Any, wanted: Any) -> None:
    before = copy.deepcopy(schema)

    got = gemini_tools.schema(schema, "here")

    assert got == wanted
    assert schema == before


KEYWORDS = """$ref $defs definitions properties additionalProperties items prefixItems anyOf oneOf
allOf enum const required type title pattern""".split()
ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(KEYWORDS) | st.text(), inner),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(KEYWORDS), ANY))
def test_whatever_calls_itself_a_schema_is_translated_or_refused(schema: Any) -> None:
    before = copy.deepcopy(schema)

    try:
        gemini_tools.schema(schema, "here")
    except errors.InvalidRequest as refused:
        assert refused.param == "here"

    assert schema == before
