from __future__ import annotations

import base64
import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmgate import errors
from llmgate.dialects.gemini import contents as gemini_contents
from llmgate.fronts.gemini import contents as front_contents
from llmgate.fronts.gemini import thoughts as front_thoughts


def said(*turns: dict[str, Any]) -> list[dict[str, Any]]:
    before = copy.deepcopy(turns)
    found = front_contents.messages(turns)
    assert turns == before
    return found


def user(*parts: Any) -> dict[str, Any]:
    return {"role": "user", "parts": list(parts)}


def model(*parts: Any) -> dict[str, Any]:
    return {"role": "model", "parts": list(parts)}


def inline(kind: str, data: str, **more: str) -> dict[str, Any]:
    return {"inlineData": {"mimeType": kind, "data": data, **more}}


def linked(uri: str, kind: str | None = None, **more: str) -> dict[str, Any]:
    return {"fileData": {"fileUri": uri, "mimeType": kind, **more}}


def call(name: str, args: Any = None, id: str | None = None) -> dict[str, Any]:
    return {"functionCall": {"name": name, "args": args, **({"id": id} if id else {})}}


def result(name: str, response: Any = None, **more: Any) -> dict[str, Any]:
    return {"functionResponse": {"name": name, "response": response, **more}}


def called(id: str, name: str, arguments: str = "{}") -> dict[str, Any]:
    return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}


def text(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


@pytest.mark.parametrize(
    ("instruction", "wanted"),
    [
        (None, []),
        ({}, []),
        ({"parts": [{"text": ""}, {}]}, []),
        ("Be brief", [{"role": "system", "content": "Be brief"}]),
        ({"parts": [{"text": "a"}, {"text": "b"}]}, [{"role": "system", "content": "a\n\nb"}]),
    ],
)
def test_what_the_model_is_told_beforehand(instruction: Any, wanted: Any) -> None:
    assert front_contents.system(instruction) == wanted


@pytest.mark.parametrize(
    ("part", "wanted"),
    [
        (inline("image/png", "a-_="), {"image_url": {"url": "data:image/png;base64,a+/="}}),
        (inline("video/mp4", "aa"), {"video_url": {"url": "data:video/mp4;base64,aa"}}),
        (inline("audio/mpeg", "aa"), {"input_audio": {"data": "aa", "format": "mp3"}}),
        (inline("audio/OGG;codecs=x", "aa"), {"input_audio": {"data": "aa", "format": "ogg"}}),
        (
            inline("application/pdf", "aa"),
            {"file": {"filename": "document.pdf", "file_data": "data:application/pdf;base64,aa"}},
        ),
        (
            inline("application/pdf", "aa", displayName="x.pdf"),
            {"file": {"filename": "x.pdf", "file_data": "data:application/pdf;base64,aa"}},
        ),
        (linked("https://e.org/a", "image/png"), {"image_url": {"url": "https://e.org/a"}}),
        (linked("https://e.org/a.png"), {"image_url": {"url": "https://e.org/a.png"}}),
        (linked("https://youtu.be/x"), {"video_url": {"url": "https://youtu.be/x"}}),
        (
            linked("https://e.org/a"),
            {"file": {"filename": "document", "file_id": "https://e.org/a"}},
        ),
        (
            linked("https://e.org/a", displayName="A"),
            {"file": {"filename": "A", "file_id": "https://e.org/a"}},
        ),
    ],
)
def test_what_is_sent_along(part: dict[str, Any], wanted: dict[str, Any]) -> None:
    (kind,) = wanted

    assert said(user(part)) == [{"role": "user", "content": [{"type": kind, **wanted}]}]


@pytest.mark.parametrize(
    ("part", "wanted"),
    [
        ({"text": "Hi"}, "Hi"),
        (inline("text/plain", base64.urlsafe_b64encode("Grüße".encode()).decode()), "Grüße"),
        ({"executableCode": {"language": "PYTHON", "code": "1"}}, "```python\n1\n```\n"),
        ({"executableCode": {"code": "1"}}, "```\n1\n```\n"),
        ({"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1"}}, "```\n1\n```\n"),
        ({"codeExecutionResult": {}}, "```\n\n```\n"),
    ],
)
def test_what_is_text(part: dict[str, Any], wanted: str) -> None:
    assert said(user(part), model(part)) == [
        {"role": "user", "content": wanted},
        {"role": "assistant", "content": wanted},
    ]


