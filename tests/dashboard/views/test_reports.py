"""/ui, /ui/usage, /ui/requests: what the ledger has."""

from __future__ import annotations

import csv
import html
import io
import json
import re
import shlex
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from testing.browser import ADMIN
from testing.browser import Browser
from testing.inprocess import CHAT
from testing.inprocess import asks
from testing.inprocess import posted
from testing.openai_bodies import chat_completion
from testing.openai_bodies import usage
from testing.upstream import Upstream
from testing.upstream import json_answer

from llmgate.storage.database import TooSlow

Make = Callable[..., dict[str, Any]]


def send(browser: Browser, key: str, **body: Any) -> str:
    client = browser.client.application.test_client()  # without the cookie
    return posted(client, asks(**body), CHAT, Authorization=f"Bearer {key}").headers["x-request-id"]


@pytest.fixture
def filled(admin: Browser, make: Make, upstream: Upstream) -> dict[str, str]:
    """A ledger with three calls of two keys, one of them an error; returns ids by their names."""
    team = {"team_id": "blue", "team_alias": "Blue"}
    posted(admin.client, team, "/team/new", **ADMIN)
    ci, ana = make(key_alias="ci", team_id="blue"), make(key_alias="ana", user_id="ana@x")
    upstream.plays(json_answer(chat_completion(usage=usage(1000, 100))))
    found = {"ci": send(admin, ci["key"], metadata={"tags": ["prod"]}, user="eva")}
    found["ana"] = send(admin, ana["key"], model="gpt-4o-mini")
    upstream.plays(json_answer({"error": {"message": "bad <request>"}}, 400))
    found["failed"] = send(admin, ana["key"], metadata={"tags": ["=cmd()"]})
    return found | {"ci key": ci["key"], "ana token": ana["token"]}


def text(page: str) -> str:
    """Return *page* without its tags, each run of spaces as one."""
    return " ".join(re.sub(r"<[^>]*>", " ", page).split())


def test_an_empty_ledger_is_explained_on_each_page(admin: Browser) -> None:
    assert "Nothing is counted yet." in admin.get("/ui").text
    assert "No request in this time." in admin.get("/ui/usage").text
    assert "No request is recorded." in admin.get("/ui/requests").text


def test_the_overview_has_the_day(admin: Browser, filled: dict[str, str]) -> None:
    page = text(admin.get("/ui").text)

    assert "Requests, 24 h 3" in page and "Errors, 24 h 1 33 % of requests" in page
    assert "Spent today $0.0037" in page  # 0.0035 and 0.00021
    assert "Durations are of the last 2 answered requests" in page
    assert admin.get("/ui").text.count('class="chart"') == 2


@pytest.mark.parametrize(
    ("by", "rows"),
    [
        ("model", ["gpt-4o 2 1 50 %", "gpt-4o-mini 1 0"]),
        ("key", ["ci 1 0", "ana 2 1 50 %"]),
        ("team", ["Blue 1 0"]),
        ("user", ["ana@x 2 1"]),
        ("end_user", ["eva 1 0"]),
        ("tag", ["prod 1 0"]),
        ("provider", ["openai 3 1 33 %"]),
    ],
)
def test_usage_is_divided_by_each_kind(
    admin: Browser, filled: dict[str, str], by: str, rows: list[str]
) -> None:
    page = text(admin.get(f"/ui/usage?by={by}&span=24h").text)

    for row in rows:
        assert row in page


def test_usage_of_one_key_is_divided_further(admin: Browser, filled: dict[str, str]) -> None:
    of = f"/ui/usage?of=key:{filled['ana token']}&by=model"

    page = text(admin.get(of).text)

    assert "Only key ana" in page and "Requests 2" in page
    assert "gpt-4o-mini 1 0" in page
    assert "not divided by" in admin.get("/ui/usage?of=model:gpt-4o&by=key").text


@pytest.mark.parametrize(
    "query", ["span=x&by=x&measure=x&of=x", "of=key:<script>", "measure=failed"]
)
def test_an_unknown_query_is_no_error(admin: Browser, filled: dict[str, str], query: str) -> None:
    got = admin.get(f"/ui/usage?{query}")

    assert (got.status_code, "<script>" in got.text) == (200, False)


