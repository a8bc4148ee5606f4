"""Health: constant words, for anybody, without a line in the log."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from testing.gateway import config_for
from testing.upstream import Upstream

AppFor = Callable[..., FlaskClient]
ALIVE = "I'm alive!"


@pytest.fixture
def locked(shared_app_for: AppFor, upstream: Upstream) -> FlaskClient:
    """A gateway with a master key."""
    return shared_app_for(
        config_for(upstream) | {"general_settings": {"master_key": "sk-1234567890"}}
    )


@pytest.mark.fault("S15")
@pytest.mark.parametrize("path", ["/health", "/health/", "/health/readiness", "/healthz"])
def test_it_is_healthy(locked: FlaskClient, upstream: Upstream, path: str) -> None:
    got = locked.get(path)

    assert (got.status_code, got.get_json()["status"]) == (200, "healthy")
    assert upstream.requests == []


@pytest.mark.parametrize("path", ["/health/liveliness", "/health/liveness"])
def test_it_is_alive_in_litellms_words(locked: FlaskClient, path: str) -> None:
    assert locked.get(path).get_json() == ALIVE


def test_the_address_in_a_browser_says_what_it_is(locked: FlaskClient) -> None:
    assert locked.get("/").get_json()["name"] == "llmgate"


def test_health_can_be_asked_for_by_head(locked: FlaskClient) -> None:
    got = locked.head("/health")

    assert (got.status_code, got.data) == (200, b"")


def test_health_leaves_no_line_in_the_log(locked: FlaskClient, lines: list[Any]) -> None:
    for path in ("/health", "/health/liveliness", "/health/readiness", "/healthz", "/"):
        locked.get(path, buffered=True)

    assert lines == []
