"""Errors and warnings of one configuration, collected so that one run reports all of them."""

from __future__ import annotations

import re
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

from llmgate import errors
from llmgate.errors import ConfigError

T = TypeVar("T")

_KEY_PATH = re.compile(r"(?:--)?[A-Za-z_][^\s:]*(?=: )")


class Problems:
    """What is wrong with a configuration: each text begins with its key path and a colon."""

    def __init__(self) -> None:
        self.errors: list[str] = []
        self.warnings: list[str] = []
        self.notes: list[str] = []  # for `--check` alone

    def error(self, text: str) -> None:
        """Add an error, unless its key path has one already."""
        path = key_path(text)
        if text not in self.errors and not (path and self.has_error(path)):
            self.errors.append(text)

    def warn(self, text: str) -> None:
        """Add a warning."""
        if text not in self.warnings:
            self.warnings.append(text)

    def note(self, text: str) -> None:
        """Add a warning that is not worth a line at each start."""
        if text not in self.notes:
            self.notes.append(text)

    def has_error(self, path: str) -> bool:
        """Return whether there is an error at the key *path*."""
        return any(text.startswith(f"{path}: ") for text in self.errors)

    @contextmanager
    def collect(self) -> Iterator[None]:
        """Turn what the block raises about the configuration into an error."""
        try:
            yield
        except ConfigError as error:
            self.error(str(error))
        except errors.InvalidRequest as error:
            self.error(error.message)

    def attempt(self, make: Callable[[], T], default: T) -> T:
        """Return what *make* returns, *default* if it raises, which becomes an error."""
        made = [default]
        with self.collect():
            made.append(make())
        return made[-1]

    def raise_errors(self, path: str, line_of: Callable[[str], str]) -> None:
        """Raise ConfigError with a line for each error, then one for each warning, if any is one.

        *path* is the file; *line_of* returns where in it a key path stands, ready to be appended.
        """
        if self.errors:
            lines = [f"{path}: {text}{line_of(key_path(text))}" for text in self.errors]
            lines += [f"warning: {path}: {text}" for text in self.warnings]
            raise ConfigError("\n".join(lines))


def key_path(text: str) -> str:
    """Return the key path that *text* begins with; empty if it begins with none."""
    found = _KEY_PATH.match(text)
    return found[0] if found else ""
