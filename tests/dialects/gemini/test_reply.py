"""Gemini's whole answers as chat completions."""

from __future__ import annotations

import copy
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletion
from testing import samples

from llmgate import errors
from llmgate.contract import Deployment
from llmgate.dialects.gemini import reply as gemini_reply
from llmgate.dialects.gemini import request as gemini_request
from llmgate.dialects.openai import wire as openai_wire

SAMPLES = samples.names("gemini", "reply_")


def deployment(model: str = "gemini-2.5-flash") -> Deployment:
    return Deployment("g", "gemini", model, "https://upstream/v1beta")


def answer(*parts: Any, reason: str = "STOP", **more: Any) -> dict[str, Any]:
    candidate = {"content": {"role": "model", "parts": [*parts]}, "finishReason": reason, **more}
    return {"candidates": [candidate], "responseId": "r1", "modelVersion": "m"}


def choice(raw: Any) -> Any:
    return gemini_reply.completion(raw, deployment())["choices"][0]


@pytest.mark.parametrize("name", SAMPLES)
def test_an_answer_becomes_a_completion_that_openais_types_take(name: str) -> None:
    sample = samples.sample("gemini", name)
    before = copy.deepcopy(sample["response"])

    got = gemini_reply.completion(sample["response"], deployment(sample["model"]))

    assert got == sample["completion"]
    assert sample["response"] == before
    ChatCompletion.model_validate(got)


@pytest.mark.parametrize(
    ("reason", "wanted"),
    [
        ("STOP", "stop"),
        ("MAX_TOKENS", "length"),
        ("CONTINUATION", "length"),
        ("SAFETY", "content_filter"),
        ("SPII", "content_filter"),
        ("OTHER", "content_filter"),
        ("SOMETHING_NEW", "content_filter"),
    ],
)
def test_a_finish_has_openais_word_and_keeps_googles_where_it_says_more(
    reason: str, wanted: str
) -> None:
    got = choice(answer({"text": "x"}, reason=reason))

    assert got["finish_reason"] == wanted
    assert got.get("native_finish_reason") == (reason if wanted == "content_filter" else None)


@pytest.mark.parametrize(("reason", "wanted"), [("STOP", "tool_calls"), ("MAX_TOKENS", "length")])
def test_calls_are_the_finish_unless_the_answer_was_cut(reason: str, wanted: str) -> None:
    got = choice(answer({"functionCall": {"name": "f"}}, reason=reason))

    assert got["finish_reason"] == wanted


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({}, "The model returned no answer: MALFORMED_FUNCTION_CALL."),
        ({"finishMessage": "print(f("}, "print(f("),
    ],
)
def test_an_answer_that_came_to_nothing_is_an_error(more: Any, message: str) -> None:
    with pytest.raises(errors.UpstreamError) as caught:
        choice(answer(reason="MALFORMED_FUNCTION_CALL", **more))

    assert (caught.value.status, caught.value.code, caught.value.message) == (
        502,
        "malformed_function_call",
        message,
    )


@pytest.mark.parametrize("raw", [{}, {"candidates": []}, {"promptFeedback": {}}])
def test_an_answer_without_candidates_or_a_reason_is_an_error(raw: Any) -> None:
    with pytest.raises(errors.BadUpstream):
        gemini_reply.completion(raw, deployment())


def test_why_a_prompt_was_blocked_is_told_in_googles_words() -> None:
    raw = {"promptFeedback": {"blockReason": "MODEL_ARMOR", "blockReasonMessage": "No guns."}}

    assert choice(raw)["message"]["refusal"] == "No guns."


def test_a_candidate_without_content_says_nothing() -> None:
    got = choice({"candidates": [{"finishReason": "STOP"}], "responseId": "r"})

    assert got["message"] == {"role": "assistant", "content": None, "refusal": None}


def test_thoughts_are_joined_and_their_pictures_left_out() -> None:
    got = choice(
        answer(
            {"text": "a", "thought": True},
            {"text": "1"},
            {"text": "b", "thought": True, "thoughtSignature": "c2ln"},
            {"inlineData": {"mimeType": "image/png", "data": "AA=="}, "thought": True},
            {"text": "2"},
        )
    )

    assert got["message"]["reasoning_content"] == "ab"
    assert got["message"]["content"] == "12"
    assert "images" not in got["message"]


