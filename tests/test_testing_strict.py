"""The scripted upstreams refuse what the real APIs refuse, and play a model that calls tools."""

from __future__ import annotations

import json
from typing import Any

import pytest
from testing.peer import Seen
from testing.strict.errand import TITLE
from testing.strict.errand import Asked
from testing.strict.errand import Errand
from testing.strict.errand import Refused
from testing.strict.server import KINDS

USER = {"role": "user", "content": "hi"}
CALL = {"id": "call12345", "type": "function", "function": {"name": "f", "arguments": "{}"}}
CALLED = {"role": "assistant", "content": None, "tool_calls": [CALL]}
RESULT = {"role": "tool", "tool_call_id": "call12345", "content": "one"}
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
CHAT = {"model": "m", "messages": [USER, CALLED, RESULT], "tools": [TOOL]}

TEXT = {"type": "text", "text": "hi"}
USE = {"type": "tool_use", "id": "t1", "name": "f", "input": {}}
RESULTS = {"type": "tool_result", "tool_use_id": "t1", "content": "one"}
CLAUDE = {
    "model": "m",
    "max_tokens": 2000,
    "messages": [
        {"role": "user", "content": [TEXT]},
        {"role": "assistant", "content": [USE]},
        {"role": "user", "content": [RESULTS]},
    ],
    "tools": [{"name": "f", "input_schema": {"type": "object"}}],
}

SIGNED = {"functionCall": {"name": "f", "args": {}}, "thoughtSignature": "dGhvdWdodDow"}
ANSWERED = {"functionResponse": {"name": "f", "response": {"output": "one"}}}
GEMINI = {
    "contents": [
        {"role": "user", "parts": [{"text": "hi"}]},
        {"role": "model", "parts": [SIGNED]},
        {"role": "user", "parts": [ANSWERED]},
    ],
    "tools": [{"functionDeclarations": [{"name": "f"}]}],
}

USED = {"toolUse": {"toolUseId": "t1", "name": "f", "input": {}}}
GOT = {"toolResult": {"toolUseId": "t1", "content": [{"text": "one"}]}}
SPEC = {"toolSpec": {"name": "f", "inputSchema": {"json": {"type": "object"}}}}
NOVA = {
    "messages": [
        {"role": "user", "content": [{"text": "hi"}]},
        {"role": "assistant", "content": [USED]},
        {"role": "user", "content": [GOT]},
    ],
    "toolConfig": {"tools": [SPEC]},
}

ITEM = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}
OUTPUT = {"type": "function_call_output", "call_id": "c", "output": "one"}
ITEMS = {"model": "m", "input": [USER, ITEM, OUTPUT], "tools": [{"type": "function", "name": "f"}]}

PATHS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "gpt-5": ("gpt-5", "/chat/completions", CHAT),
    "gpt-5 responses": ("gpt-5", "/responses", ITEMS),
    "claude": ("claude-sonnet-4-5", "/messages", CLAUDE),
    "gemini": ("gemini-3-pro", ":generateContent", GEMINI),
    "qwen": ("qwen3.5", "/chat/completions", CHAT),
    "mistral": ("mistral-large", "/chat/completions", CHAT),
    "nova": ("nova-pro", "/converse", NOVA),
}


def asked(name: str, **changes: Any) -> Asked:
    """Return what the upstream called *name* reads of its usual request with *changes*."""
    kind, path, body = PATHS[name]
    headers = {"anthropic-version": "2023-06-01", "x-api-key": "x"}
    if "beta" in changes:
        headers["anthropic-beta"] = changes.pop("beta")
    data = json.dumps({**body, **changes}).encode()
    return KINDS[kind].wires[path].read(Seen("POST", f"/x/m{path}", headers, data, 1, 0.0))


@pytest.mark.parametrize("name", PATHS)
def test_a_usual_request_is_read(name: str) -> None:
    got = asked(name)

    assert got.tools == {"f"}
    assert "one" in got.results


