from __future__ import annotations

import copy
import itertools
import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmgate.contract import MessageRules
from llmgate.dialects.openai import prepare

MARK = {"cache_control": {"type": "ephemeral"}}
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}
RULES = MessageRules()
MISTRAL = MessageRules(reasoning=None, user_after_tool=False, short_ids=True, prefix=True)


def said(role: str, content: Any = None, **more: Any) -> dict[str, Any]:
    return {"role": role, "content": role if content is None else content, **more}


def calling(id: str) -> dict[str, Any]:
    call = {"id": id, "type": "function", "function": {"name": "f", "arguments": "{}"}}
    return {"role": "assistant", "content": None, "tool_calls": [call]}


def messages(*given_: dict[str, Any], rules: MessageRules = RULES) -> list[dict[str, Any]]:
    body = {"messages": [*given_]}
    before = copy.deepcopy(body)
    got: list[dict[str, Any]] = prepare.prepared(body, rules)["messages"]
    assert body == before
    return got


def roles(*given_: dict[str, Any], rules: MessageRules = RULES) -> list[str]:
    return [message["role"] for message in messages(*given_, rules=rules)]


@pytest.mark.parametrize("body", [{}, {"messages": []}])
def test_a_body_without_messages_stays_as_it_is(body: Any) -> None:
    assert prepare.prepared(body, RULES) is body


def test_a_plain_conversation_stays_as_it_is() -> None:
    plain = [said("system"), said("user"), calling("a"), said("tool", tool_call_id="a")]

    assert messages(*plain) == plain


# -- members


@pytest.mark.parametrize(
    ("reasoning", "wanted"),
    [
        ("as it is", {"reasoning_content": "hm", "reasoning_details": [1]}),
        (None, {}),
        ("reasoning_content", {"reasoning_content": "hm"}),
        ("reasoning", {"reasoning": "hm"}),
    ],
)
def test_reasoning_of_the_history_follows_the_rule(reasoning: Any, wanted: Any) -> None:
    turn = said("assistant", "x", reasoning_content="hm", reasoning_details=[1])

    _, got = messages(said("user"), turn, rules=MessageRules(reasoning=reasoning))

    assert got == {"role": "assistant", "content": "x", **wanted}


def test_unknown_members_are_dropped_for_strict_upstreams() -> None:
    rules = MessageRules(members=frozenset({"role", "content"}))

    assert messages(said("user"), said("assistant", "x", refusal=None), rules=rules) == [
        said("user"),
        {"role": "assistant", "content": "x"},
    ]


@pytest.mark.parametrize("kept", [True, False])
def test_cache_marks_follow_the_rule(kept: bool) -> None:
    body = {
        "messages": [said("user", [{"type": "text", "text": "x", **MARK}, "y"], **MARK)],
        "tools": [{"type": "function", **MARK}],
    }

    got = prepare.prepared(body, MessageRules(cache_marks=kept))

    assert ("cache_control" in str(got)) is kept
    assert kept or got["tools"] == [{"type": "function"}]


def test_google_signatures_are_dropped_with_the_reasoning() -> None:
    extra = {"extra_content": {"google": {"thought_signature": "S"}}}
    turn = calling("a")
    turn["tool_calls"][0].update(extra)

    got = messages(said("user"), {**turn, **extra}, rules=MessageRules(reasoning=None))

    assert got[1] == calling("a")
    assert messages(said("user"), turn)[1] == turn


# -- what chat templates refuse


@pytest.mark.parametrize(
    ("turns", "wanted"),
    [
        ([said("system")], [{"role": "user", "content": "system"}]),
        ([said("assistant", "")], [{"role": "user", "content": "."}]),
        ([said("assistant")], [{"role": "user", "content": "."}, said("assistant")]),
        (
            [said("system"), said("assistant")],
            [said("system"), {"role": "user", "content": "."}, said("assistant")],
        ),
        ([said("user"), said("assistant", ""), said("user")], [said("user"), said("user")]),
    ],
)
def test_a_conversation_has_a_message_of_the_user_and_no_empty_turn(
    turns: Any, wanted: Any
) -> None:
    assert messages(*turns) == wanted


def test_mistrals_conversations_begin_with_the_user() -> None:
    assert roles(said("assistant"), said("user"), rules=MISTRAL) == ["user", "assistant", "user"]
    assert roles(said("user"), rules=MISTRAL) == ["user"]


def test_arguments_are_the_json_of_an_object() -> None:
    broken, custom = calling("a"), {"id": "b", "type": "custom", "custom": {"name": "c"}}
    broken["tool_calls"] = [*broken["tool_calls"], custom]
    broken["tool_calls"][0]["function"]["arguments"] = '{"a": "tru'

    got = messages(said("user"), broken)[1]["tool_calls"]

    assert json.loads(got[0]["function"]["arguments"]) == {"INVALID_JSON": '{"a": "tru'}
    assert got[1] == custom


# -- ids


