"""What paths of providers' own APIs have in common, for requests that are passed through."""

from __future__ import annotations

from urllib.parse import quote

from llmgate.contract import Deployment

_SAFE = "~:@!$&'()*+,=-._/"


def escaped(path: str) -> str:
    """Return *path*, which has no escapes, as part of an address."""
    return quote(path, safe=_SAFE)


def below_base(path: str, deployment: Deployment) -> str:
    """Return where *path* is at a server of OpenAI's API, whose api_base ends in /v1."""
    return f"{deployment.api_base}/{escaped(path.removeprefix('v1/'))}"


def beside_v1(path: str, deployment: Deployment) -> str:
    """Return where *path* is at a server that has more beside /v1: vLLM's /tokenize, /health."""
    if path.startswith("v1/"):
        return below_base(path, deployment)
    return f"{deployment.api_base.removesuffix('/v1')}/{escaped(path)}"
