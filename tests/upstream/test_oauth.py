from __future__ import annotations

import threading
import time
from collections.abc import Callable
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests
from testing.gateway import Gateway
from testing.upstream import HANG
from testing.upstream import Answer
from testing.upstream import Pause
from testing.upstream import Seen
from testing.upstream import Upstream
from testing.upstream import chat_completion
from testing.upstream import json_answer
from testing.upstream import raw
from testing.workers import WORKERS
from testing.workers import chat

from llmgate import errors
from llmgate.contract import Call
from llmgate.contract import Deployment
from llmgate.contract import Login
from llmgate.upstream import oauth
from llmgate.upstream import session as http_session

HUNG = raw(HANG)


@pytest.fixture
def login(upstream: Upstream) -> Login:
    """A login at /<key> of the upstream."""
    return Login(
        lambda deployment: True,
        lambda deployment: Call("POST", f"{upstream.url}/{deployment.api_key}", {}),
        lambda data: (data["token"], data["lives"]),
    )


@pytest.fixture
def cache() -> oauth.TokenCache:
    return oauth.TokenCache(http_session.Session())


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[float], None]]:
    """A function that sets the clock forward."""
    real, ahead = time.monotonic, [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: real() + ahead[0])
    yield lambda seconds: ahead.__setitem__(0, ahead[0] + seconds)


def token(text: str, lives: float = 3600) -> Answer:
    return json_answer({"token": text, "lives": lives})


def deployment(key: str, **over: Any) -> Deployment:
    return Deployment("g", "ibm", "m", "", api_key=key, **over)


@pytest.mark.fault("P18")
def test_a_token_is_fetched_once_per_credentials(
    upstream: Upstream, cache: oauth.TokenCache, login: Login
) -> None:
    upstream.answers = lambda seen: token(f"t{seen.path}")

    got = [cache.with_token(deployment(key), login).api_key for key in ("a", "b", "a")]

    assert got == ["t/a", "t/b", "t/a"]
    assert [seen.path for seen in upstream.requests] == ["/a", "/b"]


def test_a_token_of_a_clients_credentials_is_not_kept(
    upstream: Upstream, cache: oauth.TokenCache, login: Login
) -> None:
    upstream.plays(token("one"), token("two"))
    theirs = deployment("a", has_client_key=True)

    assert [cache.with_token(theirs, login).api_key for _ in range(2)] == ["one", "two"]


@pytest.mark.fault("F5")
def test_a_hung_login_delays_only_those_who_need_it(
    upstream: Upstream, cache: oauth.TokenCache, login: Login
) -> None:
    upstream.answers = lambda seen: HUNG if seen.path == "/bad" else token("good")
    begun = time.monotonic()
    with ThreadPoolExecutor(4) as pool:
        bad = deployment("bad", timeout=1.0)
        waiting = [pool.submit(cache.with_token, bad, login) for _ in range(4)]
        upstream.wait_for(1)

        assert cache.with_token(deployment("good"), login).api_key == "good"
        assert time.monotonic() - begun < 0.9
        failed = [each.exception(10) for each in waiting]

    assert {type(error) for error in failed} == {errors.UpstreamTimeout}
    assert len({id(error) for error in failed}) == 4
    assert time.monotonic() - begun < 2.5
    assert [seen.path for seen in upstream.requests] == ["/bad", "/good"]


def test_a_request_waits_no_longer_than_its_deadline(
    upstream: Upstream, cache: oauth.TokenCache, login: Login
) -> None:
    upstream.plays(HUNG)
    end = time.monotonic() + 0.2

    with pytest.raises(errors.UpstreamTimeout, match="not complete within the request's"):
        cache.with_token(deployment("a", timeout=2.0), login, lambda: end - time.monotonic())

    assert time.monotonic() - end < 1


def test_a_login_that_drips_ends_in_time(
    upstream: Upstream, cache: oauth.TokenCache, login: Login
) -> None:
    drip = [part for _ in range(100) for part in (b"H", Pause(0.1))]
    upstream.plays(raw(*drip))
    begun = time.monotonic()

    with pytest.raises(errors.GateError):
        cache.with_token(deployment("a", timeout=0.5), login)

    assert time.monotonic() - begun < 2


def test_an_old_token_is_used_while_it_is_valid(
    upstream: Upstream,
    cache: oauth.TokenCache,
    login: Login,
    clock: Callable[[float], None],
) -> None:
    upstream.plays(token("old"), raw(Pause(0.5)))
    assert cache.with_token(deployment("a"), login).api_key == "old"

    clock(3550)

    assert cache.with_token(deployment("a"), login).api_key == "old"
    assert upstream.wait_for(2)[1].answered.wait(5)  # else it would reach the next test


