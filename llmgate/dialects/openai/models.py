"""What OpenAI's models refuse: reasoning models refuse sampling, others an effort, some all chat.

Sources: https://platform.openai.com/docs/guides/reasoning,
https://platform.openai.com/docs/guides/latest-model (sampling with effort "none" since gpt-5.1),
https://platform.openai.com/docs/models (the APIs and efforts of each model; the models that have
the Responses API alone are those of openai-python's types/shared/responses_model.py),
https://learn.microsoft.com/azure/ai-foundry/openai/how-to/reasoning
"""

from __future__ import annotations

import re
from typing import Any

from llmgate.contract import Body
from llmgate.dialects import effort as efforts

_NEW_LIMIT = re.compile(r"(o\d|gpt-5|codex-|computer-use)")
"""Models that refuse `max_tokens`: they have `max_completion_tokens`, which includes thoughts."""

_NO_SAMPLING = re.compile(r"o\d|gpt-5(?!\.\d|-chat)|gpt-5\.\d+-(pro|codex)|codex-|computer-use")
"""Models that refuse sampling parameters always."""

_SAMPLING_WITHOUT_EFFORT = re.compile(r"gpt-5\.\d+(?!.*chat)")
"""Models that refuse them unless the effort is "none", which is the default."""

_NO_REASONING = re.compile(r"gpt-(3|4)|chatgpt-4|davinci|babbage")
"""Models that refuse `reasoning_effort` and `verbosity`."""

_RESPONSES_ONLY = re.compile(
    r"o\d+-pro|o\d.*-deep-research|gpt-\d[.\d]*-(pro|codex|cyber|rosalind)|codex-|computer-use"
    r"|gpt-(daybreak|rosalind)"
)
"""Models that have the Responses API and no chat."""

_TOOLS_IN_RESPONSES = re.compile(r"gpt-(5\.([4-9]|\d\d)|[6-9]|\d\d)(?!.*chat)")
"""Models that refuse functions in a chat unless the effort is "none".

Source: https://github.com/openai/openai-openapi/issues/541
"""

_REASONS = re.compile(r"o\d|gpt-([5-9]|\d\d)(?!.*chat)|codex-|gpt-(daybreak|rosalind)")
"""Models that reason."""

_LEVELS = (
    (re.compile(r"gpt-5-pro"), ("high",)),
    (re.compile(r".*deep-research"), ("medium",)),
    (re.compile(r"gpt-\d[.\d]*-pro"), ("medium", "high", "xhigh")),
    (re.compile(r"o\d|codex-|computer-use|gpt-5(\.1)?-codex(?!-max)"), ("low", "medium", "high")),
    (re.compile(r"gpt-[\d.]+-codex"), ("low", "medium", "high", "xhigh")),
    (re.compile(r"gpt-5(?!\.\d)"), ("minimal", "low", "medium", "high")),
    (re.compile(r"gpt-5\.1"), ("none", "low", "medium", "high")),
)
"""The efforts that models accept; all others accept those of the newest."""

_NEWEST_LEVELS = ("none", "low", "medium", "high", "xhigh")
_ANY_LEVELS = efforts.LEVELS[:-1]  # of models that are unknown here

_OPENAIS = re.compile(r"gpt-(?!oss)|chatgpt-|o\d|codex-")
"""Models of OpenAI's own, which refuse members of messages that OpenAI does not define."""

_SAMPLING = (
    "temperature",
    "top_p",
    "presence_penalty",
    "frequency_penalty",
    "logit_bias",
    "logprobs",
    "top_logprobs",
)
_EFFORTS = ("reasoning_effort", "verbosity")


def is_openais(model: str) -> bool:
    """Return whether *model* is OpenAI's own, not one behind another server with its wire."""
    return bool(_OPENAIS.match(model))


def adapted(body: Body, model: str) -> Body:
    """Return a chat *body* as the OpenAI *model* accepts it.

    `max_tokens` goes under the name that the model knows. Parameters that it refuses whatever
    their value are dropped: many clients always send them.
    """
    name = _bare(model)
    found = body
    if _NEW_LIMIT.match(name) and "max_tokens" in body:
        found = {_renamed(key): value for key, value in body.items()}
        if body.get("max_completion_tokens") is not None:
            found["max_completion_tokens"] = body["max_completion_tokens"]
    refused = _refused(name, body.get("reasoning_effort"))
    if not any(key in found for key in refused):
        return found
    return {key: value for key, value in found.items() if key not in refused}


def _bare(model: str) -> str:
    """Return the name of a *model* in lower case, without prefixes and fine-tuning."""
    return model.lower().removeprefix("ft:").rpartition("/")[2]


def _renamed(key: str) -> str:
    """Return the new name of a parameter."""
    return "max_completion_tokens" if key == "max_tokens" else key


def _refused(name: str, effort: Any) -> tuple[str, ...]:
    """Return the parameters that the model called *name* refuses at this *effort*."""
    if _NO_SAMPLING.match(name):
        return _SAMPLING
    if _SAMPLING_WITHOUT_EFFORT.match(name) and effort not in (None, "none"):
        return _SAMPLING
    return _EFFORTS if _NO_REASONING.match(name) else ()


def is_responses_only(model: str) -> bool:
    """Return whether *model* has the Responses API and no chat."""
    return bool(_RESPONSES_ONLY.match(_bare(model)))


def refuses_tools_in_chat(model: str) -> bool:
    """Return whether *model* reasons in a chat only if there are no functions."""
    return bool(_TOOLS_IN_RESPONSES.match(_bare(model)))


def reasons(model: str) -> bool:
    """Return whether *model* is known to reason."""
    return bool(_REASONS.match(_bare(model)))


def effort(model: str, level: str) -> str | None:
    """Return the effort nearest to *level* that *model* accepts, None if it does not reason."""
    name = _bare(model)
    if _NO_REASONING.match(name) or "-chat" in name:
        return None
    others = _NEWEST_LEVELS if reasons(model) else _ANY_LEVELS
    accepted = next((them for pattern, them in _LEVELS if pattern.match(name)), others)
    order = efforts.LEVELS.index
    return min(accepted, key=lambda each: abs(order(each) - order(level)))
