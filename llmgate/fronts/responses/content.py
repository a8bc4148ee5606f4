"""The content of a Responses request's items as that of chat's messages, its types checked.

Source: https://platform.openai.com/docs/api-reference/responses/create
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmgate import errors
from llmgate.fronts.fields import field
from llmgate.fronts.fields import invalid
from llmgate.fronts.fields import member


def parts(content: Any) -> list[dict[str, Any]]:
    """Return chat's *content* as parts."""
    return content if isinstance(content, list) else [{"type": "text", "text": content}]


def content(given: Any, place: str) -> Any:
    """Return *given*, the content at *place*, as chat's; one part of bare text is its text."""
    if given is None or isinstance(given, str):
        return given or ""
    if not isinstance(given, list):
        raise invalid(place, "a string or an array")
    found = [_part(part, f"{place}[{at}]") for at, part in enumerate(given)]
    if len(found) == 1 and found[0].keys() == {"type", "text"}:
        return found[0]["text"]
    return found


def _part(part: Any, place: str) -> dict[str, Any]:
    """Return one part of a content."""
    if not isinstance(part, Mapping):
        raise invalid(place, "an object")
    kind = part.get("type")
    if kind in ("input_text", "output_text", "text"):
        kept = {key: part[key] for key in part if key not in ("annotations", "logprobs")}
        return {**kept, "type": "text", "text": field(part, "text", place)}
    if kind == "input_image" and part.get("image_url"):
        return {"type": "image_url", "image_url": _image(part, place)}
    if kind == "input_file" and (part.get("file_data") or part.get("file_id")):
        return {"type": "file", "file": _file(part, place)}
    if kind == "refusal":
        return {"type": "refusal", "refusal": field(part, "refusal", place)}
    if kind == "input_audio":
        return {"type": "input_audio", "input_audio": _audio(part, place)}
    raise errors.InvalidRequest(
        f"Content of type '{kind}' is not supported with this model: send text, images as"
        " image_url and files as file_data (OpenAI alone knows the ids and addresses of files).",
        param=place,
    )


def _image(part: Mapping[str, Any], place: str) -> dict[str, Any]:
    """Return the address of an image, and the detail to look at."""
    image = {"url": field(part, "image_url", place)}
    return {**image, "detail": field(part, "detail", place)} if part.get("detail") else image


def _file(part: Mapping[str, Any], place: str) -> dict[str, Any]:
    """Return a file as chat has it."""
    names = ("filename", "file_data", "file_id")
    return {name: field(part, name, place) for name in names if part.get(name)}


def _audio(part: Mapping[str, Any], place: str) -> dict[str, Any]:
    """Return a sound as chat has it."""
    sound = member(part, "input_audio", place)
    inner = f"{place}.input_audio"
    return {**sound, "data": field(sound, "data", inner), "format": field(sound, "format", inner)}
