"""Guessing keys is throttled for the address that guesses, and for nobody else."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from testing.gateway import config_for
from testing.inprocess import asks
from testing.inprocess import failed
from testing.inprocess import posted
from testing.upstream import Upstream
from testing.upstream import chat_completion
from testing.upstream import json_answer

from llmgate.endpoints.wrong_keys import BURST

AppFor = Callable[..., FlaskClient]
LONG = "sk-master-0123456789-0123456789"
SHORT = "sk-1234"
WRONG = (401, "authentication_error", "invalid_api_key", None)
THROTTLED = (429, "rate_limit_error", "too_many_wrong_keys", None)


def gate(app_for: AppFor, upstream: Upstream, key: str, **env: str) -> FlaskClient:
    upstream.plays(json_answer(chat_completion()))
    return app_for(config_for(upstream) | {"general_settings": {"master_key": key}}, **env)


def guessed(client: FlaskClient, times: int, **headers: str) -> list[tuple[Any, ...]]:
    return [
        failed(posted(client, asks(), Authorization=f"Bearer sk-guess-{n}", **headers))
        for n in range(times)
    ]


@pytest.mark.fault("S25", "F18")
def test_many_wrong_keys_are_throttled(
    app_for: AppFor, upstream: Upstream, caplog: pytest.LogCaptureFixture
) -> None:
    client = gate(app_for, upstream, LONG)

    got = guessed(client, BURST + 20)
    last = posted(client, asks(), Authorization="Bearer sk-guess")

    assert got == [WRONG] * BURST + [THROTTLED] * 20
    assert 1 <= int(last.headers["Retry-After"]) <= 3
    assert last.headers["x-should-retry"] == "false"
    assert upstream.requests == []
    told = [each.message for each in caplog.records if each.levelno == logging.WARNING]
    assert told[-1].endswith("wrong keys are throttled: 1 requests, the last one from 127.0.0.1")
    assert [text for text in told if "throttled" in text] == told[-1:]  # once a minute
    assert "guess" not in caplog.text


@pytest.mark.fault("S25")
def test_a_right_key_works_at_a_throttled_address(app_for: AppFor, upstream: Upstream) -> None:
    """Many users share an address; one of them has a wrong key."""
    client = gate(app_for, upstream, LONG)
    guessed(client, BURST + 1)

    assert posted(client, asks(), Authorization=f"Bearer {LONG}").status_code == 200


@pytest.mark.fault("S25")
def test_a_short_key_cannot_be_guessed_either(app_for: AppFor, upstream: Upstream) -> None:
    client = gate(app_for, upstream, SHORT)
    before = posted(client, asks(), Authorization=f"Bearer {SHORT}").status_code
    guessed(client, BURST)

    after = failed(posted(client, asks(), Authorization=f"Bearer {SHORT}"))

    assert (before, after) == (200, THROTTLED)


@pytest.mark.fault("S25")
def test_addresses_are_those_that_trusted_proxies_report(
    app_for: AppFor, upstream: Upstream
) -> None:
    client = gate(app_for, upstream, LONG)  # the test client is on 127.0.0.1, a trusted proxy
    guessed(client, BURST + 1, X_Forwarded_For="1.2.3.4")

    others = guessed(client, 1, X_Forwarded_For="5.6.7.8")
    invented = guessed(client, 1, X_Forwarded_For="5.6.7.8, 1.2.3.4")

    assert (others, invented) == ([WRONG], [THROTTLED])


@pytest.mark.fault("S25")
def test_a_header_of_a_client_changes_nothing(app_for: AppFor, upstream: Upstream) -> None:
    client = gate(app_for, upstream, LONG, FORWARDED_ALLOW_IPS="10.0.0.1")
    guessed(client, BURST + 1, X_Forwarded_For="1.2.3.4")

    assert guessed(client, 1, X_Forwarded_For="5.6.7.8") == [THROTTLED]


def test_a_missing_key_is_no_guess(app_for: AppFor, upstream: Upstream) -> None:
    client = gate(app_for, upstream, LONG)

    assert {posted(client, asks()).status_code for _ in range(BURST + 5)} == {401}
    assert guessed(client, 1) == [WRONG]


@pytest.mark.fault("S25")
def test_guesses_at_management_count_too(app_for: AppFor, upstream: Upstream) -> None:
    client = gate(app_for, upstream, SHORT)

    got = [
        client.get("/key/list", headers={"Authorization": f"Bearer sk-guess-{n}"}).status_code
        for n in range(BURST + 1)
    ]
    right = client.get("/key/list", headers={"Authorization": f"Bearer {SHORT}"})

    assert got == [401] * BURST + [429]
    assert right.status_code == 429


@pytest.mark.fault("S25")
def test_an_open_path_does_not_show_which_key_is_right(app_for: AppFor, upstream: Upstream) -> None:
    client = gate(app_for, upstream, SHORT)
    guessed(client, BURST + 1)

    got = client.get("/health/liveliness", headers={"Authorization": f"Bearer {SHORT}"})

    assert got.status_code == 200


@pytest.mark.fault("S25")
def test_each_header_of_a_request_is_a_guess(app_for: AppFor, upstream: Upstream) -> None:
    client = gate(app_for, upstream, LONG)
    more = {"api-key": "sk-a", "x-api-key": "sk-b"}

    got = guessed(client, BURST // 3 + 1, **more)

    assert got == [WRONG] * (BURST // 3) + [THROTTLED]
