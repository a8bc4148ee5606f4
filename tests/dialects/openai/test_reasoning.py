from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmgate.dialects.openai import reasoning

THINKING = {"type": "thinking", "thinking": [{"type": "text", "text": "hmm"}]}
TEXT = {"type": "text", "text": "Hello"}


@pytest.mark.parametrize(
    ("message", "wanted"),
    [
        ({}, ("", "")),
        ({"content": None}, ("", "")),
        ({"content": "Hello"}, ("", "Hello")),
        ({"content": 7}, ("", "7")),
        ({"content": [THINKING, TEXT]}, ("hmm", "Hello")),  # Mistral
        ({"content": ["Hel", {"type": "output_text", "text": "lo"}]}, ("", "Hello")),
        ({"content": [{"text": "Hello"}, {"type": "image_url"}]}, ("", "Hello")),
        (
            {"content": [{"type": "reasoning", "summary": [{"text": "hm"}, {"text": "m"}]}, TEXT]},
            ("hmm", "Hello"),  # Databricks
        ),
        ({"content": [{"type": "thinking", "thinking": "hmm"}]}, ("hmm", "")),
        ({"content": "Hello", "reasoning": "hmm"}, ("hmm", "Hello")),  # OpenRouter, Groq
        ({"reasoning_content": "hmm", "reasoning": "hmm"}, ("hmm", "")),  # DeepSeek
        ({"reasoning": {"content": "hmm"}}, ("hmm", "")),
        ({"reasoning": {"effort": 1}}, ("", "")),
        ({"reasoning_details": [{"type": "reasoning.text", "text": "hmm"}]}, ("hmm", "")),
        ({"reasoning_details": [{"type": "reasoning.summary", "summary": "hmm"}]}, ("hmm", "")),
        ({"reasoning_details": [{"type": "reasoning.encrypted", "data": "E"}]}, ("", "")),
        ({"reasoning_details": "x"}, ("", "")),
    ],
)
def test_reasoning_and_text_are_strings(message: Any, wanted: tuple[str, str]) -> None:
    assert reasoning.texts(message) == wanted


@pytest.mark.parametrize(
    ("content", "wanted"),
    [
        ([THINKING, TEXT, "x"], True),
        ([], True),
        ([TEXT, {"type": "image_url"}], False),
        ("x", False),
        (None, False),
    ],
)
def test_a_list_of_text_is_told_from_other_content(content: Any, wanted: bool) -> None:
    assert reasoning.is_text(content) is wanted


def split(text: str, size: int) -> tuple[str, str]:
    tags = reasoning.ThinkTags()
    found = [tags.split(text[at : at + size]) for at in range(0, len(text), size)]
    found.append(tags.end())
    return "".join(each[0] for each in found), "".join(each[1] for each in found)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("<think>hmm</think>\n\nHello", ("hmm", "Hello")),
        ("\n<think>\nh</thin</think>Hello\n", ("\nh</thin", "Hello\n")),
        ("<think>cut", ("cut", "")),
        ("<think>cut</th", ("cut</th", "")),
        ("<thin", ("", "<thin")),
        (" <b>Hello</b>", ("", " <b>Hello</b>")),
        ("Hello <think>x</think>", ("", "Hello <think>x</think>")),
        ("<think></think>\n", ("", "")),
        ("<think>a</think><think>b</think>", ("a", "<think>b</think>")),
    ],
)
def test_think_tags_at_the_beginning_are_reasoning(text: str, wanted: Any, size: int) -> None:
    assert split(text, size) == wanted


@given(st.text(alphabet="</think> a\n"), st.integers(1, 9))
def test_the_cut_of_a_text_changes_nothing(text: str, size: int) -> None:
    assert split(text, size) == split(text, 1000)
