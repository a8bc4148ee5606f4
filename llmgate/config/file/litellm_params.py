"""The keys of `litellm_params`: each is used, or named as ignored, or refused."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from typing import Any

from llmgate import providers
from llmgate.config.file.problems import Problems
from llmgate.contract import Provider
from llmgate.schema import parameters
from llmgate.schema import validation

_ALIASES = {"headers": "extra_headers", "request_timeout": "timeout"}
"""LiteLLM's second names of options."""

_INFO = re.compile(
    r"mode|base_model|max_(input|output)_tokens|output_vector_size|litellm_provider|supports_\w+"
    r"|supported_\w+|max_(images|audio|video|pdf)\w*|deprecation_date"
)
"""Keys of `model_info`, which are read as such."""

_SECRET = re.compile(
    r"(^|[_-])(key|apikey|secret|secrets|password|passwd|passphrase|credentials?|token|auth"
    r"|authorization|bearer)([_-](id|json|path|file))?$",
    re.I,
)
_NO_SECRET = frozenset(
    """bos_token eos_token pad_token unk_token stop_token end_token eot_token mask_token
    prompt_cache_key cache_key""".split()
)

UPSTREAM = frozenset(
    """add_bos_token add_generation_prompt add_special_tokens allowed_token_ids aspect_ratio
    bad_words cache_control cached_content cachedContent chat_template
    chat_template_kwargs citations connectors container context_length_exceeded_behavior
    continue_final_message conversation_id data_sources decoder_input_details detokenize details
    disable_search do_sample documents dry_allowed_length dry_base dry_multiplier
    dry_penalty_last_n dry_sequence_breakers dynatemp_exponent dynatemp_range dynamic_temperature
    early_stopping echo enable_search enable_thinking encoding_format end_id
    epsilon_cutoff eta_cutoff ext extra_args format forced_bos_token_id frequency_penalty_range
    generation_config generationConfig grammar guardrailConfig guardrail_config guided_choice
    guided_decoding_backend guided_grammar guided_json guided_regex guided_whitespace_pattern
    ignore_eos image_size imageConfig include_domains include_reasoning
    include_stop_str_in_output include_thoughts inference_config input_type instance_id json_schema
    keep_alive k_v_cache labels language_preference length_penalty logits_processors lora_path
    low_vram main_gpu max_new_tokens max_search_results max_thinking_tokens media_resolution
    mediaResolution min_p min_tokens mirostat mirostat_eta mirostat_tau mm_processor_kwargs models
    n_keep n_predict n_probs negative_prompt no_repeat_ngram_size num_batch num_beams num_ctx
    num_gpu num_keep num_predict num_thread numa num_generations options output_config
    parallel_tool_calls_limit penalize_newline performance_config performanceConfig plugins
    presence_penalty_range preset priority profile prompt_logprobs prompt_mode prompt_truncation
    prompt_truncate_len provider quality random_seed raw reasoning reasoning_content
    reasoning_format reasoning_split reasoning_summary recency_filter regex
    repeat_last_n repeat_penalty repetition_penalty request_id requestMetadata
    additionalModelRequestFields additionalModelResponseFieldPaths response_mime_type
    response_schema responseSchema responseMimeType responseModalities return_citations
    return_full_text return_images return_prompt return_related_questions return_token_ids route
    safe_prompt safe_serialization safety_identifier_scope safety_level safety_mode
    safety_settings safetySettings samplers search_after_date_filter search_before_date_filter
    search_context_size search_domain_filter search_language_filter search_mode search_parameters
    search_recency_filter separate_reasoning skip_special_tokens spaces_between_special_tokens
    speaker_boost speechConfig stop_sequences stop_token_ids strip structured_outputs
    system_instruction task task_type tfs_z think thinking thinking_budget thinking_config
    thinkingConfig title to_top_k tool_config toolConfig tool_resources tools_in_prompt top_a
    top_k top_n_tokens topK topP transforms translation_options truncate truncate_prompt_tokens
    truncation typical typical_p use_beam_search use_mlock use_mmap usage user_location
    vl_high_resolution_images vocab_only web_search_options_extra width height steps guidance
    guidance_scale num_inference_steps style_preset voice_settings watermark xtc_probability
    xtc_threshold""".split()
)
"""Parameters of upstreams that OpenAI does not have: vLLM, SGLang, TGI, llama.cpp, Ollama,
OpenRouter, Together, Gemini, Anthropic, Bedrock, Cohere, Mistral, Perplexity, xAI, Alibaba. They
are sent unchanged."""

