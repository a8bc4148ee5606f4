"""What was used, found in the bytes of providers' own wires."""

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


def packed(event: Any) -> bytes:
    """Return a chunk of InvokeModelWithResponseStream, as far as it is JSON."""
    return json.dumps({"bytes": base64.b64encode(json.dumps(event).encode()).decode()}).encode()


METRICS = {"amazon-bedrock-invocationMetrics": {"inputTokenCount": 3, "outputTokenCount": 4}}
DETAILS = {"input_tokens": 9, "input_tokens_details": {"cached_tokens": 2}, "output_tokens": 4}
CONVERSE = {"inputTokens": 3, "outputTokens": 4, "cacheReadInputTokens": 2, "totalTokens": 9}


@pytest.mark.parametrize(
    ("data", "wanted"),
    [
        (
            {"usage": {"prompt_tokens": 3, "completion_tokens": 4}},
            {"prompt_tokens": 3, "completion_tokens": 4},
        ),
        ({"usage": DETAILS}, {"prompt_tokens": 9, "completion_tokens": 4, "cached_tokens": 2}),
        (
            {"usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 4}},
            {"prompt_tokens": 3, "completion_tokens": 4},
        ),
        ({"usage": CONVERSE}, {"prompt_tokens": 5, "completion_tokens": 4, "cached_tokens": 2}),
        (
            {"meta": {"billed_units": {"input_tokens": 3, "output_tokens": 4}}},
            {"prompt_tokens": 3, "completion_tokens": 4},
        ),
        (
            {"usage": {"input_tokens": 3, "output_tokens": 4}},
            {"prompt_tokens": 3, "completion_tokens": 4},
        ),
        ({"usage": {"output_tokens": 4}}, {"completion_tokens": 4}),
        ({"usage": {"total_tokens": 4}}, {}),
        ({"usage": {"unknown": 4}}, {}),
        ({"usage": {"input_tokens": "many"}}, {}),
        ({"usage": None}, {}),
        ({}, {}),
    ],
)
def test_a_report_is_read_on_every_wire(data: Any, wanted: dict[str, int]) -> None:
    got = native_usage.usage(json.dumps(data).encode())

    assert {unit: count for unit, count in got.items() if count} == wanted


def test_a_chunk_of_invoke_model_is_unpacked() -> None:
    data = packed({"model": "claude-x"}) + b'{"bytes":"AAA"}' + packed(METRICS)

    assert native_usage.usage(data) == {"prompt_tokens": 3, "completion_tokens": 4}
    assert native_usage.model(data) == "claude-x"


def test_what_is_no_json_is_no_report() -> None:
    assert native_usage.usage(b'"usage": {x}') == {}


def test_a_later_report_of_a_stream_adds_to_an_earlier_one() -> None:
    data = anthropic_samples.stream(anthropic_samples.events("text"))
    said = [json.loads(each) for each in _reports(data)]

    got = native_usage.usage(data)

    assert got["prompt_tokens"] == said[0]["input_tokens"]
    assert got["completion_tokens"] == said[-1]["output_tokens"]


def _reports(data: bytes) -> list[bytes]:
    return [found[1] for found in native_usage._REPORT.findall(data)]


def test_the_model_is_the_first_that_is_named() -> None:
    reply = sample("gemini", "reply_text")["response"]

    assert native_usage.model(json.dumps(reply).encode()) == reply["modelVersion"]
    assert native_usage.model(b'{"model":"a"} {"model":"b"}') == "a"
    assert native_usage.model(b"{}") is None


@given(st.binary() | st.text().map(str.encode))
def test_any_bytes_are_read_without_an_error(data: bytes) -> None:
    assert native_usage.usage(b'{"usage": ' + data) == native_usage.usage(b'{"usage": ' + data)
    assert native_usage.model(data) is None or b"model" in data
