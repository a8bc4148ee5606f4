"""Responses that an upstream stores."""

from __future__ import annotations

from flask.testing import FlaskClient
from testing.answers import answer
from testing.upstream import Upstream


def test_a_deletion_with_an_empty_body_succeeds(client: FlaskClient, upstream: Upstream) -> None:
    upstream.plays(answer([], headers={"Content-Type": "application/json"}))

    got = client.delete("/v1/responses/resp_1")

    assert (got.status_code, got.data) == (200, b"")
    assert upstream.requests[0].method == "DELETE"
