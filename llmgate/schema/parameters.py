"""Which parameters are sent upstream: defaults, dropped and refused ones, and the gate's own names.

The names are OpenAI's; the subset that a provider supports is its `Operation.params`.
Source: https://platform.openai.com/docs/api-reference
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection
from collections.abc import Iterable
from collections.abc import Mapping
from typing import Any

from llmgate import errors
from llmgate.contract import Body
from llmgate.contract import Deployment
from llmgate.contract import Operation

_SAMPLING = "temperature top_p n stop seed logit_bias presence_penalty frequency_penalty"

OPENAI: Mapping[str, frozenset[str]] = {
    "chat": frozenset(
        f"""{_SAMPLING} model messages stream stream_options max_tokens max_completion_tokens user
        response_format tools tool_choice parallel_tool_calls functions function_call logprobs
        top_logprobs modalities audio prediction reasoning_effort verbosity service_tier store
        web_search_options prompt_cache_key prompt_cache_retention prompt_cache_options
        safety_identifier moderation""".split()
    ),
    "completions": frozenset(
        f"""{_SAMPLING} model prompt stream stream_options max_tokens user suffix echo best_of
        logprobs""".split()
    ),
    "embeddings": frozenset("model input encoding_format dimensions user".split()),
    "moderations": frozenset("model input".split()),
    "images_generations": frozenset(
        """model prompt n size quality style background moderation output_format
        output_compression partial_images stream response_format user""".split()
    ),
    "images_edits": frozenset(
        """model prompt image mask n size quality background input_fidelity output_format
        output_compression partial_images stream response_format user""".split()
    ),
    "images_variations": frozenset("model image n size response_format user".split()),
    "speech": frozenset(
        "model input voice instructions response_format speed stream_format".split()
    ),
    "transcriptions": frozenset(
        """model file language prompt response_format temperature stream chunking_strategy
        include timestamp_granularities known_speaker_names known_speaker_references""".split()
    ),
    "translations": frozenset("model file prompt response_format temperature".split()),
    "messages": frozenset(
        """model messages max_tokens temperature top_p stream tools tool_choice
        service_tier""".split()
    ),
    "generate": frozenset(
        """temperature top_p n stop seed max_tokens max_completion_tokens presence_penalty
        frequency_penalty""".split()
    ),
    "responses": frozenset(
        """model input stream stream_options temperature top_p tools tool_choice user store
        parallel_tool_calls top_logprobs service_tier prompt_cache_key prompt_cache_retention
        prompt_cache_options safety_identifier moderation""".split()
    ),
}
"""OpenAI's parameters by operation. For Anthropic's messages, those with the same name there; for
Gemini's contents, those that a deployment may set as defaults."""

_ALL = frozenset().union(*OPENAI.values())

GATE_ONLY = frozenset(
    """metadata litellm_metadata tags api_key api_base base_url api_version custom_llm_provider
    user_config model_list model_info num_retries max_retries retry_policy retry_strategy fallbacks
    context_window_fallbacks content_policy_fallbacks context_window_fallback_dict max_fallbacks
    disable_fallbacks routing_strategy timeout request_timeout stream_timeout force_timeout
    client_side_timeout rpm tpm max_parallel_requests weight order cooldown_time base_model
    input_cost_per_token output_cost_per_token input_cost_per_second output_cost_per_second
    drop_params additional_drop_params allowed_openai_params fastest_response cache cache_key
    caching ttl no-log mock_response mock_timeout guardrails headers extra_body extra_headers
    configurable_clientside_auth_params region_name allowed_model_region supports_system_message
    prompt_id prompt_variables prompt_version tenant_id client_id client_secret azure_ad_token
    azure_username azure_password azure_scope ssl_verify max_budget budget_duration
    litellm_trace_id litellm_session_id litellm_call_id litellm_request_debug litellm_logging_obj
    litellm_credential_name enable_tag_filtering secret_fields keepalive_seconds itpm otpm
    vertex_project vertex_location vertex_credentials vertex_access_token aws_access_key_id
    aws_secret_access_key aws_session_token aws_region_name cost_per_query roles bos_token
    eos_token verbose logger_fn""".split()
)
"""Members of a body that the gate reads itself; never sent upstream, except inside `extra_body`."""

