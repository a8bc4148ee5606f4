from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from testing.browser import ADMIN
from testing.browser import MASTER
from testing.browser import Browser
from testing.gateway import config_for
from testing.inprocess import posted
from testing.upstream import Upstream


@pytest.fixture
def app(app_for: Callable[..., FlaskClient], upstream: Upstream, tmp_path: Path) -> FlaskClient:
    given = config_for(upstream, num_retries=0)
    given |= {"general_settings": {"master_key": MASTER}}
    return app_for(given, LLMGATE_DATA_DIR=str(tmp_path / "data"))


@pytest.fixture
def browser(app: FlaskClient) -> Browser:
    """A browser that has not logged in."""
    return Browser(app)


@pytest.fixture
def admin(browser: Browser) -> Browser:
    """A browser that is logged in with the master key."""
    return browser.log_in()


@pytest.fixture
def make(app: FlaskClient) -> Callable[..., dict[str, Any]]:
    """A function that makes a key by the API, and returns its fields."""

    def made(**given: Any) -> dict[str, Any]:
        found: dict[str, Any] = posted(app, given, "/key/generate", **ADMIN).get_json()
        return found

    return made