_INAPPLICABLE = {"stream": "clients request streams themselves"}
"""Parameters that no deployment can have as a default, and why."""

_SHARED = frozenset({"api_key", "api_base", "api_version"})
"""Settings that may stand at every provider."""


def understood(
    entry: Mapping[str, Any], path: str, provider: Provider | None, problems: Problems
) -> dict[str, Any]:
    """Return *entry* of model_list with each parameter in its place, less what is ignored.

    *path* is that of its litellm_params and a dot. *provider* is None where it is unknown.
    """
    given: dict[str, Any] = {}
    info = dict(entry.get("model_info") or {})
    kept = _kept(provider)
    for name, value in entry["litellm_params"].items():
        option = _ALIASES.get(name, name)
        if option in kept or value is None:
            _add(given, option, value)
        elif _INFO.fullmatch(name):
            info.setdefault(name, value)
        elif name in _INAPPLICABLE:
            problems.warn(f"{path}{name}: is ignored; {_INAPPLICABLE[name]}")
        else:
            _report(name, path, provider, problems)
    return {**entry, "litellm_params": given, "model_info": info or entry.get("model_info")}


def _add(given: dict[str, Any], name: str, value: Any) -> None:
    """Add the option *name* to *given*; headers of two names are merged."""
    if isinstance(given.get(name), dict) and isinstance(value, dict):
        value = {**value, **given[name]}
    if value is not None or name not in given:
        given[name] = value


def _kept(provider: Provider | None) -> frozenset[str]:
    """Return the options of llmgate and *provider*, and the parameters that go upstream."""
    options = validation.names("config", "model_list", "litellm_params")
    sent = frozenset().union(*parameters.OPENAI.values(), UPSTREAM)
    settings = frozenset(_owners())
    own = (provider.settings | provider.env.keys()) if provider else settings
    return ((options | sent) - (settings - _SHARED - UPSTREAM) | own) - _INAPPLICABLE.keys()


def _owners() -> dict[str, list[str]]:
    """Return the names of the providers that have a setting, by the setting."""
    found: dict[str, list[str]] = {}
    for provider in providers.PROVIDERS.values():
        for name in {*provider.settings, *provider.env}:
            found.setdefault(name, []).append(provider.name)
    return found


def _report(name: str, path: str, provider: Provider | None, problems: Problems) -> None:
    """Report the parameter *name*, which *provider* does not have."""
    owners = _owners().get(name)
    meant = parameters.misspelt(name)
    options = validation.names("config", "model_list", "litellm_params")
    near = difflib.get_close_matches(name, sorted(options | UPSTREAM), n=1, cutoff=0.8)
    hint = f"; did you mean '{near[0]}'?" if near else ""
    if owners and provider:
        problems.warn(
            f"{path}{name}: is ignored; it is a setting of {' and '.join(owners[:3])}, not of"
            f" {provider.name}"
        )
    elif name in parameters.GATE_ONLY or "_cost" in name:
        problems.warn(f"{path}{name}: is ignored{hint}")
    elif meant:
        problems.error(
            f"{path}{name}: unknown option; did you mean '{meant}'? To send a provider parameter"
            " of that name, put it under extra_body"
        )
    elif _is_secret(name):
        problems.error(
            f"{path}{name}: unknown option with the name of a secret; it is not sent upstream."
            " Write api_key, or the provider's own setting"
        )
    else:
        problems.warn(
            f"{path}{name}: unknown option, ignored; to send it upstream as a parameter, put it"
            f" under extra_body{hint}"
        )


def _is_secret(name: str) -> bool:
    """Return whether *name* is that of a secret."""
    return bool(_SECRET.search(name)) and name not in _NO_SECRET
