"""How each provider that needs translation answers: recorded bodies, framed as it frames them.

WIRES["gemini"].text -> what its upstream sends for a whole chat; `deployments(up)` has a model of
each, by the provider's name.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from collections.abc import Mapping
from typing import Any
from typing import NamedTuple

from testing import anthropic_samples
from testing import eventstreams
from testing.answers import Answer
from testing.answers import answer
from testing.answers import json_answer
from testing.gateway import deployment
from testing.openai_bodies import chat_chunks
from testing.openai_bodies import chat_completion
from testing.openai_bodies import tool_call
from testing.openai_bodies import usage
from testing.samples import sample
from testing.upstream import Upstream

EVENTS = {"content-type": "text/event-stream"}
AWS_EVENTS = {"content-type": eventstreams.MEDIA_TYPE}
LINES = {"content-type": "application/x-ndjson"}
AWS = {"aws_access_key_id": "AKIDEXAMPLE", "aws_secret_access_key": "secret-key"}
GOOGLE = {"vertex_project": "proj", "vertex_access_token": "token", "vertex_location": "eu"}


class Wire(NamedTuple):
    """A provider's answers to a chat, and what they say."""

    text: Answer
    said: str
    stream: Answer
    streamed: str
    tools: Answer
    tool_stream: Answer
    called: tuple[str, ...]  # the names of the tools called


def _said(events: Iterable[Any]) -> Answer:
    """Return a stream of events in JSON without names."""
    data = b"".join(b"data: " + json.dumps(event).encode() + b"\r\n\r\n" for event in events)
    return answer([data], headers=EVENTS)


def _named(events: list[dict[str, Any]]) -> Answer:
    """Return a stream of events that are named by their types."""
    return answer([anthropic_samples.stream(events)], headers=EVENTS)


def _lines(name: str) -> Answer:
    """Return a stream of Ollama's."""
    lines = sample("ollama", name)["lines"]
    return answer([json.dumps(line).encode() + b"\n" for line in lines], headers=LINES)


def _converse(name: str) -> Answer:
    """Return a stream of Bedrock's."""
    return answer([eventstreams.stream(sample("bedrock", name)["events"])], headers=AWS_EVENTS)


def invoked(events: Iterable[Mapping[str, Any]]) -> Answer:
    """Return a stream of Bedrock's that carries a model's own *events*."""
    packed = (base64.b64encode(json.dumps(event).encode()).decode() for event in events)
    return answer(
        [eventstreams.stream(("chunk", {"bytes": one}) for one in packed)], headers=AWS_EVENTS
    )


def _contained(chunks: Iterable[Mapping[str, Any]]) -> Answer:
    """Return a stream of SageMaker's that carries a container's *chunks*."""
    return answer([eventstreams.event("PayloadPart", _openais(chunks))], headers=AWS_EVENTS)


def _openais(chunks: Iterable[Mapping[str, Any]]) -> bytes:
    """Return OpenAI's stream of *chunks*."""
    data = b"".join(b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks)
    return data + b"data: [DONE]\n\n"


_CALLS = [tool_call("weather", {"city": "Köln"})]
_CLAUDE = Wire(
    json_answer(anthropic_samples.message("text")),
    "Hello! How can I help?",
    _named(anthropic_samples.events("text")),
    "Grüezi 👋 \u2028mitenand\n\n!",
    json_answer(anthropic_samples.message("tools")),
    _named(anthropic_samples.events("tools")),
    ("weather", "clock"),
)
_GEMINI = Wire(
    json_answer(sample("gemini", "reply_text")["response"]),
    "Grüße aus Köln! 👋",
    _said(sample("gemini", "stream_text")["events"]),
    "Grüße 👋!",
    json_answer(sample("gemini", "reply_parallel_calls")["response"]),
    _said(sample("gemini", "stream_thinking_and_calls")["events"]),
    ("weather", "time"),
)
_OPENAI = Wire(
    json_answer(chat_completion("Moin")),
    "Moin",
    answer([_openais(chat_chunks("Mo", "in", usage=usage()))], headers=EVENTS),
    "Moin",
    json_answer(chat_completion(None, tool_calls=_CALLS)),
    answer([_openais(chat_chunks(tool_calls=_CALLS, usage=usage()))], headers=EVENTS),
    ("weather",),
)
WIRES: Mapping[str, Wire] = {
    "anthropic": _CLAUDE,
    "vertex-claude": _CLAUDE,
    "gemini": _GEMINI,
    "vertex-gemini": _GEMINI,
    "bedrock": Wire(
        json_answer(sample("bedrock", "reply_text")["reply"]),
        "Grüezi!",
        _converse("stream_text"),
        "Grüezi 🙂",
        json_answer(sample("bedrock", "reply_tools")["reply"]),
        _converse("stream_tools"),
        ("weather", "now"),
    ),
    "cloudflare": _OPENAI,
    "sagemaker": Wire(
        json_answer(chat_completion("Moin")),
        "Moin",
        _contained(chat_chunks("Mo", "in", usage=usage())),
        "Moin",
        json_answer(chat_completion(None, tool_calls=_CALLS)),
        _contained(chat_chunks(tool_calls=_CALLS, usage=usage())),
        ("weather",),
    ),
    "cohere": Wire(
        json_answer(sample("cohere", "reply_text")["reply"]),
        "Grüße, 世界 🌍",
        _named(sample("cohere", "stream_text")["events"]),
        "Grüße, 世界 🌍",
        json_answer(sample("cohere", "reply_tools")["reply"]),
        _named(sample("cohere", "stream_tools")["events"]),
        ("weather", "weather"),
    ),
    "databricks": Wire(
        json_answer(sample("databricks", "reply_text")["reply"]),
        "Grüße, 世界 🌍",
        _said(sample("databricks", "stream_text")["events"]),
        "Grüße, 世界 🌍",
        json_answer(sample("databricks", "reply_tools")["reply"]),
        _said(sample("databricks", "stream_tools")["events"]),
        ("weather",),
    ),
    "watsonx": Wire(
        json_answer(sample("watsonx", "reply_text")["reply"]),
        "Grüße, 世界 🌍",
        _said(sample("watsonx", "stream_text")["events"]),
        "Grüße, 世界 🌍",
        json_answer(sample("watsonx", "reply_tools")["reply"]),
        _said(sample("watsonx", "stream_tools")["events"]),
        ("weather",),
    ),
    "ollama": Wire(
        json_answer(sample("ollama", "reply_text")["reply"]),
        "Grüße, 世界 🌍",
        _lines("stream_text"),
        "Grüße, 世界 🌍",
        json_answer(sample("ollama", "reply_tools")["reply"]),
        _lines("stream_tools"),
        ("weather", "weather"),
    ),
}


