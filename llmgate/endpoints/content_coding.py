"""Compressed request bodies: gzip, deflate and zstd, decompressed within limits.

zstd is in Python's library from 3.14, before that in the extra [zstd]. Window sizes are those that
RFC 9659 allows for HTTP.
"""

from __future__ import annotations

import importlib
import zlib
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from typing import Any

from flask import request

from llmgate import errors

_BLOCK = 64 * 1024
_FREE = 1024 * 1024  # bytes that may come of any number of compressed ones
_MAX_RATIO = 200  # above that; deflate reaches 1032
_MAX_MEMBERS = 1000  # of gzip, frames of zstd: each costs a decoder and a copy of its block
_WINDOW_LOG = 23  # 8 MB
_ZSTD_MODULES = ("compression.zstd", "backports.zstd")


def name() -> str | None:
    """Return the coding of this request's body, None if it is not compressed.

    Raises UnsupportedMedia for any other.
    """
    coding = request.headers.get("Content-Encoding", "").strip().lower()
    if coding in ("", "identity"):
        return None
    coding = coding.removeprefix("x-")
    if coding == "zstd" and _zstd() is None:
        raise _unsupported(
            "Content-Encoding zstd needs an extra package of the gateway: pip install"
            " 'llmgate[zstd]'. Send the body uncompressed or as gzip."
        )
    if coding not in _DECODERS:
        raise _unsupported(
            "Unsupported Content-Encoding; send the request body uncompressed, or as"
            f" {', '.join(_DECODERS)}."
        )
    return coding


def refuse() -> None:
    """Raise UnsupportedMedia for a compressed request body."""
    if name() is not None:
        raise errors.UnsupportedMedia("Forms cannot be compressed; send them uncompressed.")


def decoded(blocks: Iterable[bytes], coding: str, too_large: errors.TooLarge) -> Iterator[bytes]:
    """Yield what the *blocks* of a body decompress to, in pieces of at most 64 KB.

    The caller limits the size. Raises *too_large* if the ratio is that of an attack, InvalidRequest
    for invalid data.
    """
    decoder = _DECODERS[coding]()
    try:
        yield from _limited(blocks, decoder, too_large)
    except decoder.failures as error:
        raise _invalid(coding) from error
    if not decoder.is_complete:
        raise _invalid(coding)


def _limited(blocks: Iterable[bytes], decoder: Any, too_large: errors.TooLarge) -> Iterator[bytes]:
    """Yield what *blocks* decompress to; raises *too_large* above the ratio."""
    received = produced = 0
    for block in blocks:
        received += len(block)
        for piece in decoder.pieces(block):
            produced += len(piece)
            if produced > _FREE + _MAX_RATIO * received:
                raise too_large
            yield piece


def _unsupported(message: str) -> errors.UnsupportedMedia:
    """Return the error for a coding, with those that are supported."""
    known = [coding for coding in _DECODERS if coding != "zstd" or _zstd() is not None]
    return errors.UnsupportedMedia(message, headers={"Accept-Encoding": ", ".join(known)})


def _invalid(coding: str) -> errors.InvalidRequest:
    """Return the error for invalid compressed data."""
    return errors.InvalidRequest(
        f"The request body is incomplete, or not valid {coding} data.", param="body"
    )


def _zstd() -> Any:
    """Return the module for zstd, None if there is none."""
    for module in _ZSTD_MODULES:
        try:
            return importlib.import_module(module)
        except ImportError:
            continue
    return None


class _Zlib:
    """Decompresses gzip (several members, too) or deflate, with and without zlib's header."""

    failures: tuple[type[Exception], ...] = (zlib.error,)

    def __init__(self, is_gzip: bool) -> None:
        self._is_gzip = is_gzip
        self._inner: Any = None
        self._members = 0

    @property
    def is_complete(self) -> bool:
        """Return whether the end was reached."""
        return self._inner is not None and self._inner.eof

    def pieces(self, block: bytes) -> Iterator[bytes]:
        """Yield what *block* decompresses to."""
        while block:
            if self._inner is None or self._inner.eof:
                self._members += 1
                if self._members > _MAX_MEMBERS:
                    raise zlib.error("too many members")
                self._inner = zlib.decompressobj(31 if self._is_gzip else _window(block))
            data = self._inner.decompress(block, _BLOCK)
            while data:
                yield data
                data = self._inner.decompress(self._inner.unconsumed_tail, _BLOCK)
            block = self._inner.unused_data


def _window(block: bytes) -> int:
    """Return zlib's number for the format of deflate that *block* begins."""
    return 15 if block[0] & 0x8F == 8 else -15


class _Zstd:
    """Decompresses zstd, several frames too."""

    def __init__(self) -> None:
        self._module = _zstd()
        self.failures: tuple[type[Exception], ...] = (self._module.ZstdError,)
        self._inner: Any = None
        self._frames = 0

    @property
    def is_complete(self) -> bool:
        """Return whether the end was reached."""
        return self._inner is not None and self._inner.eof

    def pieces(self, block: bytes) -> Iterator[bytes]:
        """Yield what *block* decompresses to."""
        limit = {self._module.DecompressionParameter.window_log_max: _WINDOW_LOG}
        while block:
            if self._inner is None or self._inner.eof:
                self._frames += 1
                if self._frames > _MAX_MEMBERS:
                    raise self._module.ZstdError("too many frames")
                self._inner = self._module.ZstdDecompressor(options=limit)
            data = self._inner.decompress(block, _BLOCK)
            while data:
                yield data
                has_more = not self._inner.eof and not self._inner.needs_input
                data = self._inner.decompress(b"", _BLOCK) if has_more else b""
            block = self._inner.unused_data if self._inner.eof else b""


_DECODERS: dict[str, Callable[[], Any]] = {
    "gzip": lambda: _Zlib(True),
    "deflate": lambda: _Zlib(False),
    "zstd": _Zstd,
}
