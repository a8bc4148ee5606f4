from __future__ import annotations

from typing import Any

import pytest

from llmgate.dialects.openai import models

SAMPLING = {"temperature": 0.2, "top_p": 0.9, "logprobs": True, "presence_penalty": 1}


@pytest.mark.parametrize(
    "model", "gpt-5 gpt-5.1 gpt-5-chat-latest o1 o3-mini o4-mini openai/o3 GPT-5 codex-mini".split()
)
def test_the_old_limit_gets_its_new_name(model: str) -> None:
    assert models.adapted({"max_tokens": 5, "x": 1}, model) == {"max_completion_tokens": 5, "x": 1}


@pytest.mark.parametrize("model", "gpt-4o gpt-4.1-mini gpt-3.5-turbo my-deployment olmo".split())
def test_the_old_limit_stays_for_other_models(model: str) -> None:
    body = {"max_tokens": 5, "x": 1}

    assert models.adapted(body, model) is body


@pytest.mark.parametrize(("new", "wanted"), [(7, 7), (None, 5)])
def test_the_new_limit_wins(new: Any, wanted: int) -> None:
    body = {"max_completion_tokens": new, "max_tokens": 5}

    assert models.adapted(body, "o3") == {"max_completion_tokens": wanted}


@pytest.mark.parametrize(
    ("model", "effort", "kept"),
    [
        ("o3", None, False),
        ("gpt-5", None, False),
        ("gpt-5-mini-2025-08-07", "none", False),
        ("gpt-5.1", None, True),
        ("gpt-5.2", "none", True),
        ("gpt-5.2", "low", False),
        ("gpt-5.2-pro", "none", False),
        ("gpt-5.1-codex", None, False),
        ("gpt-5-chat-latest", None, True),
        ("gpt-5.1-chat-latest", "low", True),
        ("gpt-4o", None, True),
        ("ft:gpt-4o-mini:org::1", None, True),
        ("my-deployment", "low", True),
    ],
)
def test_sampling_is_dropped_for_models_that_refuse_it(model: str, effort: Any, kept: bool) -> None:
    got = models.adapted({**SAMPLING, "seed": 1, "reasoning_effort": effort}, model)

    assert (set(got) >= set(SAMPLING)) is kept
    assert kept or not set(got) & set(SAMPLING)
    assert got["seed"] == 1


@pytest.mark.parametrize(
    ("model", "kept"),
    [("gpt-4o", False), ("gpt-3.5-turbo", False), ("o3", True), ("gpt-5", True), ("mine", True)],
)
def test_an_effort_reaches_models_that_reason(model: str, kept: bool) -> None:
    got = models.adapted({"reasoning_effort": "low", "verbosity": "low"}, model)

    assert got == ({"reasoning_effort": "low", "verbosity": "low"} if kept else {})