def deployments(up: Upstream) -> list[dict[str, Any]]:
    """Return entries for `model_list`, all at *up*: the groups of WIRES, and those that embed."""
    google, bedrock = {"api_base": f"{up.url}/v1", **GOOGLE}, {"api_base": up.url, **AWS}
    watsonx = {"api_base": up.url, "project_id": "project-1", "token": "ibm-token"}
    cloudflare = {"api_base": f"{up.url}/client/v4", "account_id": "acc-1"}
    return [
        deployment("anthropic", up.url, "anthropic/claude-sonnet-4-5", api_base=up.url),
        deployment("vertex-claude", up.url, "vertex_ai/claude-sonnet-4-5", **google, api_key=None),
        deployment("gemini", up.url, "gemini/gemini-2.5-flash", api_base=f"{up.url}/v1beta"),
        deployment("vertex-gemini", up.url, "vertex_ai/gemini-2.5-pro", **google, api_key=None),
        deployment("bedrock", up.url, f"bedrock/{CLAUDE}", **bedrock, api_key=None),
        deployment("sagemaker", up.url, "sagemaker_chat/llama", **bedrock, api_key=None),
        deployment("cohere", up.url, "cohere_chat/command-a", api_base=up.url),
        deployment("ollama", up.url, "ollama_chat/llama3.2", api_base=up.url),
        deployment("cloudflare", up.url, f"cloudflare/{LLAMA}", **cloudflare),
        deployment("databricks", up.url, "databricks/my-endpoint", api_base=up.url),
        deployment("databricks-embeddings", up.url, "databricks/gte-large", api_base=up.url),
        deployment("watsonx", up.url, "watsonx/ibm/granite-4-h-small", **watsonx, api_key=None),
        deployment("watsonx-embeddings", up.url, "watsonx/ibm/slate", **watsonx, api_key=None),
        deployment("mistral", up.url, "mistral/mistral-small-latest"),
        deployment("mistral-embed", up.url, "mistral/mistral-embed"),
        deployment("groq", up.url, "groq/llama-3.3-70b"),
        deployment("sagemaker-embeddings", up.url, "sagemaker/bge", **bedrock, api_key=None),
        deployment("bedrock-embeddings", up.url, f"bedrock/{COHERE}", **bedrock, api_key=None),
        deployment("bedrock-titan-embeddings", up.url, f"bedrock/{TITAN}", **bedrock, api_key=None),
        deployment("gemini-embeddings", up.url, "gemini/gemini-embedding-001"),
        deployment("vertex-embeddings", up.url, "vertex_ai/text-embedding-005", **google),
        deployment("cohere-embeddings", up.url, "cohere/embed-v4.0", api_base=up.url),
        deployment("ollama-embeddings", up.url, "ollama_chat/all-minilm", api_base=up.url),
        deployment("cohere-rerank", up.url, "cohere/rerank-v3.5", api_base=up.url),
        deployment("jina-rerank", up.url, "jina_ai/jina-reranker-v2"),
    ]


CLAUDE = "eu.anthropic.claude-sonnet-4-5-20250929-v1:0"
LLAMA = "@cf/meta/llama-3.1-8b-instruct"
COHERE = "cohere.embed-multilingual-v3"
TITAN = "amazon.titan-embed-text-v2:0"
