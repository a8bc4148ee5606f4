"""Bodies in Anthropic's own shape, for Anthropic and for the hosts of its models."""

from __future__ import annotations

from typing import Any

import pytest

from llmgate.dialects.anthropic import native
from llmgate.fronts import signatures

MARK = {"type": "ephemeral"}
SCOPED = {"type": "ephemeral", "scope": "global"}
USER = {"role": "user", "content": "hi"}
FOREIGN = signatures.sealed({"reasoning_details": []})


def text(words: str, **more: Any) -> dict[str, Any]:
    return {"type": "text", "text": words, **more}


@pytest.mark.parametrize(
    "thought",
    [
        {"type": "thinking", "thinking": "t", "signature": ""},
        {"type": "thinking", "thinking": "t"},
        {"type": "thinking", "thinking": "t", "signature": FOREIGN},
        {"type": "redacted_thinking"},
        {"type": "redacted_thinking", "data": FOREIGN},
    ],
)
def test_thinking_that_claude_did_not_sign_is_left_out(thought: dict[str, Any]) -> None:
    turn = {"role": "assistant", "content": [thought, text("a")]}
    alone = {"role": "assistant", "content": [thought]}

    got = native.with_own_thinking({"messages": [USER, turn, alone, USER]})

    assert got == {"messages": [USER, {"role": "assistant", "content": [text("a")]}, USER]}


@pytest.mark.parametrize(
    "body",
    [
        {"messages": [{"role": "assistant", "content": [{"type": "thinking", "signature": "s"}]}]},
        {
            "messages": [
                {"role": "assistant", "content": [{"type": "redacted_thinking", "data": "d"}]}
            ]
        },
        {"messages": [USER, {"role": "assistant", "content": ["x"]}, "x"]},
        {"messages": "x"},
        {},
    ],
)
def test_other_bodies_are_the_same_objects(body: dict[str, Any]) -> None:
    assert native.with_own_thinking(body) is body


@pytest.mark.parametrize("host", [native.for_aws, native.for_google])
def test_cache_marks_at_hosts_have_no_scope(host: Any) -> None:
    body = {
        "system": [text("s", cache_control=SCOPED)],
        "tools": [{"name": "f", "cache_control": SCOPED, "input_schema": {}}],
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "content": [text("r", cache_control=SCOPED)]},
                    text("a", cache_control=MARK),
                    text("b", cache_control=None),
                ],
            }
        ],
    }

    got = host(body)

    assert "scope" not in str(got)
    assert got["system"] == [text("s", cache_control=MARK)]
    assert got["messages"][0]["content"][1:] == body["messages"][0]["content"][1:]


@pytest.mark.parametrize("host", [native.for_aws, native.for_google])
@pytest.mark.parametrize(
    ("content", "wanted"),
    [
        ("hi", [text("hi", cache_control=MARK)]),
        ([text("a"), text("b")], [text("a"), text("b", cache_control=MARK)]),
        ([{"type": "thinking", "signature": "s"}], [{"type": "thinking", "signature": "s"}]),
        ([], []),
    ],
)
def test_a_mark_of_the_whole_request_is_one_of_its_last_block(
    host: Any, content: Any, wanted: Any
) -> None:
    got = host({"cache_control": SCOPED, "messages": [{"role": "user", "content": content}]})

    assert got == {"messages": [{"role": "user", "content": wanted}]}


@pytest.mark.parametrize("host", [native.for_aws, native.for_google])
def test_the_billing_line_is_for_anthropic_alone(host: Any) -> None:
    system = [text("x-anthropic-billing-header: cc_version=1; cch=2;"), text("You are")]

    assert host({"system": system}) == {"system": [text("You are")]}
    assert host({"system": []}) == {"system": []}
    assert host({"system": "You are"}) == {"system": "You are"}
    assert host({"system": system[1:]}) == {"system": system[1:]}


@pytest.mark.parametrize("host", [native.for_aws, native.for_google])
def test_members_go_with_their_betas(host: Any) -> None:
    body = {"context_management": {"edits": []}, "speed": "fast", "diagnostics": {}}

    assert host({**body, "anthropic_beta": ["fast-mode-2026-02-01"]}) == {}
    assert host({**body, "anthropic_beta": ["context-management-2025-06-27"]}) == {
        "context_management": {"edits": []},
        "anthropic_beta": ["context-management-2025-06-27"],
    }
