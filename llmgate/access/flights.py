"""Requests between their admission and their end."""

from __future__ import annotations

from llmgate.access import estimate
from llmgate.access.directory import Member
from llmgate.access.rate_limits import Limited
from llmgate.access.rules import Rules
from llmgate.accounting.records import Caller
from llmgate.accounting.records import Entry
from llmgate.contract import Body
from llmgate.contract import Deployment
from llmgate.storage.ledger import MOST
from llmgate.storage.ledger import Budget
from llmgate.storage.ledger import Call
from llmgate.storage.ledger import Payer
from llmgate.storage.ledger import storable

CAPPED = {"chat": "max_tokens", "completions": "max_tokens", "responses": "max_output_tokens"}
"""The parameter that limits an answer, by the operation."""

_CAPPED_LATER = ("o1", "o3", "o4", "gpt-5")  # models that know max_completion_tokens alone


class Flight:
    """What is known of a request between its admission and its end."""

    def __init__(self, id: str, caller: Caller, payer: Payer, member: Member | None) -> None:
        self.id = id  # in the ledger: the request's own may be repeated
        self.caller = caller
        self.payer = payer
        self.member = member
        self.size = estimate.Size(0, None)
        self.at = 0
        self.budgets: list[Budget] = []
        self.reserved: int | None = None  # nano-dollars; None: there is no hold
        self.output: int | None = None  # tokens that the budget leaves for the answer
        self.others: list[Rules] = []  # of the end user and the tags
        self.limited: list[Limited] = []
        self.tokens = 0  # that were counted at the admission
        self.is_leased = False
        self.spent = 0  # nano-dollars of all attempts so far
        self.deployment: Deployment | None = None  # of the last one
        self._costs: dict[tuple[str, str, int | None], int | None] = {}

    def cost(self, deployment: Deployment) -> int | None:
        """Return what the request costs at most at *deployment*; None without a price."""
        key = deployment.id, deployment.model, self.output
        if key not in self._costs:
            self._costs[key] = estimate.cost(self.size, deployment, self.output)
        return self._costs[key]


def cap_output(body: Body, operation: str, output: int) -> None:
    """Limit the answer to *body* to *output* tokens: the budget buys no more."""
    name = CAPPED[operation]
    if operation == "chat" and str(body.get("model", "")).startswith(_CAPPED_LATER):
        name = "max_completion_tokens"
    body[name] = output
    for part in estimate.overrides(body):  # they would replace the limit
        for limit in estimate.LIMITS:
            if limit in part:
                part[limit] = output


def call(entry: Entry, flight: Flight) -> Call:
    """Return the record of the request that *entry* ends."""
    deployment = flight.deployment
    return Call(
        flight.id,
        flight.at,
        flight.payer._replace(provider=deployment.provider if deployment else ""),
        entry.status,
        _cost(entry, flight),
        deployment.id if deployment else "",
        entry.endpoint,
        _tokens(entry, "prompt_tokens"),
        _tokens(entry, "completion_tokens"),
        _tokens(entry, "cached_tokens"),
        entry.usage_estimated or _may_be_billed(entry),
        entry.attempt,
        int(entry.latency * 1000),
        entry.stream,
        storable(deployment.model) if deployment else "",
        _tokens(entry, "cache_creation_tokens"),
        None if entry.ttft is None else int(entry.ttft * 1000),
        storable(entry.error_code or ""),
    )


def _tokens(entry: Entry, name: str) -> int:
    """Return how many tokens of a kind *entry* has used."""
    return int(min(max(entry.usage.get(name, 0), 0), MOST))


_UNFINISHED = frozenset({"upstream_timeout", "not_first"})


def _may_be_billed(entry: Entry) -> bool:
    """Return whether the upstream may bill the request that *entry* ends with an error of ours."""
    return entry.error_code in _UNFINISHED and not entry.usage


def _cost(entry: Entry, flight: Flight) -> int | None:
    """Return what the request cost, None if that is unknown.

    Without reported usage an answer is charged what was reserved for it, and so is one that the
    upstream may have finished although the client has not got it.
    """
    if _may_be_billed(entry):
        return min(flight.spent or flight.reserved or 0, MOST)
    if flight.spent or entry.status >= 400:
        return min(flight.spent, MOST)
    if entry.usage:
        return None if entry.cost is None else 0
    return flight.reserved
