from __future__ import annotations

import json
import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmgate import errors
from llmgate.codecs import sse

STREAM = (
    b'\xef\xbb\xbfdata: {"a":1}\n\n: comment\n\nevent: error\r\ndata: {"b":"\xc3\xa9"}\r\n\r\n'
    b"data:x\rdata: y\r\rid: 7\n\ndata: \xe2\x80\xa8u2028\n\ndata: [DONE]\n\n"
)
EVENTS = [
    ("", b'{"a":1}'),
    ("error", b'{"b":"\xc3\xa9"}'),
    ("", b"x\ny"),
    ("", b"\xe2\x80\xa8u2028"),
    ("", b"[DONE]"),
]


def cut(data: bytes, size: int) -> list[bytes]:
    return [data[i : i + size] for i in range(0, len(data), size)]


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 16, 50, 1000])
def test_events_are_the_same_however_the_bytes_are_cut(size: int) -> None:
    assert list(sse.events(cut(STREAM, size))) == EVENTS


@pytest.mark.parametrize("at", range(1, len(STREAM)))
def test_one_cut_anywhere_changes_nothing(at: int) -> None:
    assert list(sse.events([STREAM[:at], STREAM[at:]])) == EVENTS


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_blocks_keep_every_byte(size: int) -> None:
    assert b"".join(sse.blocks(cut(STREAM, size))) == STREAM


def test_a_whole_piece_is_passed_on_as_it_is() -> None:
    piece = b'data: {"a":1}\n\n'

    got = next(sse.blocks([piece]))

    assert got is piece


@pytest.mark.parametrize(
    ("rest", "wanted"),
    [
        (b"data: [DONE]", [("", b"[DONE]")]),
        (b"data: [DONE]\n", [("", b"[DONE]")]),
        (b'data: {"a":1}', [("", b'{"a":1}')]),
        (b'data: {"a":', []),
        (b"da", []),
        (b": comment", []),
    ],
)
def test_an_end_without_a_blank_line_counts_if_its_data_is_whole(
    rest: bytes, wanted: list[tuple[str, bytes]]
) -> None:
    assert list(sse.events([b"data: 1\n\n", rest])) == [("", b"1"), *wanted]


def test_an_event_that_never_ends_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "LARGEST_EVENT", 100)

    with pytest.raises(errors.BadUpstream, match="more than 100 bytes"):
        list(sse.blocks([b"data: ", b"x" * 60, b"x" * 60]))


@given(st.lists(st.dictionaries(st.text(), st.text())), st.integers(1, 40))
def test_what_is_encoded_comes_back(values: list[dict[str, str]], size: int) -> None:
    stream = b"".join(sse.encoded(value) for value in values)

    got = [sse.json.loads(data) for _, data in sse.events(cut(stream, size))]

    assert got == values


@pytest.mark.fault("U10")
@given(st.binary(min_size=1, max_size=300), st.integers(1, 20))
def test_any_bytes_give_the_same_events_however_cut(data: bytes, size: int) -> None:
    assert list(sse.events(cut(data, size))) == list(sse.events([data]))


def test_a_named_event_carries_its_name() -> None:
    assert sse.encoded({"a": 1}, "ping") == b'event: ping\ndata: {"a":1}\n\n'


@given(st.lists(st.sampled_from([b"data: 1\n\n", b"data", b": 2\r\n\r\n", b"\n", b"", b"x\r\r"])))
def test_whole_events_are_the_same_bytes_cut_between_events(pieces: list[bytes]) -> None:
    blocks = list(sse.whole_events(pieces, 100))

    assert b"".join(blocks) == b"".join(pieces)
    assert all(block.endswith((b"\n\n", b"\n\r\n", b"\r\r")) for block in blocks[:-1])


def test_an_event_that_is_too_large_to_wait_for_is_passed_on_in_parts() -> None:
    assert list(sse.whole_events([b"a" * 60, b"b" * 60, b"c\n\n"], 100)) == [
        b"a" * 60 + b"b" * 60,
        b"c\n\n",
    ]


@pytest.mark.fault("F17")
@pytest.mark.parametrize(
    "read",
    [
        lambda pieces: list(sse.blocks(pieces)),
        lambda pieces: list(sse.whole_events(pieces, 10_000_000)),
        lambda pieces: list(sse.events(pieces)),
    ],
)
@pytest.mark.parametrize("piece", [b"a" * 50, b"\n:", b"\r\n:"])
def test_the_time_for_an_event_in_small_pieces_is_linear(
    read: Callable[[list[bytes]], object], piece: bytes
) -> None:
    def seconds(count: int) -> float:
        pieces = [b"data: ", *[piece] * count, b"\n\n"]
        begun = time.process_time()
        read(pieces)
        return time.process_time() - begun

    assert seconds(40_000) < 10 * max(0.05, seconds(10_000))


def test_an_event_that_is_too_costly_to_parse_is_refused() -> None:
    costly = b"data: [" + b"[]," * 3_000_000 + b"0]"

    for pieces in ([costly, b"\n\n"], [costly]):
        with pytest.raises(errors.BadUpstream, match="too many values"):
            list(sse.blocks(pieces))
    assert len(b"".join(sse.blocks([b'data: "', b"a" * 3_000_000, b'"\n\n']))) == 3_000_010


def test_another_python_encodes_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    event = {"a": ["\u20ac", 1.5, None, True], "b": {}}
    with_c = "".join(sse._encoder()(event, 0))

    monkeypatch.setattr(json.encoder, "c_make_encoder", None)

    assert "".join(sse._encoder()(event, 0)) == with_c
