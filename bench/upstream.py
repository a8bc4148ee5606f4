"""A fake provider for the benchmarks: answers chats at once, or streams chunks.

    python bench/upstream.py PORT

Words in the prompt say how: `d100` waits 100 ms before it answers, `n500` streams 500 chunks, `i20`
leaves 20 ms between them. The text of an answer begins with `@RECEIVED,SENT;`, the microseconds of
the monotonic clock, so that the reader knows how long the provider itself took.
"""

import asyncio
import json
import re
import sys
import time

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\n%s\r\n"
STAMP = b"@%d,%d;"
USAGE = {"prompt_tokens": 20, "completion_tokens": 90, "total_tokens": 110}
ANSWER = json.dumps(
    {
        "id": "chatcmpl-bench",
        "object": "chat.completion",
        "created": 1700000000,
        "model": "gpt-4o-mini-2024-07-18",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "STAMP" + "x" * 700, "refusal": None},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": USAGE,
    }
).encode()
CHUNK = (
    b'data: {"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1700000000,'
    b'"model":"gpt-4o-mini-2024-07-18","system_fingerprint":"fp_bench","choices":[{"index":0,'
    b'"delta":{"content":" some words"},"logprobs":null,"finish_reason":null}],"usage":null}\n\n'
)
LAST = CHUNK.replace(b'"finish_reason":null', b'"finish_reason":"stop"')
END = (
    b'data: {"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1700000000,'
    b'"model":"gpt-4o-mini-2024-07-18","choices":[],"usage":' + json.dumps(USAGE).encode() + b"}"
    b"\n\ndata: [DONE]\n\n"
)


def framed(data: bytes) -> bytes:
    """Return *data* as one chunk of HTTP's."""
    return b"%X\r\n%s\r\n" % (len(data), data)


PAIR = (framed(CHUNK), framed(CHUNK.replace(b" some words", b" other words")))
"""In turn: LiteLLM takes a hundred equal chunks for a failing model."""

ENDING = framed(LAST) + framed(END) + b"0\r\n\r\n"


def word(letter: bytes, body: bytes) -> int:
    """Return the number after *letter* in *body*, 0 if there is none."""
    found = re.search(rb"\b%s(\d+)\b" % letter, body)
    return int(found[1]) if found else 0


class Provider(asyncio.Protocol):
    """One connection."""

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Begin."""
        self.transport = transport
        self.loop = asyncio.get_running_loop()
        self.come = b""

    def data_received(self, data: bytes) -> None:
        """Answer the requests that are whole by now."""
        self.come += data
        while b"\r\n\r\n" in self.come:
            head, _, rest = self.come.partition(b"\r\n\r\n")
            length = re.search(rb"(?i)content-length: (\d+)", head)
            size = int(length[1]) if length else 0
            if len(rest) < size:
                return
            self.come = rest[size:]
            self.asked(rest[:size])

    def asked(self, body: bytes) -> None:
        """Answer *body* at the time that its prompt requests."""
        received = time.monotonic()
        streams = b'"stream":true' in body.replace(b": ", b":")
        begin = self.stream if streams else self.whole
        delay = word(b"d", body)
        if delay:
            self.loop.call_later(delay / 1000, begin, body, received)
        else:
            begin(body, received)

    def stamp(self, received: float) -> bytes:
        """Return when the request arrived and when the answer is sent."""
        return STAMP % (received * 1e6, time.monotonic() * 1e6)

    def whole(self, body: bytes, received: float) -> None:
        """Send a completion."""
        data = ANSWER.replace(b"STAMP", self.stamp(received))
        self.transport.write(
            HEAD % (b"application/json", b"Content-Length: %d\r\n" % len(data)) + data
        )

    def stream(self, body: bytes, received: float) -> None:
        """Send the first chunk of a stream, and the others after it."""
        head = HEAD % (b"text/event-stream", b"Transfer-Encoding: chunked\r\n")
        first = framed(CHUNK.replace(b" some words", self.stamp(received)))
        left, gap = max(2, word(b"n", body)) - 2, word(b"i", body) / 1000
        if not gap:
            pairs, odd = divmod(left, 2)
            middle = b"".join(PAIR) * pairs + PAIR[0] * odd
            self.transport.write(head + first + middle + ENDING)
            return
        self.transport.write(head + first)
        self.later(self.loop.time() + gap, left, gap)

    def later(self, due: float, left: int, gap: float) -> None:
        """Send a chunk at the time *due*, and so many that are *left* after it."""
        self.loop.call_at(due, self.next, due, left, gap)

    def next(self, due: float, left: int, gap: float) -> None:
        """Send a chunk, or the end."""
        if self.transport.is_closing():
            return
        self.transport.write(PAIR[left % 2] if left else ENDING)
        if left:
            self.later(due + gap, left - 1, gap)


async def main() -> None:
    """Serve until ended."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Provider, "127.0.0.1", int(sys.argv[1]), backlog=4096)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
