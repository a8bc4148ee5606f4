"""HTTP session for upstreams: sends calls over pooled connections, streams the responses.

Only this module, `connections`, `network` and `transport_errors` import `requests` and `urllib3`.
"""

from __future__ import annotations

import functools
import io
import math
import re
import urllib.parse
from collections.abc import Callable
from collections.abc import Iterator
from typing import Any
from typing import NamedTuple
from typing import Protocol

import urllib3

from llmgate import errors
from llmgate.contract import Answer
from llmgate.contract import Call
from llmgate.contract import SpooledFile
from llmgate.contract import Tls
from llmgate.inbound import disconnect
from llmgate.trust.network import Network
from llmgate.upstream import http1
from llmgate.upstream import http1_head
from llmgate.upstream import transport_errors
from llmgate.upstream.excerpt import ResponseExcerpt
from llmgate.upstream.network import pools

CONNECT_TIMEOUT = 5.0
"""Connect timeout in seconds."""

LARGEST_BODY = 64 * 1024 * 1024
"""The maximum size of a whole response body in bytes."""

_BLOCK = 65536
_ILLEGAL = re.compile(r"[^\t\x20-\x7e]")
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_BARE_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_UNQUOTED = "!$&'()*+,;=:@/?%"  # beside letters, digits and -._~
_ONCE = {name.lower(): name for name in ("Host", "Accept-Encoding", "User-Agent", "Content-Length")}
_MOST_ORIGINS = 64
_MOST_URLS = 256


class _Limits(NamedTuple):
    """The time limits of a call."""

    timeout: float  # seconds between two reads
    remaining: Callable[[], float]  # seconds until the request's deadline


class Session:
    """Pooled connections to upstreams; thread-safe, and fork-safe before the first use."""

    def __init__(self, network: Network = Network(), most_kept: int = 64) -> None:
        self._adapter = pools.Adapter(network, _MOST_ORIGINS, most_kept)
        self._pools: dict[str | tuple[str, Tls], pools.Pool] = {}

    def send(
        self,
        call: Call,
        timeout: float,
        address: str | None = None,
        remaining: Callable[[], float] = lambda: math.inf,
    ) -> Answer:
        """Return the response to *call*, its body not yet read; *timeout* is the idle timeout.

        With *address* the call goes there, on its own connection, whatever the host resolves to.
        *remaining* returns the seconds until the request's deadline; every wait obeys it.
        Raises Unreachable, UpstreamTimeout, BadUpstream.
        """
        if address is not None:
            host = call.url.partition("://")[2].partition("/")[0]
            own = {"Host": host, "Connection": "close"}
            call = call._replace(headers={**call.headers, **own})
        try:
            return self._send(call, timeout, address, remaining)
        except http1.Stale:  # safe to repeat: not a byte of a response was received
            return self._send(call, timeout, address, remaining, is_new=True)

    def _send(
        self,
        call: Call,
        timeout: float,
        address: str | None,
        remaining: Callable[[], float],
        is_new: bool = False,
    ) -> Answer:
        """Return the response to *call*; raises http1.Stale if a pooled connection was closed.

        No redirects (they would leak x-api-key), no retries (the pipeline decides), no ~/.netrc
        (it would replace our Authorization).
        """

        def patience() -> float:
            return min(timeout, remaining())

        seconds = max(0.001, patience())
        headers = _headers(call)
        origin, target = _parts(call.url)
        try:
            pool = self._pool(origin, call.tls, address)
            exchange = http1.Exchange(pool.take(is_new), patience, pool.put)
            with exchange.until_answered():
                headers = {"Host": exchange.open(min(CONNECT_TIMEOUT, seconds)), **headers}
                if pool.forward is not None:
                    headers |= {"Host": origin.partition("://")[2], **pool.forward}
                    target = origin + target
                head = http1_head.request(call.method, target, headers)
                exchange.send(head, _rewound(call.data))
                answered = exchange.read_head(call.method)
        except transport_errors.FAILURES as error:
            raise disconnect.reason() or transport_errors.before_response(
                error, timeout, remaining()
            ) from error
        return _answer(exchange, answered, _Limits(timeout, remaining))

    def remaining(self) -> float:
        """Return infinity: there is no deadline."""
        return math.inf

    def _pool(self, origin: str, tls: Tls | None, address: str | None) -> pools.Pool:
        """Return the connections to *origin*, new ones if it is at an *address*."""
        if address is not None:
            return self._adapter.pinned(origin, address)
        key = origin if tls is None else (origin, tls)
        pool = self._pools.get(key)
        if pool is None:
            if len(self._pools) >= _MOST_ORIGINS:
                self._pools.clear()
            pool = self._pools[key] = self._adapter.pool(origin, tls)
        return pool


