"""Upstreams that speak OpenAI's wire, one row each.

A new one is a row: its base URL, the variables of its key, its operations, and what it refuses or
calls by another name. Its address may come from `<NAME>_API_BASE` as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from llmgate.contract import Body
from llmgate.contract import Build
from llmgate.contract import Call
from llmgate.contract import Deployment
from llmgate.contract import Provider
from llmgate.contract import Row
from llmgate.dialects.openai import embeddings as openai_embeddings
from llmgate.dialects.openai import wire as openai_wire
from llmgate.providers import credentials
from llmgate.providers.openai import call_to
from llmgate.providers.openai import operation
from llmgate.schema import parameters

_TEXT = ("chat", "completions", "embeddings")
_ALL = tuple(openai_wire.PATHS)
_MAX_TOKENS = (("max_completion_tokens", "max_tokens"),)
_MISTRAL = Row(
    base_url="https://api.mistral.ai/v1",
    key_env=("MISTRAL_API_KEY",),
    operations=("chat", "embeddings", "moderations", "transcriptions"),
    drop=(
        "logit_bias",
        "logprobs",
        "top_logprobs",
        "stream_options",
        "user",
        "store",
        "service_tier",
        "functions",
        "function_call",
    ),
    rename=(*_MAX_TOKENS, ("seed", "random_seed")),
    text_only=True,
)
_OWN = Row(base_url="", operations=_ALL)

ROWS: Mapping[str, Row] = {
    "ai21": Row("https://api.ai21.com/studio/v1", ("AI21_API_KEY",)),
    "aiml": Row("https://api.aimlapi.com/v1", ("AIML_API_KEY",), operations=_TEXT),
    "anyscale": Row("https://api.endpoints.anyscale.com/v1", ("ANYSCALE_API_KEY",)),
    "baseten": Row("https://inference.baseten.co/v1", ("BASETEN_API_KEY",)),
    "cerebras": Row(
        "https://api.cerebras.ai/v1",
        ("CEREBRAS_API_KEY",),
        operations=("chat", "completions"),
        drop=("n", "presence_penalty", "frequency_penalty", "logit_bias"),
    ),
    "codestral": _MISTRAL._replace(
        base_url="https://codestral.mistral.ai/v1",
        key_env=("CODESTRAL_API_KEY",),
        operations=("chat",),
    ),
    "custom_openai": _OWN,
    "dashscope": Row(
        "https://dashscope.aliyuncs.com/compatible-mode/v1",
        ("DASHSCOPE_API_KEY",),
        operations=("chat", "embeddings"),
        rename=_MAX_TOKENS,
        text_only=True,
    ),
    "deepinfra": Row(
        "https://api.deepinfra.com/v1/openai",
        ("DEEPINFRA_API_KEY",),
        operations=(*_TEXT, "images_generations"),
        rename=_MAX_TOKENS,
        text_only=True,
    ),
    "deepseek": Row(
        "https://api.deepseek.com/beta",
        ("DEEPSEEK_API_KEY",),
        operations=("chat", "completions"),
        rename=_MAX_TOKENS,
    ),
    "docker_model_runner": Row("http://localhost:22088/engines/llama.cpp", operations=_TEXT),
    "featherless_ai": Row(
        "https://api.featherless.ai/v1",
        ("FEATHERLESS_AI_API_KEY",),
        operations=("chat", "completions"),
    ),
    "fireworks_ai": Row(
        "https://api.fireworks.ai/inference/v1",
        ("FIREWORKS_API_KEY", "FIREWORKS_AI_API_KEY", "FIREWORKSAI_API_KEY", "FIREWORKS_AI_TOKEN"),
        operations=_TEXT,
        rename=_MAX_TOKENS,
        model_prefix="accounts/fireworks/models/",
    ),
    "friendliai": Row(
        "https://api.friendli.ai/serverless/v1",
        ("FRIENDLIAI_API_KEY", "FRIENDLI_TOKEN"),
        operations=("chat", "completions"),
    ),
    "github": Row(
        "https://models.inference.ai.azure.com",
        ("GITHUB_API_KEY",),
        operations=("chat", "embeddings"),
        text_only=True,
    ),
    "groq": Row(
        "https://api.groq.com/openai/v1",
        ("GROQ_API_KEY",),
        operations=("chat", "speech", "transcriptions", "translations"),
    ),
    "heroku": Row(
        "https://us.inference.heroku.com/v1",
        ("HEROKU_API_KEY", "INFERENCE_KEY"),
        ("HEROKU_API_BASE", "INFERENCE_URL"),
        operations=("chat", "embeddings", "images_generations"),
        rename=_MAX_TOKENS,
        base_path="/v1",
        text_only=True,
    ),
    "hosted_vllm": Row(
        "",
        base_env=("HOSTED_VLLM_API_BASE",),
        operations=(*_TEXT, "transcriptions", "translations"),
    ),
    "huggingface": Row(
        "https://router.huggingface.co/v1", ("HF_TOKEN", "HUGGINGFACE_API_KEY"), rename=_MAX_TOKENS
    ),
    "hyperbolic": Row(
        "https://api.hyperbolic.xyz/v1",
        ("HYPERBOLIC_API_KEY",),
        operations=("chat", "completions"),
        rename=_MAX_TOKENS,
    ),
    "inception": Row("https://api.inceptionlabs.ai/v1", ("INCEPTION_API_KEY",)),
    "jina_ai": Row(
        "https://api.jina.ai/v1",
        ("JINA_AI_API_KEY",),
        operations=("embeddings", "rerank"),
        text_only=True,
    ),
    "lambda_ai": Row(
        "https://api.lambda.ai/v1", ("LAMBDA_API_KEY",), operations=("chat", "completions")
    ),
    "lemonade": Row("http://localhost:8000/api/v1", operations=_TEXT),
    "litellm_proxy": Row("", base_env=("LITELLM_PROXY_API_BASE",), operations=_ALL),
    "llamafile": Row("http://127.0.0.1:8080/v1", operations=_TEXT, rename=_MAX_TOKENS),
    "lm_studio": Row(
        "http://localhost:1234/v1", operations=_TEXT, rename=_MAX_TOKENS, text_only=True
    ),
    "meta_llama": Row("https://api.llama.com/compat/v1", ("LLAMA_API_KEY",)),
    "mistral": _MISTRAL,
    "moonshot": Row("https://api.moonshot.ai/v1", ("MOONSHOT_API_KEY",), rename=_MAX_TOKENS),
    "morph": Row("https://api.morphllm.com/v1", ("MORPH_API_KEY",)),
    "nebius": Row(
        "https://api.studio.nebius.ai/v1",
        ("NEBIUS_API_KEY",),
        operations=(*_TEXT, "images_generations"),
    ),
    "novita": Row(
        "https://api.novita.ai/v3/openai",
        ("NOVITA_API_KEY",),
        operations=_TEXT,
        rename=_MAX_TOKENS,
        text_only=True,
    ),
    "nvidia_nim": Row(
        "https://integrate.api.nvidia.com/v1",
        ("NVIDIA_NIM_API_KEY",),
        operations=_TEXT,
        rename=_MAX_TOKENS,
        text_only=True,
    ),
    "ollama": Row(
        "http://localhost:11434/v1",
        operations=_TEXT,
        rename=_MAX_TOKENS,
        base_path="/v1",
        text_only=True,
    ),
    "openai_like": _OWN,
    "openrouter": Row("https://openrouter.ai/api/v1", ("OPENROUTER_API_KEY",), operations=_TEXT),
    "perplexity": Row(
        "https://api.perplexity.ai",
        ("PERPLEXITYAI_API_KEY", "PERPLEXITY_API_KEY"),
        drop=(
            "n",
            "stop",
            "logit_bias",
            "seed",
            "tools",
            "tool_choice",
            "parallel_tool_calls",
            "logprobs",
            "top_logprobs",
        ),
        rename=_MAX_TOKENS,
    ),
    "sambanova": Row(
        "https://api.sambanova.ai/v1",
        ("SAMBANOVA_API_KEY",),
        operations=("chat", "embeddings"),
        rename=_MAX_TOKENS,
        text_only=True,
    ),
    "together_ai": Row(
        "https://api.together.xyz/v1",
        ("TOGETHER_API_KEY", "TOGETHER_AI_API_KEY", "TOGETHERAI_API_KEY", "TOGETHER_AI_TOKEN"),
        operations=(
            *_TEXT,
            "images_generations",
            "speech",
            "transcriptions",
            "translations",
            "rerank",
        ),
        rename=_MAX_TOKENS,
        text_only=True,
    ),
    "v0": Row("https://api.v0.dev/v1", ("V0_API_KEY",)),
    "vercel_ai_gateway": Row(
        "https://ai-gateway.vercel.sh/v1",
        ("VERCEL_AI_GATEWAY_API_KEY", "VERCEL_OIDC_TOKEN"),
        operations=("chat", "embeddings"),
        text_only=True,
    ),
    "volcengine": Row(
        "https://ark.cn-beijing.volces.com/api/v3",
        ("VOLCENGINE_API_KEY", "ARK_API_KEY"),
        operations=("chat", "embeddings"),
        rename=_MAX_TOKENS,
        text_only=True,
    ),
    "wandb": Row("https://api.inference.wandb.ai/v1", ("WANDB_API_KEY",)),
    "xai": Row("https://api.x.ai/v1", ("XAI_API_KEY",), operations=("chat", "images_generations")),
}


def provider(name: str, row: Row) -> Provider:
    """Return the provider called *name* that *row* describes."""

    def base_url(settings: Mapping[str, Any]) -> str:
        given = str(settings.get("api_base") or row.base_url).rstrip("/")
        return given + row.base_path if _is_bare(given) else given

    optional_key = () if row.key_env else (f"{name.upper()}_API_KEY",)
    return Provider(
        name=name,
        base_url=base_url,
        authorize=credentials.bearer(row.key_env),
        failure=openai_wire.failure,
        operations={op: operation(op, build(op, row), taken(op, row)) for op in row.operations},
        env={
            "api_key": row.key_env or optional_key,
            "api_base": row.base_env or (f"{name.upper()}_API_BASE",),
        },
    )


def _is_bare(base: str) -> bool:
    """Return whether *base* has no path."""
    return not urlsplit(base).path


def taken(name: str, row: Row) -> frozenset[str] | None:
    """Return the parameters that *row* takes for the operation called *name*; None: all."""
    if not set(row.drop) & parameters.OPENAI.get(name, frozenset()):
        return None
    return parameters.OPENAI[name] - set(row.drop)


def build(name: str, row: Row) -> Build:
    """Return the function that builds calls of the operation called *name* for *row*."""
    renamed = dict(row.rename)
    asks_usage = "stream_options" not in row.drop

    def call(body: Body, deployment: Deployment) -> Call:
        if row.model_prefix and "/" not in deployment.model:
            deployment = deployment._replace(model=row.model_prefix + deployment.model)
        body = {renamed.get(key, key): value for key, value in body.items()}
        if row.text_only and name == "embeddings":
            body = openai_embeddings.in_text(body)
        url = f"{deployment.api_base}{openai_wire.path(name)}"
        return call_to(url, name, body, deployment, asks_usage)

    return call
