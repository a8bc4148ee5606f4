"""OpenAI's own SDK as the client: which of its exceptions each failure becomes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import openai
import pytest
from testing.gateway import Gateway
from testing.gateway import deployment
from testing.sdk import ASKED
from testing.sdk import CHAT
from testing.sdk import texts
from testing.upstream import CUT
from testing.upstream import HANG
from testing.upstream import RESET
from testing.upstream import Upstream
from testing.upstream import answer
from testing.upstream import chat_chunks
from testing.upstream import chat_completion
from testing.upstream import error_body
from testing.upstream import json_answer
from testing.upstream import raw
from testing.upstream import sse

MASTER = "sk-1234"


@pytest.fixture(scope="module")
def keyed(session_upstream: Upstream) -> Iterator[Gateway]:
    """A gateway that needs a key."""
    config = {
        "model_list": [deployment("gpt-4o", session_upstream.url)],
        "general_settings": {"master_key": MASTER},
    }
    with Gateway(config) as gate:
        yield gate


def said(error: openai.APIError) -> tuple[str | None, str | None, str | None]:
    """Return the type, code and param of *error*."""
    return error.type, error.code, error.param


# The upstream's errors


@pytest.mark.parametrize(
    ("status", "kind", "error"),
    [
        (
            400,
            openai.BadRequestError,
            ("invalid_request_error", "context_length_exceeded", "n"),
        ),
        (401, openai.AuthenticationError, ("invalid_request_error", "invalid_api_key", None)),
        (403, openai.PermissionDeniedError, ("permission_error", "country_not_supported", None)),
        (404, openai.NotFoundError, ("invalid_request_error", "model_not_found", "model")),
        (409, openai.ConflictError, ("conflict", None, None)),
        (422, openai.UnprocessableEntityError, ("invalid_request_error", None, "n")),
        (429, openai.RateLimitError, ("insufficient_quota", "insufficient_quota", None)),
        (500, openai.InternalServerError, ("server_error", None, None)),
        (503, openai.InternalServerError, ("server_error", "overloaded", None)),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_an_upstreams_error_is_raised_as_its_kind(
    sdk: openai.OpenAI, upstream: Upstream, status: int, kind: Any, error: Any, stream: bool
) -> None:
    told = error_body("What went wrong.", error[0], error[2], error[1])
    upstream.plays(json_answer(told, status))

    with pytest.raises(kind) as caught:
        sdk.chat.completions.create(**ASKED, stream=stream)

    assert caught.value.status_code == status
    assert said(caught.value) == error
    assert caught.value.body == told["error"]
    assert caught.value.request_id
    assert len(upstream.requests) == 1


def test_a_rate_limit_is_waited_for(sdk: openai.OpenAI, upstream: Upstream) -> None:
    limited = json_answer(error_body("Slow down.", "requests"), 429, {"retry-after": "1"})
    upstream.plays(limited, json_answer(chat_completion("At last.")))

    reply = sdk.with_options(max_retries=1).chat.completions.create(**ASKED)

    assert reply.choices[0].message.content == "At last."
    first, second = upstream.requests
    assert second.at - first.at >= 1
    assert first.body == second.body


def test_a_rate_limit_that_lasts_is_raised(sdk: openai.OpenAI, upstream: Upstream) -> None:
    limited = error_body("Slow down.", "requests", None, "rate_limit_exceeded")
    upstream.plays(json_answer(limited, 429, {"retry-after-ms": "10", "retry-after": "1"}))

    with pytest.raises(openai.RateLimitError) as caught:
        sdk.with_options(max_retries=1).chat.completions.create(**ASKED)

    assert said(caught.value) == ("requests", "rate_limit_exceeded", None)
    assert caught.value.response.headers["retry-after"] == "1"
    assert len(upstream.requests) == 2


def test_a_silent_upstream_is_not_asked_again(sdk: openai.OpenAI, upstream: Upstream) -> None:
    upstream.plays(raw(HANG))

    with pytest.raises(openai.InternalServerError) as caught:
        sdk.with_options(max_retries=2).chat.completions.create(**{**ASKED, "model": "slow"})

    assert caught.value.status_code == 504
    assert said(caught.value) == ("upstream_error", "upstream_timeout", None)
    assert len(upstream.requests) == 1


@pytest.mark.parametrize(
    "planned",
    [
        answer([b"<html>Bad gateway</html>"], status=502, headers={"content-type": "text/html"}),
        answer([b"<html>Hello</html>"], headers={"content-type": "text/html"}),
        json_answer(b'{"choices": ['),
        raw(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{", RESET),
    ],
)
def test_an_answer_without_sense_is_a_server_error(
    sdk: openai.OpenAI, upstream: Upstream, planned: Any
) -> None:
    upstream.plays(planned)

    with pytest.raises(openai.InternalServerError) as caught:
        sdk.chat.completions.create(**ASKED)

    assert caught.value.status_code == 502
    assert isinstance(caught.value.body, dict)


# In the middle of a stream


def test_an_error_in_mid_stream_is_raised(sdk: openai.OpenAI, upstream: Upstream) -> None:
    told = error_body("Too much at once.", "server_error", None, "overloaded")
    upstream.plays(sse([*chat_chunks("Hel", "lo")[:3], told], done=False))
    heard = []

    with (
        pytest.raises(openai.APIError) as caught,
        sdk.chat.completions.create(**ASKED, stream=True) as stream,
    ):
        for chunk in stream:
            heard += texts([chunk])

    assert heard == ["Hel", "lo"]
    assert caught.type is openai.APIError
    assert caught.value.message == "Too much at once."
    assert said(caught.value) == ("server_error", "overloaded", None)


@pytest.mark.parametrize("end", [[CUT], [RESET], []])
def test_a_stream_that_ends_too_soon_is_an_error(
    sdk: openai.OpenAI, upstream: Upstream, end: list[Any]
) -> None:
    upstream.plays(sse([*chat_chunks("Hel", "lo")[:3], *end], done=False))
    heard = []

    with (
        pytest.raises(openai.APIError) as caught,
        sdk.chat.completions.create(**ASKED, stream=True) as stream,
    ):
        for chunk in stream:
            heard += texts([chunk])

    assert heard == ["Hel", "lo"]
    assert said(caught.value)[0] == "upstream_error"


# The gate's own


def test_an_unknown_model_is_not_found(sdk: openai.OpenAI, upstream: Upstream) -> None:
    with pytest.raises(openai.NotFoundError, match=r"gpt-5000.*Available: gpt-4o,") as caught:
        sdk.chat.completions.create(model="gpt-5000", messages=ASKED["messages"])
    with pytest.raises(openai.NotFoundError) as listed:
        sdk.models.retrieve("gpt-5000")

    assert said(caught.value) == ("invalid_request_error", "model_not_found", "model")
    assert said(listed.value) == said(caught.value)
    assert upstream.requests == []


@pytest.mark.parametrize(
    ("wrong", "param"),
    [
        ({"messages": "Hi"}, "messages"),
        ({"messages": [{"content": "Hi"}]}, "messages[0].role"),
        ({"temperature": "hot"}, "temperature"),
    ],
)
def test_a_wrong_field_is_a_bad_request(
    sdk: openai.OpenAI, upstream: Upstream, wrong: Any, param: str
) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        sdk.chat.completions.create(**{**ASKED, **wrong})

    assert (caught.value.type, caught.value.param) == ("invalid_request_error", param)
    assert upstream.requests == []


def test_an_address_in_a_request_is_forbidden(sdk: openai.OpenAI, upstream: Upstream) -> None:
    with pytest.raises(openai.PermissionDeniedError) as caught:
        sdk.chat.completions.create(**ASKED, extra_body={"api_base": "https://example.com/v1"})

    assert caught.value.param == "api_base"
    assert upstream.requests == []


@pytest.mark.parametrize("key", ["sk-wrong", "anything"])
def test_a_wrong_key_is_refused(keyed: Gateway, upstream: Upstream, key: str) -> None:
    with openai.OpenAI(api_key=key, base_url=keyed.url, max_retries=2) as client:
        with pytest.raises(openai.AuthenticationError) as chat:
            client.chat.completions.create(**ASKED)
        with pytest.raises(openai.AuthenticationError) as models:
            client.models.list()

    assert said(chat.value) == ("authentication_error", "invalid_api_key", None)
    assert said(models.value) == said(chat.value)
    assert upstream.requests == []


def test_the_master_key_opens_and_stays_here(keyed: Gateway, upstream: Upstream) -> None:
    upstream.plays(json_answer(chat_completion("Welcome.")))

    with openai.OpenAI(api_key=MASTER, base_url=keyed.url) as client:
        reply = client.chat.completions.create(**ASKED)
    with openai.AzureOpenAI(
        api_key=MASTER, azure_endpoint=keyed.url, api_version="2024-10-21"
    ) as azure:
        other = azure.chat.completions.create(**ASKED)

    assert [reply.choices[0].message.content, other.choices[0].message.content] == ["Welcome."] * 2
    assert [seen.path for seen in upstream.requests] == [CHAT] * 2
    assert not any(MASTER in str(seen.headers) + str(seen.body) for seen in upstream.requests)
