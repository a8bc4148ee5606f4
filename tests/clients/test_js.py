"""JavaScript's clients, run by node: the seeds' examples as they were written, and more.

Collected only where .ci/clients has fetched them, into js/ (as they are today) and js/old/ (as
they were when the seeds were written).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from testing import seeds
from testing import workers
from testing.gateway import API_KEY
from testing.gateway import Gateway
from testing.sdk import ASKED
from testing.sdk import CALLS
from testing.sdk import STREAMED
from testing.sdk import packed
from testing.seeds import Example
from testing.upstream import Pause
from testing.upstream import Upstream
from testing.upstream import answer
from testing.upstream import chat_chunks
from testing.upstream import chat_completion
from testing.upstream import embedding
from testing.upstream import error_body
from testing.upstream import head
from testing.upstream import json_answer
from testing.upstream import raw
from testing.upstream import sse
from testing.upstream import transcription
from testing.upstream import usage

TODAY = Path(__file__).parent / "js"
OLD = TODAY / "old"
PROGRAM = ["node", "--input-type=commonjs", "-"]
MODULE = ["node", "--input-type=module", "-"]


@pytest.mark.parametrize("example", seeds.JAVASCRIPT, ids=lambda example: example.file)
@pytest.mark.parametrize("clients", [TODAY, OLD], ids=["today", "old"])
def test_an_example_works(
    example: Example, clients: Path, gateway: Gateway, upstream: Upstream
) -> None:
    upstream.plays(example.answer)

    code = seeds.text(example.file, gateway.url)
    printed = seeds.output(PROGRAM, code, clients, gateway.url)

    seeds.check(example, printed, upstream, gateway)


def test_langchains_example_works_with_the_langchain_of_its_time(
    gateway: Gateway, upstream: Upstream
) -> None:
    example = seeds.LANGCHAIN_JS
    upstream.plays(example.answer)

    code = seeds.text(example.file, gateway.url)
    printed = seeds.output(MODULE, code, OLD, gateway.url)

    seeds.check(example, printed, upstream, gateway)


def ran(name: str, gateway: Gateway) -> list[Any]:
    """Return what the script called *name* prints, a JSON value on each line."""
    code = (TODAY / name).read_text(encoding="utf-8")
    printed = seeds.output(MODULE, code, TODAY, gateway.url)
    return [json.loads(line) for line in printed.splitlines()]


def test_openais_client_understands(gateway: Gateway, upstream: Upstream) -> None:
    overloaded = error_body("Too much.", "server_error", None, "overloaded")
    upstream.plays(
        json_answer(chat_completion("Hello!")),
        sse(chat_chunks("Hel", "lo!", usage=usage(9, 12))),
        sse(chat_chunks(tool_calls=CALLS)),
        json_answer(embedding([0.5, -0.25])),  # it was asked for base64
        json_answer(transcription("Hello!")),
        answer([b"ID3"], headers={"content-type": "audio/mpeg"}, framing="chunked"),
        json_answer(error_body("Slow down.", "requests"), 429),
        sse([*chat_chunks("Hel")[1:2], overloaded], done=False),
    )

    printed = ran("openai.mjs", gateway)

    assert printed == [
        ["Hello!", True],
        ["Hello!", 21],
        [
            ["call_1", "weather", '{"city": "Paris"}'],
            ["call_2", "weather", '{"city": "Rome"}'],
        ],
        [0.5, -0.25],
        "Hello!",
        "ID3",
        True,
        [True, "model_not_found", "model"],
        [True, "requests", 429],
        "Hel",
        [True, None, "overloaded"],
    ]
    chat, stream, tools, vector, file, *_ = upstream.requests
    assert chat.json == ASKED
    assert stream.json == {**ASKED, **STREAMED}
    assert list(tools.json) == ["model", "messages", "tools", "stream", "stream_options"]
    assert vector.json["encoding_format"] == "base64"
    assert file.parts["file"] == ("hello.wav", "audio/wav", b"RIFF")
    assert {"file", "model"} == set(file.parts)
    assert {seen.headers["authorization"] for seen in upstream.requests} == {f"Bearer {API_KEY}"}
    assert gateway.log(lambda line: line["metadata"] == {"tags": ["js"], "trace_id": "t-js-file"})


def test_langchain_understands(gateway: Gateway, upstream: Upstream) -> None:
    upstream.plays(
        json_answer(chat_completion("Hello!")),
        sse(chat_chunks("Hel", "lo!", usage=usage())),
        json_answer(chat_completion(None, tool_calls=CALLS[:1])),
        json_answer(embedding(packed(0.5, -0.25), packed(1.0, 0.0))),
    )

    printed = ran("langchain.mjs", gateway)

    call = {"name": "weather", "args": {"city": "Paris"}, "type": "tool_call", "id": "call_1"}
    assert printed == ["Hello!", "Hello!", [call], [[0.5, -0.25], [1.0, 0.0]]]
    chat, stream, tools, vectors = upstream.requests
    messages = [{"role": "user", "content": "Hi there!"}]
    assert chat.json == {"model": "gpt-4", "messages": messages, "stream": False}
    assert stream.json == {"model": "gpt-4", "messages": messages, **STREAMED}
    assert tools.json["tools"][0]["function"]["name"] == "weather"
    assert vectors.json["input"] == ["Hello", "there"]
    assert not any("metadata" in seen.json for seen in upstream.requests)
    assert gateway.log(lambda line: line["metadata"] == "hello world")["tags"] == []


@pytest.mark.parametrize("worker", workers.WORKERS)
def test_signs_of_life_disturb_no_client(worker: str, upstream: Upstream) -> None:
    silence, reply = Pause(0.5), json.dumps(chat_completion("Hello!")).encode()
    whole = answer([silence, reply], headers={"content-type": "application/json"})
    first, *rest = chat_chunks("Hel", "lo!", usage=usage(9, 12))
    stream = sse([silence, first, silence, *rest])
    busy = json.dumps(error_body("busy", code="overloaded")).encode()
    size = {"content-type": "application/json", "content-length": str(len(busy))}
    upstream.plays(whole, stream, whole, stream, raw(silence, head(400, size), busy))

    with workers.gateway(upstream, worker) as gate:  # beats after 0.1 s
        printed = ran("silent.mjs", gate)

    assert printed == ["Hello!", "Hello!", "Hello!", ["Hello!", "end_turn"], [True, "overloaded"]]
