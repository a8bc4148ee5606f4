"""Mistral's chat API: unknown members are refused, and messages have an order.

Rules: https://docs.mistral.ai/api and the validator in
https://github.com/mistralai/mistral-common (protocol/instruct/validator.py); "Unexpected role
'user' after role 'tool'" is the API's error 3230, the form of ids 3280.
"""

from __future__ import annotations

import json
import re
from itertools import pairwise
from typing import Any

from mistralai.client.models import ChatCompletionRequestTypedDict
from mistralai.client.models import ChatCompletionStreamRequestTypedDict

from testing import sdk_types
from testing.answers import Answer
from testing.answers import json_answer
from testing.peer import Seen
from testing.strict import openai_chat
from testing.strict.errand import NAME
from testing.strict.errand import Asked
from testing.strict.errand import Refused
from testing.strict.errand import Turn
from testing.strict.errand import Wire
from testing.strict.errand import require

_ID = re.compile(r"[a-zA-Z0-9]{9}")
_AFTER = {
    "system": ("user", "assistant", "system"),
    "user": ("assistant", "system", "user"),
    "assistant": ("assistant", "user", "tool"),
    "tool": ("assistant", "tool"),
}


def read(seen: Seen) -> Asked:
    """Return a request, or refuse it."""
    body = seen.json
    kind: Any = ChatCompletionRequestTypedDict
    if body.get("stream"):
        kind = ChatCompletionStreamRequestTypedDict
    found = sdk_types.faults(body, kind)
    require(not found, f"extra_forbidden: {'; '.join(found)}", 422)
    messages = body["messages"]
    _check_order([message["role"] for message in messages])
    _check_last(messages[-1])
    for message in messages:
        _check_message(message)
    _check_counts(messages)
    for tool in body.get("tools") or []:
        name = tool["function"]["name"]
        require(NAME.fullmatch(name), f"Function name was {name} but must be a-z, A-Z, 0-9, _, -")
    return openai_chat.asked(body)


def _check_order(roles: list[str]) -> None:
    require(roles, "Conversation must have at least one message")
    start = "Conversation must start with a user message or system message"
    require(roles[0] in ("user", "system"), start)
    for before, role in pairwise(roles):
        require(role in _AFTER[before], f"Unexpected role '{role}' after role '{before}'")


def _check_last(message: Any) -> None:
    role = message["role"]
    expected = "Expected last role User or Tool (or Assistant with prefix True) for serving"
    allowed = role in ("user", "tool") or (role == "assistant" and message.get("prefix"))
    require(allowed, f"{expected} but got {role}")


def _check_message(message: Any) -> None:
    calls = message.get("tool_calls") or []
    if message["role"] == "assistant":
        said = "Assistant message must have either content or tool_calls, but not none."
        require(message.get("content") or calls, said)
    ids = [call.get("id") for call in calls]
    if message["role"] == "tool":
        ids.append(message.get("tool_call_id"))
    for id in ids:
        form = f"Tool call id was {id} but must be a-z, A-Z, 0-9, with a length of 9."
        require(_ID.fullmatch(str(id)), form)
    for call in calls:
        json.loads(call["function"]["arguments"])


def _check_counts(messages: list[Any]) -> None:
    """Refuse a turn with more or fewer results than calls."""
    waiting = 0
    for message in messages:
        if message["role"] == "tool":
            require(waiting, "More tool responses than tool calls")
            waiting -= 1
        else:
            require(not waiting, "Not the same number of function calls and responses")
            waiting = len(message.get("tool_calls") or ())
    require(not waiting, "Not the same number of function calls and responses")


def call_id(turn: Turn) -> str:
    """Return Mistral's form of an id of a call."""
    return f"{turn.number}bcdEFG12"


def refuse(refused: Refused) -> Answer:
    """Return Mistral's error."""
    error = {"object": "error", "message": str(refused), "type": "invalid_request_message"}
    return json_answer({**error, "param": None, "code": "3230"}, refused.status)


WIRE = Wire(read, lambda asked, turn: openai_chat.written(asked, turn, call_id(turn)), refuse)
