"""What keys, teams and users have spent, and what their budgets leave."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Sequence
from typing import NamedTuple

from llmgate.access import budgets
from llmgate.access import rules
from llmgate.access.directory import Member
from llmgate.access.management.keys import Office
from llmgate.access.rules import Allowance
from llmgate.storage.control import Document
from llmgate.storage.ledger import ALL_TIME
from llmgate.storage.ledger import Budget
from llmgate.storage.ledger import Spent

_SOON = 0.8  # of a budget: from here on the pages warn


class Line(NamedTuple):
    """A budget and what is left of it, in nano-dollars."""

    scope: str
    limit: int
    period: str
    sums: Spent
    end: int | None  # of its window, in microseconds; None: it has no end

    @property
    def used(self) -> int:
        """Return what is spent or reserved."""
        return self.sums.spent + self.sums.held

    @property
    def left(self) -> int:
        """Return what can still be spent."""
        return max(0, self.limit - self.used)

    @property
    def is_short(self) -> bool:
        """Return whether little is left."""
        return self.used >= self.limit * _SOON


class Account(NamedTuple):
    """What one record has spent in all, and its budgets."""

    total: Spent = Spent()
    lines: tuple[Line, ...] = ()


def accounts(office: Office, found: Iterable[tuple[str, Document]]) -> list[Account]:
    """Return the account of each scope and record in *found*, with one query."""
    given = [(scope, rules.budgets(data)) for scope, data in found]
    return _accounts(office, given)


def of_member(office: Office, member: Member) -> list[tuple[str, Account]]:
    """Return the accounts that *member*'s calls are charged to, each with its name."""
    key = member.key
    given = [("This key", f"key:{key.spend_id}", key.rules.budgets)]
    if member.team:
        name = f"Team {member.team.alias or member.team.id}"
        given.append((name, f"team:{member.team.id}", member.team.budgets))
    elif member.user:
        given.append((f"User {member.user.id}", f"user:{member.user.id}", member.user.budgets))
    found = _accounts(office, [(scope, allowances) for _, scope, allowances in given])
    return [(name, account) for (name, _, _), account in zip(given, found, strict=True)]


def _accounts(office: Office, given: Sequence[tuple[str, Sequence[Allowance]]]) -> list[Account]:
    """Return the account of each scope in *given*, which has these allowances."""
    now, wanted = office.now(), []
    for scope, allowances in given:
        wanted.append(Budget(scope, None))
        wanted += [budgets.budget(scope, each, office.zone, now) for each in allowances]
    sums = iter(zip(wanted, office.ledger.sums(wanted), strict=True))
    found = []
    for scope, allowances in given:
        _, total = next(sums)
        lines = [_line(scope, each, *next(sums)) for each in allowances]
        found.append(Account(total, tuple(lines)))
    return found


def _line(scope: str, allowance: Allowance, budget: Budget, sums: Spent) -> Line:
    """Return *allowance* of *scope* with the *sums* of its *budget*."""
    end = None if allowance.period == ALL_TIME else budget.end
    return Line(scope, allowance.nano, allowance.period, sums, end)
