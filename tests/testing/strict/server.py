"""The scripted upstreams, all behind one port; see `testing.strict`."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Mapping
from typing import Any
from typing import NamedTuple

from testing.answers import Answer
from testing.answers import json_answer
from testing.peer import Seen
from testing.strict import anthropic
from testing.strict import bedrock
from testing.strict import gemini
from testing.strict import mistral
from testing.strict import openai_chat
from testing.strict import openai_responses
from testing.strict import qwen
from testing.strict.errand import Errand
from testing.strict.errand import Refused
from testing.strict.errand import Wire
from testing.upstream import Upstream


class Kind(NamedTuple):
    """One scripted provider: its deployment, and its wire at each path."""

    params: Mapping[str, Any]  # `litellm_params`; api_base is a path
    wires: Mapping[str, Wire]  # by the end of a path, without its query


_AWS = {"aws_access_key_id": "AKIDEXAMPLE", "aws_secret_access_key": "secret"}
KINDS: Mapping[str, Kind] = {
    "gpt-5": Kind(
        {"model": "openai/gpt-5", "api_base": "/gpt-5/v1"},
        {"/chat/completions": openai_chat.WIRE, "/responses": openai_responses.WIRE},
    ),
    "claude-sonnet-4-5": Kind(
        {"model": "anthropic/claude-sonnet-4-5", "api_base": "/claude-sonnet-4-5"},
        {"/messages": anthropic.WIRE},
    ),
    "gemini-3-pro": Kind(
        {"model": "gemini/gemini-3-pro-preview", "api_base": "/gemini-3-pro/v1beta"},
        {":generateContent": gemini.WIRE, ":streamGenerateContent": gemini.WIRE},
    ),
    "qwen3.5": Kind(
        {"model": "hosted_vllm/qwen3.5-35b-a3b", "api_base": "/qwen3.5/v1"},
        {"/chat/completions": qwen.WIRE},
    ),
    "mistral-large": Kind(
        {"model": "mistral/mistral-large-latest", "api_base": "/mistral-large/v1"},
        {"/chat/completions": mistral.WIRE},
    ),
    "nova-pro": Kind(
        {"model": "bedrock/amazon.nova-pro-v1:0", "api_base": "/nova-pro", **_AWS},
        {"/converse": bedrock.WIRE, "/converse-stream": bedrock.WIRE},
    ),
}
"""Every scripted upstream, by the name of its model at the gateway."""

_COUNT = re.compile(r"(/count_tokens|:countTokens)$")


class StrictUpstream(Upstream):
    """All of KINDS; a client's task is its model's *errands* entry."""

    def __init__(self) -> None:
        """Begin without tasks."""
        super().__init__()
        self.answers = self._answer
        self.errands: dict[str, Errand] = {}
        self.refused: defaultdict[str, list[str]] = defaultdict(list)  # by model
        self.unsigned: defaultdict[str, int] = defaultdict(int)  # placeholders of signatures

    def begin(self, model: str) -> None:
        """Forget what *model* has seen so far."""
        self.refused[model] = []
        self.unsigned[model] = 0

    def config(self) -> dict[str, Any]:
        """Return a gateway's configuration with a deployment of each kind."""
        models = [
            {"model_name": name, "litellm_params": self._params(kind)}
            for name, kind in KINDS.items()
        ]
        return {"model_list": models, "router_settings": {"num_retries": 0}}

    def _params(self, kind: Kind) -> dict[str, Any]:
        key = {} if "aws_access_key_id" in kind.params else {"api_key": "sk-scripted"}
        return {**kind.params, **key, "api_base": self.url + kind.params["api_base"]}

    def _answer(self, seen: Seen) -> Answer:
        path = seen.path.partition("?")[0]
        name = path.split("/")[1]
        if _COUNT.search(path):
            return json_answer({"input_tokens": 20, "totalTokens": 20})
        wire = next((it for end, it in KINDS[name].wires.items() if path.endswith(end)), None)
        if wire is None:
            self.refused[name].append(f"404 {path}")
            return json_answer({"error": {"message": f"Not found: {path}"}}, 404)
        try:
            asked = wire.read(seen)
        except Refused as refused:
            self.refused[name].append(f"{refused.status} {refused}")
            return wire.refuse(refused)
        except (KeyError, TypeError, ValueError, json.JSONDecodeError) as error:
            self.refused[name].append(f"400 {error!r}")
            return wire.refuse(Refused(f"Invalid request: {error!r}"))
        self.unsigned[name] += asked.unsigned
        return wire.answer(asked, self.errands[name].turn(asked))
