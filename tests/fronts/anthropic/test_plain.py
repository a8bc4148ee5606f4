from __future__ import annotations

import copy
import json
from typing import Any

from testing import anthropic_samples as samples

from llmgate.fronts.anthropic import wire as front_wire

MARK = {"type": "ephemeral"}


def plain(**body: Any) -> dict[str, Any]:
    body = {"model": "m", "messages": [], **body}
    before = copy.deepcopy(body)
    found = front_wire.plain(body)
    assert body == before
    return found


def test_nothing_of_anthropics_is_left() -> None:
    body = front_wire.chat_from_messages(samples.request("tools"))

    got = front_wire.plain(body)

    told = json.dumps(got)
    for word in ("cache_control", "thinking", "signature", "is_error"):
        assert word not in told
    assert got["messages"][0] == {
        "role": "system",
        "content": "You are terse.\n\nYou know the weather.",
    }
    assert got["messages"][2] == {
        "role": "assistant",
        "content": "I look.",
        "reasoning_content": "Two calls.",
        "tool_calls": body["messages"][2]["tool_calls"],
    }
    assert got["messages"][4] == {
        "role": "tool",
        "tool_call_id": "toolu_2",
        "content": "Clock\nbroken.",
    }
    assert got["tools"][1:] == [
        {
            "type": "function",
            "function": {"name": "clock", "parameters": {"type": "object", "properties": {}}},
        },
        {"type": "web_search_20250305", "name": "web_search", "max_uses": 2},
    ]


def test_what_openai_knows_goes_on_as_it_is() -> None:
    body = {"temperature": 0.5, "user": "u", "response_format": {"type": "json_object"}, "top_k": 1}

    assert plain(**body) == {"model": "m", "messages": [], **body}


def test_parts_of_a_user_stay_parts() -> None:
    parts = [
        {"type": "text", "text": "a", "cache_control": MARK},
        {"type": "image_url", "image_url": {"url": "u"}, "cache_control": MARK},
    ]

    assert plain(messages=[{"role": "user", "content": parts}])["messages"] == [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "a"},
                {"type": "image_url", "image_url": {"url": "u"}},
            ],
        }
    ]


def test_a_users_name_that_is_too_long_is_told_apart_by_its_hash() -> None:
    one, two = plain(user="x" * 65)["user"], plain(user="y" * 65)["user"]

    assert len(one) == len(two) == 64
    assert one != two
    assert plain(user="x" * 64)["user"] == "x" * 64
