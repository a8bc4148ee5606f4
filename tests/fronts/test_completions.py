from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types import Completion

from llmgate import errors
from llmgate.fronts import completions

HEAD = {"id": "c", "created": 7, "model": "m", "system_fingerprint": "fp"}
USAGE = {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13}
TOKENS = [
    {"token": "Hé", "logprob": -1.0, "top_logprobs": [{"token": "Ho", "logprob": -2.0}]},
    {"token": "llo", "logprob": -3.0},
]


def asked(**more: Any) -> dict[str, Any]:
    return completions.chat_from_completion({"model": "m", "prompt": "Hi", **more})


def test_a_null_prompt_is_an_empty_message() -> None:
    chat = asked(prompt=None, best_of=0)

    assert chat == {"model": "m", "messages": [{"role": "user", "content": ""}]}


@pytest.mark.parametrize("prompt", ["Hi", ["Hi"]])
def test_a_prompt_is_what_the_user_says(prompt: Any) -> None:
    given_ = {
        "model": "m",
        "prompt": prompt,
        "max_tokens": 5,
        "n": 2,
        "best_of": 2,
        "echo": False,
        "suffix": None,
        "logprobs": 3,
        "stop": ["x"],
        "stream": True,
        "seed": 7,
        "top_k": 1,
    }
    before = json.dumps(given_)

    got = completions.chat_from_completion(given_)

    assert got == {
        "model": "m",
        "messages": [{"role": "user", "content": "Hi"}],
        "max_tokens": 5,
        "n": 2,
        "logprobs": True,
        "top_logprobs": 3,
        "stop": ["x"],
        "stream": True,
        "seed": 7,
        "top_k": 1,
    }
    assert json.dumps(given_) == before


@pytest.mark.parametrize(
    ("logprobs", "wanted"),
    [
        (None, {}),
        (False, {}),
        (True, {"logprobs": True}),
        (0, {"logprobs": True, "top_logprobs": 0}),
    ],
)
def test_log_probabilities_are_asked_for(logprobs: Any, wanted: Any) -> None:
    messages = [{"role": "user", "content": "Hi"}]

    assert asked(logprobs=logprobs) == {"model": "m", "messages": messages, **wanted}


@pytest.mark.parametrize(
    ("more", "param", "words"),
    [
        ({"prompt": ["a", "b"]}, "prompt", "one prompt"),
        ({"prompt": [1, 2]}, "prompt", "no token ids"),
        ({"prompt": [[1, 2]]}, "prompt", "no token ids"),
        ({"echo": True}, "echo", "no 'echo'"),
        ({"suffix": "x"}, "suffix", "no 'suffix'"),
        ({"best_of": 3, "n": 2}, "best_of", "no 'best_of'"),
        ({"best_of": 2}, "best_of", "no 'best_of'"),
    ],
)
def test_what_a_chat_cannot_do_is_refused(more: Any, param: str, words: str) -> None:
    with pytest.raises(errors.InvalidRequest, match=words) as caught:
        asked(**more)

    assert caught.value.param == param


def test_a_reply_is_a_completion() -> None:
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": "Héllo"},
        "logprobs": {"content": TOKENS},
        "finish_reason": "stop",
    }
    silent = {"index": 1, "message": {"content": None}, "finish_reason": "tool_calls"}
    reply = {**HEAD, "object": "chat.completion", "choices": [choice, silent], "usage": USAGE}

    got = completions.completion_from_chat(reply)

    Completion.model_validate(got)
    assert got == {
        **HEAD,
        "object": "text_completion",
        "choices": [
            {
                "text": "Héllo",
                "index": 0,
                "logprobs": {
                    "tokens": ["Hé", "llo"],
                    "token_logprobs": [-1.0, -3.0],
                    "top_logprobs": [{"Ho": -2.0}, {}],
                    "text_offset": [0, 2],
                },
                "finish_reason": "stop",
            },
            {"text": "", "index": 1, "logprobs": None, "finish_reason": "stop"},
        ],
        "usage": USAGE,
    }


def chunk(*choices: Any, **more: Any) -> dict[str, Any]:
    return {**HEAD, "object": "chat.completion.chunk", "choices": list(choices), **more}


def choice(delta: Any, finish: str | None = None, index: int = 0, **more: Any) -> dict[str, Any]:
    return {"index": index, "delta": delta, "finish_reason": finish, **more}


def test_chunks_are_completions() -> None:
    chunks = [
        chunk(choice({"role": "assistant", "content": ""}), usage=None),
        chunk(choice({"reasoning_content": "Hm."})),
        chunk(choice({"content": "Hé"}, logprobs={"content": TOKENS[:1]})),
        chunk(choice({"content": "Ya"}, index=1)),
        chunk(choice({"content": "llo"}, logprobs={"content": TOKENS[1:]})),
        chunk(choice({}, "length"), choice({}, "stop", 1)),
        chunk(usage=USAGE),
    ]

    got = list(completions.completion_chunks(chunks))

    def told(text: str, finish: str | None = None, index: int = 0, logprobs: Any = None) -> Any:
        return {"text": text, "index": index, "logprobs": logprobs, "finish_reason": finish}

    first = {
        "tokens": ["Hé"],
        "token_logprobs": [-1.0],
        "top_logprobs": [{"Ho": -2.0}],
        "text_offset": [0],
    }
    last = {
        "tokens": ["llo"],
        "token_logprobs": [-3.0],
        "top_logprobs": [{}],
        "text_offset": [2],
    }
    wanted: list[Any] = [
        [told("Hé", logprobs=first)],
        [told("Ya", index=1)],
        [told("llo", logprobs=last)],
        [told("", "length"), told("", "stop", 1)],
        [],
    ]
    assert [event["choices"] for event in got] == wanted
    assert {event["object"] for event in got} == {"text_completion"}
    assert got[-1] == {**HEAD, "object": "text_completion", "choices": [], "usage": USAGE}


def test_closing_the_completions_closes_the_chunks() -> None:
    closed = []

    def chunks() -> Iterator[Any]:
        try:
            yield chunk(choice({"content": "a"}))
            yield chunk(choice({"content": "b"}))
        finally:
            closed.append(True)

    got = completions.completion_chunks(chunks())
    next(got)
    got.close()

    assert closed == [True]


@given(st.lists(st.text()))
def test_any_text_comes_through(texts: list[str]) -> None:
    chunks = [chunk(choice({"content": text})) for text in texts]

    got = completions.completion_chunks(chunks)

    assert "".join(event["choices"][0]["text"] for event in got) == "".join(texts)
