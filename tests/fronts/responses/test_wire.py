from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.responses import Response

from llmgate import errors
from llmgate.fronts import signatures
from llmgate.fronts.responses import input as front_input
from llmgate.fronts.responses import wire as front_wire

TOOL = {"type": "function", "name": "f", "parameters": {"type": "object"}, "strict": True}
OFFERED = {
    "type": "function",
    "function": {"name": "f", "parameters": {"type": "object"}, "strict": True},
}
USAGE = {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13}
REASONING = {
    "id": "rs_1",
    "type": "reasoning",
    "summary": [],
    "content": [
        {"type": "reasoning_text", "text": "First."},
        {"type": "reasoning_text", "text": "Then."},
    ],
}


def chat(**more: Any) -> dict[str, Any]:
    return front_wire.chat_from_response({"model": "m", "input": "Hi", **more})


def messages(*items: Any) -> list[dict[str, Any]]:
    return front_input.messages(list(items))


def call(id: str, **more: Any) -> dict[str, Any]:
    return {"type": "function_call", "call_id": id, "name": "f", "arguments": "{}", **more}


def output(id: str, output: Any = "1") -> dict[str, Any]:
    return {"type": "function_call_output", "call_id": id, "output": output}


def called(*ids: str) -> list[dict[str, Any]]:
    function = {"name": "f", "arguments": "{}"}
    return [{"id": id, "type": "function", "function": function} for id in ids]


def said(text: str) -> dict[str, Any]:
    part = {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
    return {"id": "msg", "type": "message", "role": "assistant", "content": [part]}


def test_a_response_body_becomes_a_chat_body() -> None:
    schema = {"type": "object"}
    given_ = {
        "model": "m",
        "instructions": "Be brief.",
        "input": [
            {"role": "developer", "content": "In French."},
            {"role": "user", "content": [{"type": "input_text", "text": "Hi"}]},
        ],
        "tools": [{**TOOL, "description": None}],
        "tool_choice": {"type": "function", "name": "f"},
        "parallel_tool_calls": False,
        "text": {
            "format": {"type": "json_schema", "name": "n", "schema": schema, "strict": None},
            "verbosity": "low",
        },
        "reasoning": {"effort": "high", "summary": "auto"},
        "max_output_tokens": 5,
        "temperature": 0.5,
        "top_p": 0.9,
        "user": "u",
        "metadata": {"a": "b"},
        "stream": True,
        "stream_options": {"include_obfuscation": False},
        "store": True,
        "truncation": "auto",
        "include": ["reasoning.encrypted_content", "message.output_text.logprobs"],
        "max_tool_calls": 3,
        "previous_response_id": None,
        "seed": 7,
        "top_k": None,
    }
    before = json.dumps(given_)

    got = front_wire.chat_from_response(given_)

    assert got == {
        "model": "m",
        "messages": [
            {"role": "system", "content": "Be brief.\n\nIn French."},
            {"role": "user", "content": "Hi"},
        ],
        "tools": [OFFERED],
        "tool_choice": {"type": "function", "function": {"name": "f"}},
        "parallel_tool_calls": False,
        "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": schema}},
        "verbosity": "low",
        "reasoning_effort": "high",
        "max_completion_tokens": 5,
        "temperature": 0.5,
        "top_p": 0.9,
        "user": "u",
        "metadata": {"a": "b"},
        "stream": True,
        "stream_options": {"include_usage": True},
        "logprobs": True,
        "seed": 7,
    }
    assert json.dumps(given_) == before


