from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from testing import anthropic_samples as samples

from llmgate import errors
from llmgate.dialects.anthropic import wire as anthropic_wire
from llmgate.fronts import signatures
from llmgate.fronts.anthropic import wire as front_wire

MARK = {"type": "ephemeral"}
F = {"name": "f", "input_schema": {}}
OFFERED = {"tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}]}
CLOSED = {"type": "object", "properties": {}, "required": [], "additionalProperties": False}
PLACE = {"user_location": {"type": "approximate", "city": "Lisboa", "region": None}}
PDF = {"type": "base64", "media_type": "application/pdf", "data": "JVBE"}


def asked(**body: Any) -> dict[str, Any]:
    body = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}], **body}
    before = copy.deepcopy(body)
    found = front_wire.chat_from_messages(body)
    assert body == before
    return found


def rest(**body: Any) -> dict[str, Any]:
    known = ("model", "max_completion_tokens", "messages")
    return {key: value for key, value in asked(**body).items() if key not in known}


def said(*turns: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = asked(messages=list(turns))["messages"]
    return found


def user(*blocks: dict[str, Any]) -> dict[str, Any]:
    return {"role": "user", "content": list(blocks)}


def text(text: str, **more: Any) -> dict[str, Any]:
    return {"type": "text", "text": text, **more}


def test_the_sample_with_tools_is_a_chat_request() -> None:
    request = samples.request("tools")
    thinking, _, *_ = request["messages"][1]["content"]

    assert front_wire.chat_from_messages(request) == {
        "model": "claude-sonnet-4-5",
        "max_completion_tokens": 1024,
        "web_search_options": {},
        "stream": True,
        "temperature": 0.5,
        "top_k": 5,
        "thinking": {"type": "enabled", "budget_tokens": 1024},
        "user": "u-1",
        "stop": ["END"],
        "tool_choice": "auto",
        "parallel_tool_calls": False,
        "tools": [
            {
                "type": "function",
                "function": {
                    "name": "weather",
                    "description": "The weather.",
                    "parameters": request["tools"][0]["input_schema"],
                },
            },
            {
                "type": "function",
                "function": {"name": "clock", "parameters": {"type": "object", "properties": {}}},
                "cache_control": MARK,
            },
        ],
        "messages": [
            {
                "role": "system",
                "content": [
                    text("You are terse."),
                    text("You know the weather.", cache_control=MARK),
                ],
            },
            {
                "role": "user",
                "content": [
                    text("Weather and time?"),
                    {
                        "type": "image_url",
                        "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="},
                    },
                    {
                        "type": "image_url",
                        "image_url": {"url": "https://example.com/a.png"},
                        "cache_control": MARK,
                    },
                ],
            },
            {
                "role": "assistant",
                "content": "I look.",
                "reasoning_content": "Two calls.",
                "thinking_blocks": [thinking],
                "tool_calls": [
                    {
                        "id": "toolu_1",
                        "type": "function",
                        "function": {"name": "weather", "arguments": '{"city":"Zürich"}'},
                    },
                    {
                        "id": "toolu_2",
                        "type": "function",
                        "function": {"name": "clock", "arguments": "{}"},
                    },
                ],
            },
            {"role": "tool", "tool_call_id": "toolu_1", "content": "Sun."},
            {
                "role": "tool",
                "tool_call_id": "toolu_2",
                "content": [text("Clock"), text("broken.")],
                "is_error": True,
                "cache_control": MARK,
            },
            {"role": "user", "content": "And?"},
        ],
    }


