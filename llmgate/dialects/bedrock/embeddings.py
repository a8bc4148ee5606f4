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
    """The request format of one family of models."""

    limit: int  # inputs in one call
    body: Callable[[list[str], Body], Body]  # of the inputs, and of what is not OpenAI's


def request(body: Body, model: str) -> Body:
    """Return what InvokeModel of *model* (with its maker) accepts for an embeddings *body*.

    *body* is one of `parts`. Raises InvalidRequest for models of other makers.
    """
    family = _family(model)
    texts = openai_embeddings.texts(body)
    others = {key: value for key, value in body.items() if key not in PARAMS and value is not None}
    if body.get("dimensions") is not None:
        others["dimensions"] = body["dimensions"]
    return family.body(texts, others)


def parts(body: Body, model: str) -> list[Body]:
    """Return *body* split by the number of inputs that *model* accepts in one call."""
    return openai_embeddings.parts(body, _family(model).limit)


def _family(model: str) -> _Family:
    """Return the family of *model*."""
    for name, family in _FAMILIES.items():
        if name in model:
            return family
    raise errors.InvalidRequest(
        f"Unknown embedding model '{model}' at Bedrock; known are {', '.join(_FAMILIES)}."
        " For an ARN, set model_info.base_model to the model's name.",
        param="model",
    )


def _titan(texts: list[str], others: Body) -> Body:
    """Return the request of Titan's text models."""
    return {"inputText": texts[0], **others}


def _titan_image(texts: list[str], others: Body) -> Body:
    """Return the request of Titan's multimodal model: a text or, as a data URL, an image."""
    size = others.pop("dimensions", None)
    config = {} if size is None else {"embeddingConfig": {"outputEmbeddingLength": size}}
    if texts[0].startswith(_IMAGE):
        return {"inputImage": texts[0].partition(",")[2], **config, **others}
    return {"inputText": texts[0], **config, **others}


def _nova(texts: list[str], others: Body) -> Body:
    """Return the request of Nova's embeddings, with defaults."""
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
    """Return the request of Cohere's models: texts or, as data URLs, images."""
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


_COUNT = "x-amzn-bedrock-input-token-count"


def counted(found: Reply, headers: Mapping[str, str]) -> Reply:
    """Return the embeddings *found* with AWS's count of the tokens, where the model has none.

    Source: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_InvokeModel.html
    """
    count = headers.get(_COUNT, "")
    if found["usage"]["prompt_tokens"] or not (count.isascii() and count.isdigit()):
        return found
    return {**found, "usage": {"prompt_tokens": int(count), "total_tokens": int(count)}}


def reply(raw: Mapping[str, Any], model: str) -> Reply:
    """Return the embeddings in *raw*, a response of any of these models."""
    if "embedding" in raw:
        return openai_embeddings.embedding_list(
            [raw["embedding"]], model, raw["inputTextTokenCount"]
        )
    found = raw["embeddings"]
    if isinstance(found, dict):
        found = found["float"]
    rows = [row["embedding"] if isinstance(row, dict) else row for row in found]
    return openai_embeddings.embedding_list(rows, model, 0)
