"""A gateway with a model of every provider that needs translation; see `testing.wires`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import anthropic
import openai
import pytest
from testing import wires
from testing.gateway import Gateway
from testing.gateway import config_for
from testing.gateway import deployment
from testing.upstream import Upstream


def _config(up: Upstream) -> dict[str, Any]:
    """Return the configuration; every model is asked once."""
    config = config_for(up)
    azure = {"model": "azure/gpt-eu", "api_base": up.url, "api_key": "azure-key"}
    config["model_list"] += wires.deployments(up)
    config["model_list"].append({"model_name": "azure", "litellm_params": azure})
    pro = {**azure, "model": "azure/responses/my-pro"}
    config["model_list"].append({"model_name": "azure-pro", "litellm_params": pro})
    config["model_list"] += [deployment(name, up.url) for name in ("o3-pro", "gpt-5.5")]
    return {**config, "router_settings": {"num_retries": 0}}


@pytest.fixture(scope="session")
def session_gateway(session_upstream: Upstream) -> Iterator[Gateway]:
    """The gateway of this folder's tests; ask for `gateway` in a test."""
    with Gateway(_config(session_upstream)) as gate:
        yield gate


@pytest.fixture
def sdk(gateway: Gateway) -> Iterator[openai.OpenAI]:
    """OpenAI's client, which asks `gateway` once and does not try again."""
    with openai.OpenAI(api_key="any", base_url=f"{gateway.url}/v1", max_retries=0) as client:
        yield client


@pytest.fixture
def claude(gateway: Gateway) -> Iterator[anthropic.Anthropic]:
    """Anthropic's client, which asks `gateway` once and does not try again."""
    with anthropic.Anthropic(api_key="any", base_url=gateway.url, max_retries=0) as client:
        yield client
