"""Embeddings through InvokeModel, whose bodies differ by the model's maker: Titan, Nova, Cohere.

Sources: https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-titan-embed-text.html
https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-titan-embed-mm.html
https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-embed.html
https://docs.aws.amazon.com/nova/latest/userguide/embeddings-schema.html
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from typing import Any
from typing import NamedTuple

from llmgate import errors
from llmgate.contract import Body
from llmgate.contract import Reply
from llmgate.dialects.openai import embeddings as openai_embeddings

PARAMS = frozenset("model input encoding_format dimensions user".split())
"""The parameters of OpenAI's embeddings that these models take."""

_IMAGE = "data:image/"


class _Family(NamedTuple):
    """How one maker's models are asked."""

    limit: int  # inputs in one call
    body: Callable[[list[str], Body], Body]  # of the inputs, and of what is not OpenAI's


def request(body: Body, model: str) -> Body:
    """Return what InvokeModel of *model* (its name, with its maker) takes for an embeddings *body*.

    *body* is one of `parts`. Raises InvalidRequest for models of other makers.
    """
    family = _family(model)
    texts = openai_embeddings.texts(body)
    others = {key: value for key, value in body.items() if key not in PARAMS and value is not None}
    if body.get("dimensions") is not None:
        others["dimensions"] = body["dimensions"]
    return family.body(texts, others)


def parts(body: Body, model: str) -> list[Body]:
    """Return *body* as bodies of as many inputs as *model* takes in one call."""
    return openai_embeddings.parts(body, _family(model).limit)


def _family(model: str) -> _Family:
    """Return how *model* is asked."""
    for name, family in _FAMILIES.items():
        if name in model:
            return family
    raise errors.InvalidRequest(
        f"llmgate does not know how Bedrock's '{model}' embeds; it knows {', '.join(_FAMILIES)}."
        " Where an ARN hides the model, name it in model_info.base_model.",
        param="model",
    )


def _titan(texts: list[str], others: Body) -> Body:
    """Return what Titan's text models take."""
    return {"inputText": texts[0], **others}


def _titan_image(texts: list[str], others: Body) -> Body:
    """Return what Titan's multimodal model takes: a text or, as a data URL, an image."""
    size = others.pop("dimensions", None)
    config = {} if size is None else {"embeddingConfig": {"outputEmbeddingLength": size}}
    if texts[0].startswith(_IMAGE):
        return {"inputImage": texts[0].partition(",")[2], **config, **others}
    return {"inputText": texts[0], **config, **others}


def _nova(texts: list[str], others: Body) -> Body:
    """Return what Nova's embeddings take; every field but what it embeds has a usual value."""
    wanted = {
        "embeddingPurpose": "GENERIC_INDEX",
        "embeddingDimension": others.pop("dimensions", 3072),
        "text": {"truncationMode": "END", "value": texts[0]},
        **others,
    }
    return {
        "schemaVersion": "nova-multimodal-embed-v1",
        "taskType": "SINGLE_EMBEDDING",
        "singleEmbeddingParams": wanted,
    }


def _cohere(texts: list[str], others: Body) -> Body:
    """Return what Cohere's models take: texts or, as data URLs, images."""
    if "dimensions" in others:
        others["output_dimension"] = others.pop("dimensions")
    if all(text.startswith(_IMAGE) for text in texts):
        return {"images": texts, "input_type": "image", **others}
    return {"texts": texts, "input_type": "search_document", **others}


_FAMILIES: Mapping[str, _Family] = {
    "titan-embed-image": _Family(1, _titan_image),
    "titan-embed": _Family(1, _titan),
    "nova": _Family(1, _nova),
    "cohere.embed": _Family(96, _cohere),
}
"""Each family by what its names have in common; the first that fits counts."""


def reply(said: Mapping[str, Any], model: str) -> Reply:
    """Return the embeddings that any of these models *said*; Cohere and Nova count no tokens."""
    if "embedding" in said:
        return openai_embeddings.embedding_list(
            [said["embedding"]], model, said["inputTextTokenCount"]
        )
    found = said["embeddings"]
    if isinstance(found, dict):
        found = found["float"]
    rows = [row["embedding"] if isinstance(row, dict) else row for row in found]
    return openai_embeddings.embedding_list(rows, model, 0)
