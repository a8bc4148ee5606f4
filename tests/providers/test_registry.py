from __future__ import annotations

import re

import pytest

from llmgate import providers
from llmgate.contract import Deployment
from llmgate.contract import Provider
from llmgate.providers import PROVIDERS
from llmgate.providers.rows import ROWS

NEEDED = """openai azure echo groq mistral codestral deepseek xai together_ai fireworks_ai
perplexity openrouter deepinfra nvidia_nim cerebras sambanova novita nebius moonshot dashscope ai21
hyperbolic huggingface github hosted_vllm lm_studio llamafile ollama litellm_proxy
custom_openai""".split()


@pytest.mark.parametrize("name", NEEDED)
def test_a_provider_is_there(name: str) -> None:
    assert "chat" in PROVIDERS[name].operations


@pytest.mark.parametrize(("name", "provider"), PROVIDERS.items())
def test_a_provider_is_listed_by_its_own_name(name: str, provider: Provider) -> None:
    assert provider.name == name
    assert provider.operations


@pytest.mark.parametrize("provider", PROVIDERS.values(), ids=PROVIDERS)
def test_a_setting_that_is_an_address_is_declared(provider: Provider) -> None:
    named = {
        name
        for name in provider.settings | provider.env.keys()
        if re.search(r"url|endpoint|host|address", name)
    }

    assert named <= provider.address_settings


def test_every_row_is_a_provider() -> None:
    assert set(ROWS) <= set(PROVIDERS)


@pytest.mark.parametrize(
    ("model", "wanted"),
    [
        ("groq/llama-3.3-70b", ("groq", "llama-3.3-70b")),
        ("openai/gpt-4o", ("openai", "gpt-4o")),
        ("openai/*", ("openai", "*")),
        ("openrouter/anthropic/claude", ("openrouter", "anthropic/claude")),
        ("huggingface/together/org/model", ("huggingface", "together/org/model")),
        ("text-completion-openai/gpt-3.5-turbo-instruct", ("openai", "gpt-3.5-turbo-instruct")),
        ("azure_text/x", ("azure", "x")),
        ("vllm/x", ("hosted_vllm", "x")),
        ("cohere_chat/command-r", ("cohere", "command-r")),
        ("bedrock_converse/x", ("bedrock", "x")),
        ("claude-sonnet-4-5", ("anthropic", "claude-sonnet-4-5")),
        ("gemini-2.5-flash", ("gemini", "gemini-2.5-flash")),
        ("gpt-3.5-turbo", ("openai", "gpt-3.5-turbo")),
        ("gpt-4o-2024-08-06", ("openai", "gpt-4o-2024-08-06")),
        ("chatgpt-4o-latest", ("openai", "chatgpt-4o-latest")),
        ("o3-mini", ("openai", "o3-mini")),
        ("ft:gpt-3.5-turbo:org:name:id", ("openai", "ft:gpt-3.5-turbo:org:name:id")),
        ("text-embedding-ada-002", ("openai", "text-embedding-ada-002")),
        ("text-moderation-stable", ("openai", "text-moderation-stable")),
        ("omni-moderation-latest", ("openai", "omni-moderation-latest")),
        ("dall-e-3", ("openai", "dall-e-3")),
        ("whisper-1", ("openai", "whisper-1")),
        ("tts-1-hd", ("openai", "tts-1-hd")),
        ("echo", ("echo", "echo")),
        ("echo/", ("echo", "echo")),
        ("echo/anything", ("echo", "anything")),
    ],
)
def test_a_model_string_names_a_provider_and_its_model(model: str, wanted: tuple[str, str]) -> None:
    assert providers.split(model) == wanted


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("opnai/gpt-4o", "unknown provider 'opnai' in 'opnai/gpt-4o'; known are ai21, "),
        ("my-model", "'my-model' names no provider: write it as <provider>/<model>, openai/my-mo"),
        ("ollama2", "'ollama2' names no provider"),
        ("groq", "'groq' is a provider without a model: write groq/<model>"),
        ("groq/", "'groq/' is a provider without a model: write groq/<model>"),
        ("vllm", "'vllm' is a provider without a model: write hosted_vllm/<model>"),
        ("/x", "unknown provider '' in '/x'"),
        ("", "'' names no provider"),
    ],
)
def test_a_model_string_without_a_provider_is_refused_with_what_to_write(
    model: str, message: str
) -> None:
    with pytest.raises(LookupError) as caught:
        providers.split(model)

    assert caught.value.args[0].startswith(message)


def test_a_deployment_is_served_by_its_provider() -> None:
    assert providers.serving(Deployment("g", "jina_ai", "m", "https://x")) is PROVIDERS["jina_ai"]


def test_a_model_may_have_a_provider_of_its_own_behind_the_name() -> None:
    found = [
        providers.serving(Deployment("g", "vertex_ai", model, "https://x"))
        for model in ("gemini-2.5-flash", "claude-sonnet-4-5")
    ]

    assert found[0] is not found[1]
    assert "messages" in found[1].operations


@pytest.mark.parametrize(
    ("model", "found"),
    [
        ("openai/gpt-4o", False),
        ("deepseek/responses/x", False),
        ("groq/responses/x", True),
        ("openai/responses/o3-pro", True),
        ("azure/responses/o3-pro", True),
    ],
)
def test_the_route_of_the_responses_api_is_found_in_a_model(model: str, found: bool) -> None:
    assert providers.has_responses_route(model) is found
    assert providers.split(model)[1] == model.partition("/")[2].removeprefix("responses/") or (
        not found
    )


def test_a_prefix_that_is_used_by_mistake_is_corrected() -> None:
    with pytest.raises(LookupError, match="write gemini/<model> or vertex_ai/<model>"):
        providers.split("google/gemini-2.5-flash")
