"""OpenAI's chat requests as generateContent requests."""

from __future__ import annotations

import copy
import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from testing import samples

from llmgate import errors
from llmgate.contract import Deployment
from llmgate.dialects.gemini import contents as gemini_contents
from llmgate.dialects.gemini import request as gemini_request

SAMPLES = samples.names("gemini", "request_")
HI = {"role": "user", "content": "Hi"}


def deployment(model: str = "gemini-2.5-flash", **over: Any) -> Deployment:
    return Deployment("g", "gemini", model, "https://upstream/v1beta", **over)


def asked(model: str = "gemini-2.5-flash", **body: Any) -> dict[str, Any]:
    """Return the request for a chat of one greeting and what *body* adds."""
    return gemini_request.request({"model": "g", "messages": [HI], **body}, deployment(model))


def contents(*messages: dict[str, Any], model: str = "gemini-2.5-flash") -> Any:
    return gemini_request.request({"model": "g", "messages": [*messages]}, deployment(model))[
        "contents"
    ]


def config(model: str = "gemini-2.5-flash", **body: Any) -> Any:
    return asked(model, **body).get("generationConfig")


def called(id: str | None, arguments: str = "{}", name: str = "f", **more: Any) -> dict[str, Any]:
    return {
        "id": id,
        "type": "function",
        "function": {"name": name, "arguments": arguments},
        **more,
    }


def answered(*calls: dict[str, Any], content: Any = None, **more: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": content, "tool_calls": [*calls], **more}


def signed(signature: str) -> dict[str, Any]:
    return {"extra_content": {"google": {"thought_signature": signature}}}


@pytest.mark.parametrize("name", SAMPLES)
def test_a_chat_becomes_the_request_that_google_documents(name: str) -> None:
    sample = samples.sample("gemini", name)
    before = copy.deepcopy(sample["chat"])

    got = gemini_request.request(sample["chat"], deployment(sample["model"]))

    assert got == sample["request"]
    assert json.dumps(got) == json.dumps(sample["request"])  # in the same order too
    assert sample["chat"] == before


def test_the_text_of_a_tool_is_no_neighbour_of_a_users() -> None:
    got = contents(
        HI, answered(called("a")), {"role": "tool", "tool_call_id": "a", "content": "1"}, HI
    )

    assert [turn["role"] for turn in got] == ["user", "model", "user", "user"]


def test_system_messages_alone_become_the_users() -> None:
    got = gemini_request.request(
        {"model": "g", "messages": [{"role": "system", "content": "Say hi."}]}, deployment()
    )

    assert got == {"contents": [{"role": "user", "parts": [{"text": "Say hi."}]}]}


@pytest.mark.parametrize("content", ["", None, [], [{"type": "text", "text": ""}]])
def test_a_conversation_without_text_has_a_placeholder(content: Any) -> None:
    got = contents({"role": "user", "content": content})

    assert got == [{"role": "user", "parts": [{"text": "."}]}]


def test_messages_that_say_nothing_are_left_out() -> None:
    got = contents(HI, {"role": "assistant", "content": ""}, HI)

    assert got == [{"role": "user", "parts": [{"text": "Hi"}, {"text": "Hi"}]}]


def test_a_signature_of_text_goes_back_to_its_last_part() -> None:
    content = [{"type": "text", "text": "A"}, {"type": "refusal", "refusal": "B"}]

    got = contents(HI, answered(called("a"), content=content, **signed("c2ln")))

    assert got[1]["parts"] == [
        {"text": "A"},
        {"text": "B", "thoughtSignature": "c2ln"},
        {"functionCall": {"name": "f", "args": {}, "id": "a"}},
    ]


def test_a_signature_without_text_gets_an_empty_part() -> None:
    got = contents(HI, {"role": "assistant", "content": "", **signed("c2ln")})

    assert got[1]["parts"] == [{"text": "", "thoughtSignature": "c2ln"}]


@pytest.mark.parametrize(
    "extra", [{}, {"extra_content": None}, {"extra_content": {"google": {"thought_signature": 1}}}]
)
def test_what_is_no_signature_is_none(extra: dict[str, Any]) -> None:
    got = contents(HI, {"role": "assistant", "content": "A", **extra})

    assert got[1]["parts"] == [{"text": "A"}]


@pytest.mark.parametrize(
    ("model", "wanted"),
    [
        ("gemini-2.5-pro", None),
        ("gemini-3-pro-preview", gemini_contents.UNSIGNED),
        ("gemini-3.8-flash", gemini_contents.UNSIGNED),
        ("gemini-flash-latest", gemini_contents.UNSIGNED),
        ("gemma-3-27b-it", None),
    ],
)
def test_a_lost_signature_is_stood_in_for_where_one_is_demanded(
    model: str, wanted: str | None
) -> None:
    first, second = contents(HI, answered(called("a"), called("b")), model=model)[1]["parts"]

    assert first.get("thoughtSignature") == wanted
    assert "thoughtSignature" not in second


def test_a_signature_that_was_kept_is_not_replaced() -> None:
    got = contents(HI, answered(called("a", **signed("c2ln"))), model="gemini-3-pro")

    assert got[1]["parts"][0]["thoughtSignature"] == "c2ln"


def test_images_that_the_model_drew_go_back() -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}

    got = contents(HI, {"role": "assistant", "content": "Here.", "images": [image]})

    assert got[1]["parts"] == [
        {"text": "Here."},
        {"inlineData": {"mimeType": "image/png", "data": "AA=="}},
    ]


