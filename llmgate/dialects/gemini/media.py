"""OpenAI's content parts (text, images, audio, video, files) as Google's parts.

Google fetches http(s) and gs addresses itself. Sources:
https://ai.google.dev/gemini-api/docs/file-input-methods
https://platform.openai.com/docs/api-reference/chat/create
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote_to_bytes

from llmgate import errors

MIME_TYPES = {
    **{name: f"image/{name}" for name in ("png", "jpeg", "gif", "webp", "heic", "heif", "bmp")},
    **{name: f"audio/{name}" for name in ("wav", "mp3", "aiff", "aac", "ogg", "flac", "opus")},
    **{name: f"video/{name}" for name in ("mp4", "mpeg", "mpg", "avi", "webm", "wmv")},
    **{name: f"text/{name}" for name in ("html", "css", "csv", "xml", "rtf")},
    "jpg": "image/jpeg",
    "m4a": "audio/m4a",
    "mov": "video/quicktime",
    "flv": "video/x-flv",
    "3gp": "video/3gpp",
    "pdf": "application/pdf",
    "json": "application/json",
    "txt": "text/plain",
    "md": "text/markdown",
    "js": "text/javascript",
    "py": "text/x-python",
}
"""What Google reads, by the ending of its name; the system's table differs from host to host."""

_YOUTUBE = re.compile(r"https?://((www|m)\.)?(youtube\.com|youtu\.be)/", re.I)
_REMOTE = re.compile(r"(https?|gs)://", re.I)


def mime_type(name: str) -> str | None:
    """Return the MIME type for the extension of *name*, a file's name or a URL."""
    if _YOUTUBE.match(name):
        return "video/mp4"
    path = re.split(r"[?#]", name, maxsplit=1)[0]
    return MIME_TYPES.get(path.rpartition(".")[2].lower())


def part(given: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Return one content part of OpenAI's as Google's; *where* names it in errors."""
    kind = str(given.get("type"))
    if kind not in _KINDS:
        raise errors.InvalidRequest(
            f"Gemini does not support content of type '{kind}'; it supports {', '.join(_KINDS)}.",
            param=f"{where}.type",
        )
    return _KINDS[kind](given, where)


def _text(given: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Return a text."""
    return {"text": given["text"] or ""}


def _refusal(given: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Return a refusal as text."""
    return {"text": given["refusal"] or ""}


def _image(given: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Return an image; an unknown type defaults to JPEG."""
    return _seen(given["image_url"], "image/jpeg", f"{where}.image_url")


def _video(given: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Return a video; an unknown type defaults to MP4."""
    return _seen(given["video_url"], "video/mp4", f"{where}.video_url")


def _seen(source: str | Mapping[str, Any], default: str, where: str) -> dict[str, Any]:
    """Return what is at *source*: its address, or an object that has it and maybe its format."""
    given = {"url": source} if isinstance(source, str) else source
    url, mime = given["url"], given.get("format")
    if url[:5].lower() == "data:":
        return _inline(url, mime, f"{where}.url")
    if not _REMOTE.match(url):
        raise errors.InvalidRequest(
            "Expected a data:, http:, https: or gs: URL.", param=f"{where}.url"
        )
    return _linked(url, mime or mime_type(url) or default)


def _linked(uri: str, kind: str | None) -> dict[str, Any]:
    """Return what Google is to fetch from *uri*, of the MIME type *kind* if it is known."""
    return {"fileData": {"fileUri": uri, **({"mimeType": kind} if kind else {})}}


def _inline(url: str, mime: str | None, where: str) -> dict[str, Any]:
    """Return the data of a data *url*."""
    head, comma, data = url[5:].partition(",")
    if not comma:
        raise errors.InvalidRequest("This data: URL has no data.", param=where)
    kind, *marks = head.split(";")
    if not marks or marks[-1].strip().lower() != "base64":
        data = base64.b64encode(unquote_to_bytes(data)).decode()
    return {"inlineData": {"mimeType": mime or kind or "text/plain", "data": data}}


def _audio(given: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Return a sound."""
    audio = given["input_audio"]
    kind = MIME_TYPES.get(audio["format"]) or f"audio/{audio['format']}"
    return {"inlineData": {"mimeType": kind, "data": audio["data"]}}


def _file(given: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Return a file: its data (a data: URL or base64), or its URI at Google."""
    file = given["file"]
    data, id = file.get("file_data"), file.get("file_id")
    mime = file.get("format") or mime_type(file.get("filename") or "")
    if data and data[:5].lower() == "data:":
        return _inline(data, file.get("format"), f"{where}.file.file_data")
    if data:
        return {"inlineData": {"mimeType": mime or "application/pdf", "data": data}}
    url = file.get("file_url") or id
    if not url:
        raise errors.InvalidRequest(
            "A file part needs file_data, or a file_id that is Google's URI of it.",
            param=f"{where}.file",
        )
    return _linked(url, mime or mime_type(url))


_KINDS: Mapping[str, Callable[[Mapping[str, Any], str], dict[str, Any]]] = {
    "text": _text,
    "refusal": _refusal,
    "image_url": _image,
    "video_url": _video,
    "input_audio": _audio,
    "file": _file,
}
