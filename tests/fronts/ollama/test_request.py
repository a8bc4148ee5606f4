from __future__ import annotations

import json
from typing import Any

import pytest

from llmgate import errors
from llmgate.contract import Deployment
from llmgate.contract import Operation
from llmgate.fronts.ollama import request
from llmgate.providers import PROVIDERS

USER = {"role": "user", "content": "Hi"}
PNG, JPEG = "iVBORw0KGgo=", "/9j/4AAQSkZJRg=="
CLOSED = {
    "type": "object",
    "properties": {"age": {"type": "integer"}},
    "required": ["age"],
    "additionalProperties": False,
}


def chat(**body: Any) -> Any:
    return request.chat_from_chat({"model": "m", "messages": [USER], **body})


def generate(**body: Any) -> Any:
    return request.chat_from_generate({"model": "m", "prompt": "Hi", **body})


@pytest.mark.parametrize(
    ("body", "more"),
    [
        ({}, {"stream": True}),
        ({"stream": False}, {"stream": False}),
        (
            {"options": {"temperature": 0, "num_predict": 5, "stop": ["x"], "seed": 0, "top_k": 3}},
            {
                "stream": True,
                "temperature": 0,
                "max_completion_tokens": 5,
                "stop": ["x"],
                "seed": 0,
                "top_k": 3,
                "options": {
                    "temperature": 0,
                    "num_predict": 5,
                    "stop": ["x"],
                    "seed": 0,
                    "top_k": 3,
                },
            },
        ),
        ({"options": {"num_predict": -1}}, {"stream": True, "options": {"num_predict": -1}}),
        ({"format": ""}, {"stream": True}),
        ({"format": "json"}, {"stream": True, "response_format": {"type": "json_object"}}),
        ({"think": True}, {"stream": True, "thinking": {"type": "enabled"}}),
        ({"think": False}, {"stream": True, "thinking": {"type": "disabled"}}),
        ({"think": "low"}, {"stream": True, "output_config": {"effort": "low"}}),
        (
            {"logprobs": True, "top_logprobs": 2},
            {"stream": True, "logprobs": True} | {"top_logprobs": 2},
        ),
        ({"keep_alive": "5m"}, {"stream": True, "keep_alive": "5m"}),
        ({"tools": [{"type": "function"}]}, {"stream": True, "tools": [{"type": "function"}]}),
        ({"tags": ["a"], "user": "u"}, {"stream": True, "tags": ["a"], "user": "u"}),
    ],
)
def test_the_members_of_a_request(body: dict[str, Any], more: dict[str, Any]) -> None:
    assert chat(**body) == {"model": "m", "messages": [USER], **more}


@pytest.mark.parametrize(("schema", "strict"), [(CLOSED, True), ({"type": "object"}, False)])
def test_a_schema_is_strict_where_openai_takes_it_so(schema: dict[str, Any], strict: bool) -> None:
    named = {"name": "response", "schema": schema, "strict": strict}

    assert chat(format=schema)["response_format"] == {"type": "json_schema", "json_schema": named}


def test_a_format_of_another_kind_is_refused() -> None:
    with pytest.raises(errors.InvalidRequest) as caught:
        chat(format="xml")

    assert caught.value.param == "format"


def test_a_prompt_is_a_users_message() -> None:
    assert generate(system="Be brief.", context=[1, 2], raw=True, template="x") == {
        "model": "m",
        "messages": [{"role": "system", "content": "Be brief."}, USER],
        "stream": True,
    }


def test_a_suffix_is_refused() -> None:
    with pytest.raises(errors.InvalidRequest) as caught:
        generate(suffix="end")

    assert caught.value.param == "suffix"


