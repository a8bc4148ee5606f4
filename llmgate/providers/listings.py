"""How upstreams list their models, to check a key and to expand a wildcard."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterable
from typing import Any

from llmgate.contract import Call
from llmgate.contract import Deployment
from llmgate.contract import ModelListing


def openai(path: str = "/models") -> ModelListing:
    """Return the listing at *path* below the base URL, in OpenAI's shape."""

    def call(deployment: Deployment) -> Call:
        return Call("GET", f"{deployment.api_base}{path}", {})

    return ModelListing(call, names())


def names(
    members: str = "data", name: str = "id", prefix: str = ""
) -> Callable[[Any], Iterable[str]]:
    """Return what reads the names of an answer: *name* of each of its *members*, less *prefix*.

    Together's answer is a list itself.
    """

    def read(answer: Any) -> list[str]:
        listed = answer if isinstance(answer, list) else answer[members]
        return [str(each[name]).removeprefix(prefix) for each in listed]

    return read