def test_functions_of_openais_first_days_are_understood() -> None:
    got = contents(
        HI,
        {"role": "assistant", "function_call": {"name": "f", "arguments": '{"a":1}'}},
        {"role": "function", "name": "f", "content": "2"},
    )

    assert got[1:] == [
        {
            "role": "model",
            "parts": [{"functionCall": {"name": "f", "args": {"a": 1}, "id": "call_1"}}],
        },
        {
            "role": "user",
            "parts": [
                {"functionResponse": {"name": "f", "response": {"output": "2"}, "id": "call_1"}}
            ],
        },
    ]


def test_the_name_of_a_result_is_that_of_the_last_call_with_its_id() -> None:
    result = {"role": "tool", "tool_call_id": "call_0", "content": "x"}

    got = contents(
        HI,
        answered(called("call_0", name="first")),
        result,
        answered(called("call_0", name="second")),
        result,
    )

    names = [part["functionResponse"]["name"] for turn in got[2::2] for part in turn["parts"]]
    assert names == ["first", "second"]


@pytest.mark.parametrize(
    ("content", "response"),
    [
        ('{"a": [1, 2.5, null]}', {"a": [1, 2.5, None]}),
        ("[1]", {"output": "[1]"}),
        ("plain", {"output": "plain"}),
        (None, {"output": ""}),
        ('{"a": NaN}', {"output": '{"a": NaN}'}),
        ('{"a": 1e999}', {"output": '{"a": 1e999}'}),
        ('{"a":' * 20_000, {"output": '{"a":' * 20_000}),
        ([{"type": "text", "text": '{"a"'}, {"type": "text", "text": ":1}"}], {"a": 1}),
    ],
)
def test_a_result_is_an_object_or_the_output(content: Any, response: Any) -> None:
    got = contents(
        HI, answered(called("a")), {"role": "tool", "tool_call_id": "a", "content": content}
    )

    assert got[2]["parts"][0]["functionResponse"]["response"] == response


def test_images_in_a_result_are_its_parts() -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}
    said = [{"type": "text", "text": "seen"}, image]

    got = contents(
        HI,
        answered(called("a")),
        {"role": "tool", "tool_call_id": "a", "content": said},
        model="gemini-3-pro",
    )

    assert got[2]["parts"][0]["functionResponse"] == {
        "name": "f",
        "response": {"output": "seen"},
        "id": "a",
        "parts": [{"inlineData": {"mimeType": "image/png", "data": "AA=="}}],
    }


