from __future__ import annotations

from typing import Any

import pydantic
import pytest
from openai.types.responses import ResponseInputItemParam

from llmgate import errors
from llmgate.dialects.responses import items

ITEM: pydantic.TypeAdapter[ResponseInputItemParam] = pydantic.TypeAdapter(ResponseInputItemParam)
USER = {"role": "user", "content": "hi"}
CALL = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}
CUSTOM = {"id": "call_2", "type": "custom", "custom": {"name": "patch", "input": "x"}}
ENCRYPTED = {"type": "reasoning.encrypted", "data": "ENC", "id": "rs_1", "format": items.FORMAT}
SUMMARY = {"type": "reasoning.summary", "summary": "why", "id": "rs_1", "format": items.FORMAT}


def sent(*messages: Any) -> list[Any]:
    found = items.from_messages(messages)
    for item in found:
        ITEM.validate_python(item)
    return found


def test_roles_and_texts_stay() -> None:
    system = {"role": "system", "content": "s"}
    developer = {"role": "developer", "content": "d"}
    assistant = {"role": "assistant", "content": "a"}

    assert sent(system, developer, USER, assistant, USER) == [
        system,
        developer,
        USER,
        assistant,
        USER,
    ]


def test_parts_have_the_names_of_the_api() -> None:
    url = "data:image/png;base64,iVBORw0KGgo="
    content = [
        {"type": "text", "text": "look"},
        {"type": "image_url", "image_url": {"url": url}},
        {"type": "image_url", "image_url": {"url": url, "detail": "low"}},
        {
            "type": "file",
            "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,"},
        },
        {"type": "file", "file": {"file_data": "https://files.example/a.pdf"}},
        {"type": "file", "file": {"file_id": "file-1", "filename": None}},
        {"type": "file", "file": {"file_id": "https://f.example/b.pdf", "filename": "b.pdf"}},
    ]

    assert sent({"role": "user", "content": content})[0]["content"] == [
        {"type": "input_text", "text": "look"},
        {"type": "input_image", "image_url": url, "detail": "auto"},
        {"type": "input_image", "image_url": url, "detail": "low"},
        {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,"},
        {"type": "input_file", "file_url": "https://files.example/a.pdf"},
        {"type": "input_file", "file_id": "file-1"},
        {"type": "input_file", "file_url": "https://f.example/b.pdf"},
    ]


def test_audio_is_sent_as_it_is() -> None:
    part = {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}}

    assert items.from_messages([{"role": "user", "content": [part]}])[0]["content"] == [part]


def test_another_part_is_refused_by_its_place() -> None:
    with pytest.raises(errors.InvalidRequest) as caught:
        sent({"role": "user", "content": [{"type": "video_url", "video_url": {}}]})

    assert caught.value.param == "messages.0.content.0"


def test_a_turn_of_the_model_is_several_items() -> None:
    turn = {
        "role": "assistant",
        "content": "a",
        "tool_calls": [CALL, CUSTOM],
        "reasoning_details": [SUMMARY, ENCRYPTED, {"type": "reasoning.text", "text": "t"}],
    }
    results = [
        {"role": "tool", "tool_call_id": "call_1", "content": "1"},
        {"role": "tool", "tool_call_id": "call_2", "content": [{"type": "text", "text": "2"}]},
    ]

    assert sent(USER, turn, *results)[1:] == [
        {
            "type": "reasoning",
            "id": "rs_1",
            "summary": [{"type": "summary_text", "text": "why"}],
            "encrypted_content": "ENC",
        },
        {"role": "assistant", "content": "a"},
        {"type": "function_call", "call_id": "call_1", "name": "f", "arguments": '{"a":1}'},
        {"type": "custom_tool_call", "call_id": "call_2", "name": "patch", "input": "x"},
        {"type": "function_call_output", "call_id": "call_1", "output": "1"},
        {
            "type": "custom_tool_call_output",
            "call_id": "call_2",
            "output": [{"type": "input_text", "text": "2"}],
        },
    ]


def test_a_picture_stays_in_the_result_of_its_tool() -> None:
    image = {"type": "image_url", "image_url": {"url": "https://x.example/a.png"}}
    turn = {"role": "assistant", "content": None, "tool_calls": [CALL]}

    got = sent(USER, turn, {"role": "tool", "tool_call_id": "call_1", "content": [image]})

    assert got[-1]["output"] == [
        {"type": "input_image", "image_url": "https://x.example/a.png", "detail": "auto"}
    ]


@pytest.mark.parametrize("arguments", ["", "null", " "])
def test_blank_arguments_are_an_empty_object(arguments: str) -> None:
    call = {**CALL, "function": {"name": "f", "arguments": arguments}}

    got = sent(USER, {"role": "assistant", "content": None, "tool_calls": [call]})

    assert got[-1]["arguments"] == "{}"


def test_a_refusal_is_the_models_text() -> None:
    got = sent(USER, {"role": "assistant", "content": None, "refusal": "no"}, USER)

    assert got[1] == {"role": "assistant", "content": "no"}


@pytest.mark.parametrize(
    "details",
    [
        [ENCRYPTED],
        [SUMMARY],
        [{**ENCRYPTED, "format": "google-gemini-v1"}],
        [{**ENCRYPTED, "id": ""}],
    ],
)
def test_reasoning_that_cannot_be_sent_back_is_left_out(details: Any) -> None:
    alone = {"role": "assistant", "content": "", "reasoning_details": [ENCRYPTED]}
    beside = {"role": "assistant", "content": "a", "reasoning_details": details}

    kinds = [item.get("type") for item in sent(USER, alone, USER, beside)]

    assert kinds.count("reasoning") == int(details == [ENCRYPTED])


def test_a_reasoning_item_and_its_details_are_the_same() -> None:
    item = {
        "type": "reasoning",
        "id": "rs_1",
        "summary": [{"type": "summary_text", "text": "why"}, {"type": "summary_text", "text": ""}],
        "encrypted_content": "ENC",
    }

    details = items.details(item, 3)

    assert [detail["index"] for detail in details] == [3, 4]
    assert items.reasoning(details) == [{**item, "summary": item["summary"][:1]}]
    assert items.details({**item, "encrypted_content": None}, 0) == []


OWN = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "ENC"}


@pytest.mark.parametrize(
    ("item", "kept"),
    [
        (OWN, True),
        ({**OWN, "encrypted_content": "llmgate:e30="}, False),
        ({"type": "reasoning", "id": "rs_" + "0a" * 16 + "_0", "summary": []}, False),
        ({"type": "reasoning", "id": "rs_" + "0a" * 25, "summary": []}, True),
        ({"role": "user", "content": "hi"}, True),
        ("text", True),
    ],
)
def test_the_reasoning_of_other_models_is_left_out_for_openai(item: Any, kept: bool) -> None:
    body = {"model": "g", "input": [USER, item]}

    got = items.without_foreign(body)

    assert got["input"] == ([USER, item] if kept else [USER])
    assert (got is body) is kept


def test_an_input_of_text_stays() -> None:
    body = {"model": "g", "input": "hi"}

    assert items.without_foreign(body) is body
