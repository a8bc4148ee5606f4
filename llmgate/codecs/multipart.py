"""Encode multipart/form-data from fields and files, never whole in memory.

Source: https://www.rfc-editor.org/rfc/rfc7578
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterable
from collections.abc import Iterator
from typing import Any

from llmgate.contract import Upload

_BLOCK = 64 * 1024
_UNSAFE = re.compile(r'[\x00-\x1f\x7f"\\/]')


class Form:
    """A form body: read in blocks, rewound before each attempt (a contract.SpooledFile)."""

    def __init__(self, fields: Iterable[tuple[str, Any]]) -> None:
        self.boundary = f"llmgate-{secrets.token_hex(16)}"
        self._parts: list[bytes | Upload] = []
        for name, value in fields:
            self._parts += self._part(name, value)
        self._parts.append(f"--{self.boundary}--\r\n".encode())
        self._size = sum(p.size if isinstance(p, Upload) else len(p) for p in self._parts)
        self._blocks = self._read()

    @property
    def content_type(self) -> str:
        """Return the media type with its boundary."""
        return f"multipart/form-data; boundary={self.boundary}"

    def _part(self, name: str, value: Any) -> list[bytes | Upload]:
        """Return the encoded field: its header, its content, its end."""
        head = f'--{self.boundary}\r\nContent-Disposition: form-data; name="{_safe(name)}"'
        if not isinstance(value, Upload):
            return [f"{head}\r\n\r\n{_text(value)}\r\n".encode()]
        head += f'; filename="{_safe(value.filename)}"\r\nContent-Type: {_safe_type(value)}'
        return [f"{head}\r\n\r\n".encode(), value, b"\r\n"]

    def _read(self) -> Iterator[bytes]:
        """Yield the body from its first byte."""
        for part in self._parts:
            if isinstance(part, Upload):
                part.file.seek(0)
                while block := part.file.read(_BLOCK):
                    yield block
            else:
                yield part

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[bytes]:
        return self._blocks

    def read(self, size: int = -1, /) -> bytes:
        """Return the next block, of any size; empty at the end."""
        return next(self._blocks, b"")

    def rewind(self) -> None:
        """Go back to the first byte."""
        self._blocks = self._read()


def _safe(name: str) -> str:
    """Return *name* without a path and without characters that end a quoted string or a line."""
    return _UNSAFE.sub("_", name.rsplit("/", 1)[-1].rsplit("\\", 1)[-1])[:255] or "file"


def _safe_type(upload: Upload) -> str:
    """Return the upload's media type if it is well-formed, else a generic one."""
    kind = upload.content_type
    return kind if re.fullmatch(r"[\w.+-]+/[\w.+-]+", kind) else "application/octet-stream"


def _text(value: Any) -> str:
    """Return a form field's text."""
    return value if isinstance(value, str) else json.dumps(value)


def fields(body: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield *body* as form fields, one for each item of a list."""
    for name, value in body.items():
        for item in value if isinstance(value, list) else [value]:
            if item is not None:
                yield name, item