@pytest.mark.parametrize(
    ("message", "param"),
    [
        ({"role": "robot", "content": "x"}, "messages.1.role"),
        ({"role": "tool", "tool_call_id": "zz", "content": "x"}, "messages.1.tool_call_id"),
        ({"role": "tool", "content": "x"}, "messages.1.tool_call_id"),
        (
            answered({"id": "a", "type": "custom", "custom": {"name": "c"}}),
            "messages.1.tool_calls.0.type",
        ),
        (answered({"id": "a", "function": {"arguments": "{}"}}), "messages.1"),
        ({"role": "user", "content": [{"type": "hologram"}]}, "messages.1.content.0.type"),
        ({"role": "assistant", "images": [{"type": None}]}, "messages.1.images.0.type"),
    ],
)
def test_a_message_that_cannot_be_said_names_its_place(message: Any, param: str) -> None:
    with pytest.raises(errors.InvalidRequest) as caught:
        contents(HI, message)

    assert caught.value.param == param


@pytest.mark.parametrize(
    ("model", "effort", "wanted"),
    [
        ("gemini-2.5-flash", "none", {"thinkingBudget": 0, "includeThoughts": False}),
        ("gemini-2.5-flash", "minimal", {"thinkingBudget": 1024, "includeThoughts": True}),
        ("gemini-2.5-flash", "medium", {"thinkingBudget": 8192, "includeThoughts": True}),
        ("gemini-2.5-pro", "xhigh", {"thinkingBudget": 24576, "includeThoughts": True}),
        ("gemini-2.5-pro", "none", {"thinkingBudget": 128, "includeThoughts": False}),
        ("gemini-3.8-flash", "none", {"thinkingLevel": "MINIMAL", "includeThoughts": False}),
        ("gemini-3-flash", "medium", {"thinkingLevel": "MEDIUM", "includeThoughts": True}),
        ("gemini-3.1-pro-preview", "minimal", {"thinkingLevel": "LOW", "includeThoughts": True}),
        ("gemini-3.1-pro-preview", "max", {"thinkingLevel": "HIGH", "includeThoughts": True}),
        ("gemini-pro-latest", "low", {"thinkingLevel": "LOW", "includeThoughts": True}),
    ],
)
def test_an_effort_is_a_level_since_gemini_3_and_a_budget_before(
    model: str, effort: str, wanted: Any
) -> None:
    assert config(model, reasoning_effort=effort) == {"thinkingConfig": wanted}


@pytest.mark.parametrize(
    ("thinking", "wanted"),
    [
        (
            {"type": "enabled", "budget_tokens": 2048},
            {"includeThoughts": True, "thinkingBudget": 2048},
        ),
        ({"type": "adaptive"}, {"includeThoughts": True, "thinkingBudget": 24576}),
        ({"type": "disabled"}, {"thinkingBudget": 0, "includeThoughts": False}),
    ],
)
def test_thinking_in_anthropics_words_is_understood(thinking: Any, wanted: Any) -> None:
    assert config(thinking=thinking, reasoning_effort="high") == {"thinkingConfig": wanted}


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        ({"stop": []}, None),
        ({"stop": ["a", "b"]}, {"stopSequences": ["a", "b"]}),
        ({"temperature": 0, "top_p": None}, {"temperature": 0}),
        ({"max_tokens": 3, "max_completion_tokens": None}, {"maxOutputTokens": 3}),
        ({"logprobs": False}, None),
        ({"logprobs": True}, {"responseLogprobs": True}),
        ({"top_logprobs": 0}, {"responseLogprobs": True, "logprobs": 0}),
        ({"modalities": ["text", "image"]}, {"responseModalities": ["TEXT", "IMAGE"]}),
        ({"response_format": {"type": "text"}}, None),
        ({"response_format": None}, None),
        (
            {"response_format": {"type": "json_object"}},
            {"responseMimeType": "application/json"},
        ),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "x"}}},
            {"responseMimeType": "application/json"},
        ),
        (
            {"temperature": 1, "generationConfig": {"temperature": 0.5, "topK": 2}, "topK": 1},
            {"temperature": 0.5, "topK": 2},
        ),
        (
            {"max_tokens": 3, "generation_config": {"max_output_tokens": 4}},
            {"maxOutputTokens": 4},
        ),
        (
            {"reasoning_effort": "low", "thinkingConfig": {"thinkingBudget": 7}},
            {"thinkingConfig": {"thinkingBudget": 7}},
        ),
    ],
)
def test_settings_go_where_google_has_them(body: Any, wanted: Any) -> None:
    assert config(**body) == wanted


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"reasoning_effort": "heroic"}, "reasoning_effort"),
        ({"response_format": {"type": "grammar"}}, "response_format.type"),
        ({"modalities": ["text", "audio"]}, "modalities"),
    ],
)
def test_what_gemini_has_no_word_for_is_refused(body: Any, param: str) -> None:
    with pytest.raises(errors.InvalidRequest) as caught:
        asked(**body)

    assert caught.value.param == param


