from __future__ import annotations

import json
import os
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from flask.testing import FlaskClient
from testing import inprocess
from testing.gateway import Gateway
from testing.gateway import config_for
from testing.upstream import Upstream

os.environ |= {  # no login of the machine that runs the tests
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
}

# Twenty examples of each property keep the suite short; a slow machine is no failure.
hypothesis.settings.register_profile(
    "quick",
    max_examples=20,
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],  # a machine with much to do is
)
hypothesis.settings.load_profile("quick")


@pytest.fixture(scope="session")
def session_upstream() -> Iterator[Upstream]:
    """The upstream that the session's gateway calls; ask for `upstream` in a test."""
    with Upstream() as up:
        yield up


@pytest.fixture
def upstream(session_upstream: Upstream) -> Upstream:
    """A fake provider that remembers nothing of earlier tests."""
    session_upstream.reset()
    return session_upstream


@pytest.fixture(scope="session")
def session_gateway(session_upstream: Upstream) -> Iterator[Gateway]:
    """The session's gateway; ask for `gateway` in a test."""
    with Gateway(config_for(session_upstream)) as gate:
        yield gate


@pytest.fixture
def gateway(session_gateway: Gateway, upstream: Upstream) -> Gateway:
    """A real gateway whose every model is at `upstream`; its memory outlives the test."""
    return session_gateway


@pytest.fixture
def lines() -> Iterator[list[Any]]:
    """The requests log of the apps in this process: one decoded line for each request."""
    with inprocess.request_log() as found:
        yield found


@pytest.fixture
def app_for(lines: list[Any], tmp_path: Path) -> Callable[..., FlaskClient]:
    """A function that returns a client of the app that a configuration and variables make."""

    def made(config: Mapping[str, Any], **env: str) -> FlaskClient:
        return inprocess.client_of(tmp_path, config, env)

    return made


@pytest.fixture(scope="session")
def built() -> dict[str, FlaskClient]:
    """The clients that `shared_app_for` has made."""
    return {}


@pytest.fixture
def shared_app_for(
    app_for: Callable[..., FlaskClient], built: dict[str, FlaskClient]
) -> Callable[..., FlaskClient]:
    """As `app_for`, but made once for all tests that ask for the same; what it remembers stays."""

    def made(config: Mapping[str, Any], **env: str) -> FlaskClient:
        named = json.dumps([config, env])
        if named not in built:
            built[named] = app_for(config, **env)
        return built[named]

    return made


@pytest.fixture(scope="session")
def session_client(
    session_upstream: Upstream, tmp_path_factory: pytest.TempPathFactory
) -> FlaskClient:
    """A client of the session's app; ask for `client` in a test."""
    given = config_for(session_upstream, num_retries=0)
    given["router_settings"] = {"disable_cooldowns": True}  # else a test would feel the one before
    return inprocess.client_of(tmp_path_factory.mktemp("app"), given, {})


@pytest.fixture
def client(session_client: FlaskClient, upstream: Upstream, lines: list[Any]) -> FlaskClient:
    """A client of an app whose every model is at `upstream`; it tries once."""
    return session_client
