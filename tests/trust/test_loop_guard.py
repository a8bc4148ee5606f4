from __future__ import annotations

import pytest

from llmgate import errors
from llmgate.contract import Call
from llmgate.contract import Deployment
from llmgate.trust import loop_guard

HERE = Deployment("g", "openai", "m", "http://gate:4000/v1", id="d1")
CALL = Call("POST", "http://gate:4000/v1/chat/completions", {"X-Llmgate-Via": "old", "a": "b"})


def via(received: str = "") -> str:
    return loop_guard.mark(CALL, HERE, "me", received).headers[loop_guard.HEADER]


def test_a_call_carries_this_gateway_and_those_before_it() -> None:
    assert via() == "me/d1"
    assert via("first/x") == "first/x, me/d1"
    assert loop_guard.mark(CALL, HERE, "me", "").headers == {"a": "b", "x-llmgate-via": "me/d1"}


def test_a_request_of_our_own_is_refused_with_the_deployment() -> None:
    with pytest.raises(errors.LoopDetected, match="deployment d1 leads back here") as caught:
        loop_guard.check(via("first/x"), "me")

    assert (caught.value.status, caught.value.retry) == (508, False)


@pytest.mark.parametrize("received", [None, "", "other/d1", "other/me, third/x"])
def test_a_chain_of_different_gateways_works(received: str | None) -> None:
    loop_guard.check(received, "me")


def test_an_endless_chain_is_refused() -> None:
    with pytest.raises(errors.LoopDetected, match="more than 10"):
        loop_guard.check(", ".join(f"g{at}/x" for at in range(11)), "me")


def test_the_id_is_that_of_a_configuration() -> None:
    same = loop_guard.instance_id([HERE], "k")

    assert loop_guard.instance_id([HERE], "k") == same
    assert loop_guard.instance_id([HERE], "l") != same
    assert loop_guard.instance_id([HERE._replace(api_base="http://other")], "k") != same