@pytest.mark.parametrize("name", samples.REQUESTS)
def test_there_and_back_is_the_same_request(name: str) -> None:
    request = samples.request(name)

    chat = front_wire.chat_from_messages(request)

    if "web_search_options" in chat:  # it has no limit
        request["tools"][-1].pop("max_uses")
        request.pop("thinking")  # its budget is not below the limit
    assert anthropic_wire.messages_from_chat(chat, request["model"]) == request


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        ({"stop_sequences": []}, {}),
        ({"stop_sequences": None, "tools": None, "tool_choice": None, "metadata": None}, {}),
        ({"metadata": {"user_id": None}}, {}),
        ({"metadata": {"user_id": "u", "tags": ["a"]}}, {"user": "u", "metadata": {"tags": ["a"]}}),
        ({"service_tier": "standard_only"}, {"service_tier": "default"}),
        ({"service_tier": "auto"}, {"service_tier": "auto"}),
        ({"tool_choice": {"type": "any"}}, {}),
        ({"tools": [F], "tool_choice": {"type": "any"}}, {**OFFERED, "tool_choice": "required"}),
        ({"tools": [F], "tool_choice": {"type": "none"}}, {**OFFERED, "tool_choice": "none"}),
        ({"tools": [F], "tool_choice": {"type": "tool", "name": "web_search"}}, OFFERED),
        (
            {"tools": [F], "tool_choice": {"type": "tool", "name": "f"}},
            {**OFFERED, "tool_choice": {"type": "function", "function": {"name": "f"}}},
        ),
        (
            {"tools": [F], "tool_choice": {"type": "auto", "disable_parallel_tool_use": True}},
            {**OFFERED, "tool_choice": "auto", "parallel_tool_calls": False},
        ),
        ({"output_config": {"effort": "low"}}, {"output_config": {"effort": "low"}}),
        ({"output_config": {"format": {"type": "yaml"}}}, {}),
        (
            {"output_config": {"format": {"type": "json_schema", "schema": {"type": "null"}}}},
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "answer", "schema": {"type": "null"}},
                }
            },
        ),
        (
            {"output_config": {"format": {"type": "json_schema", "schema": CLOSED}}},
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "answer", "strict": True, "schema": CLOSED},
                }
            },
        ),
        (
            {"tools": [{"type": "custom", **F, "strict": True, "defer_loading": True}]},
            OFFERED,
        ),
        (
            {"tools": [{"name": "f", "input_schema": CLOSED, "strict": True}]},
            {
                "tools": [
                    {
                        "type": "function",
                        "function": {"name": "f", "parameters": CLOSED, "strict": True},
                    }
                ]
            },
        ),
        ({"tools": [{"type": "tool_search_tool_regex_20251119", "name": "x"}]}, {}),
        ({"context_management": {"edits": []}, "container": "c", "cache_control": MARK}, {}),
        ({"tools": [{"type": "web_fetch_20250910"}], "drop_params": True}, {"drop_params": True}),
        (
            {"tools": [{"type": "web_search_20260209", "name": "web_search", **PLACE}]},
            {
                "web_search_options": {
                    "user_location": {"type": "approximate", "approximate": {"city": "Lisboa"}}
                }
            },
        ),
    ],
)
def test_parameters(body: dict[str, Any], wanted: dict[str, Any]) -> None:
    assert rest(**body) == wanted


def test_one_plain_text_is_a_string() -> None:
    assert asked(system="Be brief.", messages=[user(text("Hi"))])["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hi"},
    ]


def test_a_system_message_between_turns_stays_there() -> None:
    assert said({"role": "system", "content": "Now in French."}) == [
        {"role": "system", "content": "Now in French."}
    ]


def test_texts_of_the_assistant_are_joined_unless_they_carry_more() -> None:
    marked = [text("a"), text("b", cache_control=MARK)]

    assert said(
        {"role": "assistant", "content": [text("a"), text("b")]},
        {"role": "assistant", "content": marked},
        {"role": "assistant", "content": [{"type": "redacted_thinking", "data": "d"}]},
    ) == [
        {"role": "assistant", "content": "ab"},
        {"role": "assistant", "content": marked},
        {
            "role": "assistant",
            "content": "",
            "thinking_blocks": [{"type": "redacted_thinking", "data": "d"}],
        },
    ]


def test_a_mark_on_a_call_is_kept() -> None:
    block = {"type": "tool_use", "id": "a", "name": "f", "input": {}, "cache_control": MARK}

    assert said({"role": "assistant", "content": [block]})[0]["tool_calls"] == [
        {
            "id": "a",
            "type": "function",
            "function": {"name": "f", "arguments": "{}"},
            "cache_control": MARK,
        }
    ]


def test_pictures_in_results_are_said_by_the_user_after_all_results() -> None:
    picture = {"type": "image", "source": {"type": "url", "url": "https://e.org/a.png"}}
    part = {"type": "image_url", "image_url": {"url": "https://e.org/a.png"}}

    got = said(
        user(
            {"type": "tool_result", "tool_use_id": "a", "content": [picture]},
            {"type": "tool_result", "tool_use_id": "b", "content": [text("x"), picture]},
            {"type": "tool_result", "tool_use_id": "c"},
            text("And?"),
        )
    )

    assert got == [
        {"role": "tool", "tool_call_id": "a", "content": "The result follows."},
        {"role": "tool", "tool_call_id": "b", "content": "x"},
        {"role": "tool", "tool_call_id": "c", "content": ""},
        {
            "role": "user",
            "content": [
                text("Result of tool call a:"),
                part,
                text("Result of tool call b:"),
                part,
                text("And?"),
            ],
        },
    ]