def test_a_refresh_replaces_the_token(
    upstream: Upstream, cache: oauth.TokenCache, login: Login, clock: Callable[[float], None]
) -> None:
    upstream.plays(token("old"), token("new"))
    cache.with_token(deployment("a"), login)

    clock(3550)
    end = time.monotonic() + 5
    while cache.with_token(deployment("a"), login).api_key == "old":
        assert time.monotonic() < end
        time.sleep(0.01)

    assert len(upstream.requests) == 2


def test_a_failed_refresh_is_repeated_a_little_later(
    upstream: Upstream, cache: oauth.TokenCache, login: Login, clock: Callable[[float], None]
) -> None:
    upstream.plays(token("old"), json_answer({}, 503))
    cache.with_token(deployment("a"), login)
    clock(3545)
    for _ in range(20):
        assert cache.with_token(deployment("a"), login).api_key == "old"
        time.sleep(0.01)
    assert len(upstream.requests) == 2

    clock(60)  # it has expired

    with pytest.raises(errors.BadUpstream, match="token endpoint of ibm returned status 503"):
        cache.with_token(deployment("a"), login)


@pytest.mark.parametrize("answer", [json_answer({"error": "no"}, 400), json_answer(b"[" * 9999)])
def test_refused_credentials_are_named(
    upstream: Upstream, cache: oauth.TokenCache, login: Login, answer: Answer
) -> None:
    upstream.plays(answer)

    with pytest.raises(errors.UpstreamError) as caught:
        cache.with_token(deployment("a"), login)

    assert (caught.value.status, caught.value.code) == (401, "login_failed")


def test_a_system_without_threads_is_an_error(
    cache: oauth.TokenCache, login: Login, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(self: Any) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)

    for _ in range(2):
        with pytest.raises(errors.OutOfResources):
            cache.with_token(deployment("a"), login)


@pytest.mark.fault("F5")
@pytest.mark.parametrize("worker", WORKERS)
def test_others_are_served_while_a_login_hangs(worker: str, upstream: Upstream) -> None:
    def answers(seen: Seen) -> Answer:
        if seen.path == "/hung":
            return HUNG
        done = {"access_token": "t", "expires_in": 3600}
        return json_answer(done if seen.path == "/iam" else chat_completion())

    def entry(name: str, path: str) -> dict[str, Any]:
        own = {"watsonx_iam_url": f"{upstream.url}{path}", "api_key": name, "project_id": "p"}
        params = {"model": "watsonx/m", "api_base": upstream.url, "timeout": 3, **own}
        return {"model_name": name, "litellm_params": params}

    upstream.answers = answers
    models = [entry("bad", "/hung"), entry("good", "/iam")]
    config = {"model_list": models, "router_settings": {"num_retries": 0}}
    with (
        Gateway(config, env={"LLMGATE_WORKER_CLASS": worker}) as gate,
        ThreadPoolExecutor(4) as pool,
    ):

        def status(model: str) -> tuple[int, float]:
            begun = time.monotonic()
            url = f"{gate.url}/v1/chat/completions"
            got = requests.post(url, json=chat(model=model), timeout=30)
            return got.status_code, time.monotonic() - begun

        assert status("good")[0] == 200
        bad = [pool.submit(status, "bad") for _ in range(4)]
        upstream.wait_for(3)
        assert status("good")[0] == 200
        assert requests.get(f"{gate.url}/health", timeout=5).status_code == 200
        assert not any(each.done() for each in bad)
        found = [each.result(30) for each in bad]

    assert {code for code, _ in found} == {504}
    assert max(took for _, took in found) < 6


@pytest.mark.parametrize("worker", WORKERS)
def test_a_client_that_disconnects_during_a_login_ends_its_request(
    worker: str, upstream: Upstream
) -> None:
    upstream.plays(HUNG)
    own = {"watsonx_iam_url": f"{upstream.url}/iam", "api_key": "k", "project_id": "p"}
    params = {"model": "watsonx/m", "api_base": upstream.url, **own}
    config = {"model_list": [{"model_name": "m", "litellm_params": params}]}
    with Gateway(config, env={"LLMGATE_WORKER_CLASS": worker}) as gate:
        with pytest.raises(requests.Timeout):
            requests.post(f"{gate.url}/v1/chat/completions", json=chat(model="m"), timeout=0.5)

        line = gate.log(lambda line: isinstance(line, dict) and line.get("status") == 499)

    assert line["error_code"].startswith("client_")