@pytest.mark.parametrize(
    ("more", "added"),
    [
        ({}, {}),
        ({"text": None, "reasoning": None, "tools": None, "instructions": None}, {}),
        ({"text": {"format": {"type": "text"}}}, {}),
        (
            {"text": {"format": {"type": "json_object"}}},
            {"response_format": {"type": "json_object"}},
        ),
        ({"top_logprobs": 3}, {"logprobs": True, "top_logprobs": 3}),
        ({"tool_choice": "auto", "parallel_tool_calls": True}, {}),
        ({"tools": [TOOL], "parallel_tool_calls": True}, {"tools": [OFFERED]}),
        ({"tools": [TOOL], "tool_choice": "none"}, {"tools": [OFFERED], "tool_choice": "none"}),
        (
            {
                "tools": [{**TOOL, "name": "g"}, TOOL],
                "tool_choice": {
                    "type": "allowed_tools",
                    "mode": "required",
                    "tools": [{"type": "function", "name": "f"}],
                },
            },
            {"tools": [OFFERED], "tool_choice": "required"},
        ),
    ],
)
def test_parameters_become_those_of_a_chat(more: Any, added: Any) -> None:
    assert chat(**more) == {"model": "m", "messages": [{"role": "user", "content": "Hi"}], **added}


@pytest.mark.parametrize(
    ("more", "param", "words"),
    [
        ({"previous_response_id": "resp_1"}, "previous_response_id", "responses_store"),
        ({"conversation": "conv_1"}, "conversation", "kept by OpenAI alone"),
        ({"background": True}, "background", "leave it out"),
        ({"prompt": {"id": "p"}}, "prompt", "instructions"),
        ({"tools": [{"type": "mcp"}]}, "tools[0]", "mcp.*function"),
        ({"tools": [{"type": "function"}]}, "tools[0].name", "Missing"),
        ({"tools": [{**TOOL, "parameters": 1}]}, "tools[0].parameters", "an object"),
        ({"tools": [{"type": "namespace", "name": "n", "tools": 1}]}, "tools[0].tools", "array"),
        (
            {"tools": [{"type": "namespace", "name": "n", "tools": [1]}]},
            "tools[0].tools[0]",
            "tool",
        ),
        ({"input": [{"type": "tool_search_output", "tools": [1]}]}, "input[0].tools[0]", "object"),
        ({"tools": [TOOL], "tool_choice": {"type": "mcp"}}, "tool_choice", "mcp"),
        ({"input": [{"type": "item_reference", "id": "msg_1"}]}, "input[0]", "store"),
        ({"input": [{"id": "msg_1"}]}, "input[0]", "store"),
        ({"input": [{"type": "computer_call"}]}, "input[0]", "computer_call"),
        ({"input": ["Hi"]}, "input[0]", "an object"),
        ({"input": [{"type": "message", "content": "Hi"}]}, "input[0].role", "Missing"),
        ({"input": [{"type": "function_call", "call_id": "c"}]}, "input[0].name", "Missing"),
        ({"input": [{"role": "user", "content": ["Hi"]}]}, "input[0].content[0]", "an object"),
        ({"input": [{"role": [], "content": "x"}]}, "input[0].role", "a string"),
        ({"input": [{"role": "user", "content": 1}]}, "input[0].content", "a string or an array"),
        (
            {"input": [{"role": "user", "content": [{"type": "input_text", "text": 1}]}]},
            "input[0].content[0].text",
            "a string",
        ),
        (
            {"input": [{"role": "user", "content": [{"type": "input_audio", "input_audio": 1}]}]},
            "input[0].content[0].input_audio",
            "an object",
        ),
        ({"input": [{"type": "reasoning", "summary": 1}]}, "input[0].summary", "an array"),
        ({"input": [{"type": "reasoning", "summary": [1]}]}, "input[0].summary[0]", "an object"),
        (
            {"input": [{"type": "shell_call", "call_id": "c", "action": 1}]},
            "input[0].action",
            "an object",
        ),
        (
            {"input": [{"role": "user", "content": [{"type": "input_text"}]}]},
            "input[0].content[0].text",
            "Missing",
        ),
        (
            {"input": [{"type": "reasoning", "summary": [{"text": 1}]}]},
            "input[0].summary[0].text",
            "a string",
        ),
        ({"input": [{"type": "tool_search_output", "tools": 1}]}, "input[0].tools", "an array"),
        ({"instructions": [1]}, "instructions[0]", "an object"),
        (
            {"input": [{"role": "user", "content": [{"type": "input_image", "file_id": "f"}]}]},
            "input[0].content[0]",
            "input_image",
        ),
        (
            {"input": [{"role": "user", "content": [{"type": "input_file", "file_url": "u"}]}]},
            "input[0].content[0]",
            "file_data",
        ),
    ],
)
def test_what_only_openai_has_is_refused(more: Any, param: str, words: str) -> None:
    with pytest.raises(errors.InvalidRequest, match=words) as caught:
        chat(**more)

    assert caught.value.param == param


