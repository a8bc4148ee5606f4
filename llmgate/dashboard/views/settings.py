"""/ui/settings: the configuration in effect, without secrets, and its warnings."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from flask import Response
from flask import current_app

from llmgate.config import Settings
from llmgate.dashboard import formats
from llmgate.dashboard import frame
from llmgate.dashboard import logins
from llmgate.endpoints import common
from llmgate.storage.ledger import ALL_TIME

Fact = tuple[str, str, str]  # what, its value, the option that sets it


@frame.page("/settings", logins.VIEWER)
def settings() -> Response:
    """Show the settings by their subjects."""
    given = common.settings()
    who = frame.principal()
    context = {
        "warnings": current_app.extensions["llmgate.warnings"],
        "notes": given.notes,
        "subjects": [
            ("Routing", list(_routing(given))),
            ("Requests", list(_requests(given))),
            ("Keys and money", list(_money(given))),
            ("Trust", list(_trust(given))),
        ],
        "sessions": 0 if who.is_local else logins.logins().count(who),
        "hours": logins.HOURS,
    }
    return frame.render("settings.html", "Settings", context)


def _routing(given: Settings) -> Iterator[Fact]:
    """Yield what decides where requests go."""
    router = given.router
    yield "Strategy", router.strategy, "router_settings.routing_strategy"
    yield "Retries", str(router.policy.retries), "router_settings.num_retries"
    yield "Time for all attempts", f"{router.timeout:g} s", "router_settings.timeout"
    stream = router.stream_timeout
    yield "Idle stream", f"{stream:g} s" if stream else "as above", "router_settings.stream_timeout"
    yield "Failures before a cooldown", str(router.allowed_fails), "router_settings.allowed_fails"
    length = f"{router.cooldown_time:g} s" if router.cooldowns else "off"
    yield "Cooldown", length, "router_settings.cooldown_time"
    lists = router.fallbacks.general
    shown = "; ".join(f"{name} → {', '.join(to)}" for name, to in lists.items()) or "none"
    yield "Fallbacks", shown, "litellm_settings.fallbacks"
    yield "Tag filter", _flag(router.tag_filtering), "router_settings.enable_tag_filtering"


def _requests(given: Settings) -> Iterator[Fact]:
    """Yield the limits of requests."""
    megabyte = 1024 * 1024
    yield "Largest request", f"{given.max_body // megabyte} MB", "llmgate_settings.max_body_mb"
    yield "Largest upload", f"{given.max_upload // megabyte} MB", "llmgate_settings.max_upload_mb"
    beats = given.beats
    shown = f"after {beats.first:g} s, then every {beats.every:g} s" if beats.first else "off"
    yield "Keep-alives in streams", shown, "llmgate_settings.heartbeat"
    yield "Prompts in the log", _flag(given.log_prompts), "llmgate_settings.log_prompts"


def _money(given: Settings) -> Iterator[Fact]:
    """Yield where keys and spend are, and the budget of the gateway."""
    access = given.access
    yield "Data directory", str(Path(access.data_dir).absolute()), "llmgate_settings.data_dir"
    yield "Keys in the configuration", str(len(access.keys)), "llmgate_settings.keys"
    caps = [
        formats.money(each.nano) + ("" if each.period == ALL_TIME else f" per {each.period}")
        for each in access.options.gateway
    ]
    yield "Budget of the gateway", ", ".join(caps) or "none", "litellm_settings.max_budget"
    yield "Time zone of budgets", str(access.options.zone), "litellm_settings.timezone"
    unpriced = _flag(access.options.allow_unpriced)
    yield "Unpriced models under a budget", unpriced, "llmgate_settings.allow_unpriced_models"


def _trust(given: Settings) -> Iterator[Fact]:
    """Yield what clients may send."""
    yield "Master key", "set" if given.master_key else "not set", "general_settings.master_key"
    keys = _flag(given.allowed.everything)
    yield "Clients' own keys", keys, "general_settings.allow_client_side_credentials"
    private = _flag(given.allowed.private)
    yield "Private addresses", private, "llmgate_settings.allow_private_addresses"
    tags = _flag(given.takes_tags)
    yield "Clients' tags", tags, "general_settings.reject_clientside_metadata_tags"


def _flag(value: bool) -> str:
    """Return *value* in a word."""
    return "yes" if value else "no"
