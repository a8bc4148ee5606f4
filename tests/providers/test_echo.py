from __future__ import annotations

import base64
import json
import struct
import time
from typing import Any

import pytest
from openai.types import Completion
from openai.types import CreateEmbeddingResponse
from openai.types import ModerationCreateResponse
from openai.types.chat import ChatCompletion
from openai.types.chat import ChatCompletionChunk

from llmgate import errors
from llmgate.contract import Call
from llmgate.contract import Deployment
from llmgate.dialects.openai import wire as openai_wire
from llmgate.providers import echo
from llmgate.providers.echo import ECHO

DEPLOYMENT = Deployment("g", "echo", "echo", "echo:")
SAID = "Hello,  there!\n\nHow are\tyou? \U0001f600 "


def pieces(name: str, body: dict[str, Any]) -> tuple[str, list[bytes]]:
    """Return the media type and the bytes of the answer to *body*."""
    call = ECHO.authorize(
        ECHO.operations[name].build({"model": "g", **body}, DEPLOYMENT), DEPLOYMENT
    )
    assert ECHO.local_handler
    answer = ECHO.local_handler(call)
    assert answer.status == 200
    answer.close()
    return answer.content_type, list(answer.pieces)


def reply(name: str, **body: Any) -> Any:
    kind, (data,) = pieces(name, body)
    assert kind == "application/json"
    return json.loads(data)


def events(name: str, **body: Any) -> list[Any]:
    kind, found = pieces(name, {**body, "stream": True})
    assert kind == "text/event-stream"
    return list(openai_wire.chunks(iter(found), DEPLOYMENT))


def user(content: Any) -> list[dict[str, Any]]:
    return [{"role": "user", "content": content}]


# -- what it says


@pytest.mark.parametrize(
    ("messages", "wanted"),
    [
        (user(SAID), SAID),
        (user(""), ""),
        (user(None), ""),
        (user([{"type": "text", "text": "a "}, {"type": "image_url"}, {"text": None}, "x"]), "a "),
        (user("first") + user("second"), "second"),
        ([*user("first"), {"role": "assistant", "content": "no"}], "first"),
        ([{"role": "system", "content": "only"}], "only"),
        ([{"role": "assistant", "tool_calls": []}], ""),
    ],
)
def test_the_last_of_the_user_is_said_again(messages: Any, wanted: str) -> None:
    got = reply("chat", messages=messages)

    assert ChatCompletion.model_validate(got).choices[0].message.content == wanted
    assert got["choices"][0]["finish_reason"] == "stop"
    assert got["model"] == "echo"


@pytest.mark.parametrize(
    ("prompt", "wanted"),
    [(SAID, SAID), (["a", "b c"], "a b c"), ([1, 2], "1 2"), ([[1], [2]], "[1] [2]"), (None, "")],
)
def test_a_prompt_is_said_again(prompt: Any, wanted: str) -> None:
    got = reply("completions", prompt=prompt)

    assert Completion.model_validate(got).choices[0].text == wanted


@pytest.mark.parametrize("said", [SAID, "", " ", "\n", "a", " a", "a "])
def test_tokens_are_the_whole_text(said: str) -> None:
    assert "".join(echo.tokens(said)) == said


@pytest.mark.parametrize("said", [SAID, "one", "", " "])
def test_chunks_join_to_the_whole_reply(said: str) -> None:
    whole = reply("chat", messages=user(said))
    got = events("chat", messages=user(said))

    assert [ChatCompletionChunk.model_validate(event) for event in got]
    deltas = [event["choices"][0] for event in got[:-1]]
    assert "".join(choice["delta"].get("content", "") for choice in deltas) == said
    assert [choice["finish_reason"] for choice in deltas] == [None] * (len(deltas) - 1) + ["stop"]
    assert deltas[0]["delta"]["role"] == "assistant"
    assert (got[-1]["choices"], got[-1]["usage"]) == ([], whole["usage"])
    assert {event["object"] for event in got} == {"chat.completion.chunk"}
    assert len({event["id"] for event in got}) == 1


def test_chunks_of_text_join_to_the_whole_reply() -> None:
    got = events("completions", prompt=SAID)

    assert [Completion.model_validate(event) for event in got[-2:]]  # before: null reasons
    assert "".join(event["choices"][0]["text"] for event in got[:-1]) == SAID
    assert got[-1]["usage"] == reply("completions", prompt=SAID)["usage"]


@pytest.mark.parametrize("name", ["chat", "completions"])
def test_each_word_is_an_event_of_its_own(name: str) -> None:
    body = {"messages": user("a b c"), "prompt": "a b c", "stream": True}

    _, found = pieces(name, body)

    assert all(piece.count(b"\n\n") == 1 for piece in found)
    assert found[-1] == b"data: [DONE]\n\n"
    assert len(found) == 3 + (4 if name == "chat" else 3)


@pytest.mark.parametrize("name", ["chat", "completions", "moderations"])
def test_each_answer_has_an_id_of_its_own(name: str) -> None:
    body = {"messages": user("a"), "prompt": "a", "input": "a"}

    assert reply(name, **body)["id"] != reply(name, **body)["id"]


@pytest.mark.parametrize("name", ["chat", "completions"])
def test_it_says_when_it_answered(name: str) -> None:
    body = {"messages": user("a"), "prompt": "a"}
    before = int(time.time())

    told = [reply(name, **body), *events(name, **body)]

    assert all(before <= each["created"] <= time.time() for each in told)


