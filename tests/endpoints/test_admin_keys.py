from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from testing.gateway import config_for
from testing.inprocess import CHAT
from testing.inprocess import asks
from testing.inprocess import failed
from testing.inprocess import posted
from testing.upstream import Upstream
from testing.upstream import chat_completion
from testing.upstream import json_answer
from werkzeug.test import TestResponse

MASTER = "sk-master-0001"
ADMIN = {"Authorization": f"Bearer {MASTER}"}


@pytest.fixture(autouse=True)
def _answers(upstream: Upstream) -> None:
    upstream.plays(json_answer(chat_completion()))


@pytest.fixture
def app(app_for: Callable[..., FlaskClient], upstream: Upstream, tmp_path: Path) -> FlaskClient:
    given = config_for(upstream, num_retries=0)
    given |= {"general_settings": {"master_key": MASTER}}
    return app_for(given, LLMGATE_DATA_DIR=str(tmp_path / "data"))


def make(app: FlaskClient, **given: Any) -> dict[str, Any]:
    made = posted(app, given, "/key/generate", **ADMIN)
    assert made.status_code == 200, made.text
    found: dict[str, Any] = made.get_json()
    return found


def chat(app: FlaskClient, key: str, **over: Any) -> TestResponse:
    return posted(app, asks(**over), CHAT, Authorization=f"Bearer {key}")


def info(app: FlaskClient, key: str) -> dict[str, Any]:
    found: dict[str, Any] = app.get(f"/key/info?key={key}", headers=ADMIN).get_json()["info"]
    return found


def test_without_a_key_nothing_is_stored(app: FlaskClient, tmp_path: Path) -> None:
    assert posted(app, asks(), **ADMIN).status_code == 200
    assert chat(app, "sk-unknown-key").status_code == 401
    assert app.get("/key/list", headers=ADMIN).get_json()["keys"] == []

    assert not (tmp_path / "data").exists()


@pytest.mark.fault("S2")
def test_a_new_key_works_and_its_value_is_stored_nowhere(
    app: FlaskClient, upstream: Upstream, lines: list[Any], tmp_path: Path
) -> None:
    made = make(app, key_alias="ci")

    assert chat(app, made["key"]).status_code == 200
    assert upstream.requests[0].headers["authorization"] == "Bearer sk-upstream-secret"
    assert lines[-1]["caller"] == made["token"]
    stored = b"".join(path.read_bytes() for path in (tmp_path / "data").iterdir())
    assert made["key"].encode() not in stored
    assert made["key"] not in json.dumps(lines)


def test_what_a_key_spends_is_charged_to_it(app: FlaskClient) -> None:
    made = make(app)

    costs = [float(chat(app, made["key"]).headers["x-llmgate-cost"]) for _ in range(2)]

    assert info(app, made["key"])["spend"] == pytest.approx(sum(costs))
    assert sum(costs) > 0


def test_a_budget_refuses_before_it_is_exceeded_and_can_be_raised(
    app: FlaskClient, upstream: Upstream
) -> None:
    made = make(app, max_budget=0.0005, budget_duration="30d")
    allowed = 0
    while (got := chat(app, made["key"], max_tokens=12)).status_code == 200:
        allowed += 1

    assert failed(got) == (422, "budget_exceeded", "budget_exceeded", None)
    assert got.headers["x-should-retry"] == "false"
    assert "may spend $0.0005 per 1mo" in got.get_json()["error"]["message"]
    assert allowed == len(upstream.requests) > 0
    assert info(app, made["key"])["spend"] <= 0.0005
    assert app.get("/v1/models", headers={"x-api-key": made["key"]}).status_code == 200
    own = app.get("/key/info", headers={"x-api-key": made["key"]}).get_json()
    assert own["key"] == made["token"]

    posted(app, {"key": made["key"], "max_budget": 1}, "/key/update", **ADMIN)
    assert chat(app, made["key"], max_tokens=12).status_code == 200


