from __future__ import annotations

import base64
import copy
from typing import Any

import pydantic
import pytest
from anthropic import types
from hypothesis import given
from hypothesis import strategies as st

from llmgate import errors
from llmgate.dialects.anthropic import content

TURN: pydantic.TypeAdapter[types.MessageParam] = pydantic.TypeAdapter(types.MessageParam)
MARK = {"type": "ephemeral", "ttl": "1h"}
PNG = base64.b64encode(b"\x89PNG").decode()


def answers(*messages: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the turns of *messages* after one of the user."""
    return turns({"role": "user", "content": "Hi"}, *messages)[1:]


def turns(*messages: dict[str, Any]) -> list[dict[str, Any]]:
    before = copy.deepcopy(messages)
    _, found = content.conversation(list(messages))
    assert messages == before
    for turn in found:
        TURN.validate_python(turn)
    return found


def said(*parts: dict[str, Any]) -> list[dict[str, Any]]:
    (turn,) = turns({"role": "user", "content": list(parts)})
    blocks: list[dict[str, Any]] = turn["content"]
    return blocks


def text(text: str, **more: Any) -> dict[str, Any]:
    return {"type": "text", "text": text, **more}


def call(id: str = "call_1", arguments: Any = "{}", **more: Any) -> dict[str, Any]:
    function = {"name": "weather", "arguments": arguments}
    return {"id": id, "type": "function", "function": function, **more}


def test_system_messages_are_apart_in_their_order() -> None:
    messages: list[dict[str, Any]] = [
        {"role": "system", "content": "One"},
        {"role": "user", "content": "Hi"},
        {"role": "developer", "content": [text("Two", cache_control=MARK), text("Three")]},
    ]

    assert content.conversation(messages) == (
        [text("One"), text("Two", cache_control=MARK), text("Three")],
        [{"role": "user", "content": [text("Hi")]}],
    )


def test_results_of_calls_in_parallel_are_one_turn_with_what_the_user_adds() -> None:
    got = turns(
        {"role": "user", "content": "Weather?"},
        {"role": "assistant", "content": "", "tool_calls": [call("a"), call("b", '{"x":1}')]},
        {"role": "tool", "tool_call_id": "a", "content": "Sun"},
        {"role": "tool", "tool_call_id": "b", "content": [text("Rain", cache_control=MARK)]},
        {"role": "user", "content": "And?"},
    )

    assert got == [
        {"role": "user", "content": [text("Weather?")]},
        {
            "role": "assistant",
            "content": [
                {"type": "tool_use", "id": "a", "name": "weather", "input": {}},
                {"type": "tool_use", "id": "b", "name": "weather", "input": {"x": 1}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "a", "content": "Sun"},
                {
                    "type": "tool_result",
                    "tool_use_id": "b",
                    "content": [text("Rain", cache_control=MARK)],
                },
                text("And?"),
            ],
        },
    ]


def test_a_result_may_be_empty_an_error_and_marked() -> None:
    got = turns(
        {"role": "tool", "tool_call_id": "a", "content": "", "is_error": True},
        {"role": "tool", "tool_call_id": "b", "content": "x", "cache_control": MARK},
    )

    assert got[0]["content"] == [
        {"type": "tool_result", "tool_use_id": "a", "is_error": True},
        {"type": "tool_result", "tool_use_id": "b", "content": "x", "cache_control": MARK},
    ]


def test_ids_of_other_upstreams_are_made_such_as_anthropic_takes() -> None:
    got = answers(
        {"role": "assistant", "tool_calls": [call("functions.weather:0")]},
        {"role": "tool", "tool_call_id": "functions.weather:0", "content": "Sun"},
    )

    assert got[0]["content"][0]["id"] == got[1]["content"][0]["tool_use_id"]
    assert got[0]["content"][0]["id"] == "functions_weather_0"


def test_signed_thinking_goes_back_first_and_no_other() -> None:
    signed = {"type": "thinking", "thinking": "Hm", "signature": "s"}
    redacted = {"type": "redacted_thinking", "data": "d"}

    got = answers(
        {
            "role": "assistant",
            "content": "Sun.",
            "reasoning_content": "Hm",
            "thinking_blocks": [
                {"index": 0, **signed},
                redacted,
                {"type": "thinking", "thinking": "Of another model", "signature": ""},
                None,
            ],
            "tool_calls": [call(cache_control=MARK, index=0)],
        }
    )

    assert got[0]["content"] == [
        signed,
        redacted,
        text("Sun."),
        {
            "type": "tool_use",
            "id": "call_1",
            "name": "weather",
            "input": {},
            "cache_control": MARK,
        },
    ]


def test_a_refusal_is_what_the_assistant_said() -> None:
    got = answers(
        {"role": "assistant", "content": None, "refusal": "No."},
        {"role": "user", "content": "?"},
        {"role": "assistant", "content": [{"type": "refusal", "refusal": "No!"}]},
    )

    assert [turn["content"] for turn in got] == [[text("No.")], [text("?")], [text("No!")]]


def test_blank_text_which_anthropic_refuses_is_left_out() -> None:
    got = turns(
        {"role": "user", "content": [text(""), text(" \n"), text("Hi"), text("", x=None)]},
        {"role": "assistant", "content": ""},
        {"role": "user", "content": None},
        {"role": "user", "content": "There"},
    )

    assert got == [{"role": "user", "content": [text("Hi"), text("There")]}]


def test_a_mark_on_a_message_is_on_its_last_block() -> None:
    got = turns(
        {"role": "user", "content": [text("a"), text("b")], "cache_control": MARK},
        {"role": "assistant", "content": "", "cache_control": MARK},
    )

    assert got == [{"role": "user", "content": [text("a"), text("b", cache_control=MARK)]}]


def test_anthropics_own_blocks_stay_as_they_are() -> None:
    block = {
        "type": "document",
        "source": {"type": "text", "media_type": "text/plain", "data": "x"},
        "citations": {"enabled": True},
        "cache_control": MARK,
    }

    assert said(block, text("y", foo=1)) == [block, text("y", foo=1)]


def image(url: Any, **more: Any) -> dict[str, Any]:
    return {"type": "image_url", "image_url": url, **more}


def file(**file: Any) -> dict[str, Any]:
    return {"type": "file", "file": file}


def encoded(kind: str, media_type: str, data: str) -> dict[str, Any]:
    return {
        "type": kind,
        "source": {"type": "base64", "media_type": media_type, "data": data},
    }


def linked(kind: str, url: str) -> dict[str, Any]:
    return {"type": kind, "source": {"type": "url", "url": url}}


def plain(data: str) -> dict[str, Any]:
    source = {"type": "text", "media_type": "text/plain", "data": data}
    return {"type": "document", "source": source}


@pytest.mark.parametrize(
    ("part", "block"),
    [
        (image({"url": f"data:image/png;base64,{PNG}"}), encoded("image", "image/png", PNG)),
        (image({"url": f"data:image/jpg;base64,{PNG}"}), encoded("image", "image/jpeg", PNG)),
        (image({"url": "data:image/png,%89PNG"}), encoded("image", "image/png", PNG)),
        (image(f"data:IMAGE/GIF;x=y;base64,{PNG}"), encoded("image", "image/gif", PNG)),
        (
            image({"url": "https://e.org/a.png", "detail": "high"}, cache_control=MARK),
            {**linked("image", "https://e.org/a.png"), "cache_control": MARK},
        ),
        (
            image({"url": "data:application/pdf;base64,JVBE"}),
            encoded("document", "application/pdf", "JVBE"),
        ),
        (image({"url": "data:,hello%20world"}), plain("hello world")),
        (
            file(file_data="data:application/pdf;base64,JVBE", filename="a.pdf"),
            {**encoded("document", "application/pdf", "JVBE"), "title": "a.pdf"},
        ),
        (file(file_data="JVBE"), encoded("document", "application/pdf", "JVBE")),
        (
            file(file_data=f"data:image/png;base64,{PNG}", filename="a"),
            encoded("image", "image/png", PNG),
        ),
        (file(file_data="data:text/markdown;base64,w6k="), plain("é")),
        (file(file_data="data:application/json;base64,e30="), plain("{}")),
        (
            file(file_id="file_1"),
            {"type": "document", "source": {"type": "file", "file_id": "file_1"}},
        ),
        (file(file_id="https://e.org/a.pdf"), linked("document", "https://e.org/a.pdf")),
        (file(file_data="http://e.org/a.pdf"), linked("document", "http://e.org/a.pdf")),
    ],
)
def test_pictures_and_files(part: dict[str, Any], block: dict[str, Any]) -> None:
    assert said(part) == [block]


@pytest.mark.parametrize(
    ("part", "param"),
    [
        (image({"url": "ftp://e.org/a.png"}), "messages[0].content[0].image_url.url"),
        (image({"url": "data:image/png;base64"}), "messages[0].content[0].image_url.url"),
        (file(), "messages[0].content[0].file.file_data"),
        (file(file_data="data:text/plain;base64,/w=="), "messages[0].content[0].file.file_data"),
        (file(file_data="data:text/plain;base64,e"), "messages[0].content[0].file.file_data"),
        ({"type": "input_audio", "input_audio": {}}, "messages[0].content[0]"),
    ],
)
def test_parts_that_claude_cannot_take(part: dict[str, Any], param: str) -> None:
    with pytest.raises(errors.InvalidRequest) as raised:
        said(part)

    assert raised.value.param == param


@pytest.mark.parametrize(
    ("message", "param"),
    [
        ({"role": "function", "name": "f", "content": "x"}, "messages[0].role"),
        (
            {"role": "assistant", "tool_calls": [{"id": "a", "type": "custom", "custom": {}}]},
            "messages[0].tool_calls[0].function",
        ),
    ],
)
def test_messages_that_claude_cannot_take(message: dict[str, Any], param: str) -> None:
    with pytest.raises(errors.InvalidRequest) as raised:
        turns(message)

    assert raised.value.param == param


@given(st.text())
def test_any_text_is_sent_unchanged(words: str) -> None:
    got = turns({"role": "user", "content": words})

    assert got == [{"role": "user", "content": [text(words if words.strip() else ".")]}]
