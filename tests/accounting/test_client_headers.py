from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from testing.gateway import config_for
from testing.inprocess import asks
from testing.inprocess import posted
from testing.upstream import Upstream
from testing.upstream import chat_completion
from testing.upstream import json_answer

from llmgate.accounting import client_headers
from llmgate.accounting.client_headers import environ_name
from llmgate.accounting.records import Caller


def identified(
    headers: dict[str, str], user: str | None = None, metadata: Any = None, *configured: str
) -> tuple[str | None, str | None]:
    environ = {environ_name(name): text for name, text in headers.items()}
    named = tuple(map(environ_name, configured))
    found = client_headers.identified(Caller("k", user, (), metadata), environ, named)
    return found.user, found.chat


AppFor = Callable[..., FlaskClient]
OWN = {"X-OpenWebUI-User-Id": "u1", "X-OpenWebUI-User-Email": "a@b.c"}


@pytest.mark.parametrize(
    ("headers", "wanted"),
    [
        ({}, (None, None)),
        (OWN, ("u1", None)),
        ({**OWN, "X-OpenWebUI-Chat-Id": "c1"}, ("u1", "c1")),
        ({"X-OpenWebUI-User-Name": "Jo%CC%88rg B"}, ("Jo\u0308rg B", None)),
        ({"X-OpenWebUI-User-Id": " "}, (None, None)),
        ({"X-OpenWebUI-User-Id": "a%0Ab"}, (None, None)),
        ({**OWN, "x-litellm-end-user-id": "e"}, ("e", None)),
        ({"session_id": "s"}, (None, "s")),
        ({"x-litellm-session-id": "x" * 300}, (None, "x" * 256)),
    ],
)
def test_headers_name_the_user_and_the_chat(
    headers: dict[str, str], wanted: tuple[str | None, str | None]
) -> None:
    assert identified(headers) == wanted


def test_what_takes_precedence() -> None:
    assert identified(OWN, "body") == ("body", None)
    assert identified({**OWN, "x-litellm-customer-id": "c"}, "body") == ("c", None)
    assert identified({**OWN, "X-Mine": "m"}, "body", None, "X-Mine") == ("m", None)
    assert identified({}, "body", None, "X-Mine") == ("body", None)


def test_metadata_may_name_the_user() -> None:
    assert identified({}, None, {"user_id": "m"}) == ("m", None)
    assert identified({}, None, {"user_id": 1}) == (None, None)
    assert identified(OWN, None, {"user_id": "m"}) == ("u1", None)


def test_the_log_has_them(app_for: AppFor, upstream: Upstream, lines: list[Any]) -> None:
    upstream.plays(json_answer(chat_completion()))
    mapped = [
        {"header_name": "X-Mine", "litellm_user_role": "customer"},
        {"header_name": "X-Staff", "litellm_user_role": "internal_user"},
    ]
    given = config_for(upstream) | {"general_settings": {"user_header_mappings": mapped}}
    client = app_for(given)

    for headers in ({"X-Mine": "m", "X-Staff": "s"}, {**OWN, "X-OpenWebUI-Chat-Id": "c1"}):
        posted(client, asks(), **headers)

    found = [(line["user"], line.get("chat_id")) for line in lines]
    assert found == [("m", None), ("u1", "c1")]
    assert OWN["X-OpenWebUI-User-Id"] not in str(upstream.requests[1].headers)
