from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmgate import errors
from llmgate.fronts.responses import calls as front_calls
from llmgate.fronts.responses import input as front_input
from llmgate.fronts.responses import tools as front_tools
from llmgate.fronts.responses import wire as front_wire

FUNCTION = {"type": "function", "name": "spawn", "parameters": {"type": "object"}}
NAMESPACE = {
    "type": "namespace",
    "name": "agents",
    "description": "About agents.",
    "tools": [FUNCTION, {"type": "custom", "name": "note", "description": "Notes."}],
}
GRAMMAR = {"type": "grammar", "syntax": "lark", "definition": "start: A"}


def read(*tools: Any, **more: Any) -> front_tools.Tools:
    return front_tools.read({"model": "m", "input": "hi", "tools": list(tools), **more})


def chat(**more: Any) -> dict[str, Any]:
    return front_wire.chat_from_response({"model": "m", "input": "Hi", **more})


def test_a_namespace_is_its_functions_and_custom_tools() -> None:
    tools = read(FUNCTION, NAMESPACE)

    assert list(tools.by_name) == ["spawn", "agents__spawn", "agents__note"]
    found = tools.find("agents__spawn")
    assert (found.kind, found.name, found.namespace) == ("function", "spawn", "agents")
    assert tools.chat_name("function", "spawn", "agents") == "agents__spawn"
    assert tools.chat_name("function", "spawn", "elsewhere") == "elsewhere__spawn"


def test_calls_have_the_names_that_the_client_gave() -> None:
    tools = read(NAMESPACE)

    function = front_calls.call_item(tools.find("agents__spawn"), "c", "{}")
    custom = front_calls.call_item(tools.find("agents__note"), "c", '{"input": "hm"}')

    assert function == {
        "type": "function_call",
        "call_id": "c",
        "name": "spawn",
        "namespace": "agents",
        "arguments": "{}",
    }
    assert custom == {
        "type": "custom_tool_call",
        "call_id": "c",
        "name": "note",
        "namespace": "agents",
        "input": "hm",
    }


def test_a_model_may_leave_out_the_namespace() -> None:
    assert read(NAMESPACE).find("spawn").namespace == "agents"
    assert read(FUNCTION, NAMESPACE).find("note").kind == "custom"
    assert read(NAMESPACE).find("unknown").name == "unknown"


def test_two_tools_never_share_a_name() -> None:
    twin = {**FUNCTION, "name": "agents__spawn"}

    tools = read(NAMESPACE, twin)

    assert tools.by_name["agents__spawn"].namespace is None
    names = {name for name, tool in tools.by_name.items() if tool.namespace}
    assert len(tools.by_name) == 3 and len(names) == 2
    assert read(twin, NAMESPACE).by_name.keys() == tools.by_name.keys()


TEXTS = st.text(min_size=1, max_size=90)