@pytest.mark.parametrize(
    ("image", "url"),
    [
        (PNG, f"data:image/png;base64,{PNG}"),
        (JPEG, f"data:image/jpeg;base64,{JPEG}"),
        ("UklGRg==", "data:image/webp;base64,UklGRg=="),
        ("unknown=", "data:image/png;base64,unknown="),
        ("data:image/gif;base64,R0lGO", "data:image/gif;base64,R0lGO"),
    ],
)
def test_images_become_data_urls(image: str, url: str) -> None:
    part = {"type": "image_url", "image_url": {"url": url}}

    assert generate(images=[image])["messages"][0]["content"] == [
        {"type": "text", "text": "Hi"},
        part,
    ]
    assert generate(prompt="", images=[image])["messages"][0]["content"] == [part]


def test_an_image_that_is_no_text_is_refused() -> None:
    with pytest.raises(errors.InvalidRequest):
        generate(images=[1])


def call(name: str, arguments: Any, **more: Any) -> dict[str, Any]:
    return {"function": {"name": name, "arguments": arguments}, **more}


def test_results_find_their_calls() -> None:
    calls = [call("a", {"x": "ü"}), call("b", None), call("c", "{}", id="own")]
    messages = [
        USER,
        {"role": "assistant", "content": "", "thinking": "Hm", "tool_calls": calls},
        {"role": "tool", "tool_name": "b", "content": "2"},
        {"role": "tool", "content": "1"},
        {"role": "tool", "tool_call_id": "own", "content": None},
    ]

    found = chat(messages=messages)["messages"]

    assert [message["role"] for message in found] == ["user", "assistant", "tool", "tool", "tool"]
    assert found[1]["reasoning_content"] == "Hm"
    assert [(each["id"], each["function"]["arguments"]) for each in found[1]["tool_calls"]] == [
        ("call_1_0", json.dumps({"x": "ü"}, ensure_ascii=False)),
        ("call_1_1", "{}"),
        ("own", "{}"),
    ]
    assert [(each["tool_call_id"], each["content"]) for each in found[2:]] == [
        ("call_1_1", "2"),
        ("call_1_0", "1"),
        ("own", ""),
    ]


def test_a_result_without_a_call_has_an_id() -> None:
    (found,) = chat(messages=[{"role": "tool", "content": "1"}])["messages"]

    assert found == {"role": "tool", "tool_call_id": "call_0", "content": "1"}


@pytest.mark.parametrize(
    ("messages", "param"),
    [
        (["x"], "messages[0]"),
        ([{"content": "x"}], "messages[0].role"),
        ([{"role": "assistant", "tool_calls": [{"function": {}}]}], "function.name"),
        ([{"role": "assistant", "tool_calls": [{}]}], "messages[0].function"),
    ],
)
def test_a_wrong_type_is_named(messages: list[Any], param: str) -> None:
    with pytest.raises(errors.InvalidRequest) as caught:
        chat(messages=messages)

    assert caught.value.param == param


def adapted(operation: Operation, provider: str) -> Any:
    body = chat(options={"top_k": 3, "num_ctx": 9}, keep_alive="5m")
    return request.adapted(body, operation, Deployment("g", provider, "m", "http://h"))


def test_ollamas_servers_get_all_options_and_others_those_that_they_know() -> None:
    own = adapted(PROVIDERS["ollama_chat"].operations["chat"], "ollama_chat")
    assert (own["options"], own["keep_alive"]) == ({"top_k": 3, "num_ctx": 9}, "5m")

    openais = adapted(PROVIDERS["openai"].operations["chat"], "openai")
    assert openais.keys() & {"options", "keep_alive", "top_k"} == set()

    claude = adapted(PROVIDERS["anthropic"].operations["chat"], "anthropic")
    assert claude.keys() & {"options", "keep_alive", "top_k"} == {"top_k"}


def test_texts_are_embedded() -> None:
    asked = {"model": "m", "input": ["a"], "dimensions": 3, "truncate": True, "user": "u"}
    assert request.embeddings(asked) == {
        "model": "m",
        "input": ["a"],
        "dimensions": 3,
        "user": "u",
        "encoding_format": "float",
    }
    former = {"model": "m", "prompt": "a"}
    assert request.embeddings(former) == {"model": "m", "input": "a", "encoding_format": "float"}
