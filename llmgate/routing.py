"""From a model's name to the deployments behind it, and the rules by which they are asked."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any
from typing import NamedTuple

from llmgate import errors
from llmgate.accounting import pricing
from llmgate.accounting.records import Caller
from llmgate.contract import Body
from llmgate.contract import Deployment
from llmgate.fallbacks import Fallbacks
from llmgate.retries import Policy

DEFAULT_TAG = "default"
"""The tag of deployments for requests whose own tags match none."""


class Rules(NamedTuple):
    """How requests are sent on: `router_settings`, an operator's or a client's."""

    policy: Policy = Policy()
    policies: Mapping[str, Policy] = {}  # by model group
    fallbacks: Fallbacks = Fallbacks()
    timeout: float = 600.0  # seconds for a request, all attempts taken together
    stream_timeout: float | None = None  # the longest silence of a stream, in seconds
    strategy: str = "simple-shuffle"
    strategy_args: Mapping[str, Any] = {}
    allowed_fails: int = 3  # in a minute; one more and a deployment is left in peace
    allowed_fails_by_kind: Mapping[str, int] = {}  # of retries.kind_of
    cooldown_time: float = 5.0  # seconds
    cooldowns: bool = True
    tag_filtering: bool = False
    match_any_tag: bool = True
    parallel: int | None = None  # requests at once on a deployment that does not say


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


def tagged(
    found: Sequence[Deployment], tags: Sequence[str], model: str, rules: Rules
) -> tuple[Deployment, ...]:
    """Return those of *found* that are for requests with *tags*; raises Unauthorized for none.

    With no tag that fits it is those that are tagged `default`; without tags and without such
    ones it is all.
    """
    if not rules.tag_filtering:
        return tuple(found)
    fitting = any if rules.match_any_tag else all
    chosen = [d for d in found if tags and fitting(tag in _tags(d) for tag in tags)]
    chosen = chosen or [d for d in found if DEFAULT_TAG in _tags(d)]
    if chosen or not tags:
        return tuple(chosen or found)
    raise errors.Unauthorized(
        f"Not allowed to access model due to tags configuration: no deployment of '{model[:200]}'"
        " has the tags of this request. Send other tags, or none.",
        param="tags",
        code="tags_not_allowed",
    )


def refuse_tags(caller: Caller, model: str, body: Body) -> None:
    """Raise InvalidRequest if the request brings tags; this is a guard."""
    if caller.tags:
        raise errors.InvalidRequest(
            "This gateway takes no tags from clients (reject_clientside_metadata_tags). Leave"
            " them out.",
            param="tags",
            code="tags_not_allowed",
        )


def _tags(deployment: Deployment) -> Sequence[str]:
    """Return the tags of *deployment*."""
    tags: Sequence[str] = deployment.settings.get("tags") or ()
    return tags
