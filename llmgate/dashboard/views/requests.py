"""/ui/requests: the calls in the ledger, newest first, and a page for each."""

from __future__ import annotations

import json
import shlex
from typing import Any
from typing import NamedTuple

from flask import Response
from flask import request

from llmgate import errors
from llmgate.access.management.keys import Office
from llmgate.access.refusals import store_errors
from llmgate.accounting import pricing
from llmgate.contract import Deployment
from llmgate.dashboard import frame
from llmgate.dashboard import logins
from llmgate.dashboard import snippets
from llmgate.dashboard import spans
from llmgate.endpoints import auth
from llmgate.endpoints import common
from llmgate.storage.database import TooSlow
from llmgate.storage.reports.shapes import CallRow
from llmgate.storage.reports.shapes import Cursor
from llmgate.storage.reports.shapes import Filter

_SIZE = 50
_TEXTS = ("model", "user", "team", "end_user", "provider", "tag", "id")
_STATES = {"ok": False, "failed": True}


class Part(NamedTuple):
    """A part of what a call cost, at the prices of today."""

    name: str
    tokens: int
    price: float | None  # dollars per token

    @property
    def nano(self) -> float | None:
        """Return what the part costs in nano-dollars."""
        return None if self.price is None else self.tokens * self.price * 1e9


@frame.page("/requests", logins.VIEWER)
def list_requests() -> Response:
    """List the calls that the query asks for."""
    office, given = auth.access().office, request.args
    found: list[CallRow] = []
    with store_errors():
        known = spans.names(office)
        try:
            found = office.reports.calls(_filter(office, known), _cursor(), _SIZE + 1)
            slow = False
        except TooSlow:
            slow = True
    shown = found[:_SIZE]
    query = {name: value for name, value in given.items() if value and name != "before"}
    context = {
        "rows": [(each, spans.name("key", each.key, known)) for each in shown],
        "slow": slow,
        "query": query,
        "keys": sorted((n, id) for (kind, id), n in known.items() if kind == "key"),
        "models": common.gate().routes.names()[:200],
        "older": f"{shown[-1].at}.{shown[-1].n}" if len(found) > _SIZE else "",
        "is_newest": "before" not in given,
        "is_filtered": bool(query),
        "is_counting": auth.access().directory.has_keys(),
    }
    return frame.render("requests.html", "Requests", context)


def _filter(office: Office, known: spans.Names) -> Filter:
    """Return the filter in the query of this request."""
    given = {name: value.strip() for name, value in request.args.items() if value.strip()}
    status = given.get("status", "")
    start = spans.moment(given.get("from", ""), office.zone)
    end = spans.moment(given.get("to", ""), office.zone)
    ids = {n: id for (kind, id), n in known.items() if kind == "key"}
    key = given.get("key")
    found = Filter(
        key=ids.get(key, key) if key else None,
        failed=_STATES.get(status),
        status=int(status) if status.isdecimal() and len(status) == 3 else None,
        **{name: given[name] for name in _TEXTS if name in given},  # type: ignore[arg-type]
    )
    found = found._replace(start=start) if start is not None else found
    return found._replace(end=end) if end is not None else found


def _cursor() -> Cursor | None:
    """Return the last row of the page before this one, None if the query names no row."""
    at, _, n = request.args.get("before", "").partition(".")
    if not (at.isdecimal() and n.isdecimal() and len(at) + len(n) < 40):
        return None
    found = Cursor(int(at), int(n))
    return found if max(found) < 2**63 else None


@frame.page("/requests/<path:id>", logins.VIEWER)
def one_request(id: str) -> Response:
    """Show everything that is known of a call."""
    office = auth.access().office
    with store_errors():
        found = office.reports.call(id)
        known = spans.names(office)
    if found is None:
        raise errors.NotFound(
            "There is no such request in the ledger. Only finished requests are in it, from the"
            " first key on."
        )
    request_id = found.id.rpartition("/")[0] or found.id
    deployment = _deployment(found)
    context = {
        "call": found,
        "request_id": request_id,
        "key_name": spans.name("key", found.key, known),
        "team_name": spans.name("team", found.team, known),
        "deployment": deployment,
        "parts": _parts(found, deployment),
        "curl": _curl(found),
    }
    return frame.render("request.html", "Request", context)


def _deployment(call: CallRow) -> Deployment | None:
    """Return the deployment that answered *call*, None if it is not configured any more."""
    for found in common.gate().routes.groups.values():
        for deployment in found:
            if deployment.id == call.deployment:
                return deployment
    return None


def _parts(call: CallRow, deployment: Deployment | None) -> list[Part]:
    """Return the parts of what *call* cost, as far as the ledger has them."""
    prices = deployment.prices if deployment else {}
    prices = prices or pricing.prices(call.provider, call.upstream_model or call.model)
    whole = prices.get("input_cost_per_token")
    cached, written = call.cached_tokens, call.cache_write_tokens
    found = [
        Part("Input", max(0, call.prompt_tokens - cached - written), whole),
        Part("Input from cache", cached, prices.get("cache_read_input_token_cost", whole)),
        Part("Input to cache", written, prices.get("cache_creation_input_token_cost", whole)),
        Part("Output", call.completion_tokens, prices.get("output_cost_per_token")),
    ]
    return [part for part in found if part.tokens]


_BODIES: dict[str, dict[str, Any]] = {
    "/v1/embeddings": {"input": "…"},
    "/v1/responses": {"input": "…"},
    "/v1/completions": {"prompt": "…"},
}
_CHAT = {"messages": [{"role": "user", "content": "…"}]}


def _curl(call: CallRow) -> str:
    """Return a command that sends a request like *call*: the ledger has neither body nor key."""
    path = "/v1/chat/completions" if call.endpoint.startswith("/ui/") else call.endpoint
    path = path if path.startswith("/") and "<" not in path else "/v1/chat/completions"
    path = path if path.startswith("/v1/") else f"/v1{path}"
    body = {"model": call.model, **_BODIES.get(path, _CHAT)}
    if call.stream:
        body["stream"] = True
    return (
        f"curl {shlex.quote(snippets.origin() + path)} \\\n"
        f'  -H "Authorization: Bearer {snippets.PLACE}" \\\n'
        '  -H "Content-Type: application/json" \\\n'
        f"  -d {shlex.quote(json.dumps(body, ensure_ascii=False))}"
    )
