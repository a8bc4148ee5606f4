"""Ollama's `think` for the effort that a request contains.

Source: https://docs.ollama.com/capabilities/thinking
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from llmgate.contract import Body
from llmgate.dialects import effort as efforts

_EFFORTS: Mapping[str, str] = {"minimal": "low", "xhigh": "max"}


def think(body: Body) -> bool | str | None:
    """Return Ollama's `think`, None to leave it open.

    A model that does not think refuses it: an effort is a hint, for models that are known to.
    """
    effort = efforts.requested(body)
    if effort.mode == "enabled":
        return True
    if effort.is_off:
        return False
    if effort.level is None or not _THINKS.search(str(body["model"])):
        return None
    return _EFFORTS.get(effort.level, effort.level)


_THINKS = re.compile(
    r"gpt-oss|deepseek-(r1|v3\.[1-9])|qwen3|qwq|magistral|cogito|glm-[4-9]|kimi-k2|minimax-m"
    r"|nemotron-3|gemma[4-9]|phi4-(mini-)?reasoning|exaone-deep|openthinker|smallthinker|lfm2.*think"
    r"|ministral.*reasoning",
    re.I,
)
"""Source: https://ollama.com/search?c=thinking"""
