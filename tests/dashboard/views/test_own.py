"""/ui/mine: what the holder of a key sees."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from testing.browser import ADMIN
from testing.browser import Browser
from testing.inprocess import asks
from testing.inprocess import posted
from testing.upstream import Upstream
from testing.upstream import chat_completion
from testing.upstream import json_answer


def test_a_key_sees_what_is_left_of_its_budget_and_of_its_teams(
    browser: Browser, make: Callable[..., dict[str, Any]], upstream: Upstream
) -> None:
    upstream.plays(json_answer(chat_completion()))
    team = {"team_id": "t1", "team_alias": "Blue", "max_budget": 9}
    posted(browser.client, team, "/team/new", **ADMIN)
    key = make(key_alias="ci", team_id="t1", max_budget=5, budget_duration="30d", rpm_limit=60)
    posted(browser.client, asks(), Authorization=f"Bearer {key['key']}")

    page = " ".join(browser.log_in(key["key"]).get("/ui/mine").text.split())

    assert "$5.00 per 1mo" in page and "$9.00 in all" in page and "Team Blue" in page
    assert "1 calls" in page or "1 call" in page
    assert "<dt>Requests a minute</dt><dd>60</dd>" in page
    assert key["key"] not in page and "YOUR_KEY" in page
    assert "ANTHROPIC_BASE_URL=http://localhost" in page


def test_only_the_models_of_the_key_are_listed(
    browser: Browser, make: Callable[..., dict[str, Any]]
) -> None:
    browser.log_in(make(models=["gpt-4o"])["key"])

    page = browser.get("/ui/mine").text

    assert "1 model may be used" in page
    assert "gpt-4o-mini" not in page


def test_an_administrator_has_no_usage_of_their_own(admin: Browser) -> None:
    assert admin.get("/ui/mine").headers["Location"] == "/ui"
