"""The fields at the beginning of a form that is forwarded unchanged, before its first file.

A form is split at the boundary of its Content-Type, so that no file content is taken for a field;
what follows the first file is not read. Each byte is looked at once or twice, whatever it is.
https://www.rfc-editor.org/rfc/rfc7578, https://www.rfc-editor.org/rfc/rfc2046#section-5.1.1
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from werkzeug.http import parse_options_header

from llmgate import errors

_MAX_FIELDS = 100
_MAX_PART_HEAD = 4096
_MAX_BOUNDARY = 70  # RFC 2046


class _Field(NamedTuple):
    """A field; the positions are those of its delimiter, its content and its end."""

    name: str
    start: int
    content: int
    end: int


class FormHead:
    """The fields in *data*, the first bytes of a form with *boundary*."""

    def __init__(self, data: bytes, boundary: str | None) -> None:
        """Without a valid boundary it is not a form and has no fields."""
        is_valid = boundary and len(boundary) <= _MAX_BOUNDARY and boundary.isascii()
        self._data = data
        self._fields = list(_fields(data, f"--{boundary}".encode())) if is_valid else []

    def value(self, name: str) -> str | None:
        """Return the field *name*, None if there is none; raises InvalidRequest if it repeats."""
        found = self._find(name)
        if found is None:
            return None
        return self._data[found.content : found.end].decode("utf-8", "replace")

    def without(self, name: str) -> bytes:
        """Return the data without the field *name*."""
        found = self._find(name)
        if found is None:
            return self._data
        return self._data[: found.start] + self._data[found.end + 2 :]  # 2: CRLF

    def replaced(self, name: str, value: str, dropped: str) -> bytes:
        """Return the data with *value* in the field *name*, and without the field *dropped*."""
        found = self._find(name)
        if found is None:
            return self.without(dropped)
        pieces = [self._data[: found.content], value.encode(), self._data[found.end :]]
        other = self._find(dropped)
        if other is None:
            return b"".join(pieces)
        if other.start < found.start:
            pieces[0] = self._data[: other.start] + self._data[other.end + 2 : found.content]
        else:
            pieces[2] = self._data[found.end : other.start] + self._data[other.end + 2 :]
        return b"".join(pieces)

    def _find(self, name: str) -> _Field | None:
        """Return the field *name*; one that repeats would be read differently upstream."""
        found = [field for field in self._fields if field.name == name]
        if len(found) > 1:
            raise errors.InvalidRequest(f"The field '{name}' is repeated.", param=name)
        return found[0] if found else None


def _fields(data: bytes, delimiter: bytes) -> Iterator[_Field]:
    """Yield the complete fields of *data* before the first part that is a file."""
    start = 0 if data.startswith(delimiter) else data.find(b"\r\n" + delimiter) + 2
    if start == 1:  # there is no delimiter
        return
    for _ in range(_MAX_FIELDS):
        head = data.find(b"\r\n", start + len(delimiter)) + 2
        if head == 1 or data[start + len(delimiter) : head - 2].strip(b" \t"):
            return  # the closing delimiter, or no delimiter line
        content = data.find(b"\r\n\r\n", head - 2, head + _MAX_PART_HEAD) + 4
        end = data.find(b"\r\n" + delimiter, content - 2)
        name = _name_of(data[head : content - 4]) if content > 3 and end >= 0 else None
        if name is None:
            return
        yield _Field(name, start, content, end)
        start = end + 2


def _name_of(head: bytes) -> str | None:
    """Return the name of a part by its *head*; None for a file or another kind of part."""
    for line in head.split(b"\r\n"):
        title, _, value = line.decode("utf-8", "replace").partition(":")
        if title.strip().lower() == "content-disposition":
            kind, options = parse_options_header(value.strip())
            is_field = kind == "form-data" and "filename" not in options
            return options.get("name") if is_field else None
    return None
