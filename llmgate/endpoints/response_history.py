"""Responses that this gateway stores: what `previous_response_id` and `item_reference` refer to.

Those that were translated from a chat; a provider with the Responses API stores its own. The
operator switches it on with `llmgate_settings.responses_store`.
Source: https://platform.openai.com/docs/guides/conversation-state
"""

from __future__ import annotations

import json
import logging
import re
import time
from collections.abc import Callable
from collections.abc import Mapping
from typing import Any

from flask import Response
from flask import current_app
from flask import request

from llmgate import errors
from llmgate.access import refusals
from llmgate.contract import Body
from llmgate.endpoints import common
from llmgate.storage.database import Unavailable
from llmgate.storage.responses import ResponseStore
from llmgate.storage.responses import StoredResponse

_RESPONSE = re.compile(r"resp_[0-9a-f]{32}")
_ITEM = re.compile(r"[a-z]+_([0-9a-f]{32})_\d+")


def store() -> ResponseStore | None:
    """Return the store of the running app, None if it has none."""
    found: ResponseStore | None = current_app.extensions.get("llmgate.responses")
    return found


def completed(body: Body) -> Body:
    """Return *body* with what it refers to in the store: the earlier items, and referenced ones.

    What is not there stays: the upstream may have it. Raises StoreUnavailable.
    """
    kept = store()
    previous, items = body.get("previous_response_id"), body.get("input")
    if kept is None or not (previous or isinstance(items, list)):
        return body
    if isinstance(items, list):
        items = [_referenced(kept, item) for item in items]
        body = {**body, "input": items}
    if not isinstance(previous, str) or not _RESPONSE.fullmatch(previous):
        return body
    with refusals.store_errors():
        chain = kept.chain(common.key(), previous, _now())
    if not chain:
        return body
    earlier = [item for each in chain for item in _items(each)]
    without = {key: it for key, it in body.items() if key != "previous_response_id"}
    return {**without, "input": [*earlier, *as_items(body.get("input"))]}


def _now() -> int:
    return int(time.time())


def _items(found: StoredResponse) -> list[Any]:
    """Return the input and the output of a stored response."""
    return [*json.loads(found.input), *json.loads(found.response)["output"]]


def as_items(given: Any) -> list[Any]:
    """Return the *given* input as items: a string is a message of the user's."""
    if isinstance(given, str):
        return [{"type": "message", "role": "user", "content": given}]
    return list(given or ())


def _referenced(kept: ResponseStore, item: Any) -> Any:
    """Return the item of a stored response that *item* refers to, else *item*."""
    if not isinstance(item, dict) or item.get("type", "item_reference") != "item_reference":
        return item
    id = item.get("id")
    named = _ITEM.fullmatch(id) if isinstance(id, str) and "role" not in item else None
    if named is None:
        return item
    with refusals.store_errors():
        found = kept.find(common.key(), f"resp_{named[1]}", _now())
    output = json.loads(found.response)["output"] if found else ()
    return next((each for each in output if each["id"] == id), item)


def missing(body: Body) -> errors.InvalidRequest | None:
    """Return the error for a response that *body* names and that is not in the store.

    None if it names none, or if there is no store.
    """
    id = body.get("previous_response_id")
    if not id or store() is None:
        return None
    return errors.InvalidRequest(
        f"Previous response with id '{str(id)[:100]}' not found: it is unknown, another key's,"
        " or too old.",
        param="previous_response_id",
        code="previous_response_not_found",
    )


def stores(body: Body) -> bool:
    """Return whether the response to *body* is stored: unless it declines that."""
    return store() is not None and body.get("store") is not False


def marked(given: Body, body: Body) -> Body:
    """Return the whole *body* with what the response repeats of the one that was *given*."""
    previous = {"previous_response_id": given.get("previous_response_id")}
    return {**body, **previous, "store": stores(given)}


def saver(body: Body) -> Callable[[Mapping[str, Any]], None]:
    """Return what saves a translated response to *body*, the request as the client sent it."""
    kept, owner = store(), common.key()
    if kept is None or not stores(body):
        return lambda response: None
    previous = body.get("previous_response_id")

    def save(response: Mapping[str, Any]) -> None:
        """Store *response*; the answer does not fail if that is impossible."""
        items = json.dumps(as_items(body.get("input")))
        row = StoredResponse(response["id"], owner, previous, items, json.dumps(response))
        try:
            kept.save(row, _now())
        except Unavailable as error:
            text = "llmgate: a response is not stored: %s"
            logging.getLogger("llmgate").warning(text, error)

    return save


# -- routes of stored responses


def answer(id: str, below: str) -> Response | None:
    """Return the answer to a request for what is *below* the response *id*.

    None if it is not stored here.
    """
    kept = store()
    if kept is None or not _RESPONSE.fullmatch(id):
        return None
    with refusals.store_errors():
        found = kept.find(common.key(), id, _now())
        if found is not None and request.method == "DELETE":
            kept.delete(common.key(), id)
    if found is None:
        return None
    if request.method == "DELETE":
        return common.json_response({"id": id, "object": "response", "deleted": True})
    if below == "/cancel":
        raise errors.InvalidRequest("Only a response in the background can be cancelled.")
    if below == "/input_items":
        return common.json_response(_page(id, json.loads(found.input)))
    return common.json_response(json.loads(found.response))


def _page(id: str, items: list[Any]) -> Mapping[str, Any]:
    """Return a page of the input *items* of the response *id*, the newest first."""
    own = id.removeprefix("resp_")
    listed = [{"id": f"in_{own}_{at}", **item} for at, item in enumerate(items)]
    if request.args.get("order") != "asc":
        listed.reverse()
    after = request.args.get("after")
    names = [item["id"] for item in listed]
    if after in names:
        listed = listed[names.index(after) + 1 :]
    limit = request.args.get("limit", 20, int)
    page = listed[: max(1, min(limit, 100))]
    return {
        "object": "list",
        "data": page,
        "first_id": page[0]["id"] if page else None,
        "last_id": page[-1]["id"] if page else None,
        "has_more": len(page) < len(listed),
    }