@functools.lru_cache(_MOST_URLS)
def _parts(url: str) -> tuple[str, str]:
    """Return the origin of *url*, and its request target."""
    scheme, _, rest = url.partition("#")[0].partition("://")
    host, _, target = rest.partition("/")
    target = _BARE_PERCENT.sub("%25", f"/{target}")
    return f"{scheme}://{host}", urllib.parse.quote(target, _UNQUOTED, errors="surrogatepass")


def _headers(call: Call) -> dict[str, str]:
    """Return the headers of *call*, completed; raises InvalidRequest for invalid characters."""
    headers = {"Accept-Encoding": "identity", "User-Agent": "llmgate"}
    for name, value in call.headers.items():
        if _ILLEGAL.search(value) or not _NAME.fullmatch(name):
            raise errors.InvalidRequest(
                f"Header '{_ILLEGAL.sub('?', name)}' contains invalid characters.",
                param="extra_headers",
            )
        headers[_ONCE.get(name.lower(), name)] = value
    if call.data or call.method != "GET":
        headers["Content-Length"] = str(len(call.data))
    return headers


def _rewound(data: bytes | SpooledFile) -> bytes | SpooledFile:
    """Return *data* from its start: an earlier attempt may have read it."""
    if not isinstance(data, bytes):
        data.rewind()
    return data


class Sender(Protocol):
    """A session, or one with a deadline."""

    def send(
        self,
        call: Call,
        timeout: float,
        address: str | None = None,
        remaining: Callable[[], float] = lambda: math.inf,
    ) -> Answer:
        """Return the response to *call*, as `Session.send` does."""

    def remaining(self) -> float:
        """Return the seconds until the deadline."""


class DeadlineSession:
    """A session that obeys a deadline and records each response in *excerpt*."""

    def __init__(
        self, session: Sender, remaining: Callable[[], float], excerpt: ResponseExcerpt
    ) -> None:
        self._session, self._remaining, self._excerpt = session, remaining, excerpt

    def send(
        self,
        call: Call,
        timeout: float,
        address: str | None = None,
        remaining: Callable[[], float] = lambda: math.inf,
    ) -> Answer:
        """Return the answer to *call*, as `Session.send` does."""
        self._excerpt.record_request(call.url)
        answer = self._session.send(
            call, timeout, address, lambda: min(remaining(), self._remaining())
        )
        return self._excerpt.record_response(answer)

    def remaining(self) -> float:
        """Return the seconds until the deadline."""
        return self._remaining()


def _answer(exchange: http1.Exchange, head: http1_head.Head, limits: _Limits) -> Answer:
    """Return the response of *exchange*, its body not yet read."""
    pieces = _pieces(exchange, head, limits)
    return Answer(
        head.status, head.headers, pieces, exchange.close, lambda: exchange.finish(pieces)
    )


def _pieces(exchange: http1.Exchange, head: http1_head.Head, limits: _Limits) -> Iterator[bytes]:
    """Yield the decoded body as it arrives; raises CutShort, UpstreamTimeout, BadUpstream."""
    body = exchange.body(head)
    try:
        yield from body if head.coding == "identity" else _decompressed(body, head.coding)
    except (TimeoutError, urllib3.exceptions.ReadTimeoutError) as error:
        raise transport_errors.timed_out(limits.timeout, limits.remaining()) from error
    except urllib3.exceptions.DecodeError as error:
        raise errors.BadUpstream("The upstream's response could not be decompressed.") from error
    except http1_head.IncompleteError as error:
        raise disconnect.reason() or transport_errors.incomplete(str(error)) from error
    except http1_head.ProtocolError as error:
        raise transport_errors.invalid(error) from error
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise disconnect.reason() or transport_errors.incomplete("connection reset") from error


def _decompressed(body: Iterator[bytes], coding: str) -> Iterator[bytes]:
    """Yield the content of the compressed *body*, by urllib3's decoders."""
    raw = urllib3.HTTPResponse(
        io.BufferedReader(_BodyFile(body)), {"content-encoding": coding}, preload_content=False
    )
    while piece := raw.read1(_BLOCK, decode_content=True):
        yield piece


class _BodyFile(io.RawIOBase):
    """The pieces of a body as a file."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces, self._piece = pieces, b""

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read into *buffer*; return the number of bytes."""
        piece = self._piece or next(self._pieces, b"")
        size = min(len(piece), len(buffer))
        buffer[:size], self._piece = piece[:size], piece[size:]
        return size


def body(answer: Answer, limit: int = LARGEST_BODY) -> bytes:
    """Return the whole body of *answer* and close it; raises BadUpstream above *limit* bytes."""
    size, pieces = 0, []
    try:
        for piece in answer.pieces:
            size += len(piece)
            if size > limit:
                raise errors.BadUpstream(
                    f"The upstream's response is larger than {limit} bytes.",
                    code="response_too_large",
                )
            pieces.append(piece)
    finally:
        answer.close()
    return b"".join(pieces)