def test_usage_can_be_downloaded_and_no_cell_is_a_formula(
    admin: Browser, filled: dict[str, str], make: Make, upstream: Upstream
) -> None:
    upstream.plays(json_answer(chat_completion(usage=usage(1000, 100))))
    send(admin, make(key_alias="=cmd()")["key"])

    got = admin.get("/ui/usage.csv?span=7d")

    rows = list(csv.DictReader(io.StringIO(got.text)))
    assert got.headers["Content-Disposition"] == 'attachment; filename="usage-7d.csv"'
    assert sorted((row["key"], row["model"], row["requests"], row["errors"]) for row in rows) == [
        ("'=cmd()", "gpt-4o", "1", "0"),
        ("ana", "gpt-4o", "1", "1"),
        ("ana", "gpt-4o-mini", "1", "0"),
        ("ci", "gpt-4o", "1", "0"),
    ]
    assert {row["spend_usd"] for row in rows if row["key"] == "ci"} == {"0.003500000"}


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", ["failed", "ana", "ci"]),
        ("key=ci", ["ci"]),
        ("model=gpt-4o-mini", ["ana"]),
        ("status=failed", ["failed"]),
        ("status=400", ["failed"]),
        ("status=ok", ["ana", "ci"]),
        ("tag=prod", ["ci"]),
        ("team=blue", ["ci"]),
        ("user=ana@x&status=ok", ["ana"]),
        ("end_user=eva", ["ci"]),
        ("from=2999-01-01T00:00", []),
        ("to=2999-01-01T00:00", ["failed", "ana", "ci"]),
    ],
)
def test_requests_are_found(
    admin: Browser, filled: dict[str, str], query: str, names: list[str]
) -> None:
    page = admin.get(f"/ui/requests?{query}").text

    ids = re.findall(r"/ui/requests/([0-9a-f]{32})", page)
    assert ids == [filled[name] for name in names]
    assert names or "No request matches." in page


def test_older_requests_are_on_the_next_page(
    admin: Browser, make: Make, upstream: Upstream
) -> None:
    upstream.plays(json_answer(chat_completion(usage=usage(1, 1))))
    key = make()["key"]
    sent = [send(admin, key) for _ in range(52)][::-1]

    page = admin.get("/ui/requests?model=gpt-4o").text
    found = re.findall(r"/ui/requests/([0-9a-f]{32})", page)
    older = re.search(r'href="(\?[^"]*before=[^"]*)"', page)
    assert older
    rest = admin.get("/ui/requests" + older[1].replace("&amp;", "&")).text

    assert found == sent[:50]
    assert re.findall(r"/ui/requests/([0-9a-f]{32})", rest) == sent[50:]
    assert "Older" not in rest and "Newest" in rest


def test_a_request_has_a_page_of_its_own(admin: Browser, filled: dict[str, str]) -> None:
    page = admin.get(f"/ui/requests/{filled['ci']}").text

    words = text(page)
    assert "Input 1,000 $2.50 $0.0025" in words and "Output 100 $10.00 $0.001" in words
    assert "$0.0035 is what was charged" in words
    assert "Blue" in words and "eva" in words and "prod" in words
    assert "Bearer YOUR_KEY" in page and filled["ci key"] not in page
    assert "/v1/chat/completions" in page


def test_a_models_name_cannot_run_in_the_shell(
    admin: Browser, make: Make, upstream: Upstream
) -> None:
    upstream.plays(json_answer({"error": {"message": "bad"}}, 400))
    model = 'openai/x\'; touch "/tmp/y" #'
    sent = send(admin, make()["key"], model=model)

    page = html.unescape(admin.get(f"/ui/requests/{sent}").text)

    command = page[page.index("curl http") :].partition("</pre>")[0].partition("</code>")[0]
    words = [word for word in shlex.split(command) if word.strip()]
    assert len(words) == 8 and json.loads(words[-1])["model"] == model


def test_a_failed_request_names_its_error(admin: Browser, filled: dict[str, str]) -> None:
    page = text(admin.get(f"/ui/requests/{filled['failed']}").text)

    assert "It ended with status 400" in page
    assert "=cmd()" in page


def test_a_request_that_is_not_in_the_ledger_is_not_found(admin: Browser, app: FlaskClient) -> None:
    got = admin.get("/ui/requests/nothing")

    assert (got.status_code, "no such request" in got.text) == (404, True)


@pytest.mark.parametrize("path", ["/ui", "/ui/usage", "/ui/usage.csv", "/ui/requests/x"])
def test_a_report_that_takes_too_long_asks_for_a_shorter_time(
    admin: Browser, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    def stopped(*given: Any) -> Any:
        raise TooSlow("a query was stopped")

    reports = admin.client.application.extensions["llmgate.access"].office.reports
    for name in ("totals", "combinations", "call"):
        monkeypatch.setattr(type(reports), name, stopped)

    got = admin.get(path)

    assert (got.status_code, "Choose a shorter time." in got.text) == (400, True)


@pytest.mark.parametrize("before", [f"{2**63}.1", f"1.{2**63}", f"{'9' * 5000}.1"])
def test_a_page_that_cannot_exist_is_the_first(
    admin: Browser, filled: dict[str, str], before: str
) -> None:
    got = admin.get(f"/ui/requests?before={before}")

    assert (got.status_code, filled["ci"] in got.text) == (200, True)
