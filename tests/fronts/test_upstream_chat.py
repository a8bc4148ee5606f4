from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from testing import anthropic_samples as samples

from llmgate import errors
from llmgate import providers
from llmgate.contract import Deployment
from llmgate.fronts import upstream_chat
from llmgate.fronts.anthropic import wire as front_wire

MARK = {"type": "ephemeral"}


def plain(**body: Any) -> dict[str, Any]:
    body = {"model": "m", "messages": [], **body}
    before = copy.deepcopy(body)
    found = upstream_chat.plain(body, "gpt-4.1")
    assert body == before
    return found


def test_nothing_of_anthropics_is_left() -> None:
    body = front_wire.chat_from_messages(samples.request("tools"))

    got = upstream_chat.plain(body, "gpt-4.1")

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


def tool(*parts: Any, id: str = "a") -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": id, "content": list(parts)}


PART = {"type": "text", "text": "t"}
PICTURE = {"type": "image_url", "image_url": {"url": "u"}}


def test_media_of_results_are_the_users_after_all_results() -> None:
    messages = [tool(PART, PICTURE), tool(PICTURE, id="b"), {"role": "user", "content": "go"}]

    got = plain(messages=messages)["messages"]

    assert [message["role"] for message in got] == ["tool", "tool", "user", "user"]
    assert [message["content"] for message in got[:2]] == ["t", "The result follows."]
    assert [part["type"] for part in got[2]["content"]] == ["text", "image_url"] * 2
    assert plain(messages=messages[:1])["messages"][-1]["role"] == "user"


def test_late_system_messages_are_the_users() -> None:
    late = {"role": "system", "content": "now"}
    user = {"role": "user", "content": "hi"}

    after_user = plain(messages=[late, user, late])["messages"]
    after_tool = plain(messages=[user, tool(PART), late])["messages"]

    assert [message["role"] for message in after_user] == ["system", "user"]
    assert after_user[1]["content"][1]["text"] == "<system>\nnow\n</system>"
    assert after_tool[-1] == {"role": "user", "content": "<system>\nnow\n</system>"}


def test_documents_by_url_are_refused() -> None:
    part = {"type": "file", "file": {"file_id": "https://e.org/a.pdf"}}

    with pytest.raises(errors.InvalidRequest, match="base64"):
        plain(messages=[{"role": "user", "content": [part]}])


@pytest.mark.parametrize(
    ("model", "body", "effort"),
    [
        ("gpt-5.1", {"output_config": {"effort": "low"}}, "low"),
        ("gpt-5.1", {"output_config": {"effort": "max"}}, "high"),
        ("o3", {"thinking": {"type": "enabled", "budget_tokens": 1024}}, "low"),
        ("openai/gpt-oss-20b", {"thinking": {"type": "enabled", "budget_tokens": 4000}}, "medium"),
        ("o4-mini", {"thinking": {"type": "enabled", "budget_tokens": 9000}}, "high"),
        ("gpt-5", {"thinking": {"type": "disabled"}, "output_config": {"effort": "low"}}, None),
        ("gpt-5", {"thinking": {"type": "adaptive"}}, None),
        ("gpt-4.1", {"output_config": {"effort": "low"}}, None),
        ("gpt-5-chat-latest", {"output_config": {"effort": "low"}}, None),
    ],
)
def test_efforts_reach_models_that_reason(model: str, body: Any, effort: str | None) -> None:
    got = upstream_chat.plain({"model": "m", "messages": [], **body}, model)

    assert got.get("reasoning_effort") == effort


@pytest.mark.parametrize(
    ("provider", "model", "functions", "searches"),
    [
        ("openai", "gpt-4.1", False, False),
        ("openai", "gpt-4o-search-preview", True, True),
        ("gemini", "gemini-2.5-pro", False, True),
        ("gemini", "gemini-2.5-pro", True, False),
        ("anthropic", "claude-sonnet-4-5", True, True),
        ("cohere", "command-a", False, False),
    ],
)
def test_a_web_search_is_left_out_where_there_is_none(
    provider: str, model: str, functions: bool, searches: bool
) -> None:
    deployment = Deployment("g", provider, model, "https://x/v1")
    tools = {"tools": [{"type": "function", "function": {"name": "f"}}]} if functions else {}
    body = {"model": "m", "messages": [], "web_search_options": {}, **tools}

    got = upstream_chat.adapted(body, providers.serving(deployment).operations["chat"], deployment)

    assert ("web_search_options" in got) is searches


def test_a_name_of_a_deployment_is_that_of_its_base_model() -> None:
    deployment = Deployment("g", "azure", "mine", "https://x", info={"base_model": "gpt-5"})
    body = {"model": "m", "messages": [], "output_config": {"effort": "low"}}

    got = upstream_chat.adapted(body, providers.serving(deployment).operations["chat"], deployment)

    assert got["reasoning_effort"] == "low"
