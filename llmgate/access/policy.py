"""Keys, limits and budgets as a policy: checked and reserved before a call, charged after it."""

from __future__ import annotations

import builtins
import contextlib
import secrets
import time
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import NamedTuple

from llmgate import errors
from llmgate.access import budgets
from llmgate.access import estimate
from llmgate.access import flights
from llmgate.access import rate_limits
from llmgate.access import refusals
from llmgate.access import rules
from llmgate.access.directory import Directory
from llmgate.access.directory import Member
from llmgate.access.flights import Flight
from llmgate.access.rate_limits import RateLimits
from llmgate.access.rules import Rules
from llmgate.accounting.records import Caller
from llmgate.accounting.records import Entry
from llmgate.accounting.records import Request
from llmgate.contract import Deployment
from llmgate.storage.database import Unavailable
from llmgate.storage.ledger import Exceeded
from llmgate.storage.ledger import Hold
from llmgate.storage.ledger import Payer
from llmgate.storage.ledger import nano_dollars
from llmgate.storage.ledger import storable
from llmgate.storage.queued_ledger import QueuedLedger

MASTER = "master"
"""The key of a caller who has the master key: it may do all."""

_LONGEST = 900_000_000  # microseconds after which a reservation counts as that of a dead process


class Stores(NamedTuple):
    """Where keys, calls and limits are."""

    directory: Directory
    ledger: QueuedLedger
    limits: RateLimits


