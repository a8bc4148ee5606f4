from __future__ import annotations

from typing import Any

import pytest

from llmgate.accounting import token_estimate
from llmgate.routing import rate_limits

HI = {"messages": [{"role": "user", "content": "Hi there, how are you?"}]}


@pytest.mark.parametrize(
    ("limits", "answer"),
    [
        ({}, 0),
        ({"max_tokens": 50}, 50),
        ({"max_completion_tokens": 70, "max_tokens": 50}, 70),
        ({"max_tokens": "many"}, 0),
        ({"max_tokens": -1}, 0),
        ({"max_tokens": True}, 0),
        ({"max_tokens": 10**30}, 10**8),
    ],
)
def test_a_request_may_use_its_prompt_and_its_limit(limits: Any, answer: int) -> None:
    body = {**HI, **limits}

    assert rate_limits.estimate(body) == token_estimate.tokens(HI) + answer
