"""Gateways under each of gunicorn's workers that llmgate serves with, their times made short."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

from testing.gateway import Gateway
from testing.gateway import config_for
from testing.upstream import Upstream

WORKERS = ["gthread", *(["gevent"] if find_spec("gevent") else [])]
if "LLMGATE_WORKER_CLASS" in os.environ:
    WORKERS = [os.environ["LLMGATE_WORKER_CLASS"]]
"""The kinds of worker to test: the one that the suite is run under, else all there are."""

BEATS = {"first": 0.1, "every": 0.1, "whole": 0.1}
"""Heartbeats in seconds, much less than the real times."""


def gateway(up: Upstream, worker: str, *args: str, **own: Any) -> Gateway:
    """Return a gateway with one process under *worker*; *own* are settings of llmgate's."""
    config = {**config_for(up), "llmgate_settings": {"heartbeat": BEATS, **own}}
    quick = {"LLMGATE_READ_TIMEOUT": "1", "LLMGATE_WRITE_TIMEOUT": "1"}
    quick |= {"LLMGATE_BODY_TIMEOUT": "3"}
    return Gateway(config, env={"LLMGATE_WORKER_CLASS": worker, **quick, **measured()}, args=args)


def measured() -> dict[str, str]:
    """Return the variables by which a gateway's processes are measured, where CI asks for it."""
    rules = os.environ.get("GATEWAY_COVERAGE")
    return {"COVERAGE_PROCESS_START": rules} if rules else {}


def chat(**over: Any) -> dict[str, Any]:
    """Return the body of a small chat request; *over* replaces and adds."""
    return {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hi there, you"}], **over}


def eventually(claim: Callable[[], bool], seconds: float = 5.0) -> float:
    """Return how long it took until *claim* was true; fail after *seconds*."""
    start = time.monotonic()
    while not claim():
        assert time.monotonic() - start < seconds, "it did not become true"
        time.sleep(0.005)
    return time.monotonic() - start
