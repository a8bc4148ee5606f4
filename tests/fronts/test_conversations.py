"""Any conversation of any front reaches every upstream in a form that it accepts.

What is sent is checked by the scripted upstreams of `testing.strict`: by the types of the
provider's SDK and by its rules. LLMGATE_EXAMPLES=20000 runs it longer.
"""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from testing.peer import Seen
from testing.strict.server import KINDS

from llmgate import errors
from llmgate import providers
from llmgate.contract import Body
from llmgate.contract import Deployment
from llmgate.fronts import upstream_chat
from llmgate.fronts.anthropic import wire as messages_wire
from llmgate.fronts.gemini import request as gemini_request
from llmgate.fronts.responses import wire as responses_wire
from llmgate.schema import parameters
from llmgate.schema import validation

EXAMPLES = int(os.environ.get("LLMGATE_EXAMPLES", "40"))
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}
PNG = "iVBORw0KGgo="
Turn = dict[str, Any]

TEXTS = st.sampled_from(["hi", "a ", " ", "", "\n", "Übung"])
IDS = st.sampled_from(["toolu_01ABC", "call_1", "abcDEF123", "a|b:c.d", "c" * 70, "ü"])
ARGUMENTS = st.sampled_from(["{}", '{"a": "x"}', "", " ", "null", "[1]", '{"a": "tru'])
CALLS = st.lists(st.tuples(IDS, ARGUMENTS, TEXTS), max_size=3, unique_by=lambda call: call[0])
TURNS = st.lists(
    st.one_of(
        st.fixed_dictionaries({"role": st.just("user"), "text": TEXTS, "image": st.booleans()}),
        st.fixed_dictionaries({"role": st.just("system"), "text": TEXTS}),
        st.fixed_dictionaries(
            {"role": st.just("assistant"), "text": TEXTS, "thought": TEXTS, "calls": CALLS}
        ),
    ),
    min_size=1,
    max_size=6,
)
"""Turns as people and agents send them: any order, blank texts, foreign ids, broken arguments."""


# -- the same conversation as each front's clients send it


def chat(turns: list[Turn]) -> Body:
    messages: list[Any] = []
    for turn in turns:
        if turn["role"] == "user" and turn["image"]:
            url = {"url": f"data:image/png;base64,{PNG}"}
            parts = [
                {"type": "text", "text": turn["text"]},
                {"type": "image_url", "image_url": url},
            ]
            messages.append({"role": "user", "content": parts})
        elif turn["role"] != "assistant":
            messages.append({"role": turn["role"], "content": turn["text"]})
        else:
            message: Any = {"role": "assistant", "content": turn["text"]}
            if turn["calls"]:
                message["tool_calls"] = [
                    {"id": id, "type": "function", "function": {"name": "f", "arguments": text}}
                    for id, text, _ in turn["calls"]
                ]
            messages.append(message)
            for id, _, result in turn["calls"]:
                messages.append({"role": "tool", "tool_call_id": id, "content": result})
    tool = {"type": "function", "function": {"name": "f", "parameters": SCHEMA}}
    return {"model": "m", "messages": messages, "tools": [tool], "max_tokens": 4000}


def messages(turns: list[Turn]) -> Body:
    found: list[Any] = []
    for turn in turns:
        blocks: list[Any] = [{"type": "text", "text": turn["text"]}]
        if turn.get("image"):
            source = {"type": "base64", "media_type": "image/png", "data": PNG}
            blocks.append({"type": "image", "source": source})
        if turn["role"] == "assistant":
            thought = {"type": "thinking", "thinking": turn["thought"], "signature": ""}
            used = [
                {"type": "tool_use", "id": id, "name": "f", "input": {"a": "x"}}
                for id, _, _ in turn["calls"]
            ]
            blocks = [thought, *blocks, *used]
        found.append({"role": turn["role"], "content": blocks})
        results = [
            {"type": "tool_result", "tool_use_id": id, "content": text, "is_error": text == ""}
            for id, _, text in turn.get("calls", ())
        ]
        if results:
            found.append({"role": "user", "content": results})
    return {
        "model": "m",
        "max_tokens": 4000,
        "system": [{"type": "text", "text": "s", "cache_control": {"type": "ephemeral"}}],
        "messages": found,
        "tools": [{"name": "f", "input_schema": SCHEMA}],
        "thinking": {"type": "adaptive"},
        "output_config": {"effort": "high"},
        "context_management": {"edits": []},
    }


