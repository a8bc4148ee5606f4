from __future__ import annotations

from typing import Any

import pytest

from llmgate.access import estimate
from llmgate.access import flights

CHAT: dict[str, Any] = {"model": "g", "messages": [{"role": "user", "content": "Hi"}]}


@pytest.mark.parametrize(
    ("more", "output", "answers"),
    [
        ({}, None, 1),
        ({"max_tokens": 5}, 5, 1),
        ({"max_completion_tokens": 1, "max_tokens": 100}, 100, 1),
        ({"max_tokens": 1, "extra_body": {"max_tokens": 900, "n": 50}}, 900, 50),
        ({"max_tokens": 1, "fallbacks": [{"model": "b", "max_tokens": 700, "n": 3}]}, 700, 3),
        ({"max_tokens": 1, "fallbacks": ["b", {"a": ["b"]}]}, 1, 1),
        ({"max_tokens": 10**19}, 10**8, 1),
    ],
)
def test_the_largest_of_what_may_be_sent_counts(
    more: Any, output: int | None, answers: int
) -> None:
    size = estimate.size({**CHAT, **more}, "chat")

    assert (size.output_tokens, size.answers) == (output, answers)


def test_a_prompt_of_a_fallback_counts() -> None:
    long = {"model": "b", "messages": [{"role": "user", "content": "word " * 5000}]}

    assert estimate.size({**CHAT, "fallbacks": [long]}, "chat").prompt_tokens > 4000


@pytest.mark.parametrize("operation", ["count_tokens", "generate_count"])
def test_counting_tokens_costs_nothing(operation: str) -> None:
    assert estimate.size({**CHAT, "max_tokens": 9}, operation) == estimate.Size(
        0, None, has_output=False
    )


def test_a_cap_of_the_answer_is_not_undone() -> None:
    body = {**CHAT, "extra_body": {"max_tokens": 900}, "fallbacks": [{"max_tokens": 700}, "b"]}

    flights.cap_output(body, "chat", 7)

    assert (body["max_tokens"], body["extra_body"], body["fallbacks"]) == (
        7,
        {"max_tokens": 7},
        [{"max_tokens": 7}, "b"],
    )
