"""What OpenAI's models refuse in a chat: reasoning models refuse sampling, others an effort.

Sources: https://platform.openai.com/docs/guides/reasoning,
https://platform.openai.com/docs/guides/latest-model (sampling with effort "none" since gpt-5.1),
https://learn.microsoft.com/azure/ai-foundry/openai/how-to/reasoning
"""

from __future__ import annotations

import re
from typing import Any

from llmgate.contract import Body

_NEW_LIMIT = re.compile(r"(o\d|gpt-5|codex-|computer-use)")
"""Models that refuse `max_tokens`: they have `max_completion_tokens`, which includes thoughts."""

_NO_SAMPLING = re.compile(r"o\d|gpt-5(?!\.\d|-chat)|gpt-5\.\d+-(pro|codex)|codex-|computer-use")
"""Models that refuse sampling parameters always."""

_SAMPLING_WITHOUT_EFFORT = re.compile(r"gpt-5\.\d+(?!.*chat)")
"""Models that refuse them unless the effort is "none", which is the default."""

_NO_REASONING = re.compile(r"gpt-(3|4)|chatgpt-4|davinci|babbage")
"""Models that refuse `reasoning_effort` and `verbosity`."""

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