def test_an_answer_without_a_limit_is_limited_to_what_the_budget_buys(
    app: FlaskClient, upstream: Upstream
) -> None:
    made = make(app, max_budget=0.01)

    assert chat(app, made["key"]).status_code == 200

    assert 900 < upstream.requests[0].json["max_tokens"] < 1000  # 0.01 at 10 dollars a million


@pytest.mark.fault("S20")
def test_a_model_without_a_price_is_refused_under_a_budget(
    app_for: Callable[..., FlaskClient], upstream: Upstream, tmp_path: Path
) -> None:
    given = config_for(upstream) | {"general_settings": {"master_key": MASTER}}
    given["model_list"][0]["litellm_params"]["model"] = "openai/of-unknown-price"
    app = app_for(given, LLMGATE_DATA_DIR=str(tmp_path))
    model = given["model_list"][0]["model_name"]

    made = make(app, max_budget=1)

    assert failed(chat(app, made["key"], model=model))[::2] == (403, "unpriced_model")
    assert chat(app, make(app)["key"], model=model).status_code == 200
    assert upstream.requests[0].json["model"] == "of-unknown-price"


def test_a_key_uses_and_sees_only_its_models(app: FlaskClient, upstream: Upstream) -> None:
    key = make(app, models=["gpt-4o", "text-embedding-*"])["key"]

    assert chat(app, key).status_code == 200
    assert failed(chat(app, key, model="gpt-4o-mini")) == (
        403,
        "permission_error",
        "key_model_access_denied",
        "model",
    )
    fallbacks = chat(app, key, fallbacks=["gpt-4o-mini"])
    assert failed(fallbacks)[2] == "key_model_access_denied"
    assert len(upstream.requests) == 1
    shown = app.get("/v1/models", headers={"Authorization": f"Bearer {key}"}).get_json()["data"]
    assert {each["id"].removeprefix("text-embedding-") for each in shown} == {
        "gpt-4o",
        "3-small",
        "ada-002",
    }


def test_a_key_calls_only_its_routes(app: FlaskClient) -> None:
    key = make(app, allowed_routes=["/chat/completions"])["key"]

    assert chat(app, key).status_code == 200
    refused = posted(app, asks(), "/v1/messages", Authorization=f"Bearer {key}")
    assert refused.status_code == 403
    assert app.get("/key/info", headers={"x-api-key": key}).status_code == 200


def test_a_blocked_or_deleted_key_is_refused_at_once(app: FlaskClient) -> None:
    key = make(app)["key"]
    assert chat(app, key).status_code == 200

    assert posted(app, {"key": key}, "/key/block", **ADMIN).get_json()["blocked"] is True
    assert "blocked" in chat(app, key).get_json()["error"]["message"]
    assert posted(app, {"key": key}, "/key/unblock", **ADMIN).get_json()["blocked"] is False
    assert chat(app, key).status_code == 200
    deleted = posted(app, {"keys": [key]}, "/key/delete", **ADMIN).get_json()

    assert deleted == {"deleted_keys": [key]}
    assert chat(app, key).status_code == 401
    assert posted(app, {"keys": [key]}, "/key/delete", **ADMIN).status_code == 404


def test_an_expired_key_is_refused(app: FlaskClient) -> None:
    key = make(app, duration="0s")["key"]

    assert failed(chat(app, key))[::2] == (401, "expired_key")
    posted(app, {"key": key, "duration": "-1"}, "/key/update", **ADMIN)
    assert chat(app, key).status_code == 200


def test_a_rate_limit_tells_when_to_come_back(app: FlaskClient) -> None:
    key = make(app, rpm_limit=2)["key"]

    got = [chat(app, key) for _ in range(3)]

    assert [each.status_code for each in got] == [200, 200, 429]
    assert 1 <= int(got[2].headers["Retry-After"]) <= 61
    assert "Limit type: requests" in got[2].get_json()["error"]["message"]


def test_a_limit_of_one_model_leaves_the_others(app: FlaskClient) -> None:
    key = make(app, model_rpm_limit={"gpt-4o": 1})["key"]

    models = ["gpt-4o", "gpt-4o", "gpt-4o-mini"]
    assert [chat(app, key, model=model).status_code for model in models] == [200, 429, 200]


