"""/ui/keys: keys are made, found, changed, rotated, blocked and deleted."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from testing.browser import ADMIN
from testing.browser import MASTER
from testing.browser import Browser
from testing.inprocess import asks
from testing.inprocess import posted
from testing.upstream import Upstream
from testing.upstream import chat_completion
from testing.upstream import json_answer

from llmgate.access.keys import token
from llmgate.access.management import keys

Make = Callable[..., dict[str, Any]]
KEY = re.compile(r"sk-[\w-]{22}")


def info(browser: Browser, key: str) -> dict[str, Any]:
    found: dict[str, Any] = browser.client.get(f"/key/info?key={key}", headers=ADMIN).get_json()
    return found["info"]  # type: ignore[no-any-return]


def chats(browser: Browser, key: str) -> int:
    client = browser.client.application.test_client()  # without the cookie
    return posted(client, asks(), Authorization=f"Bearer {key}").status_code


@pytest.fixture(autouse=True)
def _answers(upstream: Upstream) -> None:
    upstream.plays(json_answer(chat_completion()))


def test_without_keys_the_page_explains_what_to_do(admin: Browser, tmp_path: Path) -> None:
    page = admin.get("/ui/keys").text

    assert "There are no keys yet." in page and 'href="/ui/keys/new"' in page
    assert not (tmp_path / "data" / "control.db").exists()


def test_a_new_key_is_shown_once_with_what_clients_need(admin: Browser) -> None:
    made = admin.post(
        "/ui/keys/new",
        on="/ui/keys/new",
        key_alias="ci",
        models="gpt-4o\ntext-embedding-*",
        max_budget="5",
        budget_duration="30d",
        rpm_limit="60",
        duration="30d",
        tags="a, b",
    )

    value = KEY.search(made.text)
    assert made.status_code == 200 and value
    assert made.headers["Cache-Control"] == "no-store"
    for client in (
        "curl",
        "OpenAI(",
        "baseURL",
        "OPENAI_API_KEY=",
        "ANTHROPIC_AUTH_TOKEN",
        "wire_",
    ):
        assert client in made.text
    found = info(admin, value[0])
    assert (found["key_alias"], found["models"]) == ("ci", ["gpt-4o", "text-embedding-*"])
    assert (found["max_budget"], found["rpm_limit"], found["metadata"]) == (
        5,
        60,
        {"tags": ["a", "b"]},
    )
    assert chats(admin, value[0]) == 200
    assert value[0] not in admin.get("/ui/keys").text
    assert value[0] not in admin.get(f"/ui/keys/{token(value[0])}").text


def test_an_empty_form_makes_a_key_without_limits(admin: Browser) -> None:
    made = admin.post("/ui/keys/new", on="/ui/keys/new")

    value = KEY.search(made.text)
    assert value and chats(admin, value[0]) == 200
    assert (info(admin, value[0])["max_budget"], info(admin, value[0])["models"]) == (None, [])


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("max_budget", "many", "&#39;max_budget&#39; must be a number"),
        ("max_budget", "-1", "non-negative"),
        ("rpm_limit", "1.5", "must be an integer"),
        ("team_id", "no-team", "does not exist"),
        ("key_alias", "taken", "already exists"),
    ],
)
def test_what_is_wrong_is_said_beside_what_was_entered(
    admin: Browser, make: Make, field: str, value: str, message: str
) -> None:
    make(key_alias="taken")

    got = admin.post("/ui/keys/new", on="/ui/keys/new", **{"user_id": "ana<b>", field: value})

    assert got.status_code in (400, 422)
    assert message in got.text
    assert 'value="ana&lt;b&gt;"' in got.text


def test_a_key_is_changed_in_part_or_freed_of_its_limits(admin: Browser, make: Make) -> None:
    made = make(key_alias="ci", max_budget=5, budget_duration="30d", rpm_limit=3, models=["gpt-4o"])
    path = f"/ui/keys/{made['token']}"
    page = admin.get(path).text
    assert 'value="5"' in page and ">gpt-4o</textarea>" in page

    done = admin.post(path, on=path, key_alias="ci", max_budget="7.5", budget_duration="30d")

    assert done.headers["Location"] == f"{path}?done=changed"
    found = info(admin, made["key"])
    assert (found["max_budget"], found["rpm_limit"], found["models"]) == (7.5, None, [])
    assert "The key is changed" in admin.get(f"{path}?done=changed").text
    wrong = admin.post(path, on=path, max_budget="x")
    assert (wrong.status_code, "must be a number" in wrong.text) == (422, True)


def test_a_blocked_key_is_refused_and_can_be_unblocked(admin: Browser, make: Make) -> None:
    made = make()
    path = f"/ui/keys/{made['token']}"

    admin.post(f"{path}/block", on=path, blocked="yes")
    assert chats(admin, made["key"]) == 401
    assert ">blocked</span>" in admin.get("/ui/keys?status=blocked").text
    admin.post(f"{path}/block", on=path, blocked="no")

    assert chats(admin, made["key"]) == 200
    assert "No key matches." in admin.get("/ui/keys?status=blocked").text


def test_a_rotated_key_has_a_new_value_and_its_spend(admin: Browser, make: Make) -> None:
    made = make(key_alias="ci")
    chats(admin, made["key"])
    path = f"/ui/keys/{made['token']}"

    rotated = admin.post(f"{path}/rotate", on=path, grace="")

    value = KEY.search(rotated.text)
    assert value and value[0] != made["key"]
    assert (chats(admin, made["key"]), chats(admin, value[0])) == (401, 200)
    assert info(admin, value[0])["spend"] > 0


def test_a_key_is_deleted_only_if_that_is_confirmed(admin: Browser, make: Make) -> None:
    made = make()
    path = f"/ui/keys/{made['token']}"

    assert admin.post(f"{path}/delete", on=path).status_code == 400
    assert chats(admin, made["key"]) == 200
    assert admin.post(f"{path}/delete", on=path, confirmed="yes").status_code == 303

    assert chats(admin, made["key"]) == 401
    assert admin.get(path).status_code == 404


def test_a_key_of_the_configuration_is_shown_and_not_changed(
    app_for: Callable[..., FlaskClient], tmp_path: Path
) -> None:
    given = {"llmgate_settings": {"keys": [{"key": "sk-declared-1", "key_alias": "ci"}]}}
    app = app_for(given, LLMGATE_MASTER_KEY=MASTER, LLMGATE_DATA_DIR=str(tmp_path))
    browser = Browser(app).log_in()
    token = next(iter(app.application.extensions["llmgate.access"].directory.declared()))

    page = browser.get(f"/ui/keys/{token}").text

    assert "This key is in the configuration" in page and "Rotate" not in page
    assert browser.post(f"/ui/keys/{token}/block", blocked="yes").status_code == 400


def test_the_holder_of_a_key_changes_nothing(browser: Browser, make: Make) -> None:
    made = make()
    browser.log_in(made["key"])

    for path in (f"/ui/keys/{made['token']}", "/ui/keys", "/ui/keys/new"):
        assert browser.get(path).status_code == 403
    got = browser.post(f"/ui/keys/{made['token']}", on="/ui/mine", max_budget="1000")
    assert got.status_code == 403


def test_without_a_master_key_the_page_explains_that(
    app_for: Callable[..., FlaskClient], tmp_path: Path
) -> None:
    app = app_for({}, LLMGATE_DATA_DIR=str(tmp_path))
    local = {"SERVER_NAME": "127.0.0.1", "REMOTE_ADDR": "127.0.0.1"}

    got = app.get("/ui/keys", headers={"Host": "localhost"}, environ_overrides=local)

    assert (got.status_code, "Set LLMGATE_MASTER_KEY" in got.text) == (200, True)


def test_two_hundred_keys_are_listed_in_pages_and_found(admin: Browser, app: FlaskClient) -> None:
    office = app.application.extensions["llmgate.access"].office
    make = keys.generate

    def store(records: Any) -> None:
        for at in range(200):
            token = f"{at:064x}"
            data = {"token": token, "key_alias": f"key-{at:03}", "max_budget": 1.0, "user_id": "u"}
            records.put("key", token, data)

    make(office, {"key_alias": "first"})
    office.control.change(store)

    began = time.perf_counter()
    page = admin.get("/ui/keys").text
    elapsed = time.perf_counter() - began

    assert "201 keys, page 1 of 3" in page
    assert page.count('<th scope="row">') == 100
    assert "page=2" in page
    assert admin.get("/ui/keys?page=3").text.count('<th scope="row">') == 1
    found = admin.get("/ui/keys?q=KEY-1").text
    assert "100 keys" in found and "key-099" not in found
    assert elapsed < 2  # 30 ms on an idle machine
