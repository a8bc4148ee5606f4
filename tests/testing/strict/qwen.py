"""A vLLM or llama.cpp server with a model whose chat template raises errors, as Qwen 3.5's does.

Rules: the template of https://huggingface.co/Qwen/Qwen3.5-35B-A3B (chat_template.jinja), and
https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html: unknown members are ignored.
"""

from __future__ import annotations

import json
from typing import Any

from testing.answers import Answer
from testing.answers import json_answer
from testing.peer import Seen
from testing.strict import openai_chat
from testing.strict.errand import Asked
from testing.strict.errand import Refused
from testing.strict.errand import Wire
from testing.strict.errand import require

_MEDIA = ("image_url", "video_url", "audio_url", "input_audio")


def read(seen: Seen) -> Asked:
    """Return a request that the template can render, or refuse it."""
    body = seen.json
    messages = body["messages"]
    require(messages, "No messages provided.")
    for index, message in enumerate(messages):
        _check_message(index, message)
    users = [message for message in messages if message["role"] == "user"]
    require(users, "No user query found in messages.")
    openai_chat.check_pairs(messages)
    return openai_chat.asked(body)


def _check_message(index: int, message: Any) -> None:
    role, content = message["role"], message.get("content")
    roles = ("system", "user", "assistant", "tool")
    require(role in roles, "Unexpected message role.")
    first = "System message must be at the beginning."
    require(role != "system" or index == 0, first)
    for part in content if isinstance(content, list) else ():
        if part.get("type") in _MEDIA:
            require(role != "system", "System message cannot contain images.")
        else:
            require(isinstance(part.get("text"), str), "Unexpected item type in content.")
    for call in message.get("tool_calls") or ():
        arguments = json.loads(call["function"]["arguments"])
        require(isinstance(arguments, dict), "Can only get item pairs from a mapping.")


def refuse(refused: Refused) -> Answer:
    """Return vLLM's error."""
    error = {"message": str(refused), "type": "BadRequestError", "param": None, "code": 400}
    return json_answer({"error": error}, refused.status)


def _answer(asked: Asked, turn: Any) -> Answer:
    return openai_chat.written(asked, turn, f"chatcmpl-tool-{turn.number}", "reasoning_content")


WIRE = Wire(read, _answer, refuse)
