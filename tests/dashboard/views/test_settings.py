"""/ui/settings: the configuration in effect."""

from __future__ import annotations

from collections.abc import Callable

from flask.testing import FlaskClient
from testing.browser import MASTER
from testing.browser import Browser


def test_the_settings_are_shown_with_their_options(
    app_for: Callable[..., FlaskClient], tmp_path: object
) -> None:
    config = {
        "litellm_settings": {"max_budget": 50, "budget_duration": "30d"},
        "router_settings": {"num_retries": 7, "allowed_fails": 5},
        "llmgate_settings": {"max_body_mb": 3},
    }
    browser = Browser(app_for(config, LLMGATE_MASTER_KEY=MASTER, LLMGATE_DATA_DIR=str(tmp_path)))

    page = " ".join(browser.log_in().get("/ui/settings").text.split())

    for expected in ("<td>7</td>", "router_settings.num_retries", "<td>3 MB</td>"):
        assert expected in page
    assert "<td>$50.00 per 1mo</td>" in page
    assert "the built-in echo answers" in page  # a warning of --check
    assert MASTER not in page
