"""Model groups to try when one has failed: LiteLLM's `fallbacks` and the related lists.

The configuration and requests write them `[{"group": ["another", ...]}]`; a client may also send
names alone, or partial requests: `["another", {"model": "x", "messages": []}]`.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping
from typing import Any
from typing import NamedTuple

from llmgate import errors
from llmgate.contract import Body
from llmgate.routing import retry_policy
from llmgate.routing.routes import match

DEEPEST = 5
"""Default maximum of fallback groups per request."""

_KEPT = frozenset({"stream", "stream_options", "fallbacks", "user_config"})
"""Members of a body that a client's fallback does not replace."""

Lists = Mapping[str, tuple[str, ...]]
"""Fallback groups by the group that failed; `*` is any."""


class Target(NamedTuple):
    """A model group to try, and the members of the body that it replaces."""

    model: str
    over: Body = {}
    named_by_client: bool = False


class Fallbacks(NamedTuple):
    """The fallback lists of one request."""

    general: Lists = {}
    context_window: Lists = {}
    content_policy: Lists = {}
    default: tuple[str, ...] = ()
    most: int = DEEPEST
    retry_after_timeout: bool | None = None  # false: not after a timeout
    requested: tuple[Target, ...] | None = None  # the client's own, in place of `general`
    named_by_client: bool = False  # some of the lists are the client's

    def after(self, model: str, error: errors.GateError) -> tuple[Target, ...]:
        """Return the groups to try after *error* of the group *model*, in order.

        `default_fallbacks` also stand in for a model that does not exist.
        """
        if isinstance(error, errors.ModelNotFound):
            return tuple(Target(name) for name in self.default)
        special = self._special(error)
        if special is not None:
            listed = _looked_up(special, model)
            if listed:
                return tuple(Target(name, {}, self.named_by_client) for name in listed)
        elif not retry_policy.is_for_others(error, self.retry_after_timeout):
            return ()
        if self.requested is not None:
            return self.requested
        listed = _looked_up(self.general, model) or self.default
        return tuple(Target(name) for name in listed)

    def with_aliases(self, aliases: Mapping[str, str]) -> Fallbacks:
        """Return the same lists, those of a group for its *aliases* that have none, too."""

        def extended(known: Lists) -> Lists:
            more = {alias: known[group] for alias, group in aliases.items() if group in known}
            return {**more, **known}

        return self._replace(
            general=extended(self.general),
            context_window=extended(self.context_window),
            content_policy=extended(self.content_policy),
        )

    def _special(self, error: errors.GateError) -> Lists | None:
        """Return the lists for errors of the kind of *error*, None if it is of no special kind."""
        if retry_policy.is_too_long(error):
            return self.context_window
        return self.content_policy if error.code == "content_policy_violation" else None


def _looked_up(lists: Lists, model: str) -> tuple[str, ...]:
    """Return the groups in *lists* for *model*: by name, without provider, by pattern."""
    bare = model.partition("/")[2] or model
    found = lists.get(model) or lists.get(bare)
    if found:
        return found
    patterns = (name for name in sorted(lists, key=len, reverse=True) if match(name, model))
    return next((lists[name] for name in patterns), ())


def lists(value: Any, path: str) -> dict[str, tuple[str, ...]]:
    """Return `[{"group": ["another"]}]` as a mapping; raises InvalidRequest naming *path*."""
    found: dict[str, tuple[str, ...]] = {}
    for at, item in enumerate(_listed(value, path)):
        if not isinstance(item, Mapping):
            raise _wrong(f"{path}[{at}]", 'an object such as {"a": ["b"]}')
        for group, names in item.items():
            found[str(group)] = _names(names, f"{path}[{at}].{group}")
    return found


def _names(value: Any, path: str) -> tuple[str, ...]:
    """Return a list of names, or a name alone, as a tuple; raises InvalidRequest."""
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list) or not all(isinstance(n, str) and n for n in names):
        raise _wrong(path, "a list of model names")
    return tuple(names)


def targets(value: Any, model: str) -> tuple[Target, ...]:
    """Return what a client's `fallbacks` name for *model*; raises InvalidRequest."""
    found: list[Target] = []
    for at, item in enumerate(_listed(value, "fallbacks")):
        if isinstance(item, str) and item:
            found.append(Target(item, {}, True))
        elif isinstance(item, Mapping) and isinstance(item.get("model"), str):
            over = {name: member for name, member in item.items() if name not in _KEPT}
            found.append(Target(item["model"], over, True))
        elif isinstance(item, Mapping):
            named = _looked_up(lists([item], "fallbacks"), model)
            found += [Target(name, {}, True) for name in named]
        else:
            raise _wrong(f"fallbacks[{at}]", "a model's name or an object with one")
    if len(found) > DEEPEST:
        raise _wrong("fallbacks", f"a list of at most {DEEPEST} models")
    return tuple(found)


def _listed(value: Any, path: str) -> Iterable[Any]:
    """Return *value* if it is a list; raises InvalidRequest."""
    if not isinstance(value, list):
        raise _wrong(path, "a list")
    return value


def _wrong(path: str, wanted: str) -> errors.InvalidRequest:
    return errors.InvalidRequest(
        f"Invalid value for '{path}': expected {wanted}.", param=path, code="invalid_value"
    )
