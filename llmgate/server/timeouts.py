"""Time limits of client connections, from the environment as `gunicorn_conf` has checked it."""

from __future__ import annotations

import os

from llmgate.inbound import body_rate
from llmgate.server import env

_SERVER = env.server(os.environ)

READ_TIMEOUT = _SERVER.read_timeout
"""Seconds that a client may take to send the head of a request, or more of its body."""

WRITE_TIMEOUT = _SERVER.write_timeout
"""Seconds that a write to a client may block."""

MINIMUM_RATE = body_rate.MinimumRate(READ_TIMEOUT, _SERVER.read_rate, _SERVER.body_timeout)
"""The minimum rate at which the body of a request must arrive."""
