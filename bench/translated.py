"""Measures what translation costs: CPU per chunk of a burst through each dialect, beside OpenAI's.

    python bench/translated.py [--rounds 5] [--streams 20] [--chunks 500]

Run it with the Python of a venv that llmgate is installed in. The upstream sends a whole stream at
once, in the wire of each provider.
"""

from __future__ import annotations

import argparse
import binascii
import http.client
import http.server
import json
import statistics
import struct
import sys
import tempfile
import threading
from pathlib import Path

import processes

TEXT = " some words"
GUNICORN = [sys.executable, "-m", "gunicorn", "-c", "python:llmgate.gunicorn_conf"]
USAGE = {"input_tokens": 20, "output_tokens": 90}


def said(events: list[dict[str, object]]) -> bytes:
    """Return *events* as server-sent events, named by their types if they have one."""
    names = [f"event: {event['type']}\n" if "type" in event else "" for event in events]
    return "".join(
        f"{name}data: {json.dumps(event)}\n\n" for name, event in zip(names, events, strict=True)
    ).encode()


def openai(count: int) -> bytes:
    """Return a stream of OpenAI's."""
    shared = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    choice = {"index": 0, "logprobs": None}
    middle = {**shared, "choices": [{**choice, "delta": {"content": TEXT}, "finish_reason": None}]}
    last = {**shared, "choices": [{**choice, "delta": {}, "finish_reason": "stop"}]}
    return said([middle] * count + [last]) + b"data: [DONE]\n\n"


def anthropic(count: int) -> bytes:
    """Return a stream of Anthropic's."""
    message = {"id": "m", "type": "message", "role": "assistant", "model": "m", "content": []}
    delta = {"type": "text_delta", "text": TEXT}
    return said(
        [
            {"type": "message_start", "message": {**message, "usage": USAGE}},
            {
                "type": "content_block_start",
                "index": 0,
                "content_block": {"type": "text", "text": ""},
            },
            *[{"type": "content_block_delta", "index": 0, "delta": delta}] * count,
            {"type": "content_block_stop", "index": 0},
            {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": USAGE},
            {"type": "message_stop"},
        ]
    )


def gemini(count: int) -> bytes:
    """Return a stream of Google's."""
    counted = {"promptTokenCount": 20, "candidatesTokenCount": 90, "totalTokenCount": 110}
    content = {"role": "model", "parts": [{"text": TEXT}]}
    event = {"candidates": [{"content": content, "index": 0}], "usageMetadata": counted}
    last = {**event, "candidates": [{"content": content, "index": 0, "finishReason": "STOP"}]}
    return said([{**event, "modelVersion": "m"}] * count + [{**last, "modelVersion": "m"}])


def cohere(count: int) -> bytes:
    """Return a stream of Cohere's."""
    delta = {"message": {"content": {"text": TEXT}}}
    end = {"finish_reason": "COMPLETE", "usage": {"tokens": USAGE}}
    return said(
        [
            {"type": "message-start", "id": "m", "delta": {"message": {"role": "assistant"}}},
            *[{"type": "content-delta", "index": 0, "delta": delta}] * count,
            {"type": "message-end", "delta": end},
        ]
    )


def ollama(count: int) -> bytes:
    """Return a stream of Ollama's."""
    line = {"model": "m", "created_at": "2026-01-01T00:00:00Z"}
    middle = {**line, "message": {"role": "assistant", "content": TEXT}, "done": False}
    last = {
        **middle,
        "done": True,
        "done_reason": "stop",
        "eval_count": 90,
        "prompt_eval_count": 20,
    }
    return b"".join(json.dumps(each).encode() + b"\n" for each in [middle] * count + [last])


def packed(kind: str, payload: dict[str, object]) -> bytes:
    """Return one message of AWS's event stream."""
    heads = b""
    for name, value in ((":event-type", kind), (":message-type", "event")):
        heads += struct.pack("!B", len(name)) + name.encode()
        heads += struct.pack("!BH", 7, len(value)) + value.encode()
    data = json.dumps(payload).encode()
    prelude = struct.pack("!II", len(heads) + len(data) + 16, len(heads))
    message = prelude + struct.pack("!I", binascii.crc32(prelude)) + heads + data
    return message + struct.pack("!I", binascii.crc32(message))


def bedrock(count: int) -> bytes:
    """Return a stream of Bedrock's Converse."""
    used = {"inputTokens": 20, "outputTokens": 90, "totalTokens": 110}
    delta = packed("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": TEXT}})
    return b"".join(
        [
            packed("messageStart", {"role": "assistant"}),
            delta * count,
            packed("contentBlockStop", {"contentBlockIndex": 0}),
            packed("messageStop", {"stopReason": "end_turn"}),
            packed("metadata", {"usage": used, "metrics": {"latencyMs": 1}}),
        ]
    )


