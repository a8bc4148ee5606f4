"""A request to Gemini's generateContent as OpenAI's chat request.

Source: https://ai.google.dev/api/generate-content
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from typing import NamedTuple

from llmgate import errors
from llmgate.contract import Body
from llmgate.contract import Deployment
from llmgate.contract import Operation
from llmgate.dialects.gemini import names as gemini_names
from llmgate.fronts import upstream_chat
from llmgate.fronts.gemini import contents as front_contents
from llmgate.fronts.gemini import schema as front_schema

NAMES = frozenset(
    """contents systemInstruction tools toolConfig generationConfig safetySettings cachedContent
    serviceTier labels modelArmorConfig store generateContentRequest continuationToken""".split()
)
"""What a request may have, in Google's JSON."""

_SETTINGS = (
    ("temperature", "temperature"),
    ("topP", "top_p"),
    ("topK", "top_k"),
    ("candidateCount", "n"),
    ("maxOutputTokens", "max_completion_tokens"),
    ("stopSequences", "stop"),
    ("seed", "seed"),
    ("presencePenalty", "presence_penalty"),
    ("frequencyPenalty", "frequency_penalty"),
    ("responseLogprobs", "logprobs"),
    ("logprobs", "top_logprobs"),
)
"""Google's name in the generationConfig, and OpenAI's."""

_TIERS = {"standard": "default"}
_MODES = {"AUTO": "auto", "VALIDATED": "auto", "ANY": "required", "NONE": "none"}


def chat_from_generate(body: Body) -> Body:
    """Return the chat request that asks for what the generateContent request *body* asks for.

    What only Gemini knows is left out if the answer means the same without it (safetySettings,
    labels), else refused: raises InvalidRequest, and what wrongly shaped members make Python raise.
    """
    given = gemini_names.spelled(body, NAMES)
    if given.get("cachedContent"):
        raise _only_gemini("cachedContent", "send its contents")
    config = given.get("generationConfig") or {}
    tools, chosen = _tools(given.get("tools") or ()), _choice(given.get("toolConfig") or {})
    if chosen.only:
        tools = [tool for tool in tools if tool["function"]["name"] in chosen.only]
    tier = (given.get("serviceTier") or "").lower()
    found = {
        **{ours: config.get(theirs) for theirs, ours in _SETTINGS},
        **_output(config),
        **_thinking(config.get("thinkingConfig") or {}),
        "tools": tools,
        "tool_choice": chosen.choice if tools else None,
        "web_search_options": _search(given.get("tools") or ()),
        "service_tier": _TIERS.get(tier, tier),
    }
    kept = {key: value for key, value in found.items() if _has_effect(value)}
    others = {key: value for key, value in given.items() if key not in NAMES}
    messages = front_contents.messages(given["contents"])
    system = front_contents.system(given.get("systemInstruction"))
    return {**others, **kept, "messages": [*system, *messages]}


def _has_effect(value: Any) -> bool:
    """Return whether *value* asks for something; a zero does."""
    return value is not None and value is not False and value not in ([], "")


def adapted(body: Body, operation: Operation, deployment: Deployment) -> Body:
    """Return the chat *body*, made by `chat_from_generate`, for this *operation*.

    Google's clients always send topK, which OpenAI refuses.
    """
    found = upstream_chat.adapted(body, operation, deployment)
    if operation.passthrough:
        found.pop("top_k", None)
    return found


def counted(body: Body) -> Body:
    """Return the generateContent request whose tokens the countTokens request *body* asks for."""
    inner = gemini_names.spelled(body, NAMES).get("generateContentRequest")
    if inner is None:
        return body
    others = {k: v for k, v in body.items() if gemini_names.camel(k) not in NAMES}
    return {**inner, **others}


def _only_gemini(name: str, instead: str) -> errors.InvalidRequest:
    """Return the error for what is called *name*, and means nothing elsewhere."""
    return errors.InvalidRequest(
        f"Only Gemini has {name}: {instead}, or choose a model of Google's.",
        param=name,
        code="unsupported_parameter",
    )


# -- tools


def _tools(tools: Any) -> list[Body]:
    """Return the functions among *tools*; raises InvalidRequest for what only Google runs."""
    found = []
    for tool in tools:
        own = [key for key in tool if key not in _FUNCTIONS and tool[key] is not None]
        if own:
            raise _only_gemini(own[0], "leave the tool out")
        found += [_function(each) for each in tool.get("functionDeclarations") or ()]
    return found


_FUNCTIONS = frozenset(("functionDeclarations", "googleSearch", "googleSearchRetrieval"))


def _search(tools: Any) -> Body | None:
    """Return the options of the search in the web that *tools* ask for, None if they do not."""
    searches = _FUNCTIONS - {"functionDeclarations"}
    is_wanted = any(tool.get(key) is not None for tool in tools for key in searches)
    return {} if is_wanted else None


def _function(declared: Mapping[str, Any]) -> Body:
    """Return a function as OpenAI describes it."""
    function = {"name": declared["name"]}
    if declared.get("description"):
        function["description"] = declared["description"]
    own, plain = declared.get("parameters"), declared.get("parametersJsonSchema")
    parameters = front_schema.json_schema(own) if plain is None else plain
    function["parameters"] = parameters or {"type": "object", "properties": {}}
    return {"type": "function", "function": function}


class _Chosen(NamedTuple):
    """How tools are to be chosen."""

    choice: Any
    only: frozenset[str]  # the functions that may be called; empty: all


def _choice(config: Mapping[str, Any]) -> _Chosen:
    """Return the tool choice of the toolConfig *config*."""
    calling = config.get("functionCallingConfig") or {}
    mode = str(calling.get("mode") or "AUTO").upper()
    names: list[str] = calling.get("allowedFunctionNames") or []
    choice: Any = _MODES.get(mode, "auto")
    if len(names) == 1 and choice == "required":
        choice = {"type": "function", "function": {"name": names[0]}}
    return _Chosen(None if choice == "auto" else choice, frozenset(names))


# -- the answer


def _output(config: Mapping[str, Any]) -> Body:
    """Return the response format of the generationConfig."""
    found: Body = {}
    modes = [str(mode).lower() for mode in config.get("responseModalities") or ()]
    if modes and modes != ["text"]:
        found["modalities"] = modes
    kind = config.get("responseMimeType") or "text/plain"
    schema = config.get("responseJsonSchema") or config.get("_responseJsonSchema")
    if schema is None and config.get("responseSchema"):
        schema = front_schema.json_schema(config["responseSchema"])
    if kind == "application/json" and schema is None:
        found["response_format"] = {"type": "json_object"}
    elif kind == "application/json":
        found["response_format"] = front_schema.response_format(schema)
    elif kind != "text/plain":
        raise _only_gemini(f"the responseMimeType '{kind}'", "ask for application/json")
    return found


def _thinking(config: Mapping[str, Any]) -> Body:
    """Return the thinkingConfig *config* in Anthropic's words, which have levels and budgets."""
    level, budget = config.get("thinkingLevel"), config.get("thinkingBudget")
    found: Body = {}
    if level and level != "THINKING_LEVEL_UNSPECIFIED":
        found["output_config"] = {"effort": str(level).lower()}
    if budget is not None and budget > 0:
        found["thinking"] = {"type": "enabled", "budget_tokens": budget}
    return found