def test_a_slot_is_free_again_after_its_request(app: FlaskClient) -> None:
    key = make(app, max_parallel_requests=1)["key"]

    assert [chat(app, key).status_code for _ in range(3)] == [200] * 3


def test_a_rotated_key_keeps_what_it_has_spent(app: FlaskClient) -> None:
    old = make(app)
    chat(app, old["key"])
    spent = info(app, old["key"])["spend"]

    sent = {"key": old["key"], "grace_period": "1h"}
    new = posted(app, sent, "/key/regenerate", **ADMIN).get_json()

    assert new["key"] != old["key"]
    assert [chat(app, each["key"]).status_code for each in (old, new)] == [200, 200]
    assert info(app, new["key"])["spend"] == pytest.approx(3 * spent)
    again = posted(app, {}, f"/key/{new['token']}/regenerate", **ADMIN).get_json()
    assert chat(app, new["key"]).status_code == 401
    assert chat(app, again["key"]).status_code == 200


@pytest.mark.fault("S2")
def test_a_hash_is_not_a_key(app: FlaskClient) -> None:
    assert chat(app, make(app)["token"]).status_code == 401


@pytest.mark.fault("S14")
@pytest.mark.parametrize("path", ["/key/generate", "/key/update", "/key/block", "/key/delete"])
def test_a_key_cannot_manage_keys(app: FlaskClient, path: str) -> None:
    key = make(app)["key"]

    assert posted(app, {}, path, Authorization=f"Bearer {key}").status_code == 401


def test_a_key_cannot_read_another(app: FlaskClient) -> None:
    one, other = make(app)["key"], make(app)["key"]

    got = app.get(f"/key/info?key={other}", headers={"Authorization": f"Bearer {one}"})
    assert failed(got) == (403, "permission_error", "permission_denied", "key")


@pytest.mark.fault("S14")
def test_without_a_master_key_nothing_is_managed(
    app_for: Callable[..., FlaskClient], upstream: Upstream, tmp_path: Path
) -> None:
    app = app_for(config_for(upstream), LLMGATE_DATA_DIR=str(tmp_path / "data"))

    assert failed(posted(app, {}, "/key/generate"))[::2] == (403, "master_key_required")
    assert posted(app, asks()).status_code == 200


def test_a_field_that_does_nothing_is_named(app: FlaskClient) -> None:
    got = posted(app, {"guardrails": ["x"], "rpm_limit": 1}, "/key/generate", **ADMIN)

    assert got.headers["x-llmgate-warning"] == "these fields are ignored: guardrails"


@pytest.mark.parametrize(
    ("given", "status", "param"),
    [
        ({"max_budget": -1}, 400, "max_budget"),
        ({"max_budget": "a"}, 422, "max_budget"),
        ({"budget_duration": "xx"}, 400, "budget_duration"),
        ({"duration": "bad"}, 400, "duration"),
        ({"key": "short"}, 400, "key"),
        ({"team_id": "none"}, 400, "team_id"),
        ({"models": "gpt-4o"}, 422, "models"),
        ({"rpm_limit": 1.5}, 422, "rpm_limit"),
        ({"key_type": "x"}, 400, "key_type"),
        ({"model_rpm_limit": {"a": "b"}}, 422, "model_rpm_limit"),
        ({"budget_limits": [{"max_budget": -1, "budget_duration": "1d"}]}, 400, "max_budget"),
    ],
)
def test_an_invalid_field_is_named(
    app: FlaskClient, given: dict[str, Any], status: int, param: str
) -> None:
    got = posted(app, given, "/key/generate", **ADMIN)

    assert (failed(got)[0], failed(got)[3]) == (status, param)