@pytest.mark.parametrize(
    ("tier", "wanted"),
    [("auto", None), ("default", "standard"), ("priority", "priority"), (None, None)],
)
def test_a_service_tier_has_googles_name(tier: str | None, wanted: str | None) -> None:
    assert asked(service_tier=tier).get("serviceTier") == wanted


def test_unknown_names_go_on_as_they_are_and_googles_own_win() -> None:
    instruction = {"parts": [{"text": "Mine."}]}

    got = asked(new_google_thing={"a_b": 1}, system_instruction=instruction, google="not an object")

    assert got == {
        "contents": [{"role": "user", "parts": [{"text": "Hi"}]}],
        "new_google_thing": {"a_b": 1},
        "systemInstruction": instruction,
        "google": "not an object",
    }


def test_the_same_chat_makes_the_same_bytes() -> None:
    chat = samples.sample("gemini", SAMPLES[0])["chat"]

    first, second = (
        json.dumps(gemini_request.request(copy.deepcopy(chat), deployment())) for _ in range(2)
    )

    assert first == second


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), JSON).filter(lambda made: "inf" not in json.dumps(made).lower()))
def test_arguments_of_any_kind_arrive_as_they_were(arguments: dict[str, Any]) -> None:
    got = contents(HI, answered(called("a", json.dumps(arguments))))

    assert got[1]["parts"][0]["functionCall"]["args"] == arguments


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["user", "assistant", "system"]), st.text(min_size=1).map("x{}x".format)
        ),
        min_size=1,
    )
)
def test_every_text_arrives_in_its_order(said: list[tuple[str, str]]) -> None:
    messages = [{"role": role, "content": text} for role, text in said]

    got = gemini_request.request({"model": "g", "messages": messages}, deployment())

    turns = [part["text"] for turn in got["contents"] for part in turn["parts"]]
    system = [part["text"] for part in got.get("systemInstruction", {"parts": []})["parts"]]
    spoken = [text for role, text in said if role != "system"]
    told = [text for role, text in said if role == "system"]
    first = next((role for role, _ in said if role != "system"), None)
    before = ["."] if first == "assistant" else []
    assert (turns, system) == ((before + spoken, told) if spoken else (told, []))


@given(JSON)
def test_a_result_of_any_text_is_an_object_that_json_can_carry(value: Any) -> None:
    text = json.dumps(value)

    got = contents(
        HI, answered(called("a")), {"role": "tool", "tool_call_id": "a", "content": text}
    )

    response = got[2]["parts"][0]["functionResponse"]["response"]
    assert isinstance(response, dict)
    assert all(math.isfinite(n) for n in response.values() if isinstance(n, float))


def test_a_turn_of_reasoning_alone_is_left_out() -> None:
    hi = {"role": "user", "content": "Hi"}
    thought = {"role": "assistant", "content": "", "reasoning_content": "Hm."}

    assert contents(hi, thought, hi) == [{"role": "user", "parts": [{"text": "Hi"}] * 2}]


def test_a_call_without_an_id_is_answered_by_its_name() -> None:
    hi = {"role": "user", "content": "Hi"}
    result = {"role": "tool", "name": "f", "content": "1"}

    got = contents(hi, answered(called(None)), result)

    assert "id" not in got[1]["parts"][0]["functionCall"]
    assert got[2]["parts"] == [{"functionResponse": {"name": "f", "response": {"result": 1}}}] or (
        "id" not in got[2]["parts"][0]["functionResponse"]
    )
