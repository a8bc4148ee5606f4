"""OpenAI's chat request as Gemini's generateContent request.

Google's own names (top_k, safety_settings, thinking_config, ...) go where Google has them, in
either spelling; what is unknown goes upstream as it is.
Sources: https://ai.google.dev/api/generate-content https://ai.google.dev/gemini-api/docs/openai
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmgate import errors
from llmgate.contract import Body
from llmgate.contract import Deployment
from llmgate.dialects.gemini import contents as gemini_contents
from llmgate.dialects.gemini import names as gemini_names
from llmgate.dialects.gemini import thinking as gemini_thinking
from llmgate.dialects.gemini import tools as gemini_tools
from llmgate.dialects.openai import chat as openai_chat

PARAMS = frozenset(
    """model messages stream stream_options user temperature top_p n stop seed max_tokens
    max_completion_tokens presence_penalty frequency_penalty logprobs top_logprobs response_format
    tools tool_choice parallel_tool_calls reasoning_effort modalities web_search_options
    service_tier""".split()
)
"""OpenAI's parameters that Gemini supports or that do not change its answer."""

EXTENSIONS = frozenset({"thinking", "output_config"})
"""Anthropic's members that are translated."""

SETTINGS = (
    ("temperature", "temperature"),
    ("top_p", "topP"),
    ("n", "candidateCount"),
    ("seed", "seed"),
    ("presence_penalty", "presencePenalty"),
    ("frequency_penalty", "frequencyPenalty"),
)
"""OpenAI's name and Google's."""

GENERATION = frozenset(
    """topK topP candidateCount maxOutputTokens stopSequences responseMimeType responseSchema
    responseJsonSchema responseModalities responseLogprobs presencePenalty frequencyPenalty
    speechConfig imageConfig thinkingConfig mediaResolution audioTimestamp enableAffectiveDialog
    enableEnhancedCivicAnswers routingConfig modelSelectionConfig translationConfig
    audioTranscriptionConfig""".split()
)
"""What is in the generationConfig, in Google's JSON."""

_TOP = frozenset(
    """systemInstruction safetySettings toolConfig generationConfig cachedContent serviceTier
    modelArmorConfig continuationToken""".split()
)
"""The members beside the contents, in Google's JSON."""

_TIERS = {"flex": "flex", "priority": "priority", "default": "standard", "standard": "standard"}


def request(body: Body, deployment: Deployment) -> dict[str, Any]:
    """Return the generateContent request for *body*, to be sent to *deployment*'s model."""
    given, model = _unwrapped(body), deployment.model
    own = {name: value for key, value in given.items() if (name := _own_name(key))}
    newest = gemini_thinking.version(model) >= 3
    system, contents = gemini_contents.conversation(given["messages"], newest, newest)
    tools = gemini_tools.tools(given)
    if not deployment.drop_params:
        gemini_tools.check_parallel(given.get("parallel_tool_calls"), tools)
    made: dict[str, Any] = {
        "contents": contents,
        "systemInstruction": {"parts": system} if system else None,
        "tools": tools,
        "toolConfig": gemini_tools.tool_config(given.get("tool_choice")),
        "generationConfig": _generation(given, model, own),
        "serviceTier": _TIERS.get(given.get("service_tier") or ""),
    }
    beside = {name: value for name, value in own.items() if name not in GENERATION}
    beside.pop("generationConfig", None)
    return {**{name: value for name, value in made.items() if value}, **beside}


def _unwrapped(body: Body) -> Body:
    """Return *body* with what stands under `google`, where Google's own endpoint has extras."""
    extra = body.get("google")
    if not isinstance(extra, Mapping):
        return body
    return {**{key: value for key, value in body.items() if key != "google"}, **extra}


def _own_name(key: str) -> str | None:
    """Return Google's JSON name for a *key* that is not OpenAI's, None for one that is."""
    if key in PARAMS or key in EXTENSIONS:
        return None
    name = gemini_names.camel(key)
    return name if name in GENERATION or name in _TOP else key


def _generation(body: Body, model: str, own: Mapping[str, Any]) -> dict[str, Any]:
    """Return the generationConfig: of OpenAI's parameters, then those in *own*."""
    made = {name: body[key] for key, name in SETTINGS if body.get(key) is not None}
    limit, stops = openai_chat.limit(body), openai_chat.stops(body)
    if limit is not None:
        made["maxOutputTokens"] = limit
    if stops:
        made["stopSequences"] = stops
    if body.get("modalities"):
        made["responseModalities"] = _modalities(body["modalities"])
    made.update(_logprobs(body))
    made.update(_output(body.get("response_format") or {}))
    made.update(gemini_thinking.config(body, model))
    made.update({name: value for name, value in own.items() if name in GENERATION})
    whole = own.get("generationConfig") or {}
    made.update({gemini_names.camel(name): value for name, value in whole.items()})
    return made


def _modalities(wanted: list[str]) -> list[str]:
    """Return the responseModalities."""
    if not set(wanted) <= {"text", "image"}:
        raise errors.InvalidRequest(
            "Gemini supports the modalities 'text' and 'image' only.",
            param="modalities",
        )
    return [modality.upper() for modality in wanted]


def _logprobs(body: Body) -> dict[str, Any]:
    """Return the options for log probabilities."""
    top = body.get("top_logprobs")
    if not body.get("logprobs") and top is None:
        return {}
    return {"responseLogprobs": True, **({} if top is None else {"logprobs": top})}


def _output(response_format: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options for the *response_format*: text, JSON, or JSON of a schema."""
    kind = response_format.get("type", "text")
    if kind == "text":
        return {}
    if kind not in ("json_object", "json_schema"):
        raise errors.InvalidRequest(
            f"Gemini does not support response_format '{kind}'; use text, json_object or"
            " json_schema.",
            param="response_format.type",
        )
    made: dict[str, Any] = {"responseMimeType": "application/json"}
    schema = (response_format.get("json_schema") or {}).get("schema")
    if schema is not None:
        where = "response_format.json_schema.schema"
        made["responseJsonSchema"] = gemini_tools.schema(schema, where)
    return made
