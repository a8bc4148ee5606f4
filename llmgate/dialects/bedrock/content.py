"""OpenAI's content parts (text, images, sound, video, files, thinking) as Converse's blocks.

Source: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ContentBlock.html
"""

from __future__ import annotations

import re
from collections.abc import Callable
from collections.abc import Mapping
from typing import Any
from typing import TypeAlias

from llmgate import errors
from llmgate.dialects.openai import chat as openai_chat

Block: TypeAlias = dict[str, Any]
"""A content block of Converse: one key, its kind, and what it holds."""

_OFFICE = "application/vnd.openxmlformats-officedocument"
_MEDIA: Mapping[str, tuple[str, str]] = {
    **{f"image/{name}": ("image", name) for name in ("png", "jpeg", "gif", "webp")},
    **{f"video/{name}": ("video", name) for name in ("mp4", "webm", "mpeg", "mkv", "mov", "flv")},
    "video/quicktime": ("video", "mov"),
    "video/x-matroska": ("video", "mkv"),
    "video/x-flv": ("video", "flv"),
    "video/x-ms-wmv": ("video", "wmv"),
    "video/3gpp": ("video", "three_gp"),
    **{f"audio/{name}": ("audio", name) for name in ("mp3", "wav", "flac", "ogg", "opus", "aac")},
    "audio/mpeg": ("audio", "mp3"),
    "audio/x-wav": ("audio", "wav"),
    "audio/mp4": ("audio", "mp4"),
    "audio/webm": ("audio", "webm"),
    "application/pdf": ("document", "pdf"),
    "text/csv": ("document", "csv"),
    "text/html": ("document", "html"),
    "text/plain": ("document", "txt"),
    "text/markdown": ("document", "md"),
    "application/msword": ("document", "doc"),
    "application/vnd.ms-excel": ("document", "xls"),
    f"{_OFFICE}.wordprocessingml.document": ("document", "docx"),
    f"{_OFFICE}.spreadsheetml.sheet": ("document", "xlsx"),
}
"""The kind of block and the format that a media type becomes."""

_DATA_URL = re.compile(r"data:([^;,]+)(?:;[^;,]+)*;base64,", re.I)
_NOT_IN_NAMES = re.compile(r"[^a-zA-Z0-9\s()\[\]-]+")
_LONGEST_NAME = 190


def blocks(content: Any) -> list[Block]:
    """Return a message's *content* as blocks; blank texts, which AWS refuses, are left out.

    Raises InvalidRequest for what Converse cannot take.
    """
    return [block for part in openai_chat.parts(content) for block in _part(part)]


def _part(part: Any) -> list[Block]:
    """Return the blocks of one *part*, followed by a cache point if it is marked."""
    if not isinstance(part, dict):
        raise errors.InvalidRequest("A content part must be an object.", param="messages")
    kind = part.get("type", "text")
    if kind not in _KINDS:
        raise errors.InvalidRequest(
            f"Bedrock does not support content of type '{kind}'; it supports {', '.join(_KINDS)}.",
            param="messages",
        )
    made = _KINDS[kind](part)
    return [*made, *cache_points(part)] if made else []


def cache_points(marked: Mapping[str, Any]) -> list[Block]:
    """Return the cache point that a part, message or tool *marked* by `cache_control` ends in."""
    control = marked.get("cache_control")
    if not isinstance(control, dict):
        return []
    ttl = {"ttl": control["ttl"]} if control.get("ttl") else {}
    return [{"cachePoint": {"type": "default", **ttl}}]


def text(value: Any) -> list[Block]:
    """Return the block of a text, nothing if it is blank."""
    return [{"text": value}] if isinstance(value, str) and value.strip() else []


def _image(part: Mapping[str, Any]) -> list[Block]:
    """Return an image, or whatever else its data URL holds."""
    image = part.get("image_url")
    return [_media(image.get("url") if isinstance(image, dict) else image)]


def _video(part: Mapping[str, Any]) -> list[Block]:
    """Return a video."""
    video = part.get("video_url")
    return [_media(video.get("url") if isinstance(video, dict) else video)]


def _audio(part: Mapping[str, Any]) -> list[Block]:
    """Return recorded sound."""
    audio = part.get("input_audio") or {}
    return [{"audio": {"format": audio.get("format"), "source": {"bytes": audio.get("data")}}}]


def _file(part: Mapping[str, Any]) -> list[Block]:
    """Return a file, by the kind that its data URL names."""
    file = part.get("file") or {}
    data = file.get("file_data") or file.get("file_url")
    if not data:
        raise errors.InvalidRequest(
            "Bedrock cannot fetch a file by its id: send file_data, a data URL.", param="messages"
        )
    return [_media(data, file.get("filename"))]


def _media(url: Any, name: str | None = None) -> Block:
    """Return the block for a data *url*; a document gets a *name* that AWS accepts."""
    found = _DATA_URL.match(url) if isinstance(url, str) else None
    if not found:
        raise errors.InvalidRequest(
            "Bedrock does not fetch URLs: send images, files and video as data URLs"
            " (data:<type>;base64,<data>).",
            param="messages",
        )
    media_type = found[1].lower()
    if media_type not in _MEDIA:
        raise errors.InvalidRequest(
            f"Bedrock does not support {media_type}; it supports {', '.join(_MEDIA)}.",
            param="messages",
        )
    kind, format = _MEDIA[media_type]
    held = {"format": format, "source": {"bytes": url[found.end() :]}}
    if kind == "document":
        held["name"] = _document_name(name or "")
    return {kind: held}


def _document_name(name: str) -> str:
    """Return *name* without the characters that AWS refuses and without its ending."""
    stem = name.rpartition(".")[0] or name
    clean = " ".join(_NOT_IN_NAMES.sub(" ", stem).split())
    return clean[:_LONGEST_NAME].strip() or "document"


def numbered(turns: list[Block]) -> list[Block]:
    """Return *turns* with a number after each document's name that came before: AWS refuses twins.

    The first of a name keeps it, so that what is already cached stays the same.
    """
    seen: set[str] = set()
    return [{**turn, "content": [_numbered(b, seen) for b in turn["content"]]} for turn in turns]


def _numbered(block: Block, seen: set[str]) -> Block:
    """Return *block* with a document's name that is not among those *seen*, and add it there."""
    if "toolResult" in block:
        result = block["toolResult"]
        inner = [_numbered(inside, seen) for inside in result["content"]]
        return {"toolResult": {**result, "content": inner}}
    if "document" not in block:
        return block
    base = name = block["document"]["name"]
    count = 1
    while name.lower() in seen:
        count += 1
        name = f"{base} ({count})"
    seen.add(name.lower())
    return {"document": {**block["document"], "name": name}}


def thoughts(part: Mapping[str, Any]) -> list[Block]:
    """Return a thinking block in Converse's format, unchanged."""
    if part.get("type") == "redacted_thinking":
        return [{"reasoningContent": {"redactedContent": part.get("data")}}]
    thought = {"text": part.get("thinking") or ""}
    if part.get("signature"):
        thought["signature"] = part["signature"]
    return [{"reasoningContent": {"reasoningText": thought}}]


_KINDS: Mapping[str, Callable[[Mapping[str, Any]], list[Block]]] = {
    "text": lambda part: text(part.get("text")),
    "refusal": lambda part: text(part.get("refusal")),
    "image_url": _image,
    "video_url": _video,
    "input_audio": _audio,
    "file": _file,
    "thinking": thoughts,
    "redacted_thinking": thoughts,
    "guarded_text": lambda part: [{"guardContent": {"text": {"text": part.get("text")}}}],
}
