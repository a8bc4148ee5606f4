"""Responses that an upstream stores."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from testing import responses_bodies
from testing.answers import answer
from testing.answers import json_answer
from testing.inprocess import failed
from testing.inprocess import posted
from testing.upstream import Upstream


def test_a_deletion_with_an_empty_body_succeeds(client: FlaskClient, upstream: Upstream) -> None:
    upstream.plays(answer([], headers={"Content-Type": "application/json"}))

    got = client.delete("/v1/responses/resp_1")

    assert (got.status_code, got.data) == (200, b"")
    assert upstream.requests[0].method == "DELETE"


@pytest.mark.parametrize(
    "named",
    [{"prompt": {"id": "pmpt_1"}}, {"previous_response_id": "resp_1"}, {"conversation": "conv_1"}],
)
def test_what_is_stored_upstream_may_have_the_model(
    client: FlaskClient, upstream: Upstream, named: dict[str, Any]
) -> None:
    upstream.plays(json_answer(responses_bodies.response("Moin")))

    got = posted(client, {**named, "input": "Hi"}, "/v1/responses")

    assert got.status_code == 200
    assert upstream.requests[0].json == {**named, "input": "Hi"}


def test_a_model_is_required_otherwise(client: FlaskClient, upstream: Upstream) -> None:
    got = posted(client, {"input": "Hi"}, "/v1/responses")

    assert failed(got) == (400, "invalid_request_error", "missing_required_parameter", "model")


def test_a_model_is_required_where_nothing_is_stored(
    app_for: Callable[..., FlaskClient], upstream: Upstream
) -> None:
    params = {"model": "deepseek/m", "api_base": upstream.url, "api_key": "k"}
    client = app_for({"model_list": [{"model_name": "m", "litellm_params": params}]})

    got = posted(client, {"prompt": {"id": "pmpt_1"}}, "/v1/responses")

    assert failed(got) == (400, "invalid_request_error", "missing_required_parameter", "model")
