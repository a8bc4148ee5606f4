"""Gemini's embedContent and batchEmbedContents as OpenAI's embeddings, and their answers back.

Source: https://ai.google.dev/api/embeddings
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmgate import errors
from llmgate.contract import Body
from llmgate.contract import Reply
from llmgate.dialects.gemini import names as gemini_names

_NAMES = frozenset(
    """content contents requests taskType title outputDimensionality autoTruncate
    embedContentConfig documentOcr audioTrackExtraction""".split()
)


def embeddings_from_one(body: Body) -> Body:
    """Return the embeddings request for the embedContent request *body*.

    Raises InvalidRequest for content without text, and Python's errors for malformed members.
    """
    return _embeddings(body, [gemini_names.spelled(body, _NAMES)])


def embeddings_from_many(body: Body) -> Body:
    """Return the embeddings request for the batchEmbedContents request *body*, as above."""
    return _embeddings(body, gemini_names.spelled(body, _NAMES)["requests"])


def _embeddings(body: Body, requests: list[Mapping[str, Any]]) -> Body:
    """Return the embeddings request for *requests*, which are those of *body*."""
    sizes = {_size(request) for request in requests}
    if len(sizes) > 1:
        raise errors.InvalidRequest(
            "Only Gemini embeds at different sizes in one request: send one outputDimensionality.",
            param="outputDimensionality",
        )
    (size,) = sizes
    found: Body = {"input": [_text(request["content"]) for request in requests]}
    found |= {"dimensions": size} if size else {}
    others = {k: v for k, v in body.items() if gemini_names.camel(k) not in _NAMES}
    return {**others, **found, "encoding_format": "float"}


def _size(request: Mapping[str, Any]) -> Any:
    """Return the requested length of the vectors, None if there is none."""
    inner = request.get("embedContentConfig") or {}
    return request.get("outputDimensionality") or inner.get("outputDimensionality")


def _text(content: Mapping[str, Any]) -> str:
    """Return the text of *content*."""
    parts = content["parts"]
    if any(part.get("text") is None for part in parts):
        raise errors.InvalidRequest(
            "Only Gemini embeds pictures and files: send parts with text.", param="content"
        )
    return "".join(part["text"] for part in parts)


def many_from_embeddings(reply: Reply) -> dict[str, Any]:
    """Return the answer to batchEmbedContents that the embeddings *reply* stands for."""
    rows = sorted(reply["data"], key=lambda row: row.get("index", 0))
    return {"embeddings": [{"values": row["embedding"]} for row in rows], **_used(reply)}


def one_from_embeddings(reply: Reply) -> dict[str, Any]:
    """Return the answer to embedContent that the embeddings *reply* stands for."""
    return {"embedding": {"values": reply["data"][0]["embedding"]}, **_used(reply)}


def _used(reply: Reply) -> dict[str, Any]:
    """Return the usage of the answer."""
    count = (reply.get("usage") or {}).get("prompt_tokens")
    return {"usageMetadata": {"promptTokenCount": count}} if count else {}
