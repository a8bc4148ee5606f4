"""From a model's name to the deployments behind it."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Literal
from typing import NamedTuple

from llmgate import errors
from llmgate.accounting import pricing
from llmgate.contract import Deployment


class Found(NamedTuple):
    """The deployments for a model's name, and by what they were found."""

    deployments: tuple[Deployment, ...]
    how: Literal["group", "wildcard", "deployment"]
    name: str  # the group's or the pattern's; of a deployment the model string
    alias: str | None = None  # the name that an alias replaced


class Routes(NamedTuple):
    """Model groups and their deployments."""

    groups: Mapping[str, tuple[Deployment, ...]]  # wildcards ("openai/*") among them
    aliases: Mapping[str, str] = {}
    forced: str | None = None  # the group of every request
    hidden: frozenset[str] = frozenset()  # aliases that model lists do not show

    def find(self, model: str) -> tuple[Deployment, ...]:
        """Return the deployments for *model*; raises ModelNotFound."""
        return self.resolve(model).deployments

    def resolve(self, model: str) -> Found:
        """Return the deployments for *model* and by what they were found; raises ModelNotFound.

        The order: the group itself, an alias, the most specific wildcard, a deployment's own model.
        """
        name, alias = self.forced or model, None
        if name not in self.groups and name in self.aliases:
            name, alias = self.aliases[name], name
        if name in self.groups:
            return Found(self.groups[name], "group", name, alias)
        for pattern in sorted(self.groups, key=len, reverse=True):
            matched = match(pattern, name)
            filled = _filled(self.groups[pattern], name, matched) if matched is not None else ()
            if filled:
                return Found(filled, "wildcard", pattern, alias)
        every = (deployment for found in self.groups.values() for deployment in found)
        own = tuple(d for d in every if name in own_names(d) and "*" not in name)
        if own:
            return Found(own, "deployment", name, alias)
        raise errors.ModelNotFound(
            f"Unknown model '{model[:200]}'. {_known(self.shown())}", param="model"
        )

    def names(self) -> list[str]:
        """Return the names that clients can request; wildcards as the known models behind them.

        A model that `*` matches in the same way is listed once, without its provider.
        """
        if self.forced:
            return [self.forced]
        every = self.groups.get("*")
        found = dict.fromkeys(name for name in self.aliases if name not in self.hidden)
        for group, deployments in self.groups.items():
            if group == "*" or tuple(d._replace(group="*") for d in deployments) != every:
                names = _expanded(group, deployments) if "*" in group else [group]
                found.update(dict.fromkeys(names))
        return list(found)

    def shown(self) -> list[str]:
        """Return `names`, and the wildcards without known models."""
        open_ends = (g for g, found in self.groups.items() if "*" in g and not _expanded(g, found))
        return self.names() + ([] if self.forced else list(open_ends))


def own_names(deployment: Deployment) -> tuple[str, str]:
    """Return the model strings of *deployment*: with its provider, and bare."""
    return f"{deployment.provider}/{deployment.model}", deployment.model


def _known(names: Sequence[str]) -> str:
    """Return a sentence that lists the available models."""
    listed = ", ".join(names[:20])
    more = f" and {len(names) - 20} more (see /v1/models)" if len(names) > 20 else ""
    return f"Available: {listed}{more}."


def match(pattern: str, name: str) -> tuple[str, ...] | None:
    """Return what each star of *pattern* stands for in *name*, None if they do not match.

    A star stands for any text, also for none; each but the last for as little as possible.
    """
    head, *inner = pattern.split("*")
    if not inner:
        return None
    tail = inner.pop()
    if len(name) < len(head) + len(tail) or not (name.startswith(head) and name.endswith(tail)):
        return None
    rest, found = name[len(head) : len(name) - len(tail)], []
    for literal in inner:
        before, separator, rest = rest.partition(literal) if literal else ("", "*", rest)
        if not separator:
            return None
        found.append(before)
    return (*found, rest)


def fill(pattern: str, texts: Sequence[str]) -> str:
    """Return *pattern* with each of its stars replaced by one of *texts*."""
    first, *others = pattern.split("*")
    return first + "".join(text + other for text, other in zip(texts, others, strict=True))


def _filled(
    deployments: Iterable[Deployment], name: str, matched: Sequence[str]
) -> tuple[Deployment, ...]:
    """Return *deployments* of a wildcard for the model called *name*, none for an empty name."""
    models = [
        (each, fill(each.model, matched) if "*" in each.model else each.model)
        for each in deployments
    ]
    return tuple(
        each._replace(
            group=name,
            model=model,
            prices=each.prices or pricing.prices(each.provider, model),
            from_wildcard=True,
        )
        for each, model in models
        if model
    )


def _expanded(group: str, deployments: Iterable[Deployment]) -> list[str]:
    """Return the models that a wildcard *group* stands for, those that the price list knows."""
    known = [
        fill(group, matched)
        for deployment in deployments
        for name in pricing.models(deployment.provider)
        if any(matched := match(deployment.model, name) or ())
    ]
    fixed = [
        d.model for d in deployments if any(match(group, d.model) or ()) and "*" not in d.model
    ]
    return known or fixed