def test_a_string_is_what_the_user_says() -> None:
    assert front_input.messages("Hi") == [{"role": "user", "content": "Hi"}]


def test_parts_become_those_of_a_chat() -> None:
    audio = {"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}}
    parts = [
        {"type": "input_text", "text": "See:"},
        {"type": "input_image", "image_url": "https://a/b", "detail": "low"},
        {"type": "input_image", "image_url": "https://a/c"},
        {"type": "input_file", "filename": "a.pdf", "file_data": "data:;base64,AA==", "x": 1},
        audio,
    ]

    got = messages({"type": "message", "role": "user", "content": parts})

    assert got == [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "See:"},
                {"type": "image_url", "image_url": {"url": "https://a/b", "detail": "low"}},
                {"type": "image_url", "image_url": {"url": "https://a/c"}},
                {
                    "type": "file",
                    "file": {"filename": "a.pdf", "file_data": "data:;base64,AA=="},
                },
                audio,
            ],
        }
    ]


def test_a_part_with_more_than_text_stays_a_part() -> None:
    part = {"type": "input_text", "text": "Hi", "cache_control": {"type": "ephemeral"}}

    got = messages({"role": "user", "content": [part]})

    assert got == [{"role": "user", "content": [{**part, "type": "text"}]}]


@pytest.mark.parametrize(
    ("items", "wanted"),
    [
        (
            [REASONING, said("Wait."), call("a"), call("b", extra_content={"x": 1})],
            [
                {
                    "role": "assistant",
                    "content": "Wait.",
                    "reasoning_content": "First.\n\nThen.",
                    "tool_calls": [called("a")[0], {**called("b")[0], "extra_content": {"x": 1}}],
                }
            ],
        ),
        (
            [call("a"), output("a"), call("b", arguments=""), output("b", None)],
            [
                {"role": "assistant", "content": None, "tool_calls": called("a")},
                {"role": "tool", "tool_call_id": "a", "content": "1"},
                {"role": "assistant", "content": None, "tool_calls": called("b")},
                {"role": "tool", "tool_call_id": "b", "content": ""},
            ],
        ),
        (
            [call("a"), REASONING, said("Now"), said("then"), call("b"), output("a")],
            [
                {
                    "role": "assistant",
                    "content": [{"type": "text", "text": "Now"}, {"type": "text", "text": "then"}],
                    "reasoning_content": "First.\n\nThen.",
                    "tool_calls": called("a", "b"),
                },
                {"role": "tool", "tool_call_id": "a", "content": "1"},
            ],
        ),
        (
            [said("a"), said("b")],
            [{"role": "assistant", "content": "a"}, {"role": "assistant", "content": "b"}],
        ),
        (
            [said("a"), {**REASONING, "content": None, "summary": [{"text": "S"}]}],
            [{"role": "assistant", "content": "a", "reasoning_content": "S"}],
        ),
        (
            [REASONING, REASONING, {"role": "assistant", "content": ""}],
            [
                {
                    "role": "assistant",
                    "content": "",
                    "reasoning_content": "First.\n\nThen.First.\n\nThen.",
                }
            ],
        ),
        (
            [{"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]}],
            [{"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]}],
        ),
        (
            [output("a", [{"type": "input_text", "text": "1"}])],
            [{"role": "tool", "tool_call_id": "a", "content": "1"}],
        ),
        ([{"type": "reasoning", "summary": []}], [{"role": "assistant", "content": ""}]),
    ],
)
def test_the_items_of_a_turn_are_one_message(items: Any, wanted: Any) -> None:
    assert messages(*items) == wanted


def test_calls_and_words_and_parts_make_one_content() -> None:
    parts = {"role": "assistant", "content": [{"type": "output_text", "text": t} for t in "bc"]}

    got = messages(said("a"), call("x"), parts)

    assert [part["text"] for part in got[0]["content"]] == ["a", "b", "c"]


def test_signed_thinking_goes_out_sealed_and_comes_back() -> None:
    blocks = [{"type": "thinking", "thinking": "ü", "signature": "s"}, {"type": "redacted"}]
    sealed = signatures.sealed({"thinking_blocks": blocks})

    got = messages({"type": "reasoning", "summary": [], "encrypted_content": sealed}, call("a"))

    assert got[0]["thinking_blocks"] == blocks
    assert got[0]["tool_calls"] == called("a")


def reply(message: Any, finish: str = "stop", **more: Any) -> dict[str, Any]:
    choice = {"index": 0, "message": message, "finish_reason": finish, **more}
    return {"id": "c", "model": "m-1", "choices": [choice], "usage": USAGE}


def response(chat_reply: Any, **request: Any) -> dict[str, Any]:
    got = front_wire.response_from_chat(chat_reply, {"model": "m", **request}, "resp_x", 7)
    Response.model_validate(got)
    return got


def text(text: str, **more: Any) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": [], **more}


def message(at: int, *parts: Any, status: str = "completed") -> dict[str, Any]:
    return {
        "id": f"msg_x_{at}",
        "type": "message",
        "status": status,
        "role": "assistant",
        "content": list(parts),
    }


def test_a_reply_is_a_response() -> None:
    got = response(reply({"role": "assistant", "content": "Hi"}), tools=[TOOL], temperature=0)

    assert got == {
        "id": "resp_x",
        "object": "response",
        "created_at": 7,
        "status": "completed",
        "background": False,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "max_output_tokens": None,
        "max_tool_calls": None,
        "model": "m-1",
        "output": [message(0, text("Hi"))],
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "prompt_cache_key": None,
        "reasoning": {"effort": None, "summary": None},
        "safety_identifier": None,
        "service_tier": None,
        "store": False,
        "temperature": 0,
        "text": {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": [{**TOOL, "description": None}],
        "top_logprobs": 0,
        "top_p": None,
        "truncation": "disabled",
        "usage": {
            "input_tokens": 9,
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens": 4,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": 13,
        },
        "user": None,
        "metadata": {},
    }


def test_what_was_asked_is_repeated() -> None:
    asked = {
        "instructions": "Be brief.",
        "max_output_tokens": 5,
        "metadata": {"a": "b"},
        "parallel_tool_calls": False,
        "reasoning": {"effort": "low", "summary": "auto"},
        "text": {"format": {"type": "json_object"}, "verbosity": "low"},
        "tool_choice": "none",
        "top_p": 0.5,
    }

    got = response(reply({"content": "Hi"}), **asked)

    assert {key: got[key] for key in asked} == asked


def test_all_that_a_message_says_is_output() -> None:
    said = {
        "content": "Hi",
        "refusal": "No.",
        "reasoning_content": "Hm.",
        "tool_calls": [
            {**called("a")[0], "extra_content": {"x": 1}},
            {"type": "function", "function": {"name": "g"}},
        ],
    }

    got = response(reply(said, "tool_calls"))

    assert got["output"] == [
        {
            "id": "rs_x_0",
            "type": "reasoning",
            "status": "completed",
            "summary": [],
            "content": [{"type": "reasoning_text", "text": "Hm."}],
            "encrypted_content": signatures.sealed({"calls": {"a": {"x": 1}}}),
        },
        message(1, text("Hi"), {"type": "refusal", "refusal": "No."}),
        {"id": "fc_x_2", "status": "completed", **call("a"), "extra_content": {"x": 1}},
        {
            "id": "fc_x_3",
            "status": "completed",
            **call("call_x_3", name="g", arguments=""),
        },
    ]


def test_a_summary_is_what_was_asked_for() -> None:
    got = response(reply({"reasoning": "Hm.", "content": "Hi"}), reasoning={"summary": "auto"})

    assert got["output"][0] == {
        "id": "rs_x_0",
        "type": "reasoning",
        "status": "completed",
        "summary": [{"type": "summary_text", "text": "Hm."}],
    }


def test_signed_thinking_goes_along() -> None:
    blocks = [{"type": "redacted_thinking", "data": "d"}]

    got = response(reply({"content": "Hi", "thinking_blocks": blocks}))

    carried = signatures.unsealed(got["output"][0]["encrypted_content"])
    assert carried == {"thinking_blocks": blocks}


def test_nothing_said_is_an_empty_message() -> None:
    assert response(reply({"content": None}))["output"] == [message(0, text(""))]


@pytest.mark.parametrize(
    ("finish", "reason"), [("length", "max_output_tokens"), ("content_filter", "content_filter")]
)
def test_an_answer_that_was_cut_is_incomplete(finish: str, reason: str) -> None:
    got = response(reply({"content": "H"}, finish))

    assert (got["status"], got["incomplete_details"]) == ("incomplete", {"reason": reason})
    assert got["output"] == [message(0, text("H"), status="incomplete")]


def test_log_probabilities_have_bytes_and_alternatives() -> None:
    tokens = [
        {"token": "H", "logprob": -1.0, "bytes": None, "top_logprobs": None},
        {
            "token": "i",
            "logprob": -2.0,
            "bytes": [105],
            "top_logprobs": [{"token": "o", "logprob": -3.0}],
        },
    ]

    got = response(reply({"content": "Hi"}, logprobs={"content": tokens}))

    assert got["output"][0]["content"][0]["logprobs"] == [
        {"token": "H", "logprob": -1.0, "bytes": [], "top_logprobs": []},
        {
            "token": "i",
            "logprob": -2.0,
            "bytes": [105],
            "top_logprobs": [{"token": "o", "logprob": -3.0, "bytes": []}],
        },
    ]


def test_usage_has_its_details() -> None:
    used = {
        **USAGE,
        "prompt_tokens_details": {"cached_tokens": 5, "cache_creation_tokens": 2},
        "completion_tokens_details": {"reasoning_tokens": 3},
    }

    got = response({**reply({"content": "Hi"}), "usage": used})["usage"]

    assert got["input_tokens_details"] == {"cached_tokens": 5, "cache_write_tokens": 2}
    assert got["output_tokens_details"] == {"reasoning_tokens": 3}


def test_unknown_usage_is_zero() -> None:
    assert response({**reply({"content": "Hi"}), "usage": None})["usage"]["total_tokens"] == 0


TEXTS = st.text(min_size=1)
NAMES = st.from_regex(r"[a-zA-Z0-9_-]{1,64}", fullmatch=True)
CALLS = st.lists(
    st.tuples(TEXTS, NAMES, st.text()).map(
        lambda it: {
            "id": it[0],
            "type": "function",
            "function": {"name": it[1], "arguments": it[2] or "{}"},
        }
    )
)


@given(TEXTS, st.none() | TEXTS, CALLS)
def test_what_goes_out_comes_back_as_it_was(said: str, thought: str | None, calls: Any) -> None:
    chat_message = {"role": "assistant", "content": said}
    if thought:
        chat_message["reasoning_content"] = thought
    if calls:
        chat_message["tool_calls"] = calls

    got = response(reply(chat_message))

    assert front_input.messages(got["output"]) == [chat_message]
