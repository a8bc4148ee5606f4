from __future__ import annotations

from typing import Any

import pytest
from openai.types.chat import ChatCompletion
from openai.types.responses import Response
from testing import responses_bodies as bodies

from llmgate import errors
from llmgate.contract import Deployment
from llmgate.dialects.responses import items
from llmgate.dialects.responses import reply

DEPLOYMENT = Deployment("g", "openai", "o3-pro", "https://x")
CALL = {
    "type": "function_call",
    "id": "fc_1",
    "call_id": "call_1",
    "name": "f",
    "arguments": "{}",
    "status": "completed",
}
REASONING = {
    "type": "reasoning",
    "id": "rs_1",
    "summary": [{"type": "summary_text", "text": "a"}, {"type": "summary_text", "text": "b"}],
    "encrypted_content": "ENC",
}


def message(*parts: Any) -> dict[str, Any]:
    shared = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed"}
    return {**shared, "content": list(parts)}


def text(said: str, **more: Any) -> dict[str, Any]:
    return {"type": "output_text", "text": said, "annotations": [], "logprobs": [], **more}


def chat(*output: Any, **over: Any) -> Any:
    given = bodies.response(output=list(output), **over)
    given["usage"]["input_tokens_details"].setdefault("cache_write_tokens", 0)
    Response.model_validate(given)
    found = reply.chat_reply(given, DEPLOYMENT)
    ChatCompletion.model_validate(found)
    return found


def test_a_text_is_a_completion() -> None:
    got = chat(message(text("Mo"), text("in")), service_tier="default")

    assert got["choices"] == [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "Moin"},
            "logprobs": None,
            "finish_reason": "stop",
        }
    ]
    assert (got["id"], got["created"], got["model"], got["service_tier"]) == (
        bodies.ID,
        1756315696,
        "gpt-4o-2024-08-06",
        "default",
    )
    assert got["usage"] == {
        "prompt_tokens": 32,
        "completion_tokens": 18,
        "total_tokens": 50,
        "prompt_tokens_details": {"cached_tokens": 8, "cache_write_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 4},
    }


def test_calls_are_tool_calls() -> None:
    custom = {
        "type": "custom_tool_call",
        "id": "ctc_1",
        "call_id": "call_2",
        "name": "p",
        "input": "x",
    }

    got = chat(REASONING, CALL, custom)["choices"][0]

    assert got["finish_reason"] == "tool_calls"
    assert got["message"] == {
        "role": "assistant",
        "content": None,
        "reasoning_content": "a\n\nb",
        "reasoning_details": items.details(REASONING, 0),
        "tool_calls": [
            {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}},
            {"id": "call_2", "type": "custom", "custom": {"name": "p", "input": "x"}},
        ],
    }


def test_citations_and_log_probabilities_are_kept() -> None:
    cited = {"url": "https://x", "title": "X", "start_index": 0, "end_index": 1}
    other = {"type": "file_path", "file_id": "file-1", "index": 0}
    token = {"token": "a", "bytes": [97], "logprob": -0.1, "top_logprobs": []}
    part = text("a", annotations=[{"type": "url_citation", **cited}, other], logprobs=[token])

    got = chat(message(part))["choices"][0]

    assert got["message"]["annotations"] == [{"type": "url_citation", "url_citation": cited}]
    assert got["logprobs"] == {"content": [token]}


def test_a_refusal_is_a_refusal() -> None:
    got = chat(message({"type": "refusal", "refusal": "no"}))["choices"][0]["message"]

    assert got == {"role": "assistant", "content": None, "refusal": "no"}


def test_what_openais_tools_did_is_left_out() -> None:
    search = {"type": "web_search_call", "id": "ws_1", "status": "completed"}
    search["action"] = {"type": "search", "query": "q"}  # type: ignore[assignment]

    assert chat(search)["choices"][0]["message"] == {"role": "assistant", "content": ""}


@pytest.mark.parametrize(
    ("reason", "finish"),
    [("max_output_tokens", "length"), ("content_filter", "content_filter")],
)
def test_an_incomplete_response_says_why(reason: str, finish: str) -> None:
    got = chat(message(text("a")), status="incomplete", incomplete_details={"reason": reason})

    assert got["choices"][0]["finish_reason"] == finish


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("server_error", 502),
        ("rate_limit_exceeded", 429),
        ("invalid_prompt", 400),
        ("vector_store_timeout", 502),
    ],
)
def test_a_failed_response_is_an_error(code: str, status: int) -> None:
    with pytest.raises(errors.UpstreamError, match="why") as caught:
        chat(status="failed", error={"code": code, "message": "why"})

    assert (caught.value.status, caught.value.code) == (status, code)


@pytest.mark.parametrize("status", ["failed", "cancelled", "queued", "in_progress"])
def test_a_response_that_has_not_ended_is_an_error(status: str) -> None:
    with pytest.raises(errors.UpstreamError) as caught:
        chat(status=status)

    assert caught.value.status == 502


def test_a_response_of_the_least_is_read() -> None:
    got = reply.chat_reply({"id": "r", "output": [message({"type": "output_text"})]}, DEPLOYMENT)

    assert (got["model"], got["created"]) == ("o3-pro", 0)
    assert got["usage"]["total_tokens"] == 0


def test_reasoning_in_full_is_read_where_there_is_no_summary() -> None:
    full = {
        "type": "reasoning",
        "id": "rs",
        "summary": [],
        "content": [{"text": "t"}, {"text": ""}],
    }

    got = reply.chat_reply({"id": "r", "output": [full, CALL | {"call_id": None}]}, DEPLOYMENT)

    message = got["choices"][0]["message"]
    assert message["reasoning_content"] == "t"
    assert "reasoning_details" not in message
    assert message["tool_calls"][0]["id"] == "fc_1"