EVENTS = "text/event-stream"
# model group -> (word in its path, media type, stream, model, other litellm_params)
WIRES = {
    "openai": ("/v1/chat", EVENTS, openai, "openai/m", "/v1"),
    "vllm": ("/v1/chat", EVENTS, openai, "hosted_vllm/m", "/v1"),
    "anthropic": ("/v1/messages", EVENTS, anthropic, "anthropic/claude-m", ""),
    "gemini": (":streamGenerate", EVENTS, gemini, "gemini/m", "/v1beta"),
    "bedrock": ("/converse", "application/vnd.amazon.eventstream", bedrock, "bedrock/m", ""),
    "cohere": ("/v2/chat", EVENTS, cohere, "cohere_chat/m", ""),
    "ollama": ("/api/chat", "application/x-ndjson", ollama, "ollama_chat/m", ""),
}
FRONTED = [("vllm", "messages"), ("vllm", "responses"), ("anthropic", "responses")]
FRONTS = {"chat": "/v1/chat/completions", "messages": "/v1/messages", "responses": "/v1/responses"}


class Provider(http.server.BaseHTTPRequestHandler):
    """Answers each request with the stream that its path is for."""

    protocol_version = "HTTP/1.1"
    streams: dict[str, tuple[str, bytes]] = {}

    def do_POST(self) -> None:
        """Send a whole stream."""
        self.rfile.read(int(self.headers["Content-Length"]))
        kind, data = next(found for word, found in self.streams.items() if word in self.path)
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def config(up: str) -> str:
    """Return the path of a configuration with a model of each wire at *up*."""
    aws = {"aws_access_key_id": "a", "aws_secret_access_key": "b", "aws_region_name": "us-east-1"}
    models = [
        {
            "model_name": name,
            "litellm_params": {
                "model": model,
                "api_base": up + base,
                **(aws if name == "bedrock" else {"api_key": "sk-up"}),
            },
        }
        for name, (_, _, _, model, base) in WIRES.items()
    ]
    path = Path(tempfile.mkdtemp()) / "config.yaml"
    path.write_text(json.dumps({"model_list": models}))
    return str(path)


def cost(port: int, pid: int, group: str, front: str, streams: int, chunks: int) -> float:
    """Return the CPU microseconds that the gateway takes for a chunk of *group*'s streams."""
    user = [{"role": "user", "content": "Hi"}]
    asked = {"input": "Hi"} if front == "responses" else {"messages": user, "max_tokens": 99}
    data = json.dumps({"model": group, "stream": True, **asked})
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    before = processes.cpu(pid)
    for _ in range(streams):
        connection.request("POST", FRONTS[front], data, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        got = answer.read()
        if got.count(TEXT.encode()) < chunks:
            raise SystemExit(f"{group} over {front}: {got[:500]!r}")
    return (processes.cpu(pid) - before) / streams / chunks * 1e6


def main() -> None:
    """Measure, and print a line for each wire and front."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--streams", type=int, default=20)
    parser.add_argument("--chunks", type=int, default=500)
    given = parser.parse_args()
    Provider.streams = {w: (kind, make(given.chunks)) for w, kind, make, _, _ in WIRES.values()}
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Provider)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    found: dict[tuple[str, str], list[float]] = {}
    port = processes.free_port()
    start = [*GUNICORN, "-b", f"127.0.0.1:{port}", "--chdir", str(Path(__file__).parents[1])]
    env = {
        "WEB_CONCURRENCY": "1",
        "LLMGATE_CONFIG": config(f"http://127.0.0.1:{server.server_port}"),
    }
    with processes.running([*start, "app:app"], env, port, "/health") as gate:
        for _ in range(given.rounds):
            for group, front in [*((each, "chat") for each in WIRES), *FRONTED]:
                spent = cost(port, gate.pid, group, front, given.streams, given.chunks)
                found.setdefault((group, front), []).append(spent)
    floor = statistics.median(found["openai", "chat"])
    print("| wire | front | us a chunk | x OpenAI's passed on |\n|---|---|---:|---:|")
    for (group, front), costs in found.items():
        middle = statistics.median(costs)
        print(f"| {group} | {front} | {middle:.1f} | {middle / floor:.1f} |")


if __name__ == "__main__":
    main()