SYSTEM = {"role": "system", "content": "s"}
STRICT = {"type": "object", "properties": {"a": {}, "b": {}}, "required": ["a"]}
UNSIGNED = {"type": "thinking", "thinking": "t", "signature": "s"}
REFUSALS: list[tuple[str, dict[str, Any], str]] = [
    ("gpt-5", {"x": 1}, "x: unknown member"),
    ("gpt-5", {"max_tokens": 5}, "max_completion_tokens"),
    ("gpt-5", {"temperature": 0.5}, "temperature"),
    ("gpt-5", {"messages": [{**USER, "x": 1}]}, r"messages\[0\].x: unknown member"),
    ("gpt-5", {"messages": [USER, CALLED, USER]}, "must be followed by tool messages"),
    ("gpt-5", {"messages": [USER, RESULT]}, "preceding message"),
    ("gpt-5", {"messages": [{"role": "assistant", "content": None}]}, "got null"),
    ("gpt-5", {"tools": [], "parallel_tool_calls": True}, "too short"),
    ("gpt-5", {"tools": [{**TOOL, "function": {"name": "a.b"}}]}, "tools.function.name"),
    (
        "gpt-5",
        {"tools": [{**TOOL, "function": {"name": "f", "strict": True, "parameters": STRICT}}]},
        "required",
    ),
    ("gpt-5 responses", {"input": [USER, OUTPUT]}, "No tool call found"),
    ("gpt-5 responses", {"input": [USER, ITEM]}, "No tool output found"),
    ("claude", {"context_management": {"edits": []}}, "context_management"),
    ("claude", {"messages": []}, "at least one message"),
    ("claude", {"messages": [{"role": "assistant", "content": "a"}]}, "first message"),
    ("claude", {"messages": [{"role": "user", "content": [{**TEXT, "text": ""}]}]}, "non-empty"),
    ("claude", {"messages": CLAUDE["messages"][:2]}, "without `tool_result`"),
    ("claude", {"messages": CLAUDE["messages"][::2]}, "unexpected `tool_use_id`"),
    ("claude", {"temperature": 1, "top_p": 0.5}, "cannot both"),
    (
        "claude",
        {"messages": [USER, {"role": "assistant", "content": [UNSIGNED, TEXT]}, USER]},
        "Invalid `signature`",
    ),
    ("claude", {"messages": [USER, {"role": "assistant", "content": "a "}]}, "trailing"),
    ("gemini", {"context_management": {}}, "Unknown name 'context_management'"),
    ("gemini", {"generationConfig": {"thinkingConfig": {"thinkingBudget": 0}}}, "Budget 0"),
    ("gemini", {"contents": GEMINI["contents"][:2]}, "function"),
    ("gemini", {"contents": [GEMINI["contents"][1], GEMINI["contents"][2]]}, "after a user turn"),
    ("qwen", {"messages": [USER, SYSTEM]}, "at the beginning"),
    ("qwen", {"messages": [SYSTEM]}, "No user query"),
    (
        "qwen",
        {"messages": [{"role": "developer", "content": "d"}, USER]},
        "Unexpected message role",
    ),
    ("mistral", {"prompt_cache_retention": "24h"}, "extra_forbidden"),
    ("mistral", {"messages": [*CHAT["messages"], USER]}, "'user' after role 'tool'"),  # type: ignore[misc]
    ("mistral", {"messages": [USER, SYSTEM]}, "Expected last role"),
    (
        "mistral",
        {"messages": [USER, {**CALLED, "tool_calls": [{**CALL, "id": "call_1"}]}, RESULT]},
        "length of 9",
    ),
    ("nova", {"messages": NOVA["messages"][1:]}, "start with a user message"),
    ("nova", {"messages": [{"role": "user", "content": [{"text": " "}]}]}, "blank"),
    ("nova", {"additionalModelRequestFields": {"output_config": {}}}, "extraneous key"),
    ("nova", {"toolConfig": {"tools": [SPEC, {"cachePoint": {"type": "default"}}]}}, "cachePoint"),
    ("nova", {"x": 1}, "Unknown parameter in input"),
]


@pytest.mark.parametrize(("name", "changes", "message"), REFUSALS)
def test_a_request_that_the_api_refuses_is_refused(
    name: str, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(Refused, match=message):
        asked(name, **changes)


def test_a_lost_signature_is_counted() -> None:
    lost = {**SIGNED, "thoughtSignature": "skip_thought_signature_validator"}
    contents = [GEMINI["contents"][0], {"role": "model", "parts": [lost]}, GEMINI["contents"][2]]

    assert asked("gemini", contents=contents).unsigned == 1
    assert asked("gemini").unsigned == 0


def test_a_model_calls_twice_and_answers_with_both_words() -> None:
    errand = Errand("f", ({"n": 1}, {"n": 2}), ("one", "two"))
    tools = frozenset({"f"})

    turns = [errand.turn(Asked({}, tools, False, words)) for words in ("", "one", "one two")]

    assert [turn.call and turn.call.arguments for turn in turns] == [{"n": 1}, {"n": 2}, None]
    assert turns[2].text == "The words are one-two."
    assert errand.turn(Asked({}, frozenset(), False)).text == TITLE