EXTENSIONS = frozenset(
    """thinking output_config context_management cache_control container mcp_servers diagnostics
    inference_geo speed betas anthropic_beta user_profile_id""".split()
)
"""Members of Anthropic's Messages API that OpenAI's lacks; see `Operation.extensions`."""

HINTS = frozenset(
    """model messages prompt input user stream stream_options store verbosity reasoning_effort
    prompt_cache_key prompt_cache_retention prompt_cache_options safety_identifier moderation
    service_tier thinking output_config context_management cache_control diagnostics
    speed betas anthropic_beta user_profile_id""".split()
)
"""Parameters that are dropped without an error where they are not supported: they express a
preference or save money, and the response is valid without them. All others are demands."""

NON_OPENAI = frozenset({"stop_sequences"})
"""Parameters that clients send to every provider (guidance does) though OpenAI has no such name."""

NATIVE = {
    "messages": frozenset({"metadata", "stop_sequences"}),
    "count_tokens": frozenset({"metadata", "stop_sequences"}),
    "responses": frozenset({"metadata"}),
}
"""Names in GATE_ONLY and NON_OPENAI that are parameters of these APIs themselves."""

_NEUTRAL: Mapping[str, tuple[Any, ...]] = {
    "best_of": (0, 1),
    "echo": (False,),
    "frequency_penalty": (0,),
    "function_call": ("auto", "none"),
    "functions": ([],),
    "logit_bias": ({},),
    "logprobs": (False,),
    "modalities": (["text"], []),
    "n": (1,),
    "parallel_tool_calls": (True,),
    "presence_penalty": (0,),
    "response_format": ({"type": "text"},),
    "service_tier": ("auto", "default"),
    "stop": ([], ""),
    "suffix": ("",),
    "temperature": (1,),
    "tool_choice": ("auto",),
    "tools": ([],),
    "top_logprobs": (0,),
    "top_p": (1,),
}
"""Values that request nothing: OpenAI's defaults. `seed: 0` and `temperature: 0` are not."""

_NEEDS = {
    "function_call": "functions",
    "parallel_tool_calls": "tools",
    "stream_options": "stream",
    "tool_choice": "tools",
    "top_logprobs": "logprobs",
}
"""Parameters that are valid only beside another: a default of a deployment applies only then."""

_LIMITS = ("max_tokens", "max_completion_tokens")
_STEP = re.compile(r"([^.\[\]]+)|\[(\*|\d+)\]")


def misspelt(name: str) -> str | None:
    """Return the known parameter that *name* is probably a misspelling of, or None."""
    known = _ALL | GATE_ONLY
    if name in known or len(name) < 5 or "_cost" in name:
        return None
    return next(iter(difflib.get_close_matches(name, known, n=1, cutoff=0.85)), None)


def upstream_body(body: Body, deployment: Deployment, name: str, operation: Operation) -> Body:
    """Return *body* with defaults, and without what *operation*, called *name*, does not support.

    Raises InvalidRequest for unsupported parameters, unless they are hints or may be dropped.
    """
    defaults = _applicable(deployment.defaults, body, name)
    native = NATIVE.get(name, frozenset())
    ours = GATE_ONLY - native
    given = {key: value for key, value in {**body, **defaults}.items() if key not in ours}
    given.update(_object(deployment.settings, "extra_body"))
    given.update(_extra(body))
    known = OPENAI.get(name, _ALL)
    given = {k: v for k, v in given.items() if v is not None or k in known or k not in _ALL}
    drops = drops_unsupported(body, deployment)
    if drops:
        given = {key: value for key, value in given.items() if key not in NON_OPENAI - native}
    for path in _named(deployment, body, "additional_drop_params"):
        given = without(given, steps(path))
    allowed = _named(deployment, body, "allowed_openai_params")
    allowed += [key for key in _object(body, "extra_body") if key in EXTENSIONS]
    refused = _refused(given, known, operation, allowed)
    demands = [key for key in refused if key not in HINTS and not is_default(key, given[key])]
    if demands and not drops:
        raise errors.InvalidRequest(
            _refusal(deployment, demands), param=demands[0], code="unsupported_parameter"
        )
    return {key: value for key, value in given.items() if key not in refused}


