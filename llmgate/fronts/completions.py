"""OpenAI's legacy completions in front of a chat.

Source: https://platform.openai.com/docs/api-reference/completions
"""

from __future__ import annotations

from collections.abc import Generator
from collections.abc import Iterable
from collections.abc import Mapping
from typing import Any

from llmgate import errors
from llmgate.contract import PAUSE
from llmgate.contract import Body
from llmgate.contract import Events
from llmgate.contract import Reply

_TRANSLATED = frozenset({"prompt", "logprobs", "best_of", "echo", "suffix"})
_FINISHES: Mapping[Any, str] = {"tool_calls": "stop", "function_call": "stop"}


def chat_from_completion(body: Body) -> Body:
    """Return the chat body that asks for what a completion *body* asks for.

    Raises InvalidRequest for what a chat cannot do.
    """
    _check(body)
    kept = {key: value for key, value in body.items() if key not in _TRANSLATED}
    messages = [{"role": "user", "content": _prompt(body["prompt"])}]
    return {**kept, "messages": messages, **_logprobs(body.get("logprobs"))}


def _prompt(prompt: Any) -> str:
    """Return the only text of *prompt*; null, the start of a new document, has none."""
    if prompt is None:
        return ""
    if isinstance(prompt, list) and len(prompt) == 1:
        prompt = prompt[0]
    if isinstance(prompt, str):
        return prompt
    several = isinstance(prompt, list) and all(isinstance(one, str) for one in prompt)
    why = (
        "one prompt: send each in a request of its own."
        if several
        else "text and no token ids: send 'prompt' as a string."
    )
    raise errors.InvalidRequest(
        f"This model is reached through chat completions, which take {why}", param="prompt"
    )


def _check(body: Body) -> None:
    """Raise InvalidRequest for parameters that a chat has no counterpart of."""
    refused = {
        "echo": bool(body.get("echo")),
        "suffix": bool(body.get("suffix")),
        "best_of": (body.get("best_of") or 1) > (body.get("n") or 1),
    }
    for name, is_refused in refused.items():
        if is_refused:
            raise errors.InvalidRequest(
                f"This model is reached through chat completions, which have no '{name}': leave it"
                " out, or choose a model whose provider has completions.",
                param=name,
                code="unsupported_parameter",
            )


def _logprobs(count: Any) -> Body:
    """Return chat's parameters for log probabilities, *count* alternatives of each token."""
    if count is None or count is False:
        return {}
    return {"logprobs": True, **({} if count is True else {"top_logprobs": count})}


def completion_from_chat(reply: Reply) -> Reply:
    """Return the completion that a chat *reply* amounts to."""
    choices = [
        _choice(choice, choice["message"].get("content") or "", 0) for choice in reply["choices"]
    ]
    return {**reply, "object": "text_completion", "choices": choices}


def completion_chunks(chunks: Iterable[Mapping[str, Any]]) -> Events:
    """Yield a chat's *chunks* as those of completions.

    What has neither text nor an end nor usage is left out: a role, thoughts.
    """
    offsets: dict[int, int] = {}
    try:
        for chunk in chunks:
            if not chunk:
                yield PAUSE
                continue
            choices = _spoken(chunk, offsets)
            if choices or chunk.get("usage"):
                yield {**chunk, "object": "text_completion", "choices": choices}
    finally:
        if isinstance(chunks, Generator):
            chunks.close()


def _spoken(chunk: Mapping[str, Any], offsets: dict[int, int]) -> list[dict[str, Any]]:
    """Return the choices of *chunk* that say something, and count it in *offsets*."""
    choices = []
    for choice in chunk["choices"]:
        text = choice["delta"].get("content") or ""
        if text or choice.get("finish_reason"):
            at = choice["index"]
            choices.append(_choice(choice, text, offsets.get(at, 0)))
            offsets[at] = offsets.get(at, 0) + len(text)
    return choices


def _choice(choice: Mapping[str, Any], text: str, offset: int) -> dict[str, Any]:
    """Return a completion's choice: *text*, which begins at *offset*."""
    finish = choice.get("finish_reason")
    return {
        "text": text,
        "index": choice["index"],
        "logprobs": _token_lists(choice.get("logprobs"), offset),
        "finish_reason": _FINISHES.get(finish, finish),
    }


def _token_lists(logprobs: Any, offset: int) -> dict[str, Any] | None:
    """Return chat's *logprobs* as four lists, the text offsets counted from *offset*."""
    tokens = (logprobs or {}).get("content")
    if not tokens:
        return None
    lists: dict[str, Any] = {
        "tokens": [token["token"] for token in tokens],
        "token_logprobs": [token["logprob"] for token in tokens],
        "top_logprobs": [_alternatives(token) for token in tokens],
        "text_offset": [],
    }
    for token in tokens:
        lists["text_offset"].append(offset)
        offset += len(token["token"])
    return lists


def _alternatives(token: Mapping[str, Any]) -> dict[str, float]:
    """Return the alternatives of *token* and their log probabilities."""
    return {other["token"]: other["logprob"] for other in token.get("top_logprobs") or ()}
