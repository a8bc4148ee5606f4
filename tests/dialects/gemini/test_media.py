"""OpenAI's content parts as Google's parts."""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import quote_from_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmgate import errors
from llmgate.dialects.gemini import media as gemini_media


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("https://x/a.JPG", "image/jpeg"),
        ("https://x/a.png?b=c.pdf", "image/png"),
        ("gs://bucket/a.b/film.mov#t=3", "video/quicktime"),
        ("https://youtu.be/abc", "video/mp4"),
        ("https://m.youtube.com/watch?v=a", "video/mp4"),
        ("https://example.com/youtube.com/", None),
        ("https://[bad/a.md", "text/markdown"),
        ("report.pdf", "application/pdf"),
        ("noending", None),
        ("", None),
    ],
)
def test_the_ending_of_a_name_tells_the_type(name: str, wanted: str | None) -> None:
    assert gemini_media.mime_type(name) == wanted


@pytest.mark.parametrize(
    ("part", "wanted"),
    [
        ({"type": "text", "text": None}, {"text": ""}),
        ({"type": "refusal", "refusal": None}, {"text": ""}),
        (
            {
                "type": "image_url",
                "image_url": {"url": "DATA:image/gif;base64,R0=", "format": "image/x"},
            },
            {"inlineData": {"mimeType": "image/x", "data": "R0="}},
        ),
        (
            {"type": "image_url", "image_url": {"url": "data:;charset=utf-8,%C3%A9"}},
            {"inlineData": {"mimeType": "text/plain", "data": "w6k="}},
        ),
        (
            {"type": "video_url", "video_url": {"url": "https://x/film"}},
            {"fileData": {"fileUri": "https://x/film", "mimeType": "video/mp4"}},
        ),
        (
            {"type": "input_audio", "input_audio": {"data": "AA==", "format": "pcm16"}},
            {"inlineData": {"mimeType": "audio/pcm16", "data": "AA=="}},
        ),
        (
            {"type": "input_audio", "input_audio": {"data": "AA==", "format": "mp3"}},
            {"inlineData": {"mimeType": "audio/mp3", "data": "AA=="}},
        ),
        (
            {"type": "file", "file": {"file_data": "AA=="}},
            {"inlineData": {"mimeType": "application/pdf", "data": "AA=="}},
        ),
        (
            {"type": "file", "file": {"file_data": "AA==", "format": "text/x"}},
            {"inlineData": {"mimeType": "text/x", "data": "AA=="}},
        ),
        (
            {"type": "file", "file": {"file_id": "gs://b/a.txt"}},
            {"fileData": {"fileUri": "gs://b/a.txt", "mimeType": "text/plain"}},
        ),
    ],
)
def test_a_part_is_said_in_googles_words(part: Any, wanted: Any) -> None:
    assert gemini_media.part(part, "here") == wanted


@pytest.mark.parametrize(
    ("part", "param"),
    [
        ({"type": "image_url", "image_url": {"url": "ftp://x/a.png"}}, "here.image_url.url"),
        ({"type": "image_url", "image_url": "/etc/passwd"}, "here.image_url.url"),
        ({"type": "image_url", "image_url": "data:image/png;base64"}, "here.image_url.url"),
        ({"type": "file", "file": {"file_data": "data:x"}}, "here.file.file_data"),
        ({"type": "file", "file": {"filename": "a"}}, "here.file"),
        ({"type": "thing"}, "here.type"),
        ({}, "here.type"),
    ],
)
def test_a_part_that_google_cannot_read_is_refused(part: Any, param: str) -> None:
    with pytest.raises(errors.InvalidRequest) as caught:
        gemini_media.part(part, "here")

    assert caught.value.param == param


@given(st.binary())
def test_data_are_the_same_however_they_are_written(data: bytes) -> None:
    encoded = base64.b64encode(data).decode()
    urls = [f"data:image/png;base64,{encoded}", f"data:image/png,{quote_from_bytes(data)}"]

    got = [
        gemini_media.part({"type": "image_url", "image_url": {"url": url}}, "here") for url in urls
    ]

    assert got == [{"inlineData": {"mimeType": "image/png", "data": encoded}}] * 2
