"""OpenAI's embeddings out of the vectors that other upstreams give.

Source: https://platform.openai.com/docs/api-reference/embeddings
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterable
from collections.abc import Sequence
from typing import Any

from llmgate import errors
from llmgate.codecs import cl100k
from llmgate.contract import Body
from llmgate.contract import Reply
from llmgate.dialects.openai import wire as openai_wire


def texts(body: Body) -> list[str]:
    """Return the input as texts, token ids read as cl100k_base's; raises InvalidRequest."""
    given = body["input"]
    if isinstance(given, str):
        return [given]
    if given and isinstance(given[0], int):
        return [_text(given)]
    return [_text(each) for each in given]


def in_text(body: Body) -> Body:
    """Return *body* with the token ids in its input as text; itself if it has none."""
    given = body.get("input")
    if isinstance(given, list) and given and isinstance(given[0], int | list):
        return {**body, "input": texts(body)}
    return body


def _text(given: Any) -> str:
    """Return the text that one input is; raises InvalidRequest for token ids among texts."""
    if isinstance(given, str):
        return given
    if isinstance(given, list) and all(isinstance(id, int) for id in given):
        return cl100k.text(given)
    raise errors.InvalidRequest(
        "'input' mixes texts and token ids: send a list of either.", param="input"
    )


def parts(body: Body, limit: int) -> list[Body]:
    """Return *body* as bodies of at most *limit* inputs each, in their order, all of them texts."""
    found = texts(body)
    return [{**body, "input": found[at : at + limit]} for at in range(0, len(found), limit)]


def joined(replies: Sequence[Reply]) -> Reply:
    """Return the replies to `parts` as one: the vectors numbered through, the usage added up."""
    rows = [row for reply in replies for row in reply["data"]]
    usage: dict[str, Any] = {}
    for reply in replies:
        for name, count in (reply.get("usage") or {}).items():
            usage[name] = usage.get(name, 0) + count
    numbered = [{**row, "index": at} for at, row in enumerate(rows)]
    return {**replies[0], "data": numbered, "usage": usage}


def embedding_list(vectors: Iterable[Any], model: str, tokens: int) -> Reply:
    """Return the reply that holds *vectors*, in their order, made of so many *tokens*."""
    rows = [
        {"object": "embedding", "index": at, "embedding": vector}
        for at, vector in enumerate(vectors)
    ]
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return {"object": "list", "data": rows, "model": model, "usage": usage}


def packed(vector: Sequence[float]) -> str:
    """Return *vector* as the base64 of little-endian 32-bit floats, as OpenAI does.

    Raises ValueError for what they cannot hold.
    """
    try:
        data = struct.pack(f"<{len(vector)}f", *vector)
    except (struct.error, OverflowError) as error:
        raise ValueError("a vector contains a value that is not a 32-bit float") from error
    return base64.b64encode(data).decode()


def encoded(reply: Reply, body: Body) -> Reply:
    """Return *reply* in the `encoding_format` that *body* asks for; itself if it is in it."""
    if body.get("encoding_format") != "base64":
        return reply
    if not any(isinstance(row["embedding"], list) for row in reply["data"]):
        return reply
    rows = [
        {**row, "embedding": packed(row["embedding"])}
        if isinstance(row["embedding"], list)
        else row
        for row in reply["data"]
    ]
    return {**reply, "data": rows}


def data(raw: bytes, reply: Reply, body: Body) -> bytes:
    """Return the bytes that *came*, or its *reply* in base64 if that was requested.

    Many upstreams ignore `encoding_format`; OpenAI's JavaScript client, which requests base64 by
    default, reads numbers as empty vectors.
    """
    try:
        shown = encoded(reply, body)
    except (LookupError, TypeError, ValueError):  # vectors of another shape: they go as they came
        return raw
    return raw if shown is reply else openai_wire.encoded(shown)
