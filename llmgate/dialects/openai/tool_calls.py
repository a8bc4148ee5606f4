"""Tool calls of OpenAI-compatible upstreams: each with an index, an id and a name of its own.

Upstreams repeat one index for parallel calls, leave out indices or ids, repeat the id in every
piece, send the name late, and send arguments as an object. After this step the first piece of a
call has its index, id and name, and the pieces of different calls have different indices.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable
from collections.abc import Mapping
from typing import Any
from typing import TypeAlias

Piece: TypeAlias = dict[str, Any]
"""A tool call in a chunk: all of it, or what a stream adds to it."""


def arguments(value: Any) -> str:
    """Return the *arguments* of a call as the JSON text that OpenAI has; null is an empty text."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def new_id() -> str:
    """Return an id for a call that has none: never the same in two turns of a conversation."""
    return f"call_{uuid.uuid4().hex[:24]}"


def whole(given: Iterable[Mapping[str, Any]]) -> list[Piece]:
    """Return the calls of a whole message, their ids unique and their arguments text.

    Raises KeyError for one without a function or a name.
    """
    found: list[Piece] = []
    seen: set[str] = set()
    for call in given:
        function = call["function"]
        id = _text(call.get("id"))
        id = new_id() if not id or id in seen else id
        seen.add(id)
        text = arguments(function.get("arguments"))
        function = {**function, "name": function["name"], "arguments": text}
        found.append({**call, "id": id, "type": call.get("type") or "function"})
        found[-1]["function"] = function
    return found


class _Call:
    """A call while its pieces arrive."""

    def __init__(self, index: int, place: Any, id: str) -> None:
        self.index = index
        self.place = place  # the upstream's index
        self.given_id = id  # the upstream's
        self.id = id or new_id()
        self.name = ""
        self.sent = False  # its first piece
        self.arguments: list[str] = []
        self._complete = False

    def add(self, text: str) -> None:
        """Add a piece of the arguments."""
        if text:
            self.arguments.append(text)
            self._complete = False

    def is_complete(self) -> bool:
        """Return whether its arguments are valid JSON."""
        if not self._complete and self.arguments:
            try:
                json.loads("".join(self.arguments))
            except ValueError:
                return False
            self._complete = True
        return self._complete


class Calls:
    """The calls of one choice of a stream."""

    def __init__(self) -> None:
        self._calls: list[_Call] = []
        self._ids: dict[str, _Call] = {}
        self._places: dict[int, _Call] = {}  # the newest call at each of the upstream's indices

    def __bool__(self) -> bool:
        """Return whether there is a call."""
        return bool(self._calls)

    def is_open(self) -> bool:
        """Return whether the arguments of a call are not complete."""
        return not all(call.is_complete() for call in self._calls)

    def pieces(self, given: Iterable[Mapping[str, Any]]) -> list[Piece]:
        """Return what a chunk adds to the calls; a call without a name waits for it."""
        found = (self._piece(piece) for piece in given)
        return [piece for piece in found if piece is not None]

    def unnamed(self) -> list[Piece]:
        """Return the calls whose name never came: for the end of the choice."""
        return [self._first(call, {}) for call in self._calls if not call.sent]

    def _piece(self, given: Mapping[str, Any]) -> Piece | None:
        """Return one piece of a call, None for one that is held back."""
        function = given.get("function") or {}
        text = arguments(function.get("arguments"))
        call = self._call(given, function.get("name"), text)
        call.add(text)
        call.name = call.name or function.get("name") or ""
        if not call.sent:
            return self._first(call, given) if call.name else None
        rest = {key: value for key, value in given.items() if key not in _OWN}
        return {**rest, "index": call.index, "function": {"arguments": text}}

    def _first(self, call: _Call, given: Mapping[str, Any]) -> Piece:
        """Return the first piece of *call*, with the arguments that came so far."""
        call.sent = True
        function = {"name": call.name, "arguments": "".join(call.arguments)}
        head = {"index": call.index, "id": call.id, "type": given.get("type") or "function"}
        rest = {key: value for key, value in given.items() if key not in _OWN}
        return {**rest, **head, "function": function}

    def _call(self, given: Mapping[str, Any], name: Any, text: str) -> _Call:
        """Return the call that a piece belongs to: a known one, or a new one."""
        id, place = _text(given.get("id")), given.get("index")
        known = self._ids.get(id) if id else None
        if known is not None and not _moved(known, place, name):
            return known
        if known is not None:
            id = ""  # another call under the same id
        at = self._at(place)
        if at is not None and not _is_new(at, id, name, text):
            if id:
                at.given_id = id
                self._ids[id] = at
            return at
        return self._begin(place, id)

    def _at(self, place: Any) -> _Call | None:
        """Return the newest call at the upstream's index *place*; without one, the newest."""
        if isinstance(place, int):
            return self._places.get(place)
        return self._calls[-1] if self._calls else None

    def _begin(self, place: Any, id: str) -> _Call:
        """Return a new call."""
        call = _Call(len(self._calls), place, id)
        self._calls.append(call)
        if id:
            self._ids[id] = call
        if isinstance(place, int):
            self._places[place] = call
        return call


_OWN = frozenset({"index", "id", "type", "function"})


def _moved(call: _Call, place: Any, name: Any) -> bool:
    """Return whether a piece with the id of *call* begins another call at another index."""
    both = isinstance(place, int) and isinstance(call.place, int)
    return bool(both and place != call.place and name)


def _is_new(call: _Call, id: str, name: Any, text: str) -> bool:
    """Return whether a piece at the place of *call* begins a call of its own.

    A new id does, unless the piece only goes on with arguments that are not complete; without
    an id, another name after complete arguments does.
    """
    if not id:
        return bool(name and call.name and call.is_complete())
    if not call.given_id and not call.name:
        return False
    if not call.given_id and not name:
        return False  # the id comes late
    return bool(name) or not text or call.is_complete()


def _text(value: Any) -> str:
    """Return an id as text; numbers are ids of some upstreams."""
    return "" if value is None or isinstance(value, bool) else str(value)
