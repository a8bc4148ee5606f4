from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmgate.upstream import http1_chunked
from llmgate.upstream import http1_head


def framed(chunks: Iterable[bytes], trailers: bytes = b"") -> bytes:
    body = b"".join(b"%X\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks if chunk)
    return body + b"0\r\n" + trailers + b"\r\n"


def cut(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


@given(st.lists(st.binary(max_size=40)), st.integers(1, 60))
def test_content_comes_back_however_it_is_cut(chunks: list[bytes], size: int) -> None:
    stream = framed(chunks, b"X-Trailer: yes\r\n")

    got = b"".join(http1_chunked.decoded(cut(stream, size)))

    assert got == b"".join(chunks)


def test_one_read_of_many_chunks_is_one_piece() -> None:
    stream = framed([b"data: 1\n\n", b"data: 2\n\n"])

    assert list(http1_chunked.decoded([stream])) == [b"data: 1\n\ndata: 2\n\n"]


def test_part_of_a_chunk_is_not_held_back() -> None:
    reads = http1_chunked.decoded(iter([b"5\r\nab", b"cde\r\n0\r\n\r\n"]))

    assert next(reads) == b"ab"


def test_extensions_of_a_chunk_are_left_out() -> None:
    assert list(http1_chunked.decoded([b"2;name=value\r\nok\r\n0\r\n\r\n"])) == [b"ok"]


@pytest.mark.parametrize("at", range(len(framed([b"hello"]))))
def test_an_end_before_the_last_chunk_is_a_cut(at: int) -> None:
    with pytest.raises(http1_head.IncompleteError):
        list(http1_chunked.decoded([framed([b"hello"])[:at]]))


@pytest.mark.parametrize(
    ("stream", "cause"),
    [
        (b"xyz\r\n", "invalid chunk size"),
        (b"-5\r\nhello\r\n", "invalid chunk size"),
        (b"_5\r\nhello", "invalid chunk size"),
        (b"0x5\r\nhello\r\n", "invalid chunk size"),
        (b" 5\r\nhello\r\n", "invalid chunk size"),
        (b"5\r\r\nhello\r\n", "invalid chunk size"),
        (b"\r\n", "invalid chunk size"),
        (b"f" * 16 + b"\r\n", "invalid chunk size"),
        (b"2\r\nabc\r\n", "chunk longer than its size"),
        (b"1" * 5000, "longer than 4096 bytes"),
        (b"2;" + b"x" * 5000, "longer than 4096 bytes"),
        (b"0\r\nX: " + b"x" * 4094, "longer than 4096 bytes"),
        (b"0\r\n" + b"X: trailer\r\n" * 2000, "more than 16384 bytes of trailers"),
    ],
)
def test_invalid_framing_is_refused_with_its_cause(stream: bytes, cause: str) -> None:
    with pytest.raises(http1_head.ProtocolError, match=cause):
        list(http1_chunked.decoded([stream]))


@pytest.mark.parametrize("size", [1, 4096, 65536])
def test_a_line_may_have_its_longest_length_however_it_is_cut(size: int) -> None:
    line = b"2;" + b"x" * (http1_chunked.MAX_LINE - 3) + b"\r\n"

    got = b"".join(http1_chunked.decoded(cut(line + b"ok\r\n0\r\n\r\n", size)))

    assert got == b"ok"
    with pytest.raises(http1_head.ProtocolError):
        list(http1_chunked.decoded(cut(b"2;" + line[1:] + b"ok\r\n0\r\n\r\n", size)))


@pytest.mark.parametrize(
    ("stream", "is_strict"),
    [
        (b"2\r\nok\r\n0\r\n\r\n", True),
        (b"2;a=b\r\nok\r\n00\r\nX: y\r\n\r\n", True),
        (b"2 \r\nok\r\n0\r\n\r\n", False),
        (b"2\nok\r\n0\r\n\r\n", False),
        (b"2\r\nok\n0\r\n\r\n", False),
        (b"2\r\nok\r\n0\r\n\n", False),
        (b"2\r\nok\r\n0\r\nno trailer\r\n\r\n", False),
    ],
)
@pytest.mark.parametrize("size", [1, 100])
def test_lenient_framing_is_noted(stream: bytes, is_strict: bool, size: int) -> None:
    frame = http1_chunked.Frame()

    got = b"".join(http1_chunked.decoded(cut(stream, size), frame))

    assert (got, frame.is_strict) == (b"ok", is_strict)


def test_chunks_after_one_that_is_framed_otherwise_are_read() -> None:
    data = b"3\r\nabc\r\n3;x=y\r\ndef\r\n03\nghi\n4\r\njklm\r\n0\r\n\r\n"

    got = b"".join(http1_chunked.decoded([data]))

    assert got == b"abcdefghijklm"


@pytest.mark.parametrize(("more", "wanted"), [(b"", False), (b"HTTP/1.1 200 OK", True)])
def test_what_follows_the_end_is_noticed(more: bytes, wanted: bool) -> None:
    frame = http1_chunked.Frame()

    got = b"".join(http1_chunked.decoded([b"2\r\nok\r\n0\r\n\r\n" + more], frame))

    assert (got, frame.has_surplus) == (b"ok", wanted)
