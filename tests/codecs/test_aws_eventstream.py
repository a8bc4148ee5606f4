from __future__ import annotations

import contextlib
import struct
from collections.abc import Iterator
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st
from testing import eventstreams

from llmgate import errors
from llmgate.codecs import aws_eventstream

FIRST = ({":event-type": "contentBlockDelta", ":message-type": "event"}, b'{"a":"\xc3\xa9"}')
EMPTY: tuple[dict[str, str], bytes] = ({}, b"")
LAST = ({":exception-type": "é", "x": ""}, b"\x00\xff" * 50)
MESSAGES = [FIRST, EMPTY, LAST]
STREAM = b"".join(eventstreams.message(*message) for message in MESSAGES)


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 16, 50, 1000])
def test_messages_are_the_same_however_the_bytes_are_cut(size: int) -> None:
    assert list(aws_eventstream.messages(eventstreams.cut(STREAM, size))) == MESSAGES


def test_one_cut_anywhere_changes_nothing() -> None:
    for at in range(1, len(STREAM)):
        assert list(aws_eventstream.messages([STREAM[:at], STREAM[at:]])) == MESSAGES, at


def test_a_message_is_given_before_the_next_piece_is_asked_for() -> None:
    def pieces() -> Iterator[bytes]:
        yield eventstreams.message(*FIRST) + b"\x00"
        raise AssertionError("asked too soon")

    assert next(aws_eventstream.messages(pieces())) == FIRST


def test_no_bytes_are_no_messages() -> None:
    assert list(aws_eventstream.messages([])) == []


def test_an_end_within_a_message_is_an_error() -> None:
    last = eventstreams.message(*LAST)
    for at in range(1, len(last)):
        found = aws_eventstream.messages([eventstreams.message(*FIRST), last[:at]])

        assert next(found) == FIRST
        with pytest.raises(errors.CutShort, match="within a message"):
            next(found)


@pytest.mark.parametrize("bit", [1, 128])
def test_one_changed_bit_anywhere_is_noticed(bit: int) -> None:
    for at in range(len(eventstreams.message(*FIRST))):
        data = bytearray(eventstreams.message(*FIRST))
        data[at] ^= bit

        with pytest.raises(errors.BadUpstream, match=r"wrong prelude CRC|wrong message CRC"):
            list(aws_eventstream.messages([bytes(data)]))


def test_bytes_of_something_else_are_noticed() -> None:
    with pytest.raises(errors.BadUpstream, match="wrong prelude CRC"):
        list(aws_eventstream.messages([b"<html><body>Bad Gateway</body></html>"]))


def test_a_message_above_the_limit_is_refused_before_it_came(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(aws_eventstream, "LARGEST_MESSAGE", 100)

    with pytest.raises(errors.BadUpstream, match="more than 100 bytes"):
        list(aws_eventstream.messages([eventstreams.message({}, b"x" * 100)[:12]]))


def test_a_message_at_the_limit_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aws_eventstream, "LARGEST_MESSAGE", 100)

    assert list(aws_eventstream.messages([eventstreams.message({}, b"x" * 84)])) == [
        ({}, b"x" * 84)
    ]


@pytest.mark.parametrize(("total", "heads"), [(0, 0), (15, 0), (16, 1), (40, 25)])
def test_lengths_that_cannot_be_are_refused(total: int, heads: int) -> None:
    lengths = struct.pack(">II", total, heads)
    data = lengths + struct.pack(">I", crc32(lengths)) + b"x" * 40

    with pytest.raises(errors.BadUpstream, match="inconsistent lengths"):
        list(aws_eventstream.messages([data]))


@pytest.mark.parametrize(
    ("kind", "value", "wanted"),
    [
        (0, b"", "true"),
        (1, b"", "false"),
        (2, b"\xff", "-1"),
        (3, b"\x01\x00", "256"),
        (4, b"\x00\x01\x00\x00", "65536"),
        (5, b"\xff" * 8, "-1"),
        (6, b"\x00\x02\xca\xfe", "cafe"),
        (7, b"\x00\x02\xc3\xa9", "é"),
        (8, b"\x00\x00\x01\x98\x00\x00\x00\x00", "1752346656768"),
        (9, bytes(range(16)), "00010203-0405-0607-0809-0a0b0c0d0e0f"),
    ],
)
def test_headers_of_every_type_become_text(kind: int, value: bytes, wanted: str) -> None:
    heads = eventstreams.raw_header("a", kind, value) + eventstreams.header("b", "c")

    got = list(aws_eventstream.messages([eventstreams.framed(heads, b"p")]))

    assert got == [({"a": wanted, "b": "c"}, b"p")]


@pytest.mark.parametrize(
    "heads",
    [
        b"\x01",
        b"\x01a",
        b"\x01a\x07",
        b"\x01a\x07\x00",
        b"\x01a\x07\x00\x05abc",
        b"\x01a\x04\x00\x00",
        b"\x01a\x0a",
        b"\x01\xff\x00",
        b"\x01a\x07\x00\x01\xff",
    ],
)
def test_headers_that_cannot_be_read_are_refused(heads: bytes) -> None:
    with pytest.raises(errors.BadUpstream, match="invalid headers"):
        list(aws_eventstream.messages([eventstreams.framed(heads, b"payload")]))


NAMES = st.text(min_size=1, max_size=20)


@given(
    st.lists(st.tuples(st.dictionaries(NAMES, st.text(max_size=50)), st.binary(max_size=100))),
    st.integers(1, 40),
)
def test_what_is_written_comes_back(
    messages: list[tuple[dict[str, str], bytes]], size: int
) -> None:
    data = b"".join(eventstreams.message(*message) for message in messages)

    assert list(aws_eventstream.messages(eventstreams.cut(data, size))) == messages


@given(st.binary(max_size=200), st.integers(1, 20))
def test_any_bytes_give_messages_or_an_error(data: bytes, size: int) -> None:
    with contextlib.suppress(errors.BadUpstream):
        list(aws_eventstream.messages(eventstreams.cut(data, size)))


def test_a_message_that_is_too_costly_to_parse_is_refused() -> None:
    text = b'"' + b"a" * 3_000_000 + b'"'
    assert list(aws_eventstream.messages([eventstreams.message({}, text)])) == [({}, text)]

    costly = eventstreams.message({}, b"[" + b"[]," * 3_000_000 + b"0]")
    with pytest.raises(errors.BadUpstream, match="too many values"):
        list(aws_eventstream.messages([costly]))
