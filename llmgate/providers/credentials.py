"""How a key goes into a call: what most providers' `authorize` is made of."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence

from llmgate import errors
from llmgate.contract import Call
from llmgate.contract import Deployment


def with_headers(call: Call, **headers: str) -> Call:
    """Return *call* with *headers*, underscores in their names written as hyphens."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return call._replace(headers={**call.headers, **named})


def missing(deployment: Deployment, env: Sequence[str]) -> errors.Unauthorized:
    """Return the error for a deployment without a key, which *env* could have held."""
    return errors.Unauthorized(
        f"Missing API key for provider {deployment.provider}: set {' or '.join(env)} in the"
        " environment, or litellm_params.api_key in the configuration.",
        code="missing_provider_key",
    )


def bearer(env: Sequence[str]) -> Callable[[Call, Deployment], Call]:
    """Return the function that sends a deployment's key as a bearer token.

    Without a key it raises Unauthorized naming *env*; if *env* is empty none is needed.
    """

    def authorized(call: Call, deployment: Deployment) -> Call:
        if deployment.api_key:
            return with_headers(call, Authorization=f"Bearer {deployment.api_key}")
        if env:
            raise missing(deployment, env)
        return call

    return authorized
