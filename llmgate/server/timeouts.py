"""Time limits of the client's connection, from the environment; `gunicorn_conf` has checked it."""

from __future__ import annotations

import os

from llmgate.inbound import body_rate
from llmgate.server import env

_SERVER = env.server(os.environ)

READ_TIMEOUT = _SERVER.read_timeout
"""Seconds that a client may take to send the head of a request, or more of its body."""

WRITE_TIMEOUT = _SERVER.write_timeout
"""Seconds that a client may take to read anything."""

PACE = body_rate.Pace(READ_TIMEOUT, _SERVER.read_rate, _SERVER.body_timeout)
"""The slowest rate at which the body of a request may arrive."""