@given(st.lists(st.tuples(TEXTS, st.none() | TEXTS), unique=True, max_size=8))
def test_names_fit_every_provider_and_lead_back(named: list[tuple[str, str | None]]) -> None:
    given_ = [
        {"type": "function", "name": name}
        if space is None
        else {
            "type": "namespace",
            "name": space,
            "tools": [{"type": "function", "name": name}],
        }
        for name, space in named
    ]

    tools = read(*given_)

    assert len(tools.by_name) == len(named)
    assert all(re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", name) for name in tools.by_name)
    for name, space in named:
        found = tools.find(tools.chat_name("function", name, space))
        assert (found.name, found.namespace) == (name, space)


def test_a_custom_tool_is_a_function_of_one_string() -> None:
    tool = {"type": "custom", "name": "patch", "description": "Edits.", "format": GRAMMAR}

    offered = chat(tools=[tool], tool_choice={"type": "custom", "name": "patch"})

    function = offered["tools"][0]["function"]
    assert function["description"].startswith("Edits.\n\nThe input must match this lark grammar:")
    assert function["parameters"]["required"] == ["input"]
    assert offered["tool_choice"] == {"type": "function", "function": {"name": "patch"}}


def test_a_custom_tool_may_have_no_description() -> None:
    assert (
        "description" not in chat(tools=[{"type": "custom", "name": "p"}])["tools"][0]["function"]
    )


@pytest.mark.parametrize("kind", ["web_search", "web_search_preview_2025_03_11"])
def test_a_web_search_becomes_options_of_chat(kind: str) -> None:
    place = {"type": "approximate", "city": "Lisboa", "region": None}
    tool = {"type": kind, "search_context_size": "low", "user_location": place}

    got = chat(tools=[tool], tool_choice={"type": kind})

    assert got["web_search_options"] == {
        "search_context_size": "low",
        "user_location": {"type": "approximate", "approximate": {"city": "Lisboa"}},
    }
    assert "tools" not in got
    assert chat(tools=[{"type": kind}])["web_search_options"] == {}


def test_tools_of_openais_servers_are_refused_or_dropped() -> None:
    tools = [FUNCTION, {"type": "code_interpreter"}, {"type": "image_generation"}]

    with pytest.raises(errors.InvalidRequest, match="code_interpreter") as caught:
        chat(tools=tools)

    assert caught.value.param == "tools[1]"
    assert len(chat(tools=tools, drop_params=True)["tools"]) == 1


@pytest.mark.parametrize(
    ("tool", "names"),
    [
        ({"type": "tool_search", "execution": "client"}, ["tool_search"]),
        (
            {"type": "tool_search", "execution": "client", "parameters": {"type": "object"}},
            ["tool_search"],
        ),
        ({"type": "tool_search"}, []),
        ({"type": "shell"}, ["shell"]),
        ({"type": "local_shell"}, ["local_shell"]),
        ({"type": "apply_patch"}, ["apply_patch"]),
    ],
)
def test_tools_that_the_client_executes_are_functions(tool: Any, names: list[str]) -> None:
    assert list(read(tool).by_name) == names


@pytest.mark.parametrize(
    ("kind", "arguments", "members"),
    [
        ("tool_search", '{"query": "q"}', {"execution": "client", "arguments": {"query": "q"}}),
        ("tool_search", "broken", {"execution": "client", "arguments": {}}),
        ("tool_search", "[]", {"execution": "client", "arguments": {}}),
        (
            "shell",
            '{"commands": "ls", "timeout_ms": 5}',
            {"action": {"commands": ["ls"], "timeout_ms": 5, "max_output_length": None}},
        ),
        (
            "local_shell",
            '{"command": ["ls", 1], "working_directory": "/"}',
            {
                "action": {
                    "type": "exec",
                    "command": ["ls", "1"],
                    "env": {},
                    "working_directory": "/",
                }
            },
        ),
        ("local_shell", "{}", {"action": {"type": "exec", "command": [], "env": {}}}),
        ("apply_patch", '{"type": "t", "path": "p"}', {"operation": {"type": "t", "path": "p"}}),
        ("apply_patch", '{"operation": {"type": "t"}}', {"operation": {"type": "t"}}),
    ],
)
def test_their_calls_are_items_of_their_own(kind: str, arguments: str, members: Any) -> None:
    tool = read({"type": kind, "execution": "client"}).find(kind)

    got = front_calls.call_item(tool, "c", arguments)

    assert got == {"type": f"{kind}_call", "call_id": "c", **members}


def history(call: Any, output: Any, *tools: Any) -> list[dict[str, Any]]:
    return front_input.messages([call, output], read(*tools))


@pytest.mark.parametrize(
    ("call", "output", "name", "arguments", "text"),
    [
        (
            {"type": "custom_tool_call", "call_id": "c", "name": "p", "input": "hé"},
            {"type": "custom_tool_call_output", "call_id": "c", "output": "ok"},
            "p",
            '{"input":"hé"}',
            "ok",
        ),
        (
            {"type": "custom_tool_call", "call_id": "c", "name": "p", "namespace": "n"},
            {"type": "custom_tool_call_output", "call_id": "c", "output": "ok"},
            "n__p",
            '{"input":""}',
            "ok",
        ),
        (
            {"type": "function_call", "call_id": "c", "name": "f", "namespace": "n"},
            {"type": "function_call_output", "call_id": "c", "output": "ok"},
            "n__f",
            "{}",
            "ok",
        ),
        (
            {
                "type": "local_shell_call",
                "id": "c",
                "action": {"type": "exec", "command": ["ls"], "env": {}, "timeout_ms": None},
            },
            {"type": "local_shell_call_output", "id": "c", "output": "files"},
            "local_shell",
            '{"command":["ls"]}',
            "files",
        ),
        (
            {"type": "shell_call", "call_id": "c", "action": {"commands": ["ls"]}},
            {"type": "shell_call_output", "call_id": "c", "output": [{"stdout": "x"}]},
            "shell",
            '{"commands":["ls"]}',
            '[{"stdout":"x"}]',
        ),
        (
            {"type": "apply_patch_call", "call_id": "c"},
            {"type": "apply_patch_call_output", "call_id": "c", "status": "failed"},
            "apply_patch",
            "{}",
            "failed",
        ),
        (
            {"type": "tool_search_call", "call_id": "c", "arguments": '{"query":"q"}'},
            {"type": "tool_search_output", "call_id": "c", "tools": [NAMESPACE, {"type": "x"}]},
            "tool_search",
            '{"query":"q"}',
            "These tools are available now: agents__spawn, agents__note",
        ),
        (
            {"type": "tool_search_call", "call_id": "c", "arguments": {"query": "q"}},
            {"type": "tool_search_output", "call_id": "c", "tools": []},
            "tool_search",
            '{"query":"q"}',
            "No tool was found.",
        ),
    ],
)
def test_calls_in_the_history_are_calls_of_functions(
    call: Any, output: Any, name: str, arguments: str, text: str
) -> None:
    function = {"name": name, "arguments": arguments}

    assert history(call, output) == [
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "c", "type": "function", "function": function}],
        },
        {"role": "tool", "tool_call_id": "c", "content": text},
    ]