def responses(turns: list[Turn]) -> Body:
    items: list[Any] = []
    for turn in turns:
        kind = "output_text" if turn["role"] == "assistant" else "input_text"
        parts: list[Any] = [{"type": kind, "text": turn["text"]}]
        if turn.get("image"):
            url = f"data:image/png;base64,{PNG}"
            parts.append({"type": "input_image", "image_url": url, "detail": "auto"})
        if turn["role"] == "assistant":
            summary = [{"type": "summary_text", "text": turn["thought"]}]
            items.append({"type": "reasoning", "id": "rs_1", "summary": summary})
        role = "developer" if turn["role"] == "system" else turn["role"]
        items.append({"type": "message", "role": role, "content": parts})
        for id, text, _ in turn.get("calls", ()):
            call = {"type": "function_call", "call_id": id, "name": "f"}
            items.append({**call, "arguments": text})
        for id, _, result in turn.get("calls", ()):
            items.append({"type": "function_call_output", "call_id": id, "output": result})
    tool = {"type": "function", "name": "f", "parameters": SCHEMA, "strict": False}
    more = {"prompt_cache_key": "k", "client_metadata": {"a": "b"}, "store": False}
    return {"model": "m", "instructions": "s", "input": items, "tools": [tool], **more}


def generate(turns: list[Turn]) -> Body:
    contents: list[Any] = []
    for turn in turns:
        parts: list[Any] = [{"text": turn["text"]}]
        if turn.get("image"):
            parts.append({"inlineData": {"mimeType": "image/png", "data": PNG}})
        calls = turn.get("calls", ())
        parts += [{"functionCall": {"name": "f", "args": {"a": "x"}}} for _ in calls]
        role = "model" if turn["role"] == "assistant" else "user"
        contents.append({"role": role, "parts": parts})
        results = [
            {"functionResponse": {"name": "f", "response": {"output": text}}}
            for _, _, text in calls
        ]
        if results:
            contents.append({"role": "user", "parts": results})
    return {
        "model": "m",
        "contents": contents,
        "systemInstruction": {"parts": [{"text": "s"}]},
        "tools": [{"functionDeclarations": [{"name": "f", "parametersJsonSchema": SCHEMA}]}],
        "generationConfig": {"topP": 0.95, "thinkingConfig": {"includeThoughts": True}},
    }


FRONTS: dict[str, Any] = {
    "chat": (chat, "chat", lambda body: body, lambda body, *_: body),
    "messages": (
        messages,
        "messages",
        messages_wire.chat_from_messages,
        upstream_chat.adapted,
    ),
    "responses": (
        responses,
        "responses",
        responses_wire.chat_from_response,
        upstream_chat.adapted,
    ),
    "generate": (
        generate,
        "generate_content",
        gemini_request.chat_from_generate,
        gemini_request.adapted,
    ),
}
NATIVE = {("messages", "claude-sonnet-4-5"), ("responses", "gpt-5"), ("generate", "gemini-3-pro")}
"""Fronts whose requests go through untranslated: what is wrong with them is the client's."""


AUTHORIZED = {"x-api-key": "k", "anthropic-version": "2023-06-01"}  # of `authorize`


def deployment(kind: str) -> Deployment:
    provider, _, model = KINDS[kind].params["model"].partition("/")
    return Deployment("g", provider, model, "https://x/v1", api_key="k", drop_params=True)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("front", FRONTS)
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(turns=TURNS)
def test_a_conversation_is_accepted_or_refused_by_the_name_of_a_field(
    front: str, kind: str, turns: list[Turn]
) -> None:
    if (front, kind) in NATIVE:
        return
    written, schema, read, adapt = FRONTS[front]
    target = deployment(kind)
    operation = providers.serving(target).operations["chat"]
    try:
        body = written(turns)
        validation.check(schema, body)
        body = adapt(read(body), operation, target)
        sent = parameters.upstream_body(body, target, "chat", operation)
        call = operation.build(sent, target)
    except errors.InvalidRequest as error:
        assert error.param
        return

    path = urlsplit(call.url).path
    headers = {name.lower(): value for name, value in call.headers.items()} | AUTHORIZED
    wire = next(it for end, it in KINDS[kind].wires.items() if path.endswith(end))
    wire.read(Seen("POST", path, headers, bytes(call.data), 1, 0.0))  # type: ignore[arg-type]
