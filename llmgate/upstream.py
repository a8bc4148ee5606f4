"""The way out: sends calls over pooled connections and reads answers as they arrive.

The only module that knows `requests` and `urllib3`, beside `connections`.
"""

from __future__ import annotations

import contextlib
import functools
import http.client
import math
import re
from collections.abc import Callable
from collections.abc import Iterator
from typing import Any
from typing import Protocol

import requests
import urllib3

from llmgate import chunked
from llmgate import connections
from llmgate import errors
from llmgate import hangup
from llmgate.contract import Answer
from llmgate.contract import Call
from llmgate.heard import Heard

CONNECT_TIMEOUT = 5.0
"""Seconds to reach an upstream."""

LARGEST_BODY = 64 * 1024 * 1024
"""Bytes that a whole answer may have."""

_BLOCK = 65536
_NEARLY = 0.99  # of a time-out that is set already: not worth a system call
_DRAIN_TIMEOUT = 0.5  # seconds that a finished stream has to end its framing
_ILLEGAL = re.compile(r"[^\t\x20-\x7e]")
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_MOST_ORIGINS = 64
_NEVER_CONNECTED = (
    urllib3.exceptions.NewConnectionError,
    urllib3.exceptions.ConnectTimeoutError,
    urllib3.exceptions.LocationValueError,
    requests.exceptions.InvalidURL,
)


class Session:
    """Connections to upstreams, kept open; safe for threads, and for a fork before first use."""

    def __init__(self, most_kept: int = 64) -> None:
        self._adapter = connections.Adapter(_MOST_ORIGINS, most_kept, pool_block=False)
        self._pools: dict[str, urllib3.HTTPConnectionPool] = {}

    def send(
        self,
        call: Call,
        timeout: float,
        address: str | None = None,
        left: Callable[[], float] = lambda: math.inf,
    ) -> Answer:
        """Return the answer to *call*, its body still to come; *timeout* is the longest silence.

        With *address* it goes there, on a connection of its own, whatever the host resolves to.
        *left* are the seconds that there are in all, asked for before each wait.
        Raises Unreachable, UpstreamTimeout, BadUpstream.
        """
        if address is not None:
            host = call.url.partition("://")[2].partition("/")[0]
            own = {"Host": host, "Connection": "close"}
            call = call._replace(headers={**call.headers, **own})
        connections.LEFT.set(left)
        try:
            response = self._sent(call, max(0.001, min(timeout, left())), address)
        except connections.Stale:
            try:  # once more on a new connection: not a byte of an answer had come
                response = self._sent(call, max(0.001, min(timeout, left())), address)
            except connections.Stale as error:
                raise _no_answer() from error
        return _answer(response, lambda: min(timeout, left()))

    def _sent(
        self, call: Call, timeout: float, address: str | None = None
    ) -> urllib3.BaseHTTPResponse:
        """Return urllib3's response to *call*.

        No redirects (they would carry x-api-key along), no retries (dispatch decides), no
        environment (proxies and ~/.netrc would replace what the configuration says).
        """
        headers = _headers(call)
        if not isinstance(call.data, bytes):
            call.data.rewind()
        scheme, _, rest = call.url.partition("://")
        host, slash, target = rest.partition("/")
        origin = f"{scheme}://{host}"
        try:
            pool = self._adapter.pinned(origin, address) if address else self._pool(origin)
            return pool.urlopen(
                call.method,
                slash + target,
                body=call.data or None,
                headers=headers,
                retries=False,
                redirect=False,
                assert_same_host=False,
                preload_content=False,
                timeout=urllib3.Timeout(connect=min(CONNECT_TIMEOUT, timeout), read=timeout),
            )
        except (urllib3.exceptions.HTTPError, requests.RequestException, OSError) as error:
            raise hangup.reason() or _of_connection(error, timeout) from error

    def _pool(self, origin: str) -> urllib3.HTTPConnectionPool:
        """Return the connections to *origin*."""
        pool = self._pools.get(origin)
        if pool is None:
            if len(self._pools) >= _MOST_ORIGINS:
                self._pools.clear()
            pool = self._pools[origin] = self._adapter.pool(origin)
        return pool


def _headers(call: Call) -> dict[str, str]:
    """Return the headers of *call*, completed; raises InvalidRequest for what they cannot hold."""
    for name, value in call.headers.items():
        if _ILLEGAL.search(value) or not _NAME.fullmatch(name):
            raise errors.InvalidRequest(
                f"The header {_ILLEGAL.sub('?', name)} would hold a character that headers cannot.",
                param="extra_headers",
            )
    headers = {"Accept-Encoding": "identity", "User-Agent": "llmgate", **call.headers}
    if call.data or call.method != "GET":
        headers["Content-Length"] = str(len(call.data))
    return headers


class Sender(Protocol):
    """A session, or what limits one."""

    def send(
        self,
        call: Call,
        timeout: float,
        address: str | None = None,
        left: Callable[[], float] = lambda: math.inf,
    ) -> Answer:
        """Return the answer to *call*, as `Session.send` does."""


