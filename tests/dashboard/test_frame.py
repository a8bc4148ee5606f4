"""What every page has: headers, tokens of forms, the navigation, the page of an error."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from testing.browser import Browser

NAMES = "usage requests keys keys/new teams teams/new models playground settings".split()
PAGES = ["/ui", *(f"/ui/{name}" for name in NAMES)]


def rules(app: FlaskClient) -> dict[str, list[str]]:
    """Return the paths of the dashboard without parameters, with their methods."""
    found: dict[str, list[str]] = {}
    for rule in app.application.url_map.iter_rules():
        if rule.rule.startswith("/ui") and "<" not in rule.rule:
            found.setdefault(rule.rule, []).extend(rule.methods or ())
    return found


def test_every_page_has_strict_headers(admin: Browser) -> None:
    for path in [*PAGES, "/ui/nothing"]:
        got = admin.get(path)
        policy = dict(
            part.strip().partition(" ")[::2]
            for part in got.headers["Content-Security-Policy"].split(";")
        )
        assert policy["default-src"] == "'none'"
        assert policy["script-src"] == policy["style-src"] == "'self'"
        assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
        assert got.headers["Cache-Control"] == "no-store"
        assert got.headers["X-Content-Type-Options"] == "nosniff"


def test_no_page_needs_what_the_policy_forbids(admin: Browser) -> None:
    for path in PAGES:
        page = admin.get(path).text
        assert not re.search(r"<script(?![^>]* src=)|<style|\sstyle=|\son\w+=|javascript:", page)
        sources = re.findall(r'(?:src|href)="([^"]*)"', page)
        assert [each for each in sources if not each.startswith(("/ui", "#content"))] == []


@pytest.mark.parametrize(
    ("path", "script"), [("/ui/requests", "tail.js"), ("/ui/playground", "playground.js")]
)
def test_a_page_loads_its_script(admin: Browser, path: str, script: str) -> None:
    assert f'<script src="/ui/static/{script}?v=' in admin.get(path).text


def test_every_form_needs_its_token(admin: Browser, app: FlaskClient) -> None:
    posts = [path for path, methods in rules(app).items() if "POST" in methods]
    assert len(posts) >= 4
    for path in posts:
        for given in ({}, {"csrf": "0" * 64}):
            assert admin.client.post(path, data=given).status_code == 403, path


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_a_form_from_another_site_is_refused(admin: Browser, headers: dict[str, str]) -> None:
    token = admin.token("/ui/settings")

    got = admin.client.post("/ui/logout", data={"csrf": token}, headers=headers)

    assert (got.status_code, "another site" in got.text) == (403, True)
    assert admin.get("/ui/settings").status_code == 200


def test_every_page_needs_a_login_but_the_login_itself(browser: Browser, app: FlaskClient) -> None:
    for path, methods in rules(app).items():
        if "GET" in methods and path != "/ui/login":
            got = browser.get(path)
            assert (got.status_code, got.headers["Location"][:9]) == (303, "/ui/login"), path


def test_a_path_that_does_not_exist_has_a_page(admin: Browser) -> None:
    got = admin.get("/ui/nothing")

    assert (got.status_code, got.content_type) == (404, "text/html; charset=utf-8")
    assert "There is no such page." in got.text


def test_a_form_that_is_too_large_is_refused(admin: Browser) -> None:
    got = admin.post("/ui/logout", more="x" * 70_000)

    assert got.status_code == 413


def test_static_files_need_no_login(browser: Browser) -> None:
    for name in ("style.css", "copy.js", "tail.js", "playground.js", "icon.svg"):
        got = browser.get(f"/ui/static/{name}")
        assert got.status_code == 200, name
        assert "max-age=86400" in got.headers["Cache-Control"]
    assert browser.get("/ui/static/../frame.py").status_code == 404


def test_a_browser_is_led_to_the_dashboard_and_other_clients_are_not(browser: Browser) -> None:
    assert browser.get("/").headers["Location"] == "/ui"
    assert browser.client.get("/").get_json()["name"] == "llmgate"
    assert browser.client.get("/", headers={"Accept": "*/*"}).is_json


def test_a_store_that_cannot_be_used_has_a_page(
    admin: Browser, app: FlaskClient, tmp_path: Path
) -> None:
    (tmp_path / "data" / "ledger.db").mkdir()

    got = admin.get("/ui")

    assert (got.status_code, "store is unavailable" in got.text) == (503, True)


def test_pages_are_not_in_the_request_log(admin: Browser, lines: list[Any]) -> None:
    admin.get("/ui")

    assert [line for line in lines if line.get("endpoint", "").startswith("/ui")] == []