def test_what_openais_servers_did_is_left_out() -> None:
    items = [
        {"type": "web_search_call", "id": "ws"},
        {"type": "tool_search_call", "execution": "server", "call_id": None},
        {"type": "tool_search_output", "execution": "server", "tools": [NAMESPACE]},
        {"role": "user", "content": "hi"},
    ]

    assert front_input.messages(items) == [{"role": "user", "content": "hi"}]
    assert "agents__spawn" in front_tools.read({"input": items}).by_name


def test_tools_that_a_search_found_are_offered() -> None:
    items = [
        {"type": "tool_search_call", "call_id": "c", "arguments": {}},
        {"type": "tool_search_output", "call_id": "c", "tools": [NAMESPACE]},
    ]

    names = [tool["function"]["name"] for tool in chat(input=items)["tools"]]

    assert names == ["agents__spawn", "agents__note"]


def test_allowed_tools_are_those_of_these_types_and_names() -> None:
    allowed = [{"type": "custom", "name": "p"}, {"type": "shell"}, 5]
    tools = [FUNCTION, {"type": "custom", "name": "p"}, {"type": "shell"}]

    got = chat(
        tools=tools, tool_choice={"type": "allowed_tools", "mode": "required", "tools": allowed}
    )

    assert [tool["function"]["name"] for tool in got["tools"]] == ["p", "shell"]
    assert got["tool_choice"] == "required"


def test_a_choice_may_name_a_function_of_a_namespace() -> None:
    choice = {"type": "function", "name": "spawn", "namespace": "agents"}

    got = chat(tools=[NAMESPACE], tool_choice=choice)["tool_choice"]

    assert got == {"type": "function", "function": {"name": "agents__spawn"}}


def test_members_of_responses_alone_are_not_chats() -> None:
    got = chat(client_metadata={"a": "b"}, truncation="auto", invented=1, top_k=3, prompt=None)

    assert got == {"model": "m", "messages": [{"role": "user", "content": "Hi"}], "top_k": 3}


def test_leading_instructions_of_all_kinds_are_one_message() -> None:
    part = {"type": "input_text", "text": "b", "cache_control": {}}

    got = chat(instructions="a", input=[{"role": "developer", "content": [part]}])["messages"]

    assert got == [
        {
            "role": "system",
            "content": [{"type": "text", "text": "a"}, {**part, "type": "text"}],
        }
    ]


def test_an_item_of_the_input_may_offer_tools() -> None:
    function = {"type": "function", "name": "g", "parameters": {"type": "object"}}
    item = {"type": "additional_tools", "role": "developer", "tools": [function]}
    body = {"model": "m", "input": [item, {"role": "user", "content": "hi"}]}

    got = front_wire.chat_from_response(body)

    assert [tool["function"]["name"] for tool in got["tools"]] == ["g"]
    assert got["messages"] == [{"role": "user", "content": "hi"}]
