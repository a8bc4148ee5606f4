"""How clients are set up for a key: ready to paste."""

from __future__ import annotations

from typing import NamedTuple

from flask import request

PLACE = "YOUR_KEY"
"""Where a key goes that is not known here."""


class Snippet(NamedTuple):
    """A client and what to paste."""

    id: str
    client: str
    where: str
    text: str


def origin() -> str:
    """Return the address of this gateway as the browser knows it."""
    forwarded = request.headers.get("X-Forwarded-Proto", "").partition(",")[0].strip().lower()
    scheme = forwarded if forwarded in ("http", "https") else request.scheme
    return f"{scheme}://{request.host}{request.script_root}"


def of_key(value: str | None, model: str) -> list[Snippet]:
    """Return what each client needs to use the key with *value* (None: not shown) and *model*."""
    key, base = value or PLACE, origin()
    texts = {
        "curl": _CURL,
        "openai": _OPENAI,
        "librechat": _LIBRECHAT,
        "webui": _OPEN_WEBUI,
        "claude": _CLAUDE,
        "codex": _CODEX,
    }
    return [
        Snippet(id, *_CLIENTS[id], text.format(key=key, base=base, model=model))
        for id, text in texts.items()
    ]


_CLIENTS = {
    "curl": ("curl", "In a shell"),
    "openai": ("openai (Python)", "pip install openai"),
    "librechat": ("LibreChat", "librechat.yaml, under endpoints.custom"),
    "webui": ("Open WebUI", "Environment of the container"),
    "claude": ("Claude Code", "In the shell that starts claude"),
    "codex": ("Codex", "~/.codex/config.toml, and the shell that starts codex"),
}

_CURL = """curl {base}/v1/chat/completions \\
  -H "Authorization: Bearer {key}" \\
  -H "Content-Type: application/json" \\
  -d '{{"model": "{model}", "messages": [{{"role": "user", "content": "Hello"}}]}}'"""

_OPENAI = """from openai import OpenAI

client = OpenAI(base_url="{base}/v1", api_key="{key}")
answer = client.chat.completions.create(
    model="{model}",
    messages=[{{"role": "user", "content": "Hello"}}],
)
print(answer.choices[0].message.content)"""

_LIBRECHAT = """- name: "llmgate"
  apiKey: "{key}"
  baseURL: "{base}/v1"
  models:
    default: ["{model}"]
    fetch: true"""

_OPEN_WEBUI = """OPENAI_API_BASE_URL={base}/v1
OPENAI_API_KEY={key}"""

_CLAUDE = """export ANTHROPIC_BASE_URL={base}
export ANTHROPIC_AUTH_TOKEN={key}
export ANTHROPIC_MODEL={model}
claude"""

_CODEX = """# ~/.codex/config.toml
model = "{model}"
model_provider = "llmgate"

[model_providers.llmgate]
name = "llmgate"
base_url = "{base}/v1"
env_key = "LLMGATE_KEY"
wire_api = "responses"

# in the shell
export LLMGATE_KEY={key}"""
