from __future__ import annotations

from collections.abc import Sequence

import pytest
from testing.upstream import Answer
from testing.upstream import Upstream
from testing.upstream import json_answer
from testing.upstream import model_list

from llmgate.contract import Deployment
from llmgate.pipeline import model_listing
from llmgate.pipeline.shapes import Gate
from llmgate.routing.load_balancer import LoadBalancer
from llmgate.routing.router_settings import RouterSettings
from llmgate.routing.routes import Routes
from llmgate.upstream import oauth
from llmgate.upstream import session as http_session


def gate(*deployments: Deployment) -> Gate:
    session = http_session.Session()
    routes = Routes({"g": deployments})
    return Gate(routes, session, oauth.TokenCache(session), LoadBalancer(RouterSettings()))


def to(upstream: Upstream, model: str, provider: str = "openai", key: str = "k") -> Deployment:
    return Deployment("g", provider, model, f"{upstream.url}/v1", api_key=key)


def verdicts(*deployments: Deployment) -> list[tuple[bool, str]]:
    return [(found.works, found.text) for found in model_listing.probes(gate(*deployments))]


def test_deployments_with_one_key_share_one_call(upstream: Upstream) -> None:
    upstream.plays(json_answer(model_list("a", "org/b", "c:latest")))

    found = verdicts(*(to(upstream, model) for model in ("a", "b", "c", "d", "*")))

    listed = (True, "the key is accepted, the model is listed")
    missing = (False, "the key is accepted; 'd' is not among its 3 models")
    assert found == [listed, listed, listed, missing, (True, "the key is accepted; 3 models")]
    (seen,) = upstream.requests
    assert (seen.method, seen.path) == ("GET", "/v1/models")
    assert seen.headers["authorization"] == "Bearer k"


def test_each_key_is_tried(upstream: Upstream) -> None:
    upstream.answers = lambda seen: (
        json_answer(model_list("a"))
        if seen.headers["authorization"] == "Bearer k"
        else json_answer({"error": {"message": "no"}}, 403)
    )

    found = verdicts(to(upstream, "a"), to(upstream, "a", key="other"))

    assert [works for works, _ in found] == [True, False]


@pytest.mark.parametrize(
    ("answers", "provider", "wanted"),
    [
        ([json_answer({}, 404)], "openai", (True, "not checked")),
        ([], "bedrock", (True, "not checked")),
        ([json_answer({"data": 1})], "openai", (False, "502 ")),
        ([json_answer({}, 500)], "openai", (False, "500 ")),
        ([json_answer(model_list("a"))], "azure", (True, "the key is accepted; models are not")),
    ],
)
def test_what_is_not_a_list_of_models(
    upstream: Upstream, answers: Sequence[Answer], provider: str, wanted: tuple[bool, str]
) -> None:
    upstream.plays(*answers)

    ((works, text),) = verdicts(to(upstream, "a", provider))

    assert works == wanted[0]
    assert text.startswith(wanted[1])
