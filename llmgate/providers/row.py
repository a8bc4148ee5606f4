"""The shape of an OpenAI-compatible upstream, which is data."""

from __future__ import annotations

from typing import Literal
from typing import NamedTuple

from llmgate.contract import MessageRules
from llmgate.contract import NativeApi


class Row(NamedTuple):
    """An OpenAI-compatible upstream, as data."""

    base_url: str
    key_env: tuple[str, ...] = ()  # none: it needs no key
    base_env: tuple[str, ...] = ()
    operations: tuple[str, ...] = ("chat",)
    drop: tuple[str, ...] = ()  # OpenAI parameters it refuses
    rename: tuple[tuple[str, str], ...] = ()  # OpenAI's name -> its own
    model_prefix: str = ""  # prefixes a model name without a slash
    base_path: str = ""  # completes an api_base that has no path
    text_only: bool = False  # its embeddings take no token ids
    float_encoding: bool = True  # its embeddings take `encoding_format: float`
    models_path: str = "/models"  # where it lists its models; empty: it does not
    messages: MessageRules = MessageRules()
    # its Responses API: unknown, requests alone, or stored responses as well. It is used for
    # deployments whose `model_info` has it: many refuse tools that chat translates
    responses: Literal["", "create", "stored"] = ""
    native: NativeApi | None = None
    docs: str = ""  # the page that documents what it accepts