@pytest.mark.parametrize("wanted", [1, 2, 3, 128, None])
def test_there_are_as_many_choices_as_are_wanted(wanted: int | None) -> None:
    count = wanted or 1

    got = reply("chat", messages=user("a b"), n=wanted)

    assert [choice["index"] for choice in got["choices"]] == list(range(count))
    assert {choice["message"]["content"] for choice in got["choices"]} == {"a b"}
    assert got["usage"] == {
        "prompt_tokens": 2,
        "completion_tokens": 2 * count,
        "total_tokens": 2 + 2 * count,
    }
    texts = reply("completions", prompt="a b", n=wanted)
    assert [choice["text"] for choice in texts["choices"]] == ["a b"] * count
    assert texts["usage"] == got["usage"]


@pytest.mark.parametrize("name", ["chat", "completions"])
def test_chunks_of_several_choices_join_to_the_whole_reply(name: str) -> None:
    body = {"messages": user("a b c"), "prompt": "a b c", "n": 2, "max_tokens": 2}

    got = events(name, **body)

    whole = reply(name, **body)
    assert got[-1]["usage"] == whole["usage"]
    for at in (0, 1):
        mine = [c for event in got for c in event["choices"] if c["index"] == at]
        said = [choice.get("text") or choice.get("delta", {}).get("content", "") for choice in mine]
        assert "".join(said) == "a b"
        assert [choice["finish_reason"] for choice in mine[-2:]] == [None, "length"]


@pytest.mark.parametrize("stream", [False, True])
def test_too_many_choices_are_refused(stream: bool) -> None:
    with pytest.raises(errors.InvalidRequest) as caught:
        pieces("chat", {"messages": user("a"), "n": 129, "stream": stream})

    assert caught.value.param == "n"


# -- what it counts


def test_usage_counts_what_was_told_and_what_was_said() -> None:
    messages = [{"role": "system", "content": "be brief"}, *user([{"text": "one two three"}])]

    got = reply("chat", messages=messages)["usage"]

    assert got == {"prompt_tokens": 5, "completion_tokens": 3, "total_tokens": 8}


def test_usage_counts_a_prompt() -> None:
    got = reply("completions", prompt=[7, 8, 9], max_tokens=2)["usage"]

    assert got == {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}


@pytest.mark.parametrize(
    ("limits", "said", "reason"),
    [
        ({"max_tokens": 2}, "a b", "length"),
        ({"max_completion_tokens": 1, "max_tokens": 2}, "a", "length"),
        ({"max_tokens": 3}, "a b c", "stop"),
        ({"max_tokens": 9}, "a b c", "stop"),
        ({"max_tokens": None}, "a b c", "stop"),
        ({"max_tokens": -1}, "a b c", "stop"),
    ],
)
def test_a_limit_ends_the_answer(limits: Any, said: str, reason: str) -> None:
    got = reply("chat", messages=user("a b c"), **limits)
    streamed = events("chat", messages=user("a b c"), **limits)

    (choice,) = got["choices"]
    assert (choice["message"]["content"], choice["finish_reason"]) == (said, reason)
    assert got["usage"]["completion_tokens"] == len(said.split())
    assert streamed[-2]["choices"][0]["finish_reason"] == reason
    assert streamed[-1]["usage"] == got["usage"]


# -- embeddings


@pytest.mark.parametrize(
    ("given", "count", "tokens"),
    [
        ("a b", 1, 2),
        (["a b", "c"], 2, 3),
        ([1, 2, 3], 1, 3),
        ([[1, 2], [3]], 2, 3),
        ([""], 1, 0),
        ("\ud800", 1, 1),
    ],
)
def test_each_input_has_its_vector(given: Any, count: int, tokens: int) -> None:
    got = reply("embeddings", input=given)

    assert CreateEmbeddingResponse.model_validate(got)
    assert [row["index"] for row in got["data"]] == list(range(count))
    assert {len(row["embedding"]) for row in got["data"]} == {8}
    assert got["usage"] == {"prompt_tokens": tokens, "total_tokens": tokens}


def test_the_same_text_has_the_same_vector() -> None:
    first, second, third = reply("embeddings", input=["a", "a", "b"])["data"]

    assert first["embedding"] == second["embedding"] != third["embedding"]
    assert all(-1 <= value < 1 for value in first["embedding"])


@pytest.mark.parametrize("dimensions", [None, 1, 256, 4096])
def test_vectors_in_base64_are_the_same(dimensions: int | None) -> None:
    body = {"input": ["a", "b c"], "dimensions": dimensions}

    floats = reply("embeddings", **body, encoding_format="float")["data"]
    packed = reply("embeddings", **body, encoding_format="base64")["data"]

    for row, other in zip(floats, packed, strict=True):
        data = base64.b64decode(other["embedding"])
        assert list(struct.unpack(f"<{len(data) // 4}f", data)) == row["embedding"]
        assert len(row["embedding"]) == (dimensions or 8)


def test_too_many_dimensions_are_refused() -> None:
    with pytest.raises(errors.InvalidRequest) as caught:
        pieces("embeddings", {"input": "a", "dimensions": 1_000_000_000})

    assert caught.value.param == "dimensions"


# -- moderations


@pytest.mark.parametrize(
    ("given", "count"), [("a", 1), (["a", "b"], 2), ([{"type": "text", "text": "a"}], 1)]
)
def test_nothing_is_flagged(given: Any, count: int) -> None:
    got = ModerationCreateResponse.model_validate(reply("moderations", input=given))

    assert [result.flagged for result in got.results] == [False] * count


# -- the provider


def test_it_needs_neither_key_nor_address() -> None:
    assert ECHO.base_url({}) == ECHO.base_url({"api_base": "http://x"}) == "echo:"
    call = Call("POST", "echo:/x", {})
    assert ECHO.authorize(call, DEPLOYMENT) == call