def test_a_turn_without_a_role_is_the_users_and_may_say_several_things() -> None:
    parts = [{"text": "a"}, {"text": ""}, {"videoMetadata": {}}, {"text": "b"}, {}]

    assert said({"parts": parts}, {"parts": None}, {}) == [
        {"role": "user", "content": [text("a"), text("b")]}
    ]


def test_what_the_model_said_is_one_message() -> None:
    drawn = inline("image/png", "aa")

    assert said(model({"text": "a"}, {"text": "b"}, drawn), model({"text": ""})) == [
        {
            "role": "assistant",
            "content": "ab",
            "images": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,aa"}}],
        },
        {"role": "assistant", "content": ""},
    ]


def test_calls_without_ids_are_given_some_and_answered_in_their_order() -> None:
    got = said(
        user({"text": "?"}),
        model(call("f", {"a": "ü"}), call("g", id="own"), call("f")),
        user(result("g", {"a": 1}, id="own"), result("f", {"output": "1"}), result("f")),
    )

    assert got[1:] == [
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                called("call_1_0", "f", '{"a":"ü"}'),
                called("own", "g"),
                called("call_1_2", "f"),
            ],
        },
        {"role": "tool", "tool_call_id": "own", "content": '{"a":1}'},
        {"role": "tool", "tool_call_id": "call_1_0", "content": "1"},
        {"role": "tool", "tool_call_id": "call_1_2", "content": "{}"},
    ]


def test_a_result_with_an_id_of_an_unknown_call_is_told_by_it() -> None:
    assert said(user(result("f", {"output": 3}, id="x"))) == [
        {"role": "tool", "tool_call_id": "x", "content": "3"}
    ]


def test_pictures_among_results_are_said_by_the_user() -> None:
    got = said(
        model(call("f", id="x")),
        {"role": "function", "parts": [result("f", {}, parts=[inline("image/png", "aa")])]},
    )

    assert got[1:] == [
        {"role": "tool", "tool_call_id": "x", "content": "{}"},
        {
            "role": "user",
            "content": [
                text("Result of tool call x:"),
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,aa"}},
            ],
        },
    ]


@pytest.mark.parametrize(
    ("turn", "why"),
    [
        (user({"toolCall": {}}), "Only Gemini reads a part with 'toolCall'"),
        (user(result("f", {})), "No functionCall before this functionResponse of 'f'"),
    ],
)
def test_what_means_nothing_elsewhere_is_refused(turn: dict[str, Any], why: str) -> None:
    with pytest.raises(errors.InvalidRequest, match=why) as caught:
        said(turn)

    assert caught.value.param == "contents"


def test_thoughts_are_reasoning_and_signed_ones_are_blocks() -> None:
    block = {"type": "thinking", "thinking": "ab", "signature": "s"}
    hidden = {"type": "redacted_thinking", "data": "d"}
    ours = front_thoughts.signature

    got = said(
        model(
            {"text": "a", "thought": True},
            {"text": "", "thought": True, "thoughtSignature": ours(hidden)},
            {"text": "b", "thought": True, "thoughtSignature": ours(block)},
            {"text": "c", "thought": True, "thoughtSignature": "c2ln"},
            {"text": "Hi"},
        )
    )

    assert got == [
        {
            "role": "assistant",
            "content": "Hi",
            "reasoning_content": "abc",
            "thinking_blocks": [hidden, block],
        }
    ]


WORDS = st.text().map(str.strip).filter(bool)
ARGS = st.dictionaries(st.text(), st.none() | st.booleans() | st.integers() | st.text())


@st.composite
def conversations(draw: st.DrawFn) -> list[dict[str, Any]]:
    turns = [user({"text": draw(WORDS)})]
    for args in draw(st.lists(st.lists(ARGS, min_size=1, max_size=3), max_size=3)):
        ids = [f"c{len(turns)}_{at}" for at in range(len(args))]
        calls = [call("f", each, id) for each, id in zip(args, ids, strict=True)]
        turns.append(model({"text": draw(WORDS)}, *calls))
        turns.append(user(*(result("f", {"output": f"{draw(WORDS)}x"}, id=id) for id in ids)))
    return [*turns, model({"text": draw(WORDS)})]


@given(conversations())
def test_there_and_back_is_the_same_conversation(turns: list[dict[str, Any]]) -> None:
    messages = said(*turns)

    assert gemini_contents.conversation(messages, signed=False) == ([], turns)
