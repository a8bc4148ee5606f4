"""From a model's name to the deployments behind it, and the rules by which they are asked."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import NamedTuple

from llmgate import errors
from llmgate.accounting import pricing
from llmgate.contract import Deployment


class Routes(NamedTuple):
    """Which deployments stand behind which model group."""

    groups: Mapping[str, tuple[Deployment, ...]]  # wildcards ("openai/*") among them
    aliases: Mapping[str, str] = {}
    forced: str | None = None  # the group that serves every request

    def find(self, model: str) -> tuple[Deployment, ...]:
        """Return the deployments for *model*; raises ModelNotFound.

        The order: the group itself, an alias, the most exact wildcard, a deployment's own model.
        """
        name = self.forced or model
        if name not in self.groups:
            name = self.aliases.get(name, name)
        if name in self.groups:
            return self.groups[name]
        for pattern in sorted(self.groups, key=len, reverse=True):
            matched = _match(pattern, name)
            if matched is not None:
                return tuple(_filled(found, name, matched) for found in self.groups[pattern])
        every = (deployment for found in self.groups.values() for deployment in found)
        own = [d for d in every if name in own_names(d) and "*" not in name]
        if own:
            return tuple(own)
        raise errors.ModelNotFound(
            f"There is no model '{model[:200]}' here. {_known(self.shown())}", param="model"
        )

    def names(self) -> list[str]:
        """Return the names that clients can ask for; wildcards as the known models behind them.

        What `*` serves in the same way is named but once, without its provider.
        """
        if self.forced:
            return [self.forced]
        every = self.groups.get("*")
        found: dict[str, None] = dict.fromkeys(self.aliases)
        for group, deployments in self.groups.items():
            if group == "*" or tuple(d._replace(group="*") for d in deployments) != every:
                names = _expanded(group, deployments) if "*" in group else [group]
                found.update(dict.fromkeys(names))
        return list(found)

    def shown(self) -> list[str]:
        """Return `names`, and the wildcards behind which no model is known."""
        open_ends = (g for g, found in self.groups.items() if "*" in g and not _expanded(g, found))
        return self.names() + ([] if self.forced else list(open_ends))


def own_names(deployment: Deployment) -> tuple[str, str]:
    """Return the model strings of *deployment*: with its provider, and bare."""
    return f"{deployment.provider}/{deployment.model}", deployment.model


def _known(names: Sequence[str]) -> str:
    """Return a sentence that names the models there are."""
    listed = ", ".join(names[:20])
    more = f" and {len(names) - 20} more (see /v1/models)" if len(names) > 20 else ""
    return f"The models are: {listed}{more}."


def _match(pattern: str, name: str) -> str | None:
    """Return what the star of *pattern* stands for in *name*, None if they do not match."""
    if "*" not in pattern:
        return None
    head, _, tail = pattern.partition("*")
    if len(name) > len(head) + len(tail) and name.startswith(head) and name.endswith(tail):
        return name[len(head) : len(name) - len(tail)]
    return None


def _filled(deployment: Deployment, name: str, matched: str) -> Deployment:
    """Return *deployment* of a wildcard for the model called *name*."""
    model = deployment.model.replace("*", matched)
    prices = deployment.prices or pricing.prices(deployment.provider, model)
    return deployment._replace(group=name, model=model, prices=prices)


def _expanded(group: str, deployments: Iterable[Deployment]) -> list[str]:
    """Return the models that a wildcard *group* stands for, those that the price list knows."""
    head, _, tail = group.partition("*")
    known = [
        f"{head}{matched}{tail}"
        for deployment in deployments
        for name in pricing.models(deployment.provider)
        if (matched := _match(deployment.model, name)) is not None
    ]
    fixed = [d.model for d in deployments if _match(group, d.model) and "*" not in d.model]
    return known or fixed
