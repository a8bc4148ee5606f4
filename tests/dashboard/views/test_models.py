"""/ui/models: what is configured, how it is, and a test of it."""

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
from testing.upstream import chat_completion
from testing.upstream import json_answer


def test_every_deployment_is_listed_with_its_price_and_without_secrets(admin: Browser) -> None:
    page = admin.get("/ui/models").text

    for expected in ("gpt-4o-mini", "openai/gpt-4o", "$2.50", "$10.00", "128k context"):
        assert expected in page
    assert "sk-upstream-secret" not in page


def test_a_test_sends_one_request_that_is_not_counted(
    admin: Browser, upstream: Upstream, lines: list[Any]
) -> None:
    upstream.plays(json_answer(chat_completion()))
    id = deployment_id(admin)

    got = admin.post("/ui/models/test", on="/ui/models", group="gpt-4o", id=id)

    assert "was answered in" in got.text
    assert [each.json["model"] for each in upstream.requests] == ["gpt-4o"]
    assert lines == []


def test_a_failing_test_shows_the_exact_error(admin: Browser, upstream: Upstream) -> None:
    upstream.plays(json_answer({"error": {"message": "Out of <credit>"}}, 429))
    id = deployment_id(admin)

    got = admin.post("/ui/models/test", on="/ui/models", group="gpt-4o", id=id)

    assert "failed after" in got.text and "429: " in got.text
    assert "Out of &lt;credit&gt;" in got.text
    assert len(upstream.requests) == 1


def test_a_deployment_in_cooldown_is_shown_as_such_and_can_be_tested(
    admin: Browser, upstream: Upstream
) -> None:
    upstream.plays(json_answer({"error": {"message": "slow down"}}, 429))
    posted(admin.client, asks(), **ADMIN)
    assert "in cooldown, " in admin.get("/ui/models").text
    assert "gpt-4o" in admin.get("/ui").text.partition("In cooldown")[2]

    upstream.plays(json_answer(chat_completion()))
    got = admin.post("/ui/models/test", on="/ui/models", group="gpt-4o", id=deployment_id(admin))

    assert "was answered in" in got.text


def test_what_does_not_exist_is_not_tested(admin: Browser) -> None:
    assert admin.post("/ui/models/test", on="/ui/models", group="x", id="y").status_code == 404


def deployment_id(admin: Browser) -> str:
    """Return the id of gpt-4o's deployment."""
    found = admin.client.get("/v1/model/info", headers=ADMIN).get_json()["data"]
    return next(each["model_info"]["id"] for each in found if each["model_name"] == "gpt-4o")


def test_who_may_only_look_sends_no_test(
    admin: Browser, make: Callable[..., dict[str, Any]], upstream: Upstream
) -> None:
    access = admin.client.application.extensions["llmgate.access"]
    data = {"user_id": "ana", "user_role": "proxy_admin_viewer"}
    access.office.control.change(lambda records: records.put("user", "ana", data))
    id = deployment_id(admin)
    viewer = Browser(admin.client.application.test_client()).log_in(make(user_id="ana")["key"])

    got = viewer.post("/ui/models/test", on="/ui/models", group="gpt-4o", id=id)

    assert (got.status_code, upstream.requests) == (403, [])
    assert "/ui/models/test" not in viewer.get("/ui/models").text
    assert "/ui/models/test" in admin.get("/ui/models").text


def test_without_a_login_this_machine_may_send_a_test(
    app_for: Callable[..., FlaskClient], upstream: Upstream, tmp_path: Path
) -> None:
    upstream.plays(json_answer(chat_completion()))
    client = app_for(config_for(upstream), LLMGATE_DATA_DIR=str(tmp_path))
    client.environ_base |= {"SERVER_NAME": "127.0.0.1", "REMOTE_ADDR": "127.0.0.1"}
    found = client.get("/v1/model/info").get_json()["data"]
    id = next(each["model_info"]["id"] for each in found if each["model_name"] == "gpt-4o")

    got = Browser(client).post("/ui/models/test", on="/ui/models", group="gpt-4o", id=id)

    assert "was answered in" in got.text


@pytest.mark.parametrize(("model", "limit"), [("gpt-4o", 16), ("o3", None)])
def test_a_test_asks_for_few_tokens_unless_the_model_reasons(
    app_for: Callable[..., FlaskClient],
    upstream: Upstream,
    tmp_path: Path,
    model: str,
    limit: int | None,
) -> None:
    upstream.plays(json_answer(chat_completion()))
    params = {"model": f"openai/{model}", "api_base": upstream.url, "api_key": "sk-x"}
    given = {
        "model_list": [{"model_name": "gpt-4o", "litellm_params": params}],
        "general_settings": {"master_key": MASTER},
    }
    admin = Browser(app_for(given, LLMGATE_DATA_DIR=str(tmp_path))).log_in()
    id = deployment_id(admin)

    admin.post("/ui/models/test", on="/ui/models", group="gpt-4o", id=id)

    [sent] = upstream.requests
    assert sent.json.get("max_tokens", sent.json.get("max_completion_tokens")) == limit
