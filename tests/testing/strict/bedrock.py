"""Bedrock's Converse with Amazon Nova: botocore's shapes, and the order of turns.

Rules: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html; the
shapes are those of botocore's service model.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from collections.abc import Mapping
from functools import cache
from typing import Any
from urllib.parse import unquote

import botocore.session
from botocore.validate import ParamValidator

from testing import eventstreams
from testing.answers import Answer
from testing.answers import answer
from testing.answers import json_answer
from testing.peer import Seen
from testing.strict.errand import NAME
from testing.strict.errand import Asked
from testing.strict.errand import Refused
from testing.strict.errand import Turn
from testing.strict.errand import Wire
from testing.strict.errand import pieces
from testing.strict.errand import require

_ID = re.compile(r"[a-zA-Z0-9_.:-]{1,64}")
_EXTRA = ("inferenceConfig", "reasoningConfig")
"""What Nova takes in additionalModelRequestFields."""


@cache
def _shape() -> Any:
    session = botocore.session.Session(profile=None)
    model = session.get_service_model("bedrock-runtime")
    return model.operation_model("ConverseStream").input_shape


def read(seen: Seen) -> Asked:
    """Return a request, or refuse it."""
    body = seen.json
    model, _, operation = seen.path.rpartition("/")
    name = unquote(model.rpartition("/")[2])
    report = ParamValidator().validate({**body, "modelId": name}, _shape())
    require(not report.has_errors(), report.generate_report())
    _check_messages(body["messages"])
    _check_fields(body)
    blocks = [block for message in body["messages"] for block in message["content"]]
    tools = (body.get("toolConfig") or {}).get("tools", [])
    used = any("toolUse" in block or "toolResult" in block for block in blocks)
    needed = "The toolConfig field must be defined when using toolUse and toolResult blocks."
    require(tools or not used, needed)
    names = frozenset(tool["toolSpec"]["name"] for tool in tools if "toolSpec" in tool)
    results = [block["toolResult"] for block in blocks if "toolResult" in block]
    return Asked(body, names, operation == "converse-stream", json.dumps(results))


def _check_fields(body: Mapping[str, Any]) -> None:
    """Refuse what Nova does not know."""
    for name in body.get("additionalModelRequestFields") or {}:
        require(name in _EXTRA, f"extraneous key [{name}] is not permitted, please reformat")
    for tool in (body.get("toolConfig") or {}).get("tools", []):
        require("cachePoint" not in tool, "extraneous key [cachePoint] is not permitted")
        require(NAME.fullmatch(tool["toolSpec"]["name"]), "Member must satisfy [a-zA-Z0-9_-]+")
        schema = tool["toolSpec"]["inputSchema"]["json"]
        kind = "The value at toolConfig.tools.0.toolSpec.inputSchema.json.type must be object"
        require(schema.get("type") == "object", kind)
    for block in body.get("system") or []:
        billing = "x-anthropic-billing-header is a reserved keyword"
        require("x-anthropic-billing-header" not in block.get("text", ""), billing)


def _check_messages(messages: list[Any]) -> None:
    require(
        messages and messages[0]["role"] == "user", "A conversation must start with a user message."
    )
    before, waiting = "", set[str]()
    for index, message in enumerate(messages):
        blocks = message["content"]
        require(blocks, f"The content field in messages.{index} is empty.")
        require(message["role"] != before, "roles must alternate between user and assistant")
        before = message["role"]
        for block in blocks:
            blank = f"The text field in messages.{index} is blank."
            require("text" not in block or block["text"].strip(), blank)
            named = "document" not in block or any("text" in each for each in blocks)
            require(named, "a ContentBlock with a document needs one with a text field")
        results = [block["toolResult"]["toolUseId"] for block in blocks if "toolResult" in block]
        same = "Expected toolResult blocks at messages.{} for the following Ids: {}"
        require(set(results) == waiting, same.format(index, waiting))
        waiting = {block["toolUse"]["toolUseId"] for block in blocks if "toolUse" in block}
        for id in waiting:
            require(_ID.fullmatch(id), "toolUseId must match [a-zA-Z0-9_.:-]+")
    require(not waiting, "Expected toolResult blocks after toolUse blocks")


# -- what it answers


def _blocks_of(turn: Turn) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [{"text": turn.text}]
    if turn.call:
        id = f"tooluse_{turn.number}abcdefghijklmnopqrstuv"
        call = {"name": turn.call.name, "input": dict(turn.call.arguments)}
        found.append({"toolUse": {"toolUseId": id, **call}})
    return found


def _events_of(turn: Turn) -> Iterator[tuple[str, dict[str, Any]]]:
    yield "messageStart", {"role": "assistant"}
    for index, block in enumerate(_blocks_of(turn)):
        here = {"contentBlockIndex": index}
        if "toolUse" in block:
            used = block["toolUse"]
            start = {"toolUse": {"toolUseId": used["toolUseId"], "name": used["name"]}}
            yield "contentBlockStart", {"start": start, **here}
            for piece in pieces(json.dumps(used["input"])):
                yield "contentBlockDelta", {"delta": {"toolUse": {"input": piece}}, **here}
        else:
            for piece in pieces(block["text"]):
                yield "contentBlockDelta", {"delta": {"text": piece}, **here}
        yield "contentBlockStop", here
    yield "messageStop", {"stopReason": "tool_use" if turn.call else "end_turn"}
    yield "metadata", {"usage": _USAGE, "metrics": {"latencyMs": 1}}


_USAGE = {"inputTokens": 20, "outputTokens": 10, "totalTokens": 30}


def _written(asked: Asked, turn: Turn) -> Answer:
    if not asked.stream:
        message = {"role": "assistant", "content": _blocks_of(turn)}
        end = "tool_use" if turn.call else "end_turn"
        whole = {"output": {"message": message}, "stopReason": end, "usage": _USAGE}
        return json_answer({**whole, "metrics": {"latencyMs": 1}})
    events = [eventstreams.event(kind, payload) for kind, payload in _events_of(turn)]
    headers = {"content-type": eventstreams.MEDIA_TYPE}
    return answer(events, headers=headers, framing="chunked")


def refuse(refused: Refused) -> Answer:
    """Return AWS's error."""
    headers = {"x-amzn-errortype": "ValidationException"}
    return json_answer({"message": str(refused)}, refused.status, headers)


WIRE = Wire(read, _written, refuse)
