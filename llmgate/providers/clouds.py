"""Rows of clouds and smaller providers on OpenAI's wire, apart from `rows` for its length alone."""

from __future__ import annotations

from collections.abc import Mapping

from llmgate.contract import MessageRules
from llmgate.providers.row import Row

_MAX_TOKENS = (("max_completion_tokens", "max_tokens"),)

CLOUDS: Mapping[str, Row] = {
    "bytez": Row(
        "https://api.bytez.com/models/v2/openai/v1",
        ("BYTEZ_API_KEY",),
        docs="https://docs.bytez.com/http-reference/examples/openai-compliant/chatCompletionsExample",
    ),
    "chutes": Row(
        "https://llm.chutes.ai/v1",
        ("CHUTES_API_KEY",),
        operations=("chat", "completions"),
        rename=_MAX_TOKENS,
        docs="https://chutes.ai/agents/connect",
    ),
    "cometapi": Row(
        "https://api.cometapi.com/v1",
        ("COMETAPI_KEY", "COMETAPI_API_KEY"),
        operations=("chat", "completions", "embeddings", "images_generations"),
        docs="https://docs.litellm.ai/docs/providers/cometapi",
    ),
    "minimax": Row(
        "https://api.minimax.io/v1",
        ("MINIMAX_API_KEY",),
        docs="https://ai-sdk.dev/providers/ai-sdk-providers/minimax",
    ),
    "nscale": Row(
        "https://inference.api.nscale.com/v1",
        ("NSCALE_API_KEY",),
        operations=("chat", "images_generations"),
        rename=_MAX_TOKENS,
        docs="https://docs.nscale.com/docs/inference",
    ),
    "ovhcloud": Row(
        "https://oai.endpoints.kepler.ai.cloud.ovh.net/v1",
        ("OVHCLOUD_API_KEY", "OVH_AI_ENDPOINTS_ACCESS_TOKEN"),
        operations=("chat", "completions", "embeddings", "transcriptions"),
        rename=_MAX_TOKENS,
        text_only=True,
        docs="https://strandsagents.com/docs/community/model-providers/ovhcloud-ai-endpoints",
    ),
    "scaleway": Row(
        "https://api.scaleway.ai/v1",
        ("SCW_SECRET_KEY", "SCALEWAY_API_KEY"),
        operations=("chat", "completions", "embeddings", "transcriptions"),
        rename=_MAX_TOKENS,
        text_only=True,
        docs="https://www.scaleway.com/en/developers/api/generative-apis",
    ),
    "snowflake": Row(
        "",
        ("SNOWFLAKE_JWT", "SNOWFLAKE_API_KEY"),
        ("SNOWFLAKE_API_BASE",),
        base_path="/api/v2/cortex/v1",
        models_path="",
        docs="https://docs.snowflake.com/user-guide/snowflake-cortex/open_ai_sdk",
    ),
    "targon": Row(
        "https://api.targon.com/v1",
        ("TARGON_API_KEY",),
        operations=("chat", "completions"),
        rename=_MAX_TOKENS,
        docs="https://docs.targon.com",
    ),
    "voyage": Row(
        "https://api.voyageai.com/v1",
        ("VOYAGE_API_KEY",),
        operations=("embeddings",),
        drop=("user",),
        rename=(("dimensions", "output_dimension"),),
        text_only=True,
        float_encoding=False,
        models_path="",
        docs="https://docs.voyageai.com/reference/embeddings-api",
    ),
    "zai": Row(
        "https://api.z.ai/api/paas/v4",
        ("ZAI_API_KEY",),
        rename=_MAX_TOKENS,
        messages=MessageRules(reasoning="reasoning_content"),
        docs="https://docs.z.ai/guides/develop/openai/python",
    ),
}
