"""The deployments that one request may use, as `failover` asks for them."""

from __future__ import annotations

from collections.abc import Sequence

from llmgate.accounting.records import Request
from llmgate.contract import Body
from llmgate.contract import Deployment
from llmgate.pipeline.request_options import RequestOptions
from llmgate.pipeline.shapes import Gate
from llmgate.pipeline.shapes import OperationRequest
from llmgate.routing import retry_policy
from llmgate.routing import tag_filter
from llmgate.routing.fallbacks import Target
from llmgate.schema import validation
from llmgate.trust import client_credentials

_CHECKED = ("chat", "completions", "embeddings", "moderations")  # operations named as their schemas


class CandidatePool:
    """What the routes, the request's tags, the policies and the load balancer leave to it."""

    def __init__(
        self, gate: Gate, wanted: OperationRequest, request: Request, options: RequestOptions
    ) -> None:
        self._gate, self._wanted = gate, wanted
        self._request, self._options = request, options

    def find(self, target: Target) -> Sequence[Deployment]:
        """Return the deployments of *target* that this request may use; raises GateError."""
        if target.named_by_client:
            self._check({**self._wanted.body, **target.over})
        routes, caller = self._gate.routes, self._request.caller
        found: Sequence[Deployment] = routes.find(target.model)
        found = tag_filter.tagged(found, caller.tags, target.model, self._gate.settings)
        policies = self._gate.policies
        if target.named_by_client:  # as if the client had requested that model
            named = self._request._replace(operation="models", model=target.model)
            found = policies.allowed(named, found)
        return policies.allowed(self._request, found)

    def pick(self, deployments: Sequence[Deployment], last_resort: bool) -> Deployment:
        """Return the one of *deployments* to try now, its slot taken; raises RateLimited."""
        return self._gate.load_balancer.pick(deployments, self._wanted.body, last_resort)

    def retake(self, deployment: Deployment) -> bool:
        """Take the slot of *deployment* again; returns whether it is free."""
        return self._gate.load_balancer.retake(deployment, self._wanted.body)

    def retry_policy(self, deployment: Deployment) -> retry_policy.RetryPolicy:
        """Return how often *deployment* may be retried."""
        return self._options.retry_policy(deployment)

    def _check(self, body: Body) -> None:
        """Raise what is wrong with *body*, in which a client's fallback has replaced members."""
        if self._wanted.operation in _CHECKED:
            validation.check(self._wanted.operation, body)
        client_credentials.check(body)