def test_what_openai_has_no_word_for_is_kept() -> None:
    sound = {"inlineData": {"mimeType": "audio/L16", "data": "AA=="}}

    got = choice(answer({"text": "x"}, sound, urlContextMetadata={"urlMetadata": []}))

    assert got["message"]["extra_content"] == {
        "google": {"url_context_metadata": {"urlMetadata": []}, "parts": [sound]}
    }


def test_ids_are_the_same_for_the_same_answer_and_others_in_others() -> None:
    calls = [{"functionCall": {"name": "f"}}] * 2
    first, again = answer(*calls), answer(*calls)
    other = {**answer(*calls), "responseId": "r2"}
    nameless = {key: value for key, value in first.items() if key != "responseId"}

    ids = [
        [call["id"] for call in choice(raw)["message"]["tool_calls"]]
        for raw in (first, again, other, nameless)
    ]

    assert ids[0] == ids[1]
    assert len({id for made in ids for id in made}) == 6
    assert all(re.fullmatch(r"call_[0-9a-f]{24}", id) for made in ids for id in made)


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        (
            {"promptTokenCount": 5, "candidatesTokenCount": 7, "thoughtsTokenCount": 3},
            (5, 10, 15),
        ),
        (  # thoughts are among the candidates' tokens
            {
                "promptTokenCount": 5,
                "candidatesTokenCount": 7,
                "thoughtsTokenCount": 3,
                "totalTokenCount": 12,
            },
            (5, 7, 12),
        ),
        ({"totalTokenCount": 0, "promptTokenCount": 0}, (0, 0, 0)),
    ],
)
def test_thoughts_are_counted_once(said: Any, wanted: Any) -> None:
    raw = {**answer({"text": "x"}), "usageMetadata": said}

    got = gemini_reply.completion(raw, deployment())["usage"]

    assert (got["prompt_tokens"], got["completion_tokens"], got["total_tokens"]) == wanted


def test_tokens_of_sound_are_told_apart() -> None:
    details = [{"modality": "TEXT", "tokenCount": 1}, {"modality": "AUDIO", "tokenCount": 4}]
    said = {
        "promptTokenCount": 5,
        "candidatesTokenCount": 5,
        "promptTokensDetails": details,
        "candidatesTokensDetails": details,
    }

    got = openai_wire.usage(
        gemini_reply.completion({**answer({"text": "x"}), "usageMetadata": said}, deployment())
    )

    assert got == {
        "prompt_tokens": 5,
        "completion_tokens": 5,
        "cached_tokens": 0,
        "reasoning_tokens": 0,
        "audio_prompt_tokens": 4,
        "audio_completion_tokens": 4,
    }


def test_an_answer_without_usage_has_none() -> None:
    assert "usage" not in gemini_reply.completion(answer({"text": "x"}), deployment())


def test_a_broken_token_has_bytes_all_the_same() -> None:
    got = choice(answer({"text": "x"}, logprobsResult={"chosenCandidates": [{"token": "\ud83d"}]}))

    assert got["logprobs"]["content"] == [
        {"token": "\ud83d", "logprob": 0.0, "bytes": [237, 160, 189], "top_logprobs": []}
    ]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(
    st.dictionaries(st.text(), JSON),
    st.text(min_size=1),
    st.text().filter(lambda text: not text or text.strip()),
)
def test_what_the_model_said_and_called_goes_back_as_it_came(
    arguments: dict[str, Any], signature: str, text: str
) -> None:
    call = {"functionCall": {"id": "a", "name": "f", "args": arguments}}
    parts = [*([{"text": text}] if text else []), {**call, "thoughtSignature": signature}]
    message = choice(answer(*parts))["message"]

    back = gemini_request.request(
        {"model": "g", "messages": [{"role": "user", "content": "Hi"}, message]}, deployment()
    )

    assert back["contents"][1] == {"role": "model", "parts": parts}
