"""Which budgets a request draws on, and in which windows."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from datetime import UTC
from datetime import tzinfo
from typing import NamedTuple

from llmgate.access import periods
from llmgate.access.directory import Directory
from llmgate.access.directory import Member
from llmgate.access.rules import Allowance
from llmgate.storage.ledger import ALL_TIME
from llmgate.storage.ledger import Budget
from llmgate.storage.ledger import Payer
from llmgate.storage.ledger import key_model
from llmgate.storage.ledger import member as member_scope

_SECOND = 1_000_000  # microseconds


class Options(NamedTuple):
    """Budgets that no record holds, and how budgets work."""

    gateway: tuple[Allowance, ...] = ()
    end_user: tuple[Allowance, ...] = ()  # of each end user without a record
    zone: tzinfo = UTC
    exceeded_status: int = 422
    allow_unpriced: bool = False


def budget(scope: str, allowance: Allowance, zone: tzinfo, now: int) -> Budget:
    """Return what *allowance* leaves *scope* in the window that holds *now*."""
    if allowance.period == ALL_TIME:
        return Budget(scope, allowance.nano)
    start, end = _window(allowance.period, zone, now // _SECOND)
    return Budget(scope, allowance.nano, allowance.period, start, end)


@functools.lru_cache
def _window(period: str, zone: tzinfo, second: int) -> tuple[int, int]:
    """Return the window of *period* that holds *second*; none begins within a second."""
    return periods.window(period, zone, second * _SECOND)


def of_request(
    payer: Payer, member: Member | None, directory: Directory, options: Options, now: int
) -> list[Budget]:
    """Return every budget that a call of *payer* draws on."""
    found = [*_of_gateway(options), *_of_member(payer, member), *_of_others(payer, directory)]
    if payer.end_user and directory.rules_of("customer", payer.end_user) is None:
        found += [(f"end_user:{payer.end_user}", each) for each in options.end_user]
    return [budget(scope, allowance, options.zone, now) for scope, allowance in found]


def _of_gateway(options: Options) -> Iterator[tuple[str, Allowance]]:
    """Yield the budgets of the whole gateway."""
    for allowance in options.gateway:
        yield "gateway:", allowance


def _of_member(payer: Payer, member: Member | None) -> Iterator[tuple[str, Allowance]]:
    """Yield the budgets of a key and its owners; in a team the user's own does not count."""
    if member is None:
        return
    for allowance in member.key.rules.budgets:
        yield f"key:{payer.key}", allowance
    for allowance in member.key.rules.model_budgets.get(payer.model, ()):
        yield key_model(payer.key, payer.model), allowance
    owner, scope = (member.team, "team") if payer.team else (member.user, "user")
    for allowance in owner.budgets if owner else ():
        yield f"{scope}:{owner.id if owner else ''}", allowance
    for allowance in member.membership.budgets if member.membership else ():
        yield member_scope(payer.team, payer.user), allowance


def _of_others(payer: Payer, directory: Directory) -> Iterator[tuple[str, Allowance]]:
    """Yield the budgets of the end user and of the tags."""
    named = [("customer", "end_user", payer.end_user)] if payer.end_user else []
    named += [("tag", "tag", tag) for tag in payer.tags]
    for kind, scope, id in named:
        rules = directory.rules_of(kind, id)
        for allowance in rules.budgets if rules else ():
            yield f"{scope}:{id}", allowance
