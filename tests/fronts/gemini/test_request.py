from __future__ import annotations

import copy
from typing import Any

import pytest

from llmgate import errors
from llmgate import providers
from llmgate.contract import Deployment
from llmgate.dialects.gemini import request as gemini_request
from llmgate.fronts.gemini import request as front_request

HI: dict[str, Any] = {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]}
WEATHER = {"name": "weather", "description": "Look.", "parametersJsonSchema": {"type": "object"}}
NOTHING = {"type": "object", "properties": {}}


def asked(**body: Any) -> dict[str, Any]:
    whole = {"model": "m", **HI, **body}
    before = copy.deepcopy(whole)
    found = front_request.chat_from_generate(whole)
    assert whole == before
    return found


def rest(**body: Any) -> dict[str, Any]:
    return {key: v for key, v in asked(**body).items() if key not in ("model", "messages")}


def tool(name: str, parameters: Any = NOTHING, **more: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, **more, "parameters": parameters}}


def test_a_request_in_either_spelling_is_a_chat() -> None:
    assert asked(
        system_instruction={"parts": [{"text": "Be brief"}]},
        generation_config={
            "temperature": 0,
            "top_p": 0.5,
            "topK": 3,
            "candidateCount": 2,
            "max_output_tokens": 9,
            "stopSequences": ["END"],
            "seed": 0,
            "presencePenalty": 0.0,
            "frequencyPenalty": 1,
            "responseLogprobs": True,
            "logprobs": 2,
        },
        tools=[{"function_declarations": [WEATHER]}],
        safety_settings=[{"category": "x"}],
        labels={"a": "b"},
        service_tier="STANDARD",
        user="u",
        stream=True,
    ) == {
        "model": "m",
        "user": "u",
        "stream": True,
        "temperature": 0,
        "top_p": 0.5,
        "top_k": 3,
        "n": 2,
        "max_completion_tokens": 9,
        "stop": ["END"],
        "seed": 0,
        "presence_penalty": 0.0,
        "frequency_penalty": 1,
        "logprobs": True,
        "top_logprobs": 2,
        "tools": [tool("weather", {"type": "object"}, description="Look.")],
        "service_tier": "default",
        "messages": [
            {"role": "system", "content": "Be brief"},
            {"role": "user", "content": "Hi"},
        ],
    }


FORM = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}
STRICT = {
    "type": "json_schema",
    "json_schema": {
        "name": "response",
        "schema": {**FORM, "additionalProperties": False},
        "strict": True,
    },
}
JSON = "application/json"


@pytest.mark.parametrize(
    ("config", "wanted"),
    [
        ({}, {}),
        (None, {}),
        ({"responseLogprobs": False, "stopSequences": [], "responseModalities": ["TEXT"]}, {}),
        ({"responseModalities": ["TEXT", "IMAGE"]}, {"modalities": ["text", "image"]}),
        ({"responseMimeType": "text/plain", "responseSchema": FORM}, {}),
        ({"responseMimeType": JSON}, {"response_format": {"type": "json_object"}}),
        ({"responseMimeType": JSON, "responseJsonSchema": FORM}, {"response_format": STRICT}),
        ({"responseMimeType": JSON, "_responseJsonSchema": FORM}, {"response_format": STRICT}),
        (
            {
                "responseMimeType": JSON,
                "responseSchema": {
                    "type": "OBJECT",
                    "properties": {"a": {"type": "STRING"}},
                    "required": ["a"],
                },
            },
            {"response_format": STRICT},
        ),
        ({"thinkingConfig": {"thinkingLevel": "LOW"}}, {"output_config": {"effort": "low"}}),
        ({"thinkingConfig": {"thinkingLevel": "THINKING_LEVEL_UNSPECIFIED"}}, {}),
        ({"thinkingConfig": {"thinking_budget": 0}}, {}),
        ({"thinkingConfig": {"thinkingBudget": -1, "includeThoughts": True}}, {}),
        (
            {"thinkingConfig": {"thinkingBudget": 512}},
            {"thinking": {"type": "enabled", "budget_tokens": 512}},
        ),
        ({"speechConfig": {}, "mediaResolution": "MEDIA_RESOLUTION_LOW"}, {}),
    ],
)
def test_the_answer_is_as_the_config_wants_it(config: Any, wanted: dict[str, Any]) -> None:
    assert rest(generationConfig=config) == wanted


