"""Who may log in to the dashboard, for how long, and from where."""

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
from testing.inprocess import asks
from testing.inprocess import posted
from testing.upstream import Upstream

LOCAL = {"SERVER_NAME": "127.0.0.1", "REMOTE_ADDR": "127.0.0.1"}
Make = Callable[..., dict[str, Any]]


def cookie(browser: Browser) -> str:
    found = browser.client.get_cookie("llmgate")
    assert found
    return found.value


def test_a_page_leads_to_the_login_and_back(browser: Browser) -> None:
    got = browser.get("/ui/settings")
    assert (got.status_code, got.headers["Location"]) == (303, "/ui/login?next=/ui/settings")

    form = browser.get(got.headers["Location"])
    assert 'name="next" value="/ui/settings"' in form.text
    done = browser.post("/ui/login", on="/ui/login", key=MASTER, next="/ui/settings")

    assert (done.status_code, done.headers["Location"]) == (303, "/ui/settings")
    assert browser.get("/ui/settings").status_code == 200
    assert browser.get("/ui/login").status_code == 303


@pytest.mark.parametrize("path", ["//evil.example", "https://evil.example/ui/", "/ui/\\evil", ""])
def test_a_login_leads_to_no_other_site(browser: Browser, path: str) -> None:
    done = browser.post("/ui/login", on="/ui/login", key=MASTER, next=path)

    assert done.headers["Location"] == "/ui"


def test_the_cookie_holds_no_key_and_no_script_reads_it(browser: Browser) -> None:
    before = browser.get("/ui/login").headers["Set-Cookie"]
    done = browser.post("/ui/login", on="/ui/login", key=MASTER)

    flags = done.headers["Set-Cookie"].split("; ")
    assert flags[0].startswith("llmgate=") and flags[0] not in before
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(flags) and "Secure" not in flags
    assert MASTER not in done.headers["Set-Cookie"]


def test_over_https_no_other_host_can_set_the_cookie(browser: Browser) -> None:
    got = browser.get("/ui/login", X_Forwarded_Proto="https")

    flags = got.headers["Set-Cookie"].split("; ")
    assert flags[0].startswith("__Host-llmgate=")
    assert {"Secure", "HttpOnly", "SameSite=Strict", "Path=/"} <= set(flags)
    assert not any(flag.startswith("Domain") for flag in flags)


def test_a_wrong_key_is_refused_and_many_are_throttled(browser: Browser) -> None:
    for _ in range(10):
        got = browser.post("/ui/login", on="/ui/login", key="sk-wrong")
        assert got.status_code == 401
        assert "This key is not known here." in got.text

    throttled = browser.post("/ui/login", on="/ui/login", key=MASTER)

    assert throttled.status_code == 429
    assert throttled.headers["Retry-After"] == "300"
    token = browser.token("/ui/login")
    other = browser.client.post(
        "/ui/login",
        data={"csrf": token, "key": MASTER},
        environ_base={"REMOTE_ADDR": "192.0.2.7"},
    )
    assert other.status_code == 303


def test_behind_a_proxy_each_client_is_throttled_alone(browser: Browser) -> None:
    token = browser.token("/ui/login")

    def status(key: str, client: str) -> int:
        form = {"csrf": token, "key": key}
        forged = f"203.0.113.9, {client}"
        return browser.client.post(
            "/ui/login", data=form, headers={"X-Forwarded-For": forged}
        ).status_code

    assert [status("sk-wrong", "192.0.2.1") for _ in range(11)] == [401] * 10 + [429]
    assert status(MASTER, "192.0.2.2") == 303


def test_a_master_key_that_cannot_be_guessed_is_not_throttled(
    app_for: Callable[..., FlaskClient], tmp_path: Path
) -> None:
    long = "sk-0123456789abcdefgh"
    place = {"LLMGATE_DATA_DIR": str(tmp_path / "data")}
    browser = Browser(app_for({}, LLMGATE_MASTER_KEY=long, **place))
    token = browser.token("/ui/login")
    wrong = {"csrf": token, "key": "sk-wrong"}
    for _ in range(11):
        got = browser.client.post("/ui/login", data=wrong)

    assert got.status_code == 429
    assert browser.post("/ui/login", on="/ui/login", key=long).status_code == 303


def test_logging_out_ends_this_session_and_everywhere_all(app: FlaskClient) -> None:
    first, second, third = (Browser(app.application.test_client()) for _ in range(3))
    for each in (first, second, third):
        each.log_in()

    assert first.post("/ui/logout").headers["Location"] == "/ui/login?done=out"
    assert first.get("/ui/settings").status_code == 303
    assert "2 browsers are logged in" in second.get("/ui/settings").text
    second.post("/ui/logout/everywhere")

    assert third.get("/ui/settings").status_code == 303


def test_the_cookie_of_an_ended_session_is_worth_nothing(admin: Browser, app: FlaskClient) -> None:
    value = cookie(admin)
    admin.post("/ui/logout")

    thief = Browser(app.application.test_client())
    thief.client.set_cookie("llmgate", value)

    assert thief.get("/ui/settings").status_code == 303


def test_another_master_key_ends_every_session(
    app_for: Callable[..., FlaskClient], upstream: Upstream, tmp_path: Path
) -> None:
    place = {"LLMGATE_DATA_DIR": str(tmp_path / "data")}
    first = Browser(app_for(config_for(upstream), LLMGATE_MASTER_KEY="sk-first-key-1", **place))
    first.log_in("sk-first-key-1")
    second = app_for(config_for(upstream), LLMGATE_MASTER_KEY="sk-second-key-2", **place)
    second.set_cookie("llmgate", cookie(first))

    assert first.get("/ui/settings").status_code == 200
    assert Browser(second).get("/ui/settings").status_code == 303


