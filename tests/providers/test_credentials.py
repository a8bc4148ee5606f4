from __future__ import annotations

import pytest

from llmgate import errors
from llmgate.contract import Call
from llmgate.contract import Deployment
from llmgate.providers import credentials

CALL = Call("POST", "https://x", {"A": "b"}, b"data")
DEPLOYMENT = Deployment("g", "p", "m", "https://x", api_key="k")


def test_headers_are_added_to_a_copy() -> None:
    got = credentials.with_headers(CALL, x_api_key="k", A="c")

    assert got == CALL._replace(headers={"A": "c", "x-api-key": "k"})
    assert CALL.headers == {"A": "b"}


def test_a_key_is_sent_as_a_bearer_token() -> None:
    got = credentials.bearer(("P_KEY",))(CALL, DEPLOYMENT)

    assert got == CALL._replace(headers={"A": "b", "Authorization": "Bearer k"})


def test_a_missing_key_is_named_with_all_that_could_hold_it() -> None:
    with pytest.raises(
        errors.Unauthorized, match="provider p: set P_KEY or Q_KEY in the"
    ) as caught:
        credentials.bearer(("P_KEY", "Q_KEY"))(CALL, DEPLOYMENT._replace(api_key=None))

    assert caught.value.code == "missing_provider_key"


def test_who_needs_no_key_is_called_without() -> None:
    assert credentials.bearer(())(CALL, DEPLOYMENT._replace(api_key=None)) is CALL
