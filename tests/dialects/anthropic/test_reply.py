from __future__ import annotations

import pytest
from openai.types.chat import ChatCompletion
from testing import anthropic_samples as samples

from llmgate.dialects.anthropic import wire as anthropic_wire
from llmgate.dialects.anthropic.reply import finish_reason
from llmgate.dialects.openai import wire as openai_wire


def test_a_text_is_a_completion() -> None:
    assert anthropic_wire.chat_from_message(samples.message("text")) == {
        "id": "msg_013Zva2CMHLNnXjNJJKqJ2EF",
        "object": "chat.completion",
        "created": 0,
        "model": "claude-sonnet-4-5-20250929",
        "choices": [
            {
                "index": 0,
                "message": {
                    "role": "assistant",
                    "content": "Hello! How can I help?",
                    "refusal": None,
                },
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {
            "prompt_tokens": 12,
            "completion_tokens": 9,
            "total_tokens": 21,
            "prompt_tokens_details": {"cached_tokens": 0, "cache_creation_tokens": 0},
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
            "service_tier": "standard",
            "inference_geo": "global",
        },
    }


@pytest.mark.parametrize("name", samples.MESSAGES)
def test_completions_are_what_the_sdk_reads(name: str) -> None:
    ChatCompletion.model_validate(anthropic_wire.chat_from_message(samples.message(name)))


def test_thinking_and_calls_in_parallel_are_kept() -> None:
    message = samples.message("tools")

    choice = anthropic_wire.chat_from_message(message)["choices"][0]

    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"] == {
        "role": "assistant",
        "content": "I look both up.",
        "reasoning_content": "Two cities, two calls.",
        "thinking_blocks": message["content"][:2],
        "tool_calls": [
            {
                "id": "toolu_01A09q90qw90lq917835lq9",
                "type": "function",
                "function": {"name": "weather", "arguments": '{"city":"Zürich","days":2}'},
            },
            {
                "id": "toolu_01T1x1fJ34qAmk2tNTrN7Up6",
                "type": "function",
                "function": {"name": "clock", "arguments": "{}"},
            },
        ],
        "refusal": None,
    }


def test_texts_are_joined_and_cached_tokens_counted_in() -> None:
    reply = anthropic_wire.chat_from_message(samples.message("cached"))

    assert reply["choices"][0]["message"]["content"] == "From the cache."
    assert openai_wire.usage(reply) == {
        "prompt_tokens": 21 + 188_086 + 1024,
        "completion_tokens": 503,
        "cached_tokens": 188_086,
        "cache_creation_tokens": 1024,
    }


def test_a_refusal_says_why() -> None:
    choice = anthropic_wire.chat_from_message(samples.message("refusal"))["choices"][0]

    assert choice["finish_reason"] == "content_filter"
    assert choice["message"] == {
        "role": "assistant",
        "content": None,
        "refusal": "This request could enable biological harm.",
    }


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("pause_turn", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("tool_use", "tool_calls"),
        ("refusal", "content_filter"),
        ("something_new", "stop"),
        (None, "stop"),
    ],
)
def test_stop_reasons(theirs: str | None, ours: str) -> None:
    assert finish_reason(theirs) == ours


def test_usage_of_messages_and_of_their_events_is_counted() -> None:
    assert anthropic_wire.counted(samples.message("cached")) == {
        "prompt_tokens": 189_131,
        "cached_tokens": 188_086,
        "cache_creation_tokens": 1024,
        "completion_tokens": 503,
    }
    assert anthropic_wire.counted(samples.events("thinking")[0]) == {
        "prompt_tokens": 2530,
        "cached_tokens": 2000,
        "cache_creation_tokens": 500,
        "completion_tokens": 1,
    }
    assert anthropic_wire.counted(samples.events("thinking")[-2]) == {
        "completion_tokens": 60,
        "reasoning_tokens": 41,
    }


@pytest.mark.parametrize(
    "report", [{}, {"type": "message_stop"}, {"input_tokens": 3}, {"usage": {}, "message": 1}]
)
def test_what_reports_nothing_counts_nothing(report: dict[str, object]) -> None:
    assert anthropic_wire.counted(report) == {}


def test_usage_may_come_in_parts() -> None:
    assert anthropic_wire.counted({"usage": {"input_tokens": 0, "output_tokens": 4}}) == {
        "completion_tokens": 4
    }
    assert anthropic_wire.counted({"usage": {"input_tokens": 3}}) == {
        "prompt_tokens": 3,
        "cached_tokens": 0,
        "cache_creation_tokens": 0,
    }