def test_a_key_opens_its_own_usage_and_no_more(browser: Browser, make: Make) -> None:
    done = browser.post("/ui/login", on="/ui/login", key=make(key_alias="ci")["key"])

    assert done.headers["Location"] == "/ui/mine"
    assert browser.get("/ui/mine").status_code == 200
    for path in ("/ui", "/ui/models", "/ui/settings"):
        assert browser.get(path).status_code == 403, path


@pytest.mark.parametrize(
    ("role", "new_key", "form"), [("proxy_admin", 200, 303), ("proxy_admin_viewer", 403, 403)]
)
def test_the_role_of_a_keys_user_opens_more(
    browser: Browser, make: Make, role: str, new_key: int, form: int
) -> None:
    office = browser.client.application.extensions["llmgate.access"].office
    data = {"user_id": "ana", "user_role": role}
    office.control.change(lambda records: records.put("user", "ana", data))
    key = make(user_id="ana")

    done = browser.post("/ui/login", on="/ui/login", key=key["key"])

    assert done.headers["Location"] == "/ui"
    for path in ("/ui", "/ui/mine", "/ui/settings", f"/ui/keys/{key['token']}"):
        assert browser.get(path).status_code == 200, path
    assert browser.get("/ui/keys/new").status_code == new_key
    path = f"/ui/keys/{key['token']}"
    assert browser.post(f"{path}/block", on="/ui/settings", blocked="no").status_code == form


@pytest.mark.parametrize(
    ("given", "overview", "new_key"),
    [
        ({"key_type": "management"}, 200, 200),
        ({"key_type": "llm_api"}, 403, 403),
        ({"key_type": "read_only"}, 403, 403),
        ({"allowed_routes": ["/key/list", "/spend/*"]}, 200, 403),
    ],
)
def test_the_routes_of_a_key_limit_the_role_of_its_user(
    browser: Browser, make: Make, given: dict[str, Any], overview: int, new_key: int
) -> None:
    office = browser.client.application.extensions["llmgate.access"].office
    data = {"user_id": "ana", "user_role": "proxy_admin"}
    office.control.change(lambda records: records.put("user", "ana", data))
    browser.log_in(make(user_id="ana", **given)["key"])

    assert browser.get("/ui/mine").status_code == 200
    assert browser.get("/ui").status_code == overview
    assert browser.get("/ui/keys/new").status_code == new_key


def test_a_key_that_is_blocked_ends_its_session(
    browser: Browser, make: Make, app: FlaskClient
) -> None:
    key = make()["key"]
    browser.log_in(key)

    posted(app, {"key": key}, "/key/block", **ADMIN)

    assert browser.get("/ui/mine").status_code == 303
    refused = browser.post("/ui/login", on="/ui/login", key=key)
    assert (refused.status_code, "blocked" in refused.text) == (401, True)


def test_the_api_takes_no_cookie_and_the_dashboard_no_header(
    admin: Browser, app: FlaskClient
) -> None:
    assert admin.client.get("/v1/models").status_code == 401
    assert posted(admin.client, asks()).status_code == 401

    stranger = Browser(app.application.test_client())
    assert stranger.get("/ui/settings", **ADMIN).status_code == 303


# -- without a master key


@pytest.fixture
def open_app(app_for: Callable[..., FlaskClient], tmp_path: Path) -> FlaskClient:
    return app_for({}, LLMGATE_DATA_DIR=str(tmp_path))


def opened(app: FlaskClient, host: str = "localhost:4000", **more: str) -> tuple[int, str]:
    headers = {name.replace("_", "-"): value for name, value in more.items()}
    got = app.get("/ui", headers={"Host": host, **headers}, environ_overrides=LOCAL)
    return got.status_code, got.text


@pytest.mark.parametrize("host", ["localhost:4000", "127.0.0.1", "[::1]:4000", "127.0.0.1:80"])
def test_on_loopback_without_any_key_no_login_is_needed(open_app: FlaskClient, host: str) -> None:
    status, text = opened(open_app, host)

    assert status == 200
    assert "This machine, without a login" in text


def test_a_name_that_another_site_points_here_opens_nothing(open_app: FlaskClient) -> None:
    status, text = opened(open_app, "rebound.example:4000")

    assert (status, "Open it as http://localhost" in text) == (404, True)


def test_a_request_through_a_proxy_opens_nothing(open_app: FlaskClient) -> None:
    status, text = opened(open_app, X_Forwarded_For="192.0.2.1")

    assert (status, "came through a proxy" in text) == (404, True)


def test_a_gateway_that_others_reach_needs_a_master_key(open_app: FlaskClient) -> None:
    got = open_app.get("/ui", environ_overrides={**LOCAL, "SERVER_NAME": "0.0.0.0"})

    assert got.status_code == 404
    assert "Set LLMGATE_MASTER_KEY" in got.text


def test_with_keys_and_no_master_key_only_they_log_in(
    app_for: Callable[..., FlaskClient], tmp_path: Path
) -> None:
    keys = [{"key": "sk-declared-1", "key_alias": "ci"}]
    browser = Browser(app_for({"llmgate_settings": {"keys": keys}}, LLMGATE_DATA_DIR=str(tmp_path)))

    assert "No master key is set" in browser.get("/ui/login").text
    browser.log_in("sk-declared-1")
    assert browser.get("/ui/mine").status_code == 200
    assert browser.get("/ui").status_code == 403


def test_it_can_be_turned_off(app_for: Callable[..., FlaskClient]) -> None:
    app = app_for({"llmgate_settings": {"dashboard": False}}, LLMGATE_MASTER_KEY=MASTER)

    assert Browser(app).get("/ui").status_code == 404
    assert Browser(app).get("/").is_json