def test_keys_of_the_configuration_need_no_store(
    app_for: Callable[..., FlaskClient], upstream: Upstream, tmp_path: Path
) -> None:
    declared = {"key": "sk-declared-1", "key_alias": "batch", "models": ["gpt-4o"]}
    given = config_for(upstream) | {"llmgate_settings": {"keys": [declared]}}
    app = app_for(given, LLMGATE_DATA_DIR="/proc/nowhere")

    assert chat(app, "sk-declared-1").status_code == 200
    assert chat(app, "sk-declared-1", model="gpt-4o-mini").status_code == 403
    assert posted(app, asks()).status_code == 401


@pytest.mark.fault("P7", "P9")
def test_a_store_that_fails_refuses_budgets_and_serves_the_others(
    app_for: Callable[..., FlaskClient], upstream: Upstream
) -> None:
    keys = [{"key": "sk-declared-1"}, {"key": "sk-declared-2", "max_budget": 1}]
    given = config_for(upstream) | {"llmgate_settings": {"keys": keys}}
    app = app_for(given, LLMGATE_DATA_DIR="/proc/nowhere")

    got = chat(app, "sk-declared-2")

    assert failed(got)[::2] == (503, "store_unavailable")
    assert got.headers["Retry-After"] == "5"
    assert chat(app, "sk-declared-1").status_code == 200


@pytest.mark.fault("S22")
@pytest.mark.parametrize("text", ["' or 1=1 --", "'; drop table records; --", "a%", "a_"])
def test_quotes_and_patterns_in_names_are_data(app: FlaskClient, text: str) -> None:
    key = make(app, key_alias=text, user_id=text, models=[text])["key"]

    assert info(app, key)["key_alias"] == text
    assert chat(app, text).status_code == 401
    assert app.get("/key/info", query_string={"key": text[:-1]}, headers=ADMIN).status_code == 404
    deleted = posted(app, {"key_aliases": [text + "x"]}, "/key/delete", **ADMIN)
    assert deleted.status_code == 404
    assert app.get("/key/list", headers=ADMIN).get_json()["total_count"] == 1


def test_responses_show_what_is_left_of_the_limits(app: FlaskClient) -> None:
    key = make(app, rpm_limit=2, tpm_limit=100_000)["key"]

    first, second, refused = (chat(app, key, max_tokens=12) for _ in range(3))

    assert [each.status_code for each in (first, second, refused)] == [200, 200, 429]
    left = [each.headers["x-ratelimit-remaining-requests"] for each in (first, second, refused)]
    assert left == ["1", "0", "0"]
    for name in ("x-ratelimit-limit-requests", "x-ratelimit-api_key-limit-requests"):
        assert {each.headers[name] for each in (first, second, refused)} == {"2"}
    assert first.headers["x-ratelimit-limit-tokens"] == "100000"
    assert 99_000 < int(first.headers["x-ratelimit-remaining-tokens"]) < 100_000
    assert "x-ratelimit-limit-requests" not in chat(app, make(app)["key"]).headers


def test_no_key_prompt_or_secret_is_in_a_store_a_log_or_an_error(
    app: FlaskClient, lines: list[Any], tmp_path: Path
) -> None:
    key = make(app, key_alias="canary", max_budget=0.0005)["key"]
    prompt = [{"role": "user", "content": "canary-prompt-1234"}]
    shown = []
    for model in ("gpt-4o", "gpt-4o", "gpt-4o", "unknown"):
        shown.append(chat(app, key, max_tokens=12, messages=prompt, model=model).text)
    shown.append(chat(app, f"{key}x", messages=prompt).text)
    rotated = posted(app, {"key": key}, "/key/regenerate", **ADMIN).get_json()["key"]
    for path in ("/spend/logs", "/spend/keys", "/key/list?return_full_object=true"):
        shown.append(app.get(path, headers=ADMIN).text)
    shown += [json.dumps(lines), app.get("/spend/logs?format=csv", headers=ADMIN).text]
    app.application.extensions["llmgate.access"].close()

    stored = b"".join(path.read_bytes() for path in (tmp_path / "data").iterdir())
    for canary in (key, rotated, "canary-prompt-1234", MASTER, "sk-upstream-secret"):
        assert canary not in "".join(shown), canary
        assert canary.encode() not in stored, canary
    assert b"canary" in stored
