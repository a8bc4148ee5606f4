"""Multipart request bodies: files are written to disk as they arrive, never held in memory."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping
from typing import IO
from typing import Any

from flask import request
from gunicorn.http.errors import ParseException
from werkzeug import exceptions
from werkzeug.datastructures import FileStorage
from werkzeug.formparser import FormDataParser

from llmgate import errors
from llmgate.contract import Body
from llmgate.contract import Upload
from llmgate.endpoints import common
from llmgate.endpoints import content_coding
from llmgate.endpoints import json_bodies
from llmgate.endpoints import spooled_bodies
from llmgate.schema import parameters
from llmgate.schema import validation

_IN_MEMORY = 64 * 1024  # bytes of a file that are kept off the disk
_MAX_PARTS = 100
_MAX_FIELD_BYTES = 1024 * 1024
_FILES = frozenset({"file", "image", "mask"})


def body(schema: str, model: str | None, files: Iterable[str], default_model: str | None) -> Body:
    """Return the form of this request, valid against *schema*; one of *files* must be in it.

    Fields that repeat are lists; uploads are `Upload`s. Raises InvalidRequest, TooLarge,
    UnsupportedMedia.
    """
    content_coding.refuse()
    if request.mimetype != "multipart/form-data":
        raise errors.UnsupportedMedia(
            "This endpoint expects a form with files; send Content-Type: multipart/form-data."
        )
    value = _parsed(common.settings().max_upload)
    _check_texts(schema, value)
    if model is not None:
        value["model"] = model
    elif not value.get("model") and default_model:
        value["model"] = default_model
    forced = common.gate().routes.forced
    if forced:
        value["model"] = forced
    validation.check(schema, {k: v for k, v in value.items() if not isinstance(v, Upload)})
    if not any(_is_file(value.get(name)) for name in files):
        first = next(iter(files))
        raise errors.InvalidRequest(
            f"Missing required file: '{first}'.", param=first, code="missing_required_parameter"
        )
    common.record_request(value)
    return value


def _check_texts(schema: str, value: Body) -> None:
    """Raise InvalidRequest for a file in *value* where a text field is expected."""
    texts = (parameters.OPENAI[schema] | parameters.GATE_ONLY) - _FILES
    for name, item in value.items():
        if name in texts and _is_file(item):
            raise errors.InvalidRequest(
                f"'{name}' must be a text field, not a file.", param=name, code="invalid_type"
            )


def _is_file(value: Any) -> bool:
    """Return whether *value* is an upload, or several."""
    return isinstance(value, Upload) or (
        isinstance(value, list) and bool(value) and isinstance(value[0], Upload)
    )


def _parsed(limit: int) -> Body:
    """Return the fields and files of the form."""
    length = request.content_length
    if length is not None and length > limit:
        raise json_bodies.too_large(limit)
    parser = FormDataParser(
        stream_factory=_spooled,
        max_form_memory_size=_MAX_FIELD_BYTES,
        max_content_length=limit,
        max_form_parts=_MAX_PARTS,
        silent=False,
    )
    stream = _Limited(request.environ["wsgi.input"], limit, length)
    try:
        _, fields, files = parser.parse(stream, request.mimetype, length, request.mimetype_params)  # type: ignore[arg-type]
    except exceptions.RequestEntityTooLarge as error:
        raise errors.TooLarge(
            f"The form has more than {_MAX_PARTS} parts, or text fields of more than"
            f" {_MAX_FIELD_BYTES} bytes."
        ) from error
    except (BlockingIOError, TimeoutError) as error:
        raise json_bodies.too_slow(error) from error
    except (ValueError, OSError, EOFError, ParseException) as error:
        raise errors.InvalidRequest(
            "Invalid or incomplete multipart form in request body."
        ) from error
    body = _folded({name: _alone(found) for name, found in fields.lists()})
    body |= {name: _alone([_upload(file) for file in found]) for name, found in files.lists()}
    return body


def _folded(fields: Mapping[str, Any]) -> Body:
    """Return *fields*, with the gate's own fields as objects and lists.

    SDKs send each member as a field: a list of tags is `metadata[tags][]`.
    """
    folded: Body = {}
    for name, value in fields.items():
        base, *steps = name.replace("]", "").split("[")
        if base not in parameters.GATE_ONLY:
            folded[name] = value
        elif len(steps) > json_bodies.DEEPEST:
            raise errors.InvalidRequest(f"The field '{base}' is nested too deeply.", param=base)
        elif steps and not steps[-1]:
            _put(folded, [base, *steps[:-1]], value if isinstance(value, list) else [value])
        else:
            _put(folded, [base, *steps], value)
    return folded


def _put(into: Any, steps: list[str], value: Any) -> None:
    """Set *value* at the path *steps*, unless a value on the path is not an object."""
    *way, last = steps
    for step in way:
        into = into.setdefault(step, {})
        if not isinstance(into, dict):
            return
    into[last] = value


class _Limited:
    """The request's body; reading beyond the limit raises TooLarge, for chunked bodies too."""

    def __init__(self, stream: IO[bytes], limit: int, length: int | None) -> None:
        self._stream = stream
        self._limit = limit
        self._left = limit + 1 if length is None else length
        self._is_open = length is None

    def read(self, size: int = -1) -> bytes:
        """Return at most *size* bytes."""
        wanted = self._left if size < 0 else min(size, self._left)
        data = self._stream.read(wanted) if wanted else b""
        self._left -= len(data)
        if self._is_open and not self._left:
            raise json_bodies.too_large(self._limit)
        return data


def _spooled(
    total_content_length: int | None,
    content_type: str | None,
    filename: str | None,
    content_length: int | None = None,
) -> IO[bytes]:
    """Return a file for an upload, open until the response is complete; on disk unless small."""
    return spooled_bodies.temporary_file(_IN_MEMORY)


def _upload(file: FileStorage) -> Upload:
    """Return a file of the form as an upload, at its start."""
    size = file.stream.seek(0, 2)
    file.stream.seek(0)
    return Upload(file.filename or "file", file.mimetype or "", file.stream, size)


def _alone(found: list[Any]) -> Any:
    """Return the only item of *found*, or all of them."""
    return found[0] if len(found) == 1 else found