def test_ids_that_do_not_fit_become_nine_letters_for_call_and_result() -> None:
    pairs = [calling("toolu_01ABC"), said("tool", tool_call_id="toolu_01ABC")]

    _, call, result = messages(said("user"), *pairs, rules=MISTRAL)

    id = call["tool_calls"][0]["id"]
    assert id == result["tool_call_id"]
    assert re.fullmatch("[a-zA-Z0-9]{9}", id)
    assert id != messages(calling("toolu_01ABD"), rules=MISTRAL)[-1]["tool_calls"][0]["id"]


def test_ids_that_fit_stay() -> None:
    got = messages(calling("abcDEF123"), rules=MISTRAL)[-1]

    assert got["tool_calls"][0]["id"] == "abcDEF123"


# -- order


def test_leading_system_messages_are_joined() -> None:
    first, second = messages(said("system", "a"), said("developer", "b"), said("user", "c"))

    assert first == {"role": "system", "content": "a\n\nb"}
    assert second == said("user", "c")


def test_a_single_developer_message_is_the_systems() -> None:
    assert roles(said("developer"), said("user")) == ["system", "user"]


def test_parts_of_system_messages_are_joined_as_parts() -> None:
    part = {"type": "text", "text": "a"}

    first, _ = messages(said("system", [part]), said("system", "b"), said("user"))

    assert first["content"] == [part, {"type": "text", "text": "b"}]


@pytest.mark.parametrize(
    ("turns", "wanted"),
    [
        ([said("user", "a"), said("system", "late")], [("user", "a\n\nlate")]),
        (
            [said("user", "a"), said("system", "b"), said("user", "c")],
            [("user", "a"), ("user", "b\n\nc")],
        ),
        (
            [said("user", "a"), said("assistant", "b"), said("system", "late")],
            [("user", "a"), ("assistant", "b"), ("user", "late")],
        ),
        (
            [said("user", "a"), said("system", "x"), said("system", "y"), said("assistant", "b")],
            [("user", "a\n\nx\n\ny"), ("assistant", "b")],
        ),
        (
            [
                said("user", "a"),
                said("assistant", "b"),
                said("system", "x"),
                said("assistant", "c"),
            ],
            [("user", "a"), ("assistant", "b"), ("user", "x"), ("assistant", "c")],
        ),
    ],
)
def test_a_late_system_message_is_part_of_the_users_turn(turns: Any, wanted: Any) -> None:
    got = messages(*turns)

    assert [(message["role"], message["content"]) for message in got] == wanted


def test_nothing_comes_between_a_call_and_its_result() -> None:
    turns = [said("user"), calling("a"), said("system", "late"), said("tool", tool_call_id="a")]

    assert roles(*turns) == ["user", "assistant", "tool", "user"]


def test_gateways_get_system_messages_as_they_came() -> None:
    turns = [said("system"), said("user"), said("system"), said("developer")]

    assert messages(*turns, rules=MessageRules(one_system=False)) == turns


def test_pictures_of_tools_are_said_by_the_user_after_all_results() -> None:
    text = {"type": "text", "text": "here"}
    turns = [
        calling("a"),
        said("tool", [text, IMAGE], tool_call_id="a"),
        said("tool", [IMAGE], tool_call_id="b"),
        said("tool", [text], tool_call_id="c"),
        said("user"),
    ]

    got = messages(*turns)

    assert [message["role"] for message in got] == "assistant tool tool tool user user".split()
    assert got[1]["content"] == [text]
    assert got[2]["content"] == [{"type": "text", "text": "The result follows."}]
    assert [part["type"] for part in got[4]["content"]] == "text image_url text image_url".split()


def test_pictures_of_the_last_result_come_last() -> None:
    assert roles(said("tool", [IMAGE], tool_call_id="a")) == ["tool", "user"]


def test_an_assistant_speaks_between_a_tool_and_the_user() -> None:
    turns = [said("user"), calling("a"), said("tool", tool_call_id="a"), said("user", "go on")]

    got = messages(*turns, rules=MISTRAL)

    assert [it["role"] for it in got] == ["user", "assistant", "tool", "assistant", "user"]
    assert got[-1]["content"] == "go on"


def test_an_assistants_last_word_is_a_prefix() -> None:
    assert messages(said("user"), said("assistant"), rules=MISTRAL)[-1]["prefix"] is True
    assert "prefix" not in messages(said("assistant"), said("user"), rules=MISTRAL)[0]


TURNS = st.lists(
    st.builds(said, st.sampled_from(["system", "user", "assistant", "tool"]), st.text(min_size=1)),
    min_size=1,
)


@given(TURNS, st.sampled_from([RULES, MISTRAL]))
def test_nothing_said_is_lost_and_the_order_is_right(turns: Any, rules: MessageRules) -> None:
    got = messages(*turns, rules=rules)

    kinds = [message["role"] for message in got]
    assert "system" not in kinds[1:]
    texts = "\n".join(message["content"] for message in got)
    assert all(turn["content"] in texts for turn in turns)
    assert rules.user_after_tool or ("tool", "user") not in itertools.pairwise(kinds)
