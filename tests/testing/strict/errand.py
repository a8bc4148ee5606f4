"""What the scripted model does, whatever the wire: two calls of a tool, then an answer."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any
from typing import NamedTuple

from testing.answers import Answer
from testing.peer import Seen

TITLE = "A short title"
"""What a request without the tool gets: clients ask for titles and summaries on the side."""


class Refused(Exception):
    """A request that the real API refuses: the message and status that it answers with."""

    def __init__(self, message: str, status: int = 400, code: str | None = None) -> None:
        """Keep what is answered."""
        super().__init__(message)
        self.status = status
        self.code = code


class ToolCall(NamedTuple):
    """A call of a tool."""

    name: str
    arguments: Mapping[str, Any]

    @property
    def json(self) -> str:
        """Return the arguments as a model writes them."""
        return json.dumps(self.arguments)


class Turn(NamedTuple):
    """What the model answers with."""

    number: int  # how many results it has seen
    thinking: str
    text: str
    call: ToolCall | None = None


class Asked(NamedTuple):
    """What every wire reads of a request."""

    body: Any
    tools: frozenset[str]  # their names
    stream: bool
    results: str = ""  # the results of tools, all of them in JSON
    unsigned: int = 0  # calls with Google's placeholder instead of a thought signature


class Errand(NamedTuple):
    """The task that a client got: a call of *tool* for each of *arguments*, in turn."""

    tool: str
    arguments: tuple[Mapping[str, Any], ...]
    words: tuple[str, ...]  # the result of each call contains its word

    @property
    def answer(self) -> str:
        """Return the text that ends it; no result of a tool contains it."""
        return "The words are " + "-".join(self.words) + "."

    def turn(self, asked: Asked) -> Turn:
        """Return the model's next turn after the request *asked*."""
        if self.tool not in asked.tools:
            return Turn(0, "", TITLE)
        number = sum(word in asked.results for word in self.words)
        if number == len(self.words):
            return Turn(number, "I have both words.", self.answer)
        call = ToolCall(self.tool, self.arguments[number])
        return Turn(number, f"I need file {number + 1}.", "I look.", call)


class Wire(NamedTuple):
    """How one API is played."""

    read: Callable[[Seen], Asked]  # raises Refused
    answer: Callable[[Asked, Turn], Answer]
    refuse: Callable[[Refused], Answer]


def pieces(text: str, count: int = 3) -> Iterator[str]:
    """Yield *text* in at most *count* pieces, as a stream has it."""
    size = max(1, -(-len(text) // count))
    for at in range(0, len(text), size):
        yield text[at : at + size]


def require(holds: Any, message: str, status: int = 400, code: str | None = None) -> None:
    """Refuse the request unless *holds*."""
    if not holds:
        raise Refused(message, status, code)


NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
"""The name of a function at OpenAI, Bedrock and Mistral."""
