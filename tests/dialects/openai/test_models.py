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


@pytest.mark.parametrize(
    ("model", "only"),
    [
        ("o1-pro o3-pro-2025-06-10 openai/o3-pro", True),
        ("o3-deep-research o4-mini-deep-research-2025-06-26", True),
        ("gpt-5-pro gpt-5.2-pro gpt-5.5-pro-2026-04-23", True),
        ("gpt-5-codex gpt-5.1-codex-max gpt-5.3-codex codex-mini-latest", True),
        ("computer-use-preview gpt-6-cyber gpt-rosalind-research gpt-6-rosalind", True),
        ("gpt-4o gpt-5 gpt-5.5 o3 o3-mini gpt-5-chat-latest my-deployment", False),
        ("gpt-4o-search-preview gpt-6.2-astra ft:gpt-4.1:org::pro", False),
    ],
)
def test_models_without_a_chat_are_known(model: str, only: bool) -> None:
    assert {models.is_responses_only(name) for name in model.split()} == {only}


@pytest.mark.parametrize(
    ("model", "refused"),
    [
        ("gpt-5.4 gpt-5.4-mini gpt-5.5-2026-04-23 gpt-5.6-terra gpt-5.10 gpt-6 GPT-6.1", True),
        ("gpt-5 gpt-5-mini gpt-5.1 gpt-5.3-chat-latest gpt-5.4-chat-latest o3 gpt-4o x", False),
    ],
)
def test_models_that_refuse_tools_beside_reasoning_are_known(model: str, refused: bool) -> None:
    assert {models.refuses_tools_in_chat(name) for name in model.split()} == {refused}


@pytest.mark.parametrize(
    ("model", "level", "sent"),
    [
        ("gpt-4o", "high", None),
        ("gpt-5-chat-latest", "high", None),
        ("o3", "minimal", "low"),
        ("o3", "max", "high"),
        ("gpt-5-pro", "low", "high"),
        ("gpt-5.2-pro", "low", "medium"),
        ("o3-deep-research", "high", "medium"),
        ("gpt-5-codex", "xhigh", "high"),
        ("gpt-5.1-codex-max", "xhigh", "xhigh"),
        ("gpt-5.3-codex", "none", "low"),
        ("gpt-5-mini", "none", "minimal"),
        ("gpt-5.1", "minimal", "none"),
        ("gpt-5.5", "max", "xhigh"),
        ("gpt-6", "none", "none"),
        ("my-deployment", "minimal", "minimal"),
        ("xai/grok-4", "max", "xhigh"),
    ],
)
def test_an_effort_becomes_the_nearest_that_a_model_takes(
    model: str, level: str, sent: str | None
) -> None:
    assert models.effort(model, level) == sent


@pytest.mark.parametrize(
    ("model", "own"),
    [("gpt-5", True), ("o3", True), ("gpt-4.1", True), ("gpt-oss-20b", False), ("qwen3", False)],
)
def test_openais_own_models_are_known(model: str, own: bool) -> None:
    assert models.is_openais(model) is own
