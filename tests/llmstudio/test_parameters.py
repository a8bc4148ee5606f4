from __future__ import annotations

from typing import Any

import pytest

from llmgate.llmstudio import parameters as engine_parameters
from llmgate.llmstudio.parameters import Invalid

OPENAI = {
    "temperature": 1,
    "max_tokens": 2048,
    "top_p": 1,
    "frequency_penalty": 0,
    "presence_penalty": 0,
}
VERTEX = {
    "top_p": 1,
    "top_k": 1,
    "temperature": 1,
    "max_output_tokens": 8192,
    "frequency_penalty": 0,
    "presence_penalty": 0,
}
ANTHROPIC = {"temperature": 1, "max_tokens": 4096, "top_p": 1, "top_k": 5}
OLLAMA = {"temperature": 0.8, "num_predict": 128, "top_p": 0.9, "top_k": 40}


@pytest.mark.parametrize(
    ("provider", "complete", "sent"),
    [
        ("openai", OPENAI, {"max_tokens": 2048}),
        ("azure", OPENAI, {"max_tokens": 2048}),
        ("groq", OPENAI, {"max_tokens": 2048}),
        ("anthropic", ANTHROPIC, {"max_tokens": 4096, "top_k": 5}),
        (
            "ollama",
            OLLAMA,
            {"temperature": 0.8, "max_tokens": 128, "top_p": 0.9, "top_k": 40},
        ),
        ("vertexai", VERTEX, {"top_k": 1, "max_tokens": 8192}),
    ],
)
def test_defaults_complete_what_is_echoed_and_neutral_ones_are_not_sent(
    provider: str, complete: dict[str, Any], sent: dict[str, Any]
) -> None:
    got = engine_parameters.with_defaults(provider, "a-model", {})

    assert got == (complete, sent)
    assert list(got[0]) == list(complete)


def test_what_is_given_is_sent_even_if_it_is_neutral() -> None:
    given = {"temperature": 1, "max_tokens": 5, "top_p": None, "max_output_tokens": 7, "x": 1}

    complete, sent = engine_parameters.with_defaults("openai", "gpt-4o", given)

    assert complete == {**OPENAI, "max_tokens": 5}
    assert sent == {"temperature": 1, "max_tokens": 5}


@pytest.mark.parametrize(
    ("model", "top_k"), [("claude-3-haiku-20240307", 5), ("claude-opus-4-8", None), ("other", 5)]
)
def test_models_that_take_no_top_k_get_none(model: str, top_k: int | None) -> None:
    complete, sent = engine_parameters.with_defaults("anthropic", model, {})

    assert complete["top_k"] == top_k
    assert sent.get("top_k") == top_k


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        ({"temperature": 2.1}, "less_than_equal"),
        ({"temperature": -0.1}, "greater_than_equal"),
        ({"temperature": "hot"}, "float_type"),
        ({"temperature": True}, "float_type"),
        ({"max_tokens": 0}, "greater_than_equal"),
        ({"max_tokens": 1.5}, "int_type"),
        ({"max_tokens": [1]}, "int_type"),
    ],
)
def test_what_is_out_of_bounds_is_named(given: dict[str, Any], kind: str) -> None:
    with pytest.raises(Invalid) as caught:
        engine_parameters.with_defaults("openai", "gpt-4o", given)

    assert caught.value.status == 422
    assert [(each["type"], each["loc"]) for each in caught.value.details] == [
        (kind, ["body", "parameters", *given])
    ]


def test_all_faults_are_listed() -> None:
    with pytest.raises(Invalid) as caught:
        engine_parameters.with_defaults("vertexai", "gemini", {"top_k": 2, "top_p": 2})

    assert caught.value.message == "'top_p' must be at most 1; 'top_k' must be at most 1"


@pytest.mark.parametrize("given", [{"max_tokens": 7.0}, {"top_k": 40}, {"num_predict": 10**9}])
def test_whole_numbers_without_an_upper_bound_are_taken(given: dict[str, Any]) -> None:
    complete, _ = engine_parameters.with_defaults("ollama", "llama3", given)

    assert complete == {**OLLAMA, **{k: v for k, v in given.items() if k in OLLAMA}}


def test_parameters_are_shown_as_the_user_interface_reads_them() -> None:
    got = engine_parameters.shown("ollama")

    assert got == [
        {
            "id": "temperature",
            "name": "Temperature",
            "type": "float",
            "default": 0.8,
            "min": 0,
            "max": 1,
            "step": 0.01,
        },
        {
            "id": "num_predict",
            "name": "Maximum tokens",
            "type": "int",
            "default": 128,
            "min": 1,
            "step": 1,
        },
        {
            "id": "top_p",
            "name": "Top P",
            "type": "float",
            "default": 0.9,
            "min": 0,
            "max": 1,
            "step": 0.01,
        },
        {"id": "top_k", "name": "Top K", "type": "int", "default": 40, "min": 0, "step": 1},
    ]