@pytest.mark.parametrize(
    ("block", "parts"),
    [
        (
            {"type": "document", "source": PDF},
            [
                {
                    "type": "file",
                    "file": {
                        "filename": "document.pdf",
                        "file_data": "data:application/pdf;base64,JVBE",
                    },
                }
            ],
        ),
        (
            {"type": "document", "source": {"type": "url", "url": "https://e.org"}, "title": "T"},
            [{"type": "file", "file": {"filename": "T", "file_id": "https://e.org"}}],
        ),
        (
            {"type": "document", "source": {"type": "file", "file_id": "f"}, "cache_control": MARK},
            [{"type": "file", "file": {"file_id": "f"}, "cache_control": MARK}],
        ),
        (
            {
                "type": "document",
                "source": {"type": "text", "media_type": "text/plain", "data": "x"},
                "title": "T",
                "context": "C",
                "citations": {"enabled": True},
                "cache_control": MARK,
            },
            [text("T"), text("C"), text("x", cache_control=MARK)],
        ),
        (
            {
                "type": "document",
                "source": {"type": "content", "content": [text("x"), text("y")]},
                "cache_control": MARK,
            },
            [text("x"), text("y", cache_control=MARK)],
        ),
        (
            {
                "type": "search_result",
                "source": "https://e.org",
                "title": "T",
                "content": [text("x"), text("y")],
                "cache_control": MARK,
            },
            [text("T\nhttps://e.org\nxy", cache_control=MARK)],
        ),
        ({"type": "tool_reference", "tool_name": "F"}, [text("Tool F is available.")]),
    ],
)
def test_blocks(block: dict[str, Any], parts: list[dict[str, Any]]) -> None:
    assert said(user(block, text("?"))) == [{"role": "user", "content": [*parts, text("?")]}]


WORDS = st.text().filter(str.strip)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)
TEXTS = st.lists(WORDS.map(text), min_size=1, max_size=3)
CALLS = st.lists(st.dictionaries(st.text(), JSON), min_size=1, max_size=3)


@st.composite
def conversations(draw: st.DrawFn) -> list[dict[str, Any]]:
    turns: list[dict[str, Any]] = [user(*draw(TEXTS))]
    for inputs in draw(st.lists(CALLS, max_size=3)):
        ids = [f"toolu_{len(turns)}_{at}" for at in range(len(inputs))]
        uses = [
            {"type": "tool_use", "id": id, "name": "f", "input": input}
            for id, input in zip(ids, inputs, strict=True)
        ]
        words = draw(st.lists(WORDS.map(text), max_size=1))
        turns.append({"role": "assistant", "content": [*words, *uses]})
        results = [{"type": "tool_result", "tool_use_id": id, "content": draw(WORDS)} for id in ids]
        turns.append(user(*results, *draw(st.lists(WORDS.map(text), max_size=2))))
    return turns


@given(conversations(), st.lists(WORDS.map(text), max_size=2))
def test_any_conversation_comes_back_as_it_was(
    turns: list[dict[str, Any]], system: list[dict[str, Any]]
) -> None:
    request = {"model": "claude-opus-4-8", "max_tokens": 1, "messages": turns}
    request |= {"system": system} if system else {}

    chat = front_wire.chat_from_messages(request)

    assert anthropic_wire.messages_from_chat(chat, "claude-opus-4-8") == request


def turn(role: str, content: Any) -> dict[str, Any]:
    return {"messages": [{"role": role, "content": content}]}


