from __future__ import annotations

import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.datastructures import FileStorage
from werkzeug.formparser import FormDataParser
from werkzeug.http import parse_options_header

from llmgate.codecs import multipart
from llmgate.contract import Upload

LARGE = bytes(range(256)) * 1024  # four blocks


def upload(name: str = "a.wav", kind: str = "audio/wav", data: bytes = b"RIFF\r\n--x") -> Upload:
    return Upload(name, kind, io.BytesIO(data), len(data))


def parsed(form: multipart.Form) -> tuple[list[tuple[str, str]], list[tuple[str, FileStorage]]]:
    """Return the fields and the files of *form*, as a server reads them."""
    kind, options = parse_options_header(form.content_type)
    parser = FormDataParser(stream_factory=lambda **_: io.BytesIO(), silent=False)
    stream = io.BytesIO(b"".join(form))
    _, fields, files = parser.parse(stream, kind, len(form), options)
    return list(fields.items(multi=True)), list(files.items(multi=True))


def test_a_server_reads_back_what_was_written() -> None:
    body = {
        "model": "whisper-1",
        "file": upload(),
        "prompt": "two\r\nlines, ü",
        "temperature": 0.5,
        "stream": True,
        "store": False,
        "language": None,
        "timestamp_granularities[]": ["word", "segment"],
        "chunking_strategy": {"type": "server_vad"},
    }

    fields, files = parsed(multipart.Form(multipart.fields(body)))

    assert fields == [
        ("model", "whisper-1"),
        ("prompt", "two\r\nlines, ü"),
        ("temperature", "0.5"),
        ("stream", "true"),
        ("store", "false"),
        ("timestamp_granularities[]", "word"),
        ("timestamp_granularities[]", "segment"),
        ("chunking_strategy", '{"type": "server_vad"}'),
    ]
    ((name, file),) = files
    assert (name, file.filename, file.mimetype) == ("file", "a.wav", "audio/wav")
    assert file.read() == b"RIFF\r\n--x"


def test_several_files_of_one_name_stay_in_order() -> None:
    body = {"image[]": [upload("1.png", data=LARGE), upload("2.png", data=b"")]}

    _, files = parsed(multipart.Form(multipart.fields(body)))

    assert [(name, file.filename, file.read()) for name, file in files] == [
        ("image[]", "1.png", LARGE),
        ("image[]", "2.png", b""),
    ]


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("a b.wav", "a b.wav"),
        ("ünï-€.wav", "ünï-€.wav"),
        ("日本語.mp3", "日本語.mp3"),
        ('a".wav', "a_.wav"),
        ("a\r\nContent-Type: text/html\r\n\r\n.wav", "html____.wav"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\me\\a.wav", "a.wav"),
        ("a\x00b\x7f.wav", "a_b_.wav"),
        ("a;filename=b.wav", "a;filename=b.wav"),
        ("dir/", "file"),
        ("", "file"),
        ("x" * 300, "x" * 255),
    ],
)
def test_a_file_name_stays_one_name(name: str, wanted: str) -> None:
    _, files = parsed(multipart.Form([("file", upload(name))]))

    assert [(name, file.filename) for name, file in files] == [("file", wanted)]


def test_the_name_of_a_field_cannot_end_its_line() -> None:
    fields, files = parsed(multipart.Form([('a"\r\nb', "x"), ("c", "d")]))

    assert (fields, files) == ([("a___b", "x"), ("c", "d")], [])


@pytest.mark.parametrize(
    ("kind", "wanted"),
    [
        ("image/svg+xml", "image/svg+xml"),
        ("", "application/octet-stream"),
        ("audio", "application/octet-stream"),
        ("audio/wav\r\nX-Evil: 1", "application/octet-stream"),
        ("audio/wav; codecs=1", "application/octet-stream"),
    ],
)
def test_a_media_type_is_one_or_octets(kind: str, wanted: str) -> None:
    ((_, file),) = parsed(multipart.Form([("file", upload(kind=kind))]))[1]

    assert file.content_type == wanted


def test_it_is_read_in_blocks_and_rewound_for_each_attempt() -> None:
    form = multipart.Form([("file", upload(data=LARGE)), ("model", "m")])

    blocks = list(iter(lambda: form.read(8192), b""))
    form.rewind()
    again = b"".join(form)
    form.rewind()
    begun = form.read()
    form.rewind()

    assert b"".join(blocks) == again == b"".join(form)
    assert len(form) == len(again)
    assert max(map(len, blocks)) == 64 * 1024
    assert again.startswith(begun)


def test_a_file_is_sent_from_its_start_wherever_it_stands() -> None:
    file = upload(data=b"abc")
    file.file.seek(2)

    assert b"\r\n\r\nabc\r\n" in b"".join(multipart.Form([("file", file)]))


def test_no_two_forms_have_the_same_boundary() -> None:
    assert multipart.Form([]).boundary != multipart.Form([]).boundary


def test_an_empty_form_is_a_form() -> None:
    assert parsed(multipart.Form([])) == ([], [])


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        ({"a": [1, None, 2], "b": None, "c": []}, [("a", 1), ("a", 2)]),
        ({"a": "x"}, [("a", "x")]),
    ],
)
def test_a_list_is_a_field_for_each_item(body: Any, wanted: Any) -> None:
    assert list(multipart.fields(body)) == wanted


@pytest.mark.fault("S16")
@given(st.text(), st.lists(st.text(), min_size=1), st.binary())
def test_any_text_and_any_file_are_read_back(text: str, listed: list[str], data: bytes) -> None:
    body = {"prompt": text, "include[]": listed, "file": upload(data=data)}

    fields, files = parsed(multipart.Form(multipart.fields(body)))

    assert fields == [("prompt", text), *(("include[]", each) for each in listed)]
    assert [file.read() for _, file in files] == [data]
