"""Cohere's embeddings and rerank, API v2.

Source: https://docs.cohere.com/reference/embed, https://docs.cohere.com/reference/rerank
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

from llmgate.contract import Body
from llmgate.contract import Reply
from llmgate.contract import Usage
from llmgate.dialects.openai import embeddings as openai_embeddings


def embed_body(body: Body, input_type: str) -> Body:
    """Return Cohere's request for an embeddings *body*, with *input_type* as the default.

    Inputs that are all data URIs of images are embedded as images.
    """
    texts = openai_embeddings.texts(body)
    images = all(text.startswith("data:image/") for text in texts)
    sent = {
        "input_type": "image" if images else input_type,
        "embedding_types": ["float"],
        **{key: value for key, value in body.items() if key not in _NOT_EMBED},
        "images" if images else "texts": texts,
    }
    if body.get("dimensions"):
        sent["output_dimension"] = body["dimensions"]
    return sent


_NOT_EMBED = frozenset({"input", "dimensions", "encoding_format"})


def embeddings_reply(reply: Mapping[str, Any], model: str) -> Reply:
    """Return Cohere's *reply* as embeddings: floats, or the only requested type."""
    found = reply["embeddings"]
    billed = (reply.get("meta") or {}).get("billed_units") or {}
    tokens = int(billed.get("input_tokens") or 0) + int(billed.get("image_tokens") or 0)
    return openai_embeddings.embedding_list(
        found.get("float") or next(iter(found.values())), model, tokens
    )


def rerank_body(body: Body) -> Body:
    """Return Cohere's request for a rerank *body*: documents are texts, objects become JSON."""
    documents = [_document(document) for document in body["documents"]]
    sent = {key: value for key, value in body.items() if key != "return_documents"}
    return {**sent, "documents": documents}


def _document(document: Any) -> str:
    """Return one document as text."""
    if isinstance(document, str):
        return document
    if isinstance(document, dict) and isinstance(document.get("text"), str):
        return str(document["text"])
    return json.dumps(document, ensure_ascii=False)


def with_documents(reply: Mapping[str, Any], documents: Sequence[Any]) -> Reply:
    """Return a rerank *reply* whose results have their *documents*, texts as objects that hold one.

    Those that came with one keep it.
    """
    results = reply.get("results")
    if not isinstance(results, list):
        return dict(reply)
    return {**reply, "results": [_with_document(row, documents) for row in results]}


def _with_document(row: Any, documents: Sequence[Any]) -> Any:
    """Return the *row* of a result with the document that it is of."""
    if not isinstance(row, dict) or row.get("document") is not None:
        return row
    at = row.get("index")
    if not isinstance(at, int) or at not in range(len(documents)):
        return row
    document = documents[at]
    return {**row, "document": {"text": document} if isinstance(document, str) else document}


def rerank_usage(report: Mapping[str, Any]) -> Usage:
    """Return the billed searches of a rerank reply."""
    billed = (report.get("meta") or {}).get("billed_units") or {}
    return {"search_units": billed["search_units"]} if billed.get("search_units") else {}