PLACE_OF_BLOCK = "messages[0].content[0]"


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (turn("user", 5), "messages[0].content"),
        (turn("user", [5]), PLACE_OF_BLOCK),
        (turn("user", [{"type": "song"}]), PLACE_OF_BLOCK),
        (turn("user", [{"type": "text", "text": 5}]), f"{PLACE_OF_BLOCK}.text"),
        (turn("user", [{"type": "text"}]), f"{PLACE_OF_BLOCK}.text"),
        (turn("user", [{"type": "image", "source": 5}]), f"{PLACE_OF_BLOCK}.source"),
        (turn("user", [{"type": "image"}]), f"{PLACE_OF_BLOCK}.source"),
        (
            turn("user", [{"type": "image", "source": {"type": "file", "file_id": "f"}}]),
            f"{PLACE_OF_BLOCK}.source",
        ),
        (
            turn("user", [{"type": "image", "source": {"type": "base64", "data": 1}}]),
            f"{PLACE_OF_BLOCK}.source.data",
        ),
        (
            turn("user", [{"type": "document", "source": {"type": "x"}}]),
            f"{PLACE_OF_BLOCK}.source",
        ),
        (
            turn("user", [{"type": "tool_result", "tool_use_id": "a", "content": 5}]),
            f"{PLACE_OF_BLOCK}.content",
        ),
        (
            turn(
                "user",
                [
                    {
                        "type": "tool_result",
                        "tool_use_id": "a",
                        "content": [{"type": "text", "text": []}],
                    }
                ],
            ),
            f"{PLACE_OF_BLOCK}.content[0].text",
        ),
        (turn("user", [{"type": "tool_result"}]), f"{PLACE_OF_BLOCK}.tool_use_id"),
        (
            turn("assistant", [{"type": "tool_use", "id": "a", "name": "f", "input": []}]),
            f"{PLACE_OF_BLOCK}.input",
        ),
        (turn("assistant", [{"type": "tool_use", "id": "a"}]), f"{PLACE_OF_BLOCK}.name"),
        (turn("assistant", [{"type": "thinking", "thinking": 5}]), f"{PLACE_OF_BLOCK}.thinking"),
        (
            turn("user", [{"type": "search_result", "source": "s", "title": "t", "content": 5}]),
            f"{PLACE_OF_BLOCK}.content",
        ),
        ({"system": 5}, "system"),
        ({"tools": [{"name": "f", "input_schema": 5}]}, "tools[0].input_schema"),
        ({"tools": [{"input_schema": {}}]}, "tools[0].name"),
        ({"tools": [{"type": "code_execution_20250825", "name": "c"}]}, "tools[0]"),
        ({"tools": [F], "tool_choice": {"type": "tool"}}, "tool_choice.name"),
    ],
)
def test_wrong_types_are_named(body: dict[str, Any], param: str) -> None:
    with pytest.raises(errors.InvalidRequest) as caught:
        asked(**body)

    assert caught.value.param == param


@pytest.mark.parametrize(
    ("tool", "required"),
    [
        ({"type": "bash_20250124", "name": "bash"}, []),
        ({"type": "text_editor_20250728", "name": "edit"}, ["command", "path"]),
        ({"type": "memory_20250818", "name": "memory"}, ["command"]),
        ({"type": "computer_20250124", "name": "computer"}, ["action"]),
    ],
)
def test_tools_that_anthropic_defines_are_functions(tool: Any, required: list[str]) -> None:
    made = rest(tools=[{**tool, "cache_control": MARK}])["tools"][0]

    assert made["function"]["name"] == tool["name"]
    assert made["function"]["parameters"]["required"] == required
    assert made["cache_control"] == MARK


def test_a_computer_has_a_size() -> None:
    tool = {"type": "computer_20250124", "name": "c", "display_width_px": 9}

    made = rest(tools=[{**tool, "display_height_px": 7}])["tools"][0]["function"]

    assert made["description"].endswith("The display has 9x7 pixels.")


def test_claude_codes_line_about_billing_is_left_out() -> None:
    line = text("x-anthropic-billing-header: cc_version=1; cch=2;")

    assert asked(system=[line, text("Be brief.")])["messages"][0]["content"] == "Be brief."
    assert asked(system=[line])["messages"] == [{"role": "user", "content": "Hi"}]


def test_blocks_of_servers_are_left_out() -> None:
    searched = {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}

    assert said({"role": "assistant", "content": [searched, text("a")]}) == [
        {"role": "assistant", "content": "a"}
    ]
    assert said({"role": "assistant", "content": [searched]}) == [
        {"role": "assistant", "content": ""}
    ]


def test_signatures_of_other_providers_go_back() -> None:
    extra = {"google": {"thought_signature": "S"}}
    seal = signatures.sealed({"calls": {"a": extra}, "reasoning_details": [{"type": "x"}]})
    unsigned = {"type": "thinking", "thinking": "m.", "signature": ""}

    got = said(
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "Hm", "signature": seal},
                unsigned,
                {"type": "tool_use", "id": "a", "name": "f", "input": None},
            ],
        }
    )

    assert got == [
        {
            "role": "assistant",
            "content": None,
            "reasoning_content": "Hmm.",
            "reasoning_details": [{"type": "x"}],
            "tool_calls": [
                {
                    "id": "a",
                    "type": "function",
                    "function": {"name": "f", "arguments": "{}"},
                    "extra_content": extra,
                }
            ],
        }
    ]


def test_a_choice_without_functions_means_nothing() -> None:
    assert rest(tool_choice={"type": "tool", "name": "x"}) == {}