def _extra(body: Body) -> Mapping[str, Any]:
    """Return the `extra_body` of *body*; raises InvalidRequest if it turns streaming on or off."""
    extra = _object(body, "extra_body")
    if "stream" in extra and bool(extra["stream"]) != bool(body.get("stream")):
        raise errors.InvalidRequest(
            "'stream' must be a member of the request itself, not of extra_body.",
            param="extra_body.stream",
        )
    return extra


def drops_unsupported(body: Body, deployment: Deployment) -> bool:
    """Return whether unsupported parameters are dropped instead of refused."""
    return deployment.drop_params or body.get("drop_params") in (True, "true")  # text in a form


def _applicable(defaults: Mapping[str, Any], body: Body, name: str) -> Body:
    """Return the *defaults* that apply to this operation and that *body* does not set."""
    known = OPENAI.get(name, frozenset())
    limited = any(body.get(key) is not None for key in _LIMITS)
    return {
        key: value
        for key, value in defaults.items()
        if body.get(key) is None
        and (key in known or key not in _ALL)
        and not (limited and key in _LIMITS)
        and (key not in _NEEDS or body.get(_NEEDS[key]) or defaults.get(_NEEDS[key]))
    }


def _object(source: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """Return the object at *key*, empty if there is none."""
    value = source.get(key)
    return value if isinstance(value, Mapping) else {}


def _named(deployment: Deployment, body: Body, key: str) -> list[str]:
    """Return the names that the deployment and the client list at *key*."""
    listed = [deployment.settings.get(key), body.get(key)]
    return [name for names in listed if isinstance(names, list) for name in names if name]


def _refused(
    given: Body, known: Collection[str], operation: Operation, allowed: Collection[str]
) -> list[str]:
    """Return the *known* parameters and the extensions in *given* that *operation* lacks."""
    names: set[str] = set()
    if operation.params is not None:
        names |= set(known) - operation.params
    if operation.extensions is not None:
        names |= EXTENSIONS - operation.extensions
    return [key for key in given if key in names and key not in allowed]


def is_default(key: str, value: Any) -> bool:
    """Return whether *value* of parameter *key* requests nothing: null, or OpenAI's default."""
    return value is None or value in _NEUTRAL.get(key, ())


def _refusal(deployment: Deployment, names: Iterable[str]) -> str:
    """Return the message that names the parameters, and the settings that change it."""
    listed = ", ".join(f"'{name}'" for name in names)
    return (
        f"{deployment.provider} does not support {listed} with model {deployment.model}."
        " Remove them from the request, or have them dropped: drop_params: true in the request or"
        " in litellm_settings drops every unsupported parameter, additional_drop_params the ones"
        " that it lists; allowed_openai_params sends them anyway."
    )


def steps(path: str) -> list[str]:
    """Return the steps of a *path* such as `tools[*].function.strict`."""
    return [name or index for name, index in _STEP.findall(path)]


def without(value: Any, steps: list[str]) -> Any:
    """Return a copy of *value* without the member that *steps* lead to."""
    if not steps:
        return value
    step, rest = steps[0], steps[1:]
    if isinstance(value, dict) and step in value:
        if not rest:
            return {key: item for key, item in value.items() if key != step}
        return {**value, step: without(value[step], rest)}
    if isinstance(value, list) and rest:
        return [
            without(item, rest) if step in ("*", str(at)) else item for at, item in enumerate(value)
        ]
    return value
