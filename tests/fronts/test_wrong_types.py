"""Every member of a request replaced by values of every type: the error names a field, always."""

from __future__ import annotations

import copy
from collections.abc import Callable
from collections.abc import Iterator
from typing import Any

import pytest

from llmgate import errors
from llmgate import providers
from llmgate.contract import Deployment
from llmgate.fronts import upstream_chat
from llmgate.fronts.anthropic import wire as messages_wire
from llmgate.fronts.responses import wire as responses_wire
from llmgate.schema import validation

VALUES: list[Any] = [None, 5, 1.5, True, "", "x", [], {}, [5], [{}], {"type": []}, {"a": {"b": []}}]
SCHEMA = {"type": "object"}
TOOLS = [
    {
        "type": "namespace",
        "name": "n",
        "description": "d",
        "tools": [
            {"type": "function", "name": "f", "description": "d", "parameters": SCHEMA},
            {"type": "custom", "name": "c", "description": "d"},
        ],
    },
    {"type": "custom", "name": "p", "format": {"type": "grammar", "definition": "x"}},
    {"type": "tool_search", "execution": "client", "description": "d", "parameters": SCHEMA},
    {"type": "web_search", "user_location": {"type": "approximate", "city": "x"}},
    {"type": "shell"},
]
RESPONSES = {
    "model": "m",
    "instructions": "i",
    "tools": TOOLS,
    "reasoning": {"effort": "low"},
    "input": [
        {
            "role": "user",
            "content": [
                {"type": "input_text", "text": "hi"},
                {"type": "input_image", "image_url": "data:,", "detail": "low"},
                {"type": "input_file", "filename": "a", "file_data": "data:,"},
                {"type": "input_audio", "input_audio": {"data": "", "format": "wav"}},
            ],
        },
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "s"}]},
        {"type": "function_call", "call_id": "c", "name": "f", "namespace": "n", "arguments": "{}"},
        {
            "type": "function_call_output",
            "call_id": "c",
            "output": [{"type": "input_text", "text": "x"}],
        },
        {"type": "custom_tool_call", "call_id": "d", "name": "p", "input": "x"},
        {"type": "custom_tool_call_output", "call_id": "d", "output": "y"},
        {"type": "tool_search_call", "call_id": "e", "arguments": {"query": "q"}},
        {"type": "tool_search_output", "call_id": "e", "tools": TOOLS[:1]},
        {"type": "local_shell_call", "call_id": "g", "action": {"command": ["ls"]}},
        {"type": "local_shell_call_output", "call_id": "g", "output": "o"},
    ],
}
MESSAGES = {
    "model": "m",
    "max_tokens": 9,
    "system": [{"type": "text", "text": "s"}],
    "tools": [
        {"name": "f", "description": "d", "input_schema": SCHEMA},
        {"type": "web_search_20250305", "name": "web_search"},
        {"type": "bash_20250124", "name": "bash"},
    ],
    "tool_choice": {"type": "tool", "name": "f"},
    "output_config": {"effort": "low", "format": {"type": "json_schema", "schema": SCHEMA}},
    "thinking": {"type": "enabled", "budget_tokens": 1024},
    "metadata": {"user_id": "u"},
    "messages": [
        {
            "role": "user",
            "content": [
                {"type": "document", "source": {"type": "text", "data": "x"}, "title": "t"},
                {
                    "type": "document",
                    "source": {"type": "content", "content": [{"type": "text", "text": "x"}]},
                },
                {
                    "type": "search_result",
                    "source": "s",
                    "title": "t",
                    "content": [{"type": "text", "text": "x"}],
                },
            ],
        },
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "t", "signature": "s"},
                {"type": "redacted_thinking", "data": "d"},
                {"type": "tool_use", "id": "a", "name": "f", "input": {"x": 1}},
            ],
        },
        {
            "role": "user",
            "content": [
                {
                    "type": "tool_result",
                    "tool_use_id": "a",
                    "content": [
                        {"type": "text", "text": "x"},
                        {"type": "tool_reference", "tool_name": "q"},
                        {
                            "type": "image",
                            "source": {"type": "base64", "media_type": "image/png", "data": ""},
                        },
                    ],
                }
            ],
        },
    ],
}
OPENAI = Deployment("g", "openai", "gpt-5", "https://x/v1")


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of each member of *value*."""
    pairs = value.items() if isinstance(value, dict) else ()
    for key, each in enumerate(value) if isinstance(value, list) else pairs:
        yield (*path, key)
        yield from places(each, (*path, key))


def replaced(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    """Return *value* with *new* at *path*."""
    if not path:
        return new
    made = copy.copy(value)
    made[path[0]] = replaced(value[path[0]], path[1:], new)
    return made


@pytest.mark.parametrize(
    ("schema", "body", "read"),
    [
        ("messages", MESSAGES, messages_wire.chat_from_messages),
        ("responses", RESPONSES, responses_wire.chat_from_response),
    ],
)
def test_a_wrong_type_is_an_error_that_names_a_field(
    schema: str, body: Any, read: Callable[[Any], Any]
) -> None:
    operation = providers.serving(OPENAI).operations["chat"]
    refused = 0
    for path in places(body):
        for value in VALUES:
            given = replaced(body, path, value)
            try:
                validation.check(schema, given)
                upstream_chat.adapted(read(given), operation, OPENAI)
            except errors.InvalidRequest as error:
                assert error.param, (path, value)
                refused += 1

    assert refused > 100
