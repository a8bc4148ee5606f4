"""Usage found in answers on any wire, wherever their bytes are cut."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from testing import anthropic_samples
from testing.samples import sample

from llmgate.dialects import native_usage
from llmgate.pipeline import usage_tap

ANTHROPIC = {"input_tokens": 10, "cache_read_input_tokens": 5, "output_tokens": 1}
GEMINI = {"promptTokenCount": 9, "candidatesTokenCount": 7, "totalTokenCount": 16}
METRICS = {"inputTokenCount": 9, "outputTokenCount": 4, "invocationLatency": 1}


def found(said: Any) -> dict[str, float]:
    """Return the usage in *said*, but for what is zero."""
    usage = native_usage.usage(json.dumps(said).encode())
    return {name: count for name, count in usage.items() if count}


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        (
            {"usage": {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}},
            {"prompt_tokens": 3, "completion_tokens": 4},
        ),
        (
            {"usage": {"input_tokens": 3, "input_tokens_details": {"cached_tokens": 2}}},
            {"prompt_tokens": 3, "cached_tokens": 2},
        ),
        (
            {"usage": ANTHROPIC},
            {"prompt_tokens": 15, "cached_tokens": 5, "completion_tokens": 1},
        ),
        ({"usage": {"output_tokens": 8}}, {"completion_tokens": 8}),
        ({"usageMetadata": GEMINI}, {"prompt_tokens": 9, "completion_tokens": 7}),
        (
            {"usage": {"inputTokens": 8, "outputTokens": 3, "cacheReadInputTokens": 2}},
            {"prompt_tokens": 10, "completion_tokens": 3, "cached_tokens": 2},
        ),
        (
            {"amazon-bedrock-invocationMetrics": METRICS},
            {"prompt_tokens": 9, "completion_tokens": 4},
        ),
        (
            {"usage": {"billed_units": {"input_tokens": 5, "output_tokens": 2}, "tokens": {}}},
            {"prompt_tokens": 5, "completion_tokens": 2},
        ),
        (
            {"meta": {"billed_units": {"input_tokens": 5}}},
            {"prompt_tokens": 5},
        ),
        ({"usage": {"total_tokens": 9}}, {}),
        ({"usage": None}, {}),
        ({"usage": {}}, {}),
        ({"meta": {"x": 1}}, {}),
        ({"usage": {"inputTokens": "many"}}, {}),
        ({"usageMetadata": {"promptTokenCount": "many"}}, {}),
        ({}, {}),
    ],
)
def test_usage_is_read_in_the_words_of_each_provider(said: Any, wanted: Any) -> None:
    assert found(said) == wanted


def test_what_is_no_json_says_nothing() -> None:
    assert native_usage.usage(b'"usage": {"prompt_tokens": 03}') == {}


def test_the_end_of_a_stream_goes_before_its_beginning() -> None:
    data = (
        b'data: {"message": {"model": "claude-x", "usage": %s}}\n\n'
        b'data: {"usage": {"output_tokens": 30}}\n\n' % json.dumps(ANTHROPIC).encode()
    )

    assert native_usage.usage(data) == {
        "prompt_tokens": 15,
        "completion_tokens": 30,
        "cached_tokens": 5,
    }
    assert native_usage.model(data) == "claude-x"


def test_what_invoke_model_hides_in_base64_is_read() -> None:
    hidden = base64.b64encode(json.dumps({"model": "m", "usage": ANTHROPIC}).encode()).decode()
    data = json.dumps({"bytes": hidden}).encode() + b'\x00{"bytes":"!"}{"bytes":"abc"}'

    assert native_usage.usage(data)["prompt_tokens"] == 15
    assert native_usage.model(data) == "m"


def test_no_model_is_none() -> None:
    assert native_usage.model(b"{}") is None


@pytest.mark.parametrize("size", [1, 7, 1000, 16_384, 100_000])
@pytest.mark.parametrize("between", [0, 10_000, 16_300, 200_000])
def test_the_ends_are_heard_however_bytes_are_cut(size: int, between: int) -> None:
    head = b'{"model": "m", "usage": {"input_tokens": 7, "output_tokens": 1}}'
    tail = b'{"usage": {"output_tokens": 9}}'
    data = head + b"x" * between + tail
    heard: list[Any] = []
    pieces = [data[at : at + size] for at in range(0, len(data), size)]

    got = list(usage_tap.native_pieces(pieces, lambda usage, model: heard.append((usage, model))))

    assert got == pieces
    ((usage, model),) = heard
    assert (usage["prompt_tokens"], usage["completion_tokens"], model) == (7, 9, "m")


def test_what_is_read_halfway_is_heard_halfway() -> None:
    heard: list[Any] = []
    pieces = iter([b'{"model": "m"', b"}"])
    answer = usage_tap.native_pieces(pieces, lambda usage, model: heard.append(model))

    next(answer)
    answer.close()  # type: ignore[attr-defined]

    assert heard == ["m"]


def test_a_later_report_of_a_stream_adds_to_an_earlier_one() -> None:
    data = anthropic_samples.stream(anthropic_samples.events("text"))
    said = [json.loads(found[1]) for found in native_usage._REPORT.findall(data)]

    got = native_usage.usage(data)

    assert got["prompt_tokens"] == said[0]["input_tokens"]
    assert got["completion_tokens"] == said[-1]["output_tokens"]


def test_the_model_is_the_first_that_is_named() -> None:
    reply = sample("gemini", "reply_text")["response"]

    assert native_usage.model(json.dumps(reply).encode()) == reply["modelVersion"]
    assert native_usage.model(b'{"model":"a"} {"model":"b"}') == "a"


@given(st.binary() | st.text().map(str.encode))
def test_any_bytes_are_read_without_an_error(data: bytes) -> None:
    assert native_usage.usage(b'{"usage": ' + data) == native_usage.usage(b'{"usage": ' + data)
    assert native_usage.model(data) is None or b"model" in data