class Timed:
    """A session whose answers have to be there before *left* has come to nothing.

    What they are is noted in *heard*.
    """

    def __init__(self, session: Sender, left: Callable[[], float], heard: Heard) -> None:
        self._session, self._left, self._heard = session, left, heard

    def send(
        self,
        call: Call,
        timeout: float,
        address: str | None = None,
        left: Callable[[], float] = lambda: math.inf,
    ) -> Answer:
        """Return the answer to *call*, as `Session.send` does."""
        self._heard.asked(call.url)
        answer = self._session.send(call, timeout, address, lambda: min(left(), self._left()))
        return self._heard.answered(answer)


def _answer(raw: urllib3.BaseHTTPResponse, patience: Callable[[], float]) -> Answer:
    """Return urllib3's response as an answer."""
    headers = {name.lower(): value for name, value in raw.headers.items()}

    def close() -> None:
        if not raw.closed:
            raw.close()
        raw.release_conn()

    waits = [patience]
    pieces = _pieces(raw, lambda: waits[-1]())
    return Answer(raw.status, headers, pieces, close, lambda: _drain(waits, pieces))


def _pieces(raw: urllib3.BaseHTTPResponse, patience: Callable[[], float]) -> Iterator[bytes]:
    """Yield the body as it arrives; raises CutShort, UpstreamTimeout, BadUpstream.

    *patience*() are the seconds that the next byte may take.
    """
    limit = _limiter(raw, patience)
    try:
        if _is_plain_chunked(raw):
            yield from chunked.decoded(iter(functools.partial(_read, raw, limit), b""))
            _complete(raw)
            return
        limit()
        while piece := raw.read1(_BLOCK, decode_content=True):
            yield piece
            limit()
        if raw.length_remaining is None and (reason := hangup.reason()):
            raise reason  # the end of the connection was not the upstream's
    except (urllib3.exceptions.ReadTimeoutError, TimeoutError) as error:
        raise _silent(None) from error
    except urllib3.exceptions.DecodeError as error:
        raise errors.BadUpstream("The upstream's answer could not be decompressed.") from error
    except errors.CutShort as error:
        raise hangup.reason() or error from error
    except (urllib3.exceptions.HTTPError, http.client.HTTPException, OSError) as error:
        raise hangup.reason() or errors.CutShort(
            "The upstream's answer ended before it was complete."
        ) from error


def _is_plain_chunked(raw: Any) -> bool:
    """Return whether the body is chunked and nothing else, so that `chunked` can read it."""
    return bool(raw.chunked) and not raw.headers.get("content-encoding")


def _limiter(raw: Any, patience: Callable[[], float]) -> Callable[[], None]:
    """Return what sets how long the next read may wait; it raises TimeoutError if not at all."""
    sock = getattr(getattr(getattr(raw._fp, "fp", None), "raw", None), "_sock", None)
    was = (sock.gettimeout() or 0.0) if sock is not None else 0.0

    def limit() -> None:
        nonlocal was
        seconds = patience()
        if seconds <= 0:
            raise TimeoutError
        if sock is not None and not _NEARLY * was <= seconds <= was:
            was = seconds
            with contextlib.suppress(OSError):  # closed: all that came is in memory
                sock.settimeout(seconds)

    return limit


def _read(raw: Any, limit: Callable[[], None]) -> bytes:
    """Return what has come of the body, framing and all; it waits for at least a byte."""
    limit()
    data: bytes = raw._fp.fp.read1(_BLOCK)
    return data


def _complete(raw: Any) -> None:
    """Tell `http.client` that the body was read to its end, so that its connection is kept."""
    raw._fp._close_conn()
    raw.release_conn()


def _drain(waits: list[Callable[[], float]], pieces: Iterator[bytes]) -> None:
    """Read to the end of a stream that has said [DONE], so that its connection can be kept.

    Only the end of its framing is due; it is given a moment for that.
    """
    waits.append(lambda: _DRAIN_TIMEOUT)
    with contextlib.suppress(errors.GateError):
        next(pieces, b"")


def body(answer: Answer, limit: int = LARGEST_BODY) -> bytes:
    """Return the whole body of *answer* and close it; raises BadUpstream above *limit* bytes."""
    size, pieces = 0, []
    try:
        for piece in answer.pieces:
            size += len(piece)
            if size > limit:
                raise errors.BadUpstream(
                    f"The upstream's answer has more than {limit} bytes.", code="response_too_large"
                )
            pieces.append(piece)
    finally:
        answer.close()
    return b"".join(pieces)


def _no_answer() -> errors.BadUpstream:
    return errors.BadUpstream("The upstream closed the connection without a usable answer.")


def _silent(timeout: float | None) -> errors.UpstreamTimeout:
    length = f"for {timeout:.3g} s" if timeout else "for too long, or too slow"
    return errors.UpstreamTimeout(f"The upstream was silent {length}.")


def _of_connection(error: Exception, timeout: float) -> errors.GateError:
    """Return what an *error* before any answer is: never connected, not trusted, silent, lost."""
    if isinstance(error, urllib3.exceptions.SSLError):
        return errors.BadUpstream(
            "The upstream's TLS certificate or handshake was not accepted.",
            code="upstream_tls_error",
        )
    if isinstance(error, _NEVER_CONNECTED):
        return errors.Unreachable("The upstream could not be reached. Try again later.")
    kinds = [type(each) for each in (error, *error.args)]  # while sending it is an argument
    late = any(issubclass(k, urllib3.exceptions.ReadTimeoutError | TimeoutError) for k in kinds)
    return _silent(timeout) if late else _no_answer()
