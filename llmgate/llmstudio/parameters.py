"""The parameters that LLMstudio's engine knows: their defaults and bounds, by provider.

Source: https://github.com/TensorOpsAI/LLMstudio (llmstudio/engine, 0.3.7)
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any
from typing import NamedTuple

from llmgate import errors
from llmgate.dialects.anthropic import models as anthropic_models


class Parameter(NamedTuple):
    """One parameter, on the wire of the engine and in a chat."""

    id: str
    name: str
    type: str  # "float" or "int"
    default: float | None
    min: float | None = None
    max: float | None = None
    step: float = 1
    chat: str = ""  # what a chat calls it; empty: the same


class Invalid(errors.InvalidRequest):
    """An invalid body; LLMstudio answers 422 with a list of errors."""

    status = 422

    def __init__(self, details: list[dict[str, Any]]) -> None:
        super().__init__("; ".join(detail["msg"] for detail in details), code="invalid_value")
        self.details = details


def wrong(message: str, *place: str, kind: str = "value_error") -> dict[str, Any]:
    """Return one entry of a 422's list: the error at *place* in the body."""
    return {"type": kind, "loc": ["body", *place], "msg": message}


def _temperature(default: float, most: float) -> Parameter:
    return Parameter("temperature", "Temperature", "float", default, 0, most, 0.01)


def _top_p(default: float) -> Parameter:
    return Parameter("top_p", "Top P", "float", default, 0, 1, 0.01)


def _top_k(default: int, most: int | None) -> Parameter:
    return Parameter("top_k", "Top K", "int", default, 0, most)


def _limit(id: str, default: int) -> Parameter:
    return Parameter(id, "Maximum tokens", "int", default, 1, chat="max_tokens")


_FREQUENCY = Parameter("frequency_penalty", "Frequency penalty", "float", 0, 0, 1, 0.01)
_PRESENCE = Parameter("presence_penalty", "Presence penalty", "float", 0, 0, 1, 0.01)
_OPENAI = (_temperature(1, 2), _limit("max_tokens", 2048), _top_p(1), _FREQUENCY, _PRESENCE)
_ANTHROPIC = (_temperature(1, 1), _limit("max_tokens", 4096), _top_p(1), _top_k(5, 500))
_OLLAMA = (_temperature(0.8, 1), _limit("num_predict", 128), _top_p(0.9), _top_k(40, None))
_VERTEX = (
    _top_p(1),
    _top_k(1, 1),
    _temperature(1, 2),
    _limit("max_output_tokens", 8192),
    _FREQUENCY,
    _PRESENCE,
)
_TABLE: Mapping[str, tuple[Parameter, ...]] = {
    "anthropic": _ANTHROPIC,
    "ollama": _OLLAMA,
    "ollama_chat": _OLLAMA,
    "vertexai": _VERTEX,
    "vertex_ai": _VERTEX,
    "gemini": _VERTEX,
}
"""The parameters of those providers that do not have OpenAI's."""

_NEUTRAL = {"temperature": 1, "top_p": 1, "frequency_penalty": 0, "presence_penalty": 0}
"""Values that change nothing and that many models refuse: such a default is not sent."""


def parameters(provider: str) -> tuple[Parameter, ...]:
    """Return the parameters of *provider*."""
    return _TABLE.get(provider, _OPENAI)


def shown(provider: str) -> list[dict[str, Any]]:
    """Return *provider* as GET /api/engine/parameters shows it."""
    return [
        {
            key: value
            for key, value in parameter._asdict().items()
            if value is not None and value != ""
        }
        for parameter in (known._replace(chat="") for known in parameters(provider))
    ]


def with_defaults(
    provider: str, model: str, given: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return *given* completed by the defaults, and the parameters of the chat request.

    Names that *provider* does not know are left out, null is the default. Raises Invalid.
    """
    complete: dict[str, Any] = {}
    sent: dict[str, Any] = {}
    faults: list[dict[str, Any]] = []
    for known in parameters(provider):
        value = given.get(known.id)
        if value is None:
            value = _default(known, model)
            is_sent = value is not None and value != _NEUTRAL.get(known.id)
        else:
            is_sent = True
            faults.extend(_faults(known, value))
        complete[known.id] = value
        if is_sent:
            sent[known.chat or known.id] = value
    if faults:
        raise Invalid(faults)
    return complete, sent


def _default(known: Parameter, model: str) -> float | None:
    """Return the default of *known*; none for those Claude models that take no top_k at all."""
    claude = anthropic_models.model_of(model)
    if known.id == "top_k" and "claude" in model and not anthropic_models.samples(claude):
        return None
    return known.default


def _faults(known: Parameter, value: Any) -> Iterator[dict[str, Any]]:
    """Yield what is wrong with *value*."""
    place = ("parameters", known.id)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or (known.type == "int" and value != math.floor(value)):
        wanted = "a whole number" if known.type == "int" else "a number"
        yield wrong(f"'{known.id}' must be {wanted}", *place, kind=f"{known.type}_type")
    elif known.min is not None and value < known.min:
        kind = "greater_than_equal"
        yield wrong(f"'{known.id}' must be at least {known.min}", *place, kind=kind)
    elif known.max is not None and value > known.max:
        kind = "less_than_equal"
        yield wrong(f"'{known.id}' must be at most {known.max}", *place, kind=kind)
