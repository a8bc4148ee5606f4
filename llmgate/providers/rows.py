"""The upstreams that speak OpenAI's wire: address, key, operations, what each accepts."""

from __future__ import annotations

from collections.abc import Mapping

from llmgate.contract import MessageRules
from llmgate.contract import NativeApi
from llmgate.dialects.openai import wire as openai_wire
from llmgate.providers import natives
from llmgate.providers.clouds import CLOUDS
from llmgate.providers.row import Row

_TEXT = ("chat", "completions", "embeddings")
_ALL = tuple(openai_wire.PATHS)
_MAX_TOKENS = (("max_completion_tokens", "max_tokens"),)
_HINTS = (
    "store",
    "verbosity",
    "prompt_cache_key",
    "prompt_cache_retention",
    "prompt_cache_options",
    "safety_identifier",
    "moderation",
)
"""OpenAI's hints, which upstreams refuse that refuse every unknown member."""

_GATEWAY = MessageRules(cache_marks=True, one_system=False)
"""A gateway that adapts messages to the model by itself."""

_MISTRAL = Row(
    base_url="https://api.mistral.ai/v1",
    key_env=("MISTRAL_API_KEY",),
    native=NativeApi(("mistral",), natives.below_base),
    operations=("chat", "embeddings", "moderations", "transcriptions"),
    drop=(
        *(hint for hint in _HINTS if hint != "prompt_cache_key"),
        "logit_bias",
        "stream_options",
        "user",
        "service_tier",
        "functions",
        "function_call",
        "modalities",
        "audio",
        "web_search_options",
    ),
    rename=(*_MAX_TOKENS, ("seed", "random_seed")),
    text_only=True,
    messages=MessageRules(
        reasoning=None,
        members=frozenset({"role", "content", "tool_calls", "tool_call_id", "name", "prefix"}),
        user_after_tool=False,
        short_ids=True,
        prefix=True,
    ),
    docs="https://docs.mistral.ai/api/endpoint/chat",
)
_MARKED = MessageRules(cache_marks=True)
_OWN = Row("", operations=(*_ALL, "rerank"), messages=_MARKED, responses="stored")

ROWS: Mapping[str, Row] = {
    **CLOUDS,
    "ai21": Row("https://api.ai21.com/studio/v1", ("AI21_API_KEY",)),
    "aiml": Row("https://api.aimlapi.com/v1", ("AIML_API_KEY",), operations=_TEXT),
    "anyscale": Row("https://api.endpoints.anyscale.com/v1", ("ANYSCALE_API_KEY",)),
    "baseten": Row("https://inference.baseten.co/v1", ("BASETEN_API_KEY",)),
    "cerebras": Row(
        "https://api.cerebras.ai/v1",
        ("CEREBRAS_API_KEY",),
        operations=("chat", "completions"),
        drop=(*_HINTS, "n", "presence_penalty", "frequency_penalty", "logit_bias"),
        messages=MessageRules(reasoning=None),
        docs="https://inference-docs.cerebras.ai/resources/openai",
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
        messages=_MARKED,
        docs="https://www.alibabacloud.com/help/en/model-studio/context-cache",
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
        messages=MessageRules(reasoning="reasoning_content"),
        docs="https://api-docs.deepseek.com/guides/thinking_mode",
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
        drop=_HINTS,
        messages=MessageRules(
            reasoning=None,
            members=frozenset({"role", "content", "tool_calls", "tool_call_id", "name"}),
        ),
        responses="create",  # https://console.groq.com/docs/responses-api
        docs="https://console.groq.com/docs/api-reference",
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
        operations=(*_TEXT, "transcriptions", "translations", "rerank"),
        native=NativeApi(("vllm",), natives.beside_v1),
        responses="stored",  # https://docs.vllm.ai/en/v0.32.0/serving/online_serving/
        docs="https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html",
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
    "litellm_proxy": Row(
        "", base_env=("LITELLM_PROXY_API_BASE",), operations=_ALL, messages=_GATEWAY
    ),
    "llamafile": Row("http://127.0.0.1:8080/v1", operations=_TEXT, rename=_MAX_TOKENS),
    "lm_studio": Row(
        "http://localhost:1234/v1",
        operations=_TEXT,
        rename=_MAX_TOKENS,
        text_only=True,
        responses="create",  # https://lmstudio.ai/blog/lmstudio-v0.3.29
    ),
    "meta_llama": Row("https://api.llama.com/compat/v1", ("LLAMA_API_KEY",)),
    "mistral": _MISTRAL,
    "moonshot": Row(
        "https://api.moonshot.ai/v1",
        ("MOONSHOT_API_KEY",),
        rename=_MAX_TOKENS,
        messages=MessageRules(reasoning="reasoning_content"),
        docs="https://platform.moonshot.ai/docs/guide/use-kimi-k2-thinking-model",
    ),
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
        responses="create",  # https://docs.ollama.com/api/openai-compatibility (0.13.3 and later)
    ),
    "openai_like": _OWN,
    "openrouter": Row(
        "https://openrouter.ai/api/v1",
        ("OPENROUTER_API_KEY",),
        operations=_TEXT,
        messages=_GATEWAY,
        responses="create",  # https://openrouter.ai/docs/client-sdks/typescript/sdks/responses/README
        docs="https://openrouter.ai/docs/guides/best-practices/reasoning-tokens",
    ),
    "perplexity": Row(
        "https://api.perplexity.ai",
        ("PERPLEXITYAI_API_KEY", "PERPLEXITY_API_KEY"),
        drop=(
            *_HINTS,
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
        models_path="",
        messages=MessageRules(reasoning=None, user_after_tool=False),
        docs="https://docs.perplexity.ai/api-reference/chat-completions-post",
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
        messages=_GATEWAY,
        docs="https://vercel.com/docs/ai-gateway/openai-compat",
    ),
    "volcengine": Row(
        "https://ark.cn-beijing.volces.com/api/v3",
        ("VOLCENGINE_API_KEY", "ARK_API_KEY"),
        operations=("chat", "embeddings"),
        rename=_MAX_TOKENS,
        text_only=True,
    ),
    "wandb": Row("https://api.inference.wandb.ai/v1", ("WANDB_API_KEY",)),
    "xai": Row(
        "https://api.x.ai/v1",
        ("XAI_API_KEY",),
        operations=("chat", "images_generations"),
        responses="stored",  # https://docs.x.ai/developers/model-capabilities/text/comparison
    ),
}
