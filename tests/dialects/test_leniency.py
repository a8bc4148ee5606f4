"""Repairs that every dialect applies: each dialect by each repair, and the repairs themselves."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmgate import errors
from llmgate.contract import Deployment
from llmgate.dialects import leniency
from llmgate.dialects.anthropic import wire as anthropic_wire
from llmgate.dialects.bedrock import models as bedrock_models
from llmgate.dialects.bedrock import request as bedrock_request
from llmgate.dialects.gemini import request as gemini_request
from llmgate.dialects.others import cohere
from llmgate.dialects.others import databricks
from llmgate.dialects.others import ollama
from llmgate.dialects.others import watsonx

Message = dict[str, Any]


def _gemini(body: Message) -> Message:
    return gemini_request.request(body, Deployment("g", "gemini", "gemini-2.5-pro", ""))


DIALECTS: dict[str, Callable[[Message], Message]] = {
    "anthropic": lambda body: anthropic_wire.messages_from_chat(body, "claude-sonnet-4-5"),
    "bedrock nova": lambda body: bedrock_request.request(
        body, bedrock_models.Model("amazon.nova-pro-v1:0")
    ),
    "bedrock claude": lambda body: bedrock_request.request(
        body, bedrock_models.Model("anthropic.claude-sonnet-4-5")
    ),
    "bedrock llama": lambda body: bedrock_request.request(
        body, bedrock_models.Model("meta.llama3-70b")
    ),
    "gemini": _gemini,
    "cohere": cohere.chat_body,
    "ollama": ollama.chat_body,
    "databricks": lambda body: databricks.chat_body(body, "m"),
    "watsonx": lambda body: watsonx.chat_body(body, "m"),
}
IMAGES = ("databricks", "watsonx", "ollama", "cohere")
EVERY = pytest.mark.parametrize("name", DIALECTS)
PNG = "iVBORw0KGgo="
USER = {"role": "user", "content": "hi"}


def sent(name: str, *messages: Message) -> Message:
    """Return the request that dialect *name* makes of *messages*, which stay as they are."""
    before = json.dumps(messages)
    got = DIALECTS[name]({"model": "m", "messages": [*messages]})
    assert json.dumps(messages) == before
    return got


def turns(request: Message) -> list[Message]:
    found: list[Message] = request.get("contents") or request["messages"]
    return [turn for turn in found if turn["role"] not in ("system", "developer")]


def values(inside: Any, *names: str) -> Iterator[Any]:
    """Yield the values of all members called one of *names*."""
    if isinstance(inside, dict):
        for key, value in inside.items():
            if key in names:
                yield value
            yield from values(value, *names)
    elif isinstance(inside, list):
        for value in inside:
            yield from values(value, *names)


def answer(arguments: Any, content: Any = None) -> Message:
    function = {"name": "f", "arguments": arguments}
    call = {"id": "call_abc12", "type": "function", "function": function}
    return {"role": "assistant", "content": content, "tool_calls": [call]}


def result(content: Any, **more: Any) -> Message:
    return {"role": "tool", "tool_call_id": "call_abc12", "content": content, **more}


def arguments_of(request: Message) -> Any:
    found = next(value for value in values(request, "input", "args", "arguments") if value != [])
    return json.loads(found) if isinstance(found, str) else found


@EVERY
def test_an_assistant_is_not_the_first(name: str) -> None:
    got = turns(sent(name, {"role": "assistant", "content": "Hello"}, USER))

    assert got[0]["role"] == "user"
    assert "Hello" in json.dumps(got[1])


@EVERY
@pytest.mark.parametrize("role", ["system", "developer"])
def test_system_messages_alone_are_the_users(name: str, role: str) -> None:
    (got,) = turns(sent(name, {"role": role, "content": "Say hi."}))

    assert got["role"] == "user"
    assert "Say hi." in json.dumps(got)


@EVERY
@pytest.mark.parametrize("content", ["", " \n", None, [], [{"type": "text", "text": " "}]])
def test_blank_messages_are_left_out(name: str, content: Any) -> None:
    got = turns(sent(name, USER, {"role": "assistant", "content": content}, USER))

    assert "assistant" not in json.dumps(got) and '"model"' not in json.dumps(got)


@EVERY
def test_blank_texts_are_left_out(name: str) -> None:
    parts = [{"type": "text", "text": ""}, {"type": "text", "text": "x"}]

    got = turns(sent(name, {"role": "user", "content": parts}))

    assert "" not in [*values(got, "text", "content")]


@EVERY
def test_a_conversation_without_text_has_a_placeholder(name: str) -> None:
    (got,) = turns(sent(name, {"role": "user", "content": ""}))

    assert leniency.PLACEHOLDER in values(got, "text", "content")


@EVERY
@pytest.mark.parametrize("content", ["title: ", [{"type": "text", "text": "title: \n"}]])
def test_the_assistants_last_text_does_not_end_in_whitespace(name: str, content: Any) -> None:
    got = turns(sent(name, USER, {"role": "assistant", "content": content}))

    assert "title:" in [*values(got[-1], "text", "content")]


@EVERY
@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        ("", {}),
        (" ", {}),
        (None, {}),
        ("null", {}),
        ('{"a": 1}', {"a": 1}),
        ('{"a": "tru', {"INVALID_JSON": '{"a": "tru'}),
        ("[1]", {"INVALID_JSON": "[1]"}),
        ('"x"', {"INVALID_JSON": '"x"'}),
    ],
)
def test_arguments_are_an_object(name: str, arguments: Any, wanted: Any) -> None:
    got = sent(name, USER, answer(arguments), result("done"))

    assert arguments_of(turns(got)) == wanted


@EVERY
def test_an_error_of_a_tool_is_marked_where_the_api_can_and_nowhere_else(name: str) -> None:
    got = turns(sent(name, USER, answer("{}"), result("boom", is_error=True)))

    marks = {
        "anthropic": ("is_error", True),
        "gemini": ("error", "boom"),
        **{each: ("status", "error") for each in DIALECTS if "bedrock" in each},
    }
    member, value = marks.get(name, ("is_error", None))
    assert next(values(got, member), None) == value


@EVERY
def test_an_image_of_a_tool_is_not_lost(name: str) -> None:
    image = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}
    other = {**answer("{}")["tool_calls"][0], "id": "call_abc13"}
    calls = {**answer("{}"), "tool_calls": [*answer("{}")["tool_calls"], other]}

    second = {**result("two"), "tool_call_id": "call_abc13"}

    got = turns(sent(name, USER, calls, result([image]), second, {"role": "user", "content": "x"}))

    assert PNG in json.dumps(got)
    tools = [turn for turn in got if turn["role"] == "tool"]
    assert PNG not in json.dumps(tools)
    assert len(tools) in (0, 2)
    if name in ("gemini", "bedrock llama"):
        assert PNG not in json.dumps([*values(got, "functionResponse", "toolResult")])
    if name in ("anthropic", "bedrock claude", "bedrock nova"):
        assert PNG in json.dumps([*values(got, "toolResult"), *values(got, "content")])


@EVERY
@pytest.mark.parametrize("as_text", [True, False])
def test_image_jpg_is_image_jpeg(name: str, as_text: bool) -> None:
    url = f"data:image/jpg;base64,{PNG}"
    image = {"type": "image_url", "image_url": url if as_text else {"url": url}}

    got = json.dumps(sent(name, {"role": "user", "content": [image]}))

    assert PNG in got and "image/jpg" not in got


@pytest.mark.parametrize("name", [name for name in DIALECTS if name not in IMAGES])
def test_a_file_alone_is_sent_with_its_data(name: str) -> None:
    file = {"filename": "a.pdf", "file_data": f"data:application/pdf;base64,{PNG}"}

    got = turns(sent(name, {"role": "user", "content": [{"type": "file", "file": file}]}))

    assert PNG in json.dumps(got)
    if name.startswith("bedrock"):
        assert {"text": "a.pdf"} in got[0]["content"]


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("anthropic", {"type": "url", "url": "https://files.example/a.pdf"}),
        (
            "gemini",
            {"fileUri": "https://files.example/a.pdf", "mimeType": "application/pdf"},
        ),
    ],
)
def test_a_file_may_be_a_url_where_the_api_fetches_it(name: str, wanted: Any) -> None:
    file = {"filename": "a.pdf", "file_data": "https://files.example/a.pdf"}

    got = sent(name, {"role": "user", "content": [{"type": "file", "file": file}]})

    assert wanted in [*values(got, "source", "fileData")]


@pytest.mark.parametrize("name", [name for name in DIALECTS if name not in ("anthropic", "gemini")])
def test_a_file_that_is_a_url_is_refused_where_the_api_does_not_fetch_it(name: str) -> None:
    file = {"filename": "a.pdf", "file_data": "https://files.example/a.pdf"}

    with pytest.raises(errors.InvalidRequest):
        sent(name, {"role": "user", "content": [{"type": "file", "file": file}]})


@EVERY
def test_functions_of_the_first_api_are_tools(name: str) -> None:
    call = {"name": "f", "arguments": '{"a": 1}'}
    messages = (
        USER,
        {"role": "assistant", "content": None, "function_call": call},
        {"role": "function", "name": "f", "content": "done"},
    )

    got = turns(sent(name, *messages))

    assert arguments_of(got) == {"a": 1}
    assert "done" in json.dumps(got)
    assert not [*values(got, "function_call")]


@EVERY
@pytest.mark.parametrize("mark", ["eager_input_streaming", "is_error", "thinking_blocks"])
def test_members_of_other_apis_are_not_in_messages(name: str, mark: str) -> None:
    if name == "anthropic":
        return  # it gets its own members
    got = sent(name, {**USER, mark: []}, {**answer("{}"), mark: []}, result("x"))

    assert not [*values(got, mark)]


def test_a_result_of_a_function_without_a_call_stays() -> None:
    message = {"role": "function", "name": "f", "content": "x"}

    assert leniency.repaired([message], leniency.Rules()) == [(0, message)]


def test_messages_keep_their_place_in_the_request() -> None:
    messages = [{"role": "user", "content": ""}, {"role": "assistant", "content": "a"}, USER]

    got = leniency.repaired(messages, leniency.Rules())

    assert [at for at, _ in got] == [1, 1, 2]


@pytest.mark.parametrize(
    "content",
    [
        [{"type": "image_url", "image_url": {}}],
        ["x"],
        [{"type": "file", "file": {"file_id": "f"}}],
        [{"type": "file", "file": {"file_data": "AAAA"}}],
    ],
)
def test_other_parts_stay(content: Any) -> None:
    messages = [{"role": "user", "content": content}]

    assert leniency.repaired(messages, leniency.Rules()) == [(0, messages[0])]


@pytest.mark.parametrize(
    "content", [[{"type": "image_url", "image_url": {"url": "https://a/b"}}], None]
)
def test_the_last_message_of_an_assistant_may_have_no_text(content: Any) -> None:
    last = {"role": "assistant", "content": content, "refusal": "No."}

    assert leniency.repaired([USER, last], leniency.Rules()) == [(0, USER), (1, last)]


@pytest.mark.parametrize(
    ("content", "wanted"),
    [
        ([{"type": "file", "file": {}}], "document"),
        ([{"type": "file", "file": {"filename": "a"}}, {"type": "text", "text": "x"}], None),
        ([{"type": "image_url", "image_url": "https://a"}], None),
    ],
)
def test_a_text_is_added_beside_files_alone(content: Any, wanted: str | None) -> None:
    rules = leniency.Rules(text_beside_files=True)

    ((_, got),) = leniency.repaired([{"role": "user", "content": content}], rules)

    added = got["content"][len(content) :]
    assert added == ([] if wanted is None else [{"type": "text", "text": wanted}])


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (None, "{}"),
        ("", "{}"),
        (" null ", "{}"),
        ('{ "a": 1 }', '{ "a": 1 }'),
        ({"a": "é"}, '{"a":"é"}'),
        ("[1]", '{"INVALID_JSON":"[1]"}'),
        (7, "{}"),
    ],
)
def test_arguments_as_text(text: Any, wanted: str) -> None:
    assert leniency.arguments_text(text) == wanted


def test_strict_keeps_openais_members_alone() -> None:
    message = {
        "role": "developer",
        "content": [{"type": "text", "text": "a", "cache_control": {}}],
        "cache_control": {},
        "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f"}, "index": 0}],
    }

    assert leniency.strict(message) == {
        "role": "system",
        "content": "a",
        "tool_calls": [
            {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
        ],
    }
    assert leniency.strict(message, frozenset({"cache_control"}))["content"] == message["content"]


def test_a_result_of_texts_alone_stays() -> None:
    tool = result([{"type": "text", "text": "a"}])
    found = leniency.repaired([USER, answer("{}"), tool], leniency.Rules())

    assert found[-1] == (2, tool)


def test_strict_keeps_a_call_that_is_not_of_a_function() -> None:
    message = {"role": "assistant", "tool_calls": [{"id": "c", "type": "custom", "custom": {}}]}

    assert leniency.strict(message)["tool_calls"] == [{"id": "c", "type": "custom"}]


@pytest.mark.parametrize(
    ("arguments", "input"),
    [
        (None, {}),
        ("", {}),
        (" \n", {}),
        ('{"a": [1, 2.5, "é"]}', {"a": [1, 2.5, "é"]}),
        ('{"a": ', {"INVALID_JSON": '{"a": '}),
        ("[1]", {"INVALID_JSON": "[1]"}),
        ('{"a": NaN}', {"INVALID_JSON": '{"a": NaN}'}),
        ('{"a": 1e999}', {"INVALID_JSON": '{"a": 1e999}'}),
        ("[" * 100_000, {"INVALID_JSON": "[" * 100_000}),
    ],
)
def test_arguments_that_are_no_object_are_wrapped(arguments: Any, input: Any) -> None:
    assert leniency.arguments(arguments) == input


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@given(st.dictionaries(st.text(), JSON))
def test_any_arguments_are_what_the_model_wrote(input: dict[str, Any]) -> None:
    arguments = json.dumps(input)

    got = leniency.arguments(arguments)

    infinite = any(math.inf in (abs(x),) for x in _floats(input))
    assert got == ({"INVALID_JSON": arguments} if infinite else input)


def _floats(value: Any) -> list[float]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [found for inner in value for found in _floats(inner)]
    return [value] if isinstance(value, float) else []


def test_the_last_text_of_the_assistant_is_stripped_before_what_says_nothing() -> None:
    said = [USER, {"role": "assistant", "content": "a "}]
    for last in ({"role": "system", "content": "s"}, {"role": "assistant", "reasoning": "hm"}):
        got = [each for _, each in leniency.repaired([*said, last], leniency.Rules())]

        assert [each.get("content") for each in got][:2] == ["hi", "a"]
