"""Estimate the tokens of a request from its bytes; no tokenizer fits every model."""

from __future__ import annotations

from typing import Any

BYTES_PER_TOKEN = 4
"""Of English text, roughly; other scripts have more bytes and more tokens for each letter."""

_PER_MESSAGE = 4  # for its role and its limits
_PER_PICTURE = 1600  # what a large one costs with most providers
_READ = frozenset(
    """messages system prompt contents parts content text input instructions tools function
    functions tool_calls name description parameters input_schema arguments thinking
    reasoning_content systemInstruction system_instruction functionDeclarations
    function_declarations functionCall function_call functionResponse function_response""".split()
)
"""Members of a request that a model reads."""

_PICTURES = ("image", "image_url", "input_image")
_SENT_ALONG = ("inlineData", "inline_data", "fileData", "file_data")  # in Google's words
_OBJECTS = frozenset(
    """parameters input_schema input parametersJsonSchema parameters_json_schema args
    response""".split()
)


def tokens(request: Any) -> int:
    """Return about how many tokens *request* has: a chat, a message, a prompt or a part of one."""
    found = _weight(request)
    return -(-found // BYTES_PER_TOKEN)


def _weight(value: Any) -> int:
    """Return the bytes of text in *value*, pictures and the frames of messages counted as text."""
    if isinstance(value, str):
        return len(value.encode("utf-8", "replace"))
    if isinstance(value, list):
        ids = sum(type(item) is int for item in value)  # of tokens
        return ids * BYTES_PER_TOKEN + sum(map(_weight, value))
    if isinstance(value, dict):
        return _weight_of_object(value)
    return 0


def _weight_of_object(value: dict[str, Any]) -> int:
    """Return the bytes of what a model reads in an object."""
    if value.get("type") in _PICTURES:
        return _PER_PICTURE * BYTES_PER_TOKEN
    weight = _PER_MESSAGE * BYTES_PER_TOKEN if "role" in value else 0
    for key, item in value.items():
        if key in _OBJECTS and isinstance(item, dict):
            weight += _weight_of_json(item)
        elif key in _SENT_ALONG and isinstance(item, dict):
            weight += _PER_PICTURE * BYTES_PER_TOKEN
        elif key in _READ:
            weight += _weight(item)
    return weight


def _weight_of_json(value: Any) -> int:
    """Return the bytes that *value* has as JSON, about."""
    if isinstance(value, dict):
        return sum(len(str(key)) + 4 + _weight_of_json(item) for key, item in value.items())
    if isinstance(value, list):
        return sum(1 + _weight_of_json(item) for item in value)
    return len(str(value).encode("utf-8", "replace"))