@pytest.mark.parametrize(
    ("calling", "wanted"),
    [
        (None, {}),
        ({"mode": "AUTO"}, {}),
        ({"mode": "none"}, {"tool_choice": "none"}),
        ({"mode": "ANY"}, {"tool_choice": "required"}),
        ({"mode": "MODE_UNSPECIFIED"}, {}),
    ],
)
def test_tools_are_chosen(calling: Any, wanted: dict[str, Any]) -> None:
    tools = [{"functionDeclarations": [{"name": "f"}, {"name": "g", "description": ""}]}]

    got = rest(tools=tools, toolConfig={"functionCallingConfig": calling})

    assert got == {"tools": [tool("f"), tool("g")], **wanted}


def test_only_the_functions_that_are_allowed_are_on_offer() -> None:
    tools = [{"functionDeclarations": [{"name": name} for name in "fgh"]}]
    one = {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["g"]}}
    two = {"functionCallingConfig": {"mode": "VALIDATED", "allowedFunctionNames": ["g", "h"]}}

    assert rest(tools=tools, toolConfig=one) == {
        "tools": [tool("g")],
        "tool_choice": {"type": "function", "function": {"name": "g"}},
    }
    assert rest(tools=tools, toolConfig=two) == {"tools": [tool("g"), tool("h")]}


def test_without_tools_there_is_no_choice() -> None:
    assert rest(toolConfig={"functionCallingConfig": {"mode": "ANY"}}) == {}


def test_a_function_may_be_described_as_google_does() -> None:
    own = {"name": "f", "parameters": {"type": "OBJECT", "properties": {"a": {"type": "STRING"}}}}

    assert rest(tools=[{"functionDeclarations": [own]}])["tools"] == [
        tool("f", {"type": "object", "properties": {"a": {"type": "string"}}})
    ]


@pytest.mark.parametrize("name", ["googleSearch", "google_search", "googleSearchRetrieval"])
def test_a_search_is_a_search(name: str) -> None:
    assert rest(tools=[{name: {}}, {"codeExecution": None}]) == {"web_search_options": {}}


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"cachedContent": "cachedContents/x"}, "cachedContent"),
        ({"tools": [{"code_execution": {}}]}, "codeExecution"),
        (
            {"generationConfig": {"responseMimeType": "text/x.enum"}},
            "the responseMimeType 'text/x.enum'",
        ),
    ],
)
def test_what_means_nothing_elsewhere_is_refused(body: dict[str, Any], param: str) -> None:
    with pytest.raises(errors.InvalidRequest, match="Only Gemini has") as caught:
        asked(**body)

    assert (caught.value.param, caught.value.code) == (param, "unsupported_parameter")


def test_openai_is_not_sent_what_it_refuses() -> None:
    images = [{"type": "image_url", "image_url": {"url": "data:,"}}]
    message = {"role": "assistant", "content": "x", "images": images, "thinking_blocks": [{}]}

    deployment = Deployment("g", "openai", "gpt-4.1", "https://x/v1")
    body = {"model": "m", "top_k": 3, "messages": [message]}

    openai = front_request.adapted(
        body, providers.serving(deployment).operations["chat"], deployment
    )
    gemini = deployment._replace(provider="gemini")
    googles = front_request.adapted(body, providers.serving(gemini).operations["chat"], gemini)

    assert openai == {"model": "m", "messages": [{"role": "assistant", "content": "x"}]}
    assert googles == body


def test_what_is_counted_may_be_a_whole_request() -> None:
    whole = {"model": "models/x", **HI, "tools": []}

    assert front_request.counted({"model": "m", **HI}) == {"model": "m", **HI}
    assert front_request.counted(
        {"model": "m", "user": "u", "generate_content_request": whole}
    ) == {**HI, "model": "m", "user": "u", "tools": []}


def test_there_and_back_is_the_same_request() -> None:
    deployment = Deployment("g", "gemini", "gemini-2.5-flash", "https://x/v1beta")
    sent = {
        **HI,
        "systemInstruction": {"parts": [{"text": "Be brief"}]},
        "tools": [{"functionDeclarations": [{**WEATHER, "parametersJsonSchema": FORM}]}],
        "toolConfig": {
            "functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["weather"]}
        },
        "generationConfig": {
            "temperature": 0.5,
            "topP": 0.9,
            "topK": 5,
            "seed": 7,
            "maxOutputTokens": 64,
            "stopSequences": ["END"],
            "responseLogprobs": True,
            "logprobs": 3,
            "responseMimeType": JSON,
            "responseJsonSchema": {**FORM, "additionalProperties": False},
        },
    }

    chat = front_request.chat_from_generate({"model": "m", **sent})

    assert gemini_request.request(chat, deployment) == sent
