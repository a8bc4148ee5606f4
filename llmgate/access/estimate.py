"""What a request may cost at most: the amount to reserve in its budgets."""

from __future__ import annotations

import math
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any
from typing import NamedTuple

from llmgate.accounting import pricing
from llmgate.accounting import token_estimate
from llmgate.contract import Body
from llmgate.contract import Deployment
from llmgate.storage.ledger import nano_dollars

DEFAULT_OUTPUT = 4096
"""Tokens that an answer may have if neither the client nor the price table limits it."""

_UNREAD_INPUT = 4096  # tokens of a request that is passed through unread
LIMITS = ("max_completion_tokens", "max_output_tokens", "max_tokens")
_WITH_OUTPUT = frozenset("chat completions messages responses generate passthrough".split())
_ANSWERS = ("n", "best_of", "candidateCount")
_FREE = frozenset({"count_tokens", "generate_count"})
_LARGEST = 10**8  # tokens or answers that are counted with


class Size(NamedTuple):
    """How large a request is, in the units of prices."""

    prompt_tokens: int
    output_tokens: int | None  # None: the client sets no limit
    answers: int = 1
    has_output: bool = True
    images: int = 0
    characters: int = 0


def size(body: Body | None, operation: str) -> Size:
    """Return how large *body* is; None stands for a body that was not read."""
    if body is None:
        return Size(_UNREAD_INPUT, None)
    if operation in _FREE:
        return Size(0, None, has_output=False)
    sent = [{**body, **part} for part in ({}, *overrides(body))]
    answers = max(_counts(sent, _ANSWERS), default=1)
    text = body.get("input")
    return Size(
        max(map(token_estimate.tokens, sent)),
        max(_counts(sent, LIMITS), default=None),
        answers,
        operation in _WITH_OUTPUT,
        answers if operation.startswith("image") else 0,
        len(text) if operation == "speech" and isinstance(text, str) else 0,
    )


def overrides(body: Body) -> list[dict[str, Any]]:
    """Return what may replace members of *body*: its `extra_body`, and fallbacks with members."""
    fallbacks = body.get("fallbacks")
    listed = fallbacks if isinstance(fallbacks, list) else []
    return [each for each in (body.get("extra_body"), *listed) if isinstance(each, dict)]


def _counts(bodies: Sequence[Body], names: Sequence[str]) -> list[int]:
    """Return the counts at *names* in *bodies*."""
    values = [body.get(name) for body in bodies for name in names]
    return [min(value, _LARGEST) for value in values if type(value) is int and value > 0]


def prices(deployment: Deployment) -> Mapping[str, float]:
    """Return what *deployment* costs, empty if that is unknown."""
    return deployment.prices or pricing.prices(deployment.provider, deployment.model)


def most_output(deployment: Deployment) -> int:
    """Return how many tokens an answer of *deployment* may have."""
    known = pricing.about(deployment.provider, deployment.model).get("max_output_tokens")
    return int(known) if known else DEFAULT_OUTPUT


def cost(size: Size, deployment: Deployment, output_tokens: int | None = None) -> int | None:
    """Return what a request of *size* costs at most at *deployment*; None without a price.

    *output_tokens* is the limit where the client sets none: else that of the model.
    """
    found = prices(deployment)
    if not found:
        return None
    usage: dict[str, float] = {"prompt_tokens": size.prompt_tokens}
    if size.has_output:
        limit = size.output_tokens or output_tokens or most_output(deployment)
        usage["completion_tokens"] = limit * size.answers
    if size.images:
        usage["images"] = size.images
    if size.characters:
        usage["characters"] = size.characters
    dollars = pricing.cost(usage, found)
    # priced in a unit that is unknown beforehand, such as seconds: only settling counts it
    return 0 if dollars is None else nano_dollars(dollars)


def affordable_output(size: Size, deployment: Deployment, nano: int) -> int:
    """Return how many tokens an answer may have for *nano* in all; 0 if not even the input is."""
    without = cost(size._replace(has_output=False), deployment) or 0
    one = cost(size._replace(output_tokens=1000), deployment) or 0
    each = (one - without) / 1000
    if each <= 0:
        return most_output(deployment)
    return max(0, math.floor((nano - without - 1) / each))
