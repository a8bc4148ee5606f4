from __future__ import annotations

from typing import Any

import pytest

from llmgate.fronts.gemini import native as front_native
from llmgate.fronts.gemini import thoughts as front_thoughts

TURN = {"role": "user", "parts": [{"text": "Hi"}]}
MODEL = "models/gemini-2.5-flash"


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        ({"contents": [TURN], "x": 1}, {"contents": [TURN], "x": 1}),
        ({"x": 1}, {"x": 1}),
        (
            {"contents": [TURN], "temperature": 0, "stop": "END", "max_tokens": 9, "top_k": 3},
            {
                "contents": [TURN],
                "generationConfig": {
                    "topK": 3,
                    "temperature": 0,
                    "maxOutputTokens": 9,
                    "stopSequences": ["END"],
                },
            },
        ),
        (
            {"generation_config": {"top_p": 1}, "top_p": 0.5, "n": 2, "thinking_config": {}},
            {"generation_config": {"candidateCount": 2, "thinkingConfig": {}, "top_p": 1}},
        ),
        (
            {"generationConfig": None, "seed": 3, "safety_settings": []},
            {"generationConfig": {"seed": 3}, "safety_settings": []},
        ),
    ],
)
def test_a_deployments_defaults_are_put_in_their_place(body: Any, wanted: Any) -> None:
    assert front_native.request({"model": "m", "stream": True, **body}) == wanted


def test_our_signatures_do_not_go_to_google() -> None:
    signature = front_thoughts.signature({"type": "thinking", "signature": "s"})
    part = {"text": "Hm", "thought": True}

    got = front_native.request({"contents": [{"parts": [{**part, "thoughtSignature": signature}]}]})

    assert got == {"contents": [{"parts": [part]}]}


def test_every_turn_has_a_role() -> None:
    assert front_native.with_roles({"contents": [{"parts": []}, {"role": "model"}, 3]}) == {
        "contents": [{"role": "user", "parts": []}, {"role": "model"}, 3]
    }
    assert front_native.with_roles({"a": 1}) == {"a": 1}


def test_tokens_are_counted_for_the_model_that_is_asked() -> None:
    inner = {"model": "models/g", "contents": [TURN]}

    assert front_native.count({"model": "m", "contents": [TURN], "top_k": 3}, MODEL) == {
        "contents": [TURN]
    }
    assert front_native.count({"generate_content_request": inner}, MODEL) == {
        "generate_content_request": {"model": MODEL, "contents": [TURN]}
    }

    assert front_native.count({"contents": [TURN], "generateContentRequest": None}, MODEL) == {
        "contents": [TURN],
        "generateContentRequest": None,
    }


def test_vertex_counts_what_is_not_wrapped() -> None:
    inner = {"model": "models/g", "contents": [{"parts": []}], "tools": []}

    assert front_native.count_plainly({"model": "m", "generateContentRequest": inner}) == {
        "contents": [{"role": "user", "parts": []}],
        "tools": [],
    }


def test_contents_are_embedded_by_the_model_that_is_asked() -> None:
    content = {"parts": [{"text": "Hi"}]}

    assert front_native.embed_one({"model": "m", "content": content}, MODEL) == {
        "model": MODEL,
        "content": content,
    }
    assert front_native.embed_many(
        {"model": "m", "requests": [{"model": "models/g", "content": content}]}, MODEL
    ) == {"requests": [{"model": MODEL, "content": content}]}
