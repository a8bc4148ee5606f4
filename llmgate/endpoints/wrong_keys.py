"""A limit of wrong keys per client address: guessing a key takes too long.

A right key works at all times, so that one client with a wrong key behind a NAT does not lock out
the others. The exception is a master key that is short enough to be guessed: while its address is
over the limit, it is refused like the wrong ones, or guessing would go on at any rate.
"""

from __future__ import annotations

import logging

from flask import Flask
from flask import current_app
from flask import g
from flask import request

from llmgate import config
from llmgate.access import refusals
from llmgate.access.policy import MASTER
from llmgate.storage.attempt_limit import AttemptLimit
from llmgate.trust import client_address

BURST = 30
"""Wrong keys that an address may send at once."""

INTERVAL = 3.0
"""Seconds until it may send one more."""

_SHORT = 20  # characters; a random key of so many cannot be guessed
_REPORT_SECONDS = 60.0
_NAME = "llmgate.wrong_keys"
_LOGGER = logging.getLogger("llmgate")


def register(app: Flask, settings: config.Settings) -> None:
    """Count the wrong keys that *app* is sent."""
    app.extensions[_NAME] = AttemptLimit(BURST, INTERVAL)
    if settings.master_key is not None and len(settings.master_key) < _SHORT:
        app.before_request(_check_short_key)


def count() -> None:
    """Count a wrong key of this request's client; raises TooManyWrongKeys above the limit."""
    limit, client = _limit(), _client()
    wait = limit.attempt(client)
    if wait:
        refused = limit.refused_to_report(_REPORT_SECONDS)
        if refused:
            _LOGGER.warning(
                "llmgate: wrong keys are throttled: %d requests, the last one from %s",
                refused,
                client,
            )
        raise refusals.TooManyWrongKeys(wait)


def _check_short_key() -> None:
    """Raise TooManyWrongKeys for the master key if its client's address is over the limit.

    Only where a wrong key is refused and counted: elsewhere the answer would tell them apart.
    """
    view = current_app.view_functions.get(request.endpoint or "")
    if g.key == MASTER and getattr(view, "auth", "key") == "key":
        wait = _limit().wait(_client())
        if wait:
            raise refusals.TooManyWrongKeys(wait)


def _limit() -> AttemptLimit:
    found: AttemptLimit = current_app.extensions[_NAME]
    return found


def _client() -> str:
    """Return the network of this request's client."""
    settings: config.Settings = current_app.extensions["llmgate.settings"]
    return client_address.client_network(
        request.remote_addr or "", request.headers.get("X-Forwarded-For", ""), settings.web.proxies
    )