class AccessPolicy:
    """Holds every request to the rules of its key, and charges it."""

    slow = False

    def __init__(
        self,
        stores: Stores,
        deployments_of: Callable[[str], Sequence[Deployment]],
        options: budgets.Options = budgets.Options(),
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._directory, self._ledger = stores.directory, stores.ledger
        self._limits = stores.limits
        self._deployments_of = deployments_of
        self._options = options
        self._clock = clock
        self._flights: dict[tuple[str, int], Flight] = {}

    # -- before a request

    def admit(self, request: Request) -> None:
        """Raise a GateError if the key may not do this, or has no room for it."""
        if not self._is_used():
            return
        now = self._clock()
        try:
            member = self.member(request.caller.key)
            if member is None:  # else `find` has done it, for this request
                self._directory.refresh()
            flight = self._flight(request, member, int(now * 1e6))
        except Unavailable as error:
            raise refusals.StoreUnavailable(str(error)) from error
        if member is not None:
            self._check_model(member, request)
            refusals.check_others(flight.others, request.model, self._access_groups)
            self._count_in(flight, now)
        self._flights[_key(request.id, request.caller)] = flight
        if any(each.nano is not None for each in flight.budgets):
            try:
                self._reserve(flight, request)
            except errors.GateError:
                self._drop(_key(request.id, request.caller))
                raise

    def member(self, key: str) -> Member | None:
        """Return whose key the caller's *key* is, None for the master key and without keys."""
        return None if key in ("", MASTER) else self._directory.member(key)

    def _is_used(self) -> bool:
        """Return whether there is anything to check or to count."""
        return bool(self._options.gateway or self._options.end_user) or self._directory.has_keys()

    def _flight(self, request: Request, member: Member | None, now: int) -> Flight:
        """Return *request* with who pays for it."""
        caller = request.caller
        tags = [*caller.tags, *caller.more_tags, *(member.key.rules.tags if member else ())]
        payer = Payer(
            member.key.spend_id if member else caller.key,
            (member.key.user if member else None) or "",
            (member.key.team if member else None) or "",
            storable(caller.user or ""),
            storable(self._group(request.model)),
            tuple(dict.fromkeys(map(storable, tags))),
        )
        id = f"{storable(request.id)}/{secrets.token_hex(4)}"
        flight = Flight(id, caller, payer, member)
        flight.at = now
        flight.budgets = budgets.of_request(payer, member, self._directory, self._options, now)
        if member is not None:
            flight.others = self._others(payer)
            flight.limited = rate_limits.of_request(member, payer.model, flight.others)
        if flight.budgets or flight.limited:
            flight.size = estimate.size(request.body, request.operation)
        return flight

    def _others(self, payer: Payer) -> list[Rules]:
        """Return the rules of the end user and the tags of *payer*."""
        named = [("customer", payer.end_user)] if payer.end_user else []
        named += [("tag", tag) for tag in payer.tags]
        found = (self._directory.rules_of(kind, id) for kind, id in named)
        return [each for each in found if each]

    def _group(self, model: str) -> str:
        """Return the group of a deployment that is requested by its own name; else *model*."""
        try:
            first = self._deployments_of(model)[0]
        except errors.ModelNotFound:
            return model
        own = (f"{first.provider}/{first.model}", first.model)
        return first.group if model in own else model

    def _check_model(self, member: Member, request: Request) -> None:
        """Raise Forbidden if *member* may not use the model or the fallbacks of *request*."""
        fallbacks = (request.body or {}).get("fallbacks")
        listed = fallbacks if isinstance(fallbacks, list) else []
        named = [each.get("model") if isinstance(each, dict) else each for each in listed]
        for model in (request.model, *(each for each in named if isinstance(each, str))):
            if not self.allows_model(member, model):
                raise errors.Forbidden(
                    f"Model '{model[:200]}' is not available for this key, or does not exist."
                    " GET /v1/models lists the models that it may use.",
                    param="model",
                    code="key_model_access_denied",
                )

    def allows_model(self, member: Member, model: str) -> bool:
        """Return whether *member*'s key, team and user allow *model*."""
        owner = member.team if member.key.team else member.user
        lists = [found.models for found in (member.key.rules, owner, member.membership) if found]
        if not any(lists):
            return True
        groups = self._access_groups(model)
        return all(rules.allows_model(models, model, groups) for models in lists)

    def _access_groups(self, model: str) -> set[str]:
        """Return the access groups (model_info.access_groups) that *model* is in."""
        try:
            found = self._deployments_of(model)
        except errors.ModelNotFound:
            return set()
        return {group for each in found for group in each.info.get("access_groups") or ()}

    def _count_in(self, flight: Flight, now: float) -> None:
        """Count the request under every limit of its key; raises RateLimited."""
        if flight.limited:
            flight.tokens = flight.size.prompt_tokens
            flight.tokens += (flight.size.output_tokens or 0) * flight.size.answers
            with contextlib.suppress(Unavailable):  # served without its limits
                flight.is_leased = self._limits.take(flight.id, flight.limited, flight.tokens, now)

    def _reserve(self, flight: Flight, request: Request) -> None:
        """Reserve what the request may cost; raises BudgetExceeded, Forbidden, StoreUnavailable."""
        try:
            nano = self._needed(flight, request)
            expires = flight.at + _LONGEST
            hold = Hold(flight.id, flight.at, expires, nano, flight.payer)
            self._ledger.reserve(hold, flight.budgets)
        except Exceeded as error:
            raise refusals.budget_exceeded(error, self._options.exceeded_status) from None
        except Unavailable as error:
            raise refusals.StoreUnavailable(str(error)) from error
        flight.reserved = nano
        if flight.output is not None and request.body is not None:
            flights.cap_output(request.body, request.operation, flight.output)

    def _needed(self, flight: Flight, request: Request) -> int:
        """Return the nano-dollars to reserve, for the dearest deployment; raises Exceeded too."""
        if (request.body or {}).get("user_config"):
            return 0  # the client's own deployments, which it pays itself
        found = self._deployments_of(request.model)
        dearest = max(found, key=lambda each: flight.cost(each) or 0) if found[1:] else found[0]
        priced = [each for each in found if estimate.prices(each)]
        if not priced and not self._options.allow_unpriced:
            raise errors.Forbidden(
                f"Model '{request.model[:200]}' has no known price, so a key with a budget cannot"
                " use it. Set its input_cost_per_token and output_cost_per_token, or"
                " llmgate_settings.allow_unpriced_models.",
                param="model",
                code="unpriced_model",
            )
        if flight.size.output_tokens is None and flight.size.has_output and priced:
            self._limit_output(flight, request, dearest)
        return flight.cost(dearest) or 0

    def _limit_output(self, flight: Flight, request: Request, dearest: Deployment) -> None:
        """Note how long an answer the tightest budget buys, if that is less than the model's."""
        if request.operation not in flights.CAPPED:
            return
        sums = self._ledger.sums(flight.budgets)
        left = min(
            each.nano - found.spent - found.held
            for each, found in zip(flight.budgets, sums, strict=True)
            if each.nano is not None
        )
        output = estimate.affordable_output(flight.size, dearest, left) // flight.size.answers
        if 0 < output < estimate.most_output(dearest):
            flight.output = output

    def allows(self, request: Request, deployment: Deployment) -> bool:
        """Return whether the budget has room for *deployment*, whose price may be higher.

        For a list of models: whether the key may use the model.
        """
        if request.operation == "models":
            member = self.member(request.caller.key)
            return member is None or self.allows_model(member, request.model)
        flight = self._flights.get(_key(request.id, request.caller))
        if flight is None or flight.reserved is None:
            return True
        nano = flight.cost(deployment)
        if nano is None:
            return self._options.allow_unpriced
        if nano <= flight.reserved:
            return True
        try:
            self._ledger.raise_hold(flight.id, nano, flight.budgets)
        except (Exceeded, Unavailable):
            return False
        flight.reserved = nano
        return True

    def refusal(self, request: Request) -> errors.GateError:
        """Return the error if no deployment is left: each is too dear for the budget."""
        found = refusals.BudgetExceeded(
            f"Budget has been exceeded! No deployment of '{request.model[:200]}' costs as little as"
            " the budget still allows."
        )
        found.status = self._options.exceeded_status
        return found

    def started(self, request: Request, deployment: Deployment) -> None:
        """Do nothing: an attempt needs no more than its request has reserved."""

    def headers(self, request: Request) -> Mapping[str, str]:
        """Return what is left of the limits of the key."""
        flight = self._flights.get(_key(request.id, request.caller))
        return self._limits.headers(flight.limited, self._clock()) if flight else {}

    # -- after a request

    def record(self, entry: Entry) -> None:
        """Charge the request at its end with what all of its attempts cost."""
        flight = self._flights.get(_key(entry.request_id, entry.caller))
        if flight is None:
            return
        if entry.deployment is not None:
            flight.deployment = entry.deployment
            if entry.cost is not None and entry.deployment.origin != "client":
                flight.spent += nano_dollars(entry.cost)
        if entry.final:
            self._ledger.charge(flights.call(entry, flight), flight.reserved is not None)
            used = int(entry.usage.get("prompt_tokens", 0))
            used += int(entry.usage.get("completion_tokens", 0))
            self._limits.correct(flight.limited, used - flight.tokens, self._clock())
            self._drop(_key(entry.request_id, entry.caller))

    def _drop(self, key: tuple[str, int]) -> None:
        """Forget the request with *key*, which runs no longer."""
        flight = self._flights.pop(key)
        if flight.is_leased:
            with contextlib.suppress(Unavailable):  # the lease expires by itself
                self._limits.release(flight.id)


def _key(id: str, caller: Caller) -> tuple[str, int]:
    """Return what a request is known by while it runs: clients choose ids, and may repeat them."""
    return id, builtins.id(caller)
