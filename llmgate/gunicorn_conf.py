"""gunicorn's settings: `gunicorn -c python:llmgate.gunicorn_conf app:app`.

Why each is so: docs/deploy.md, and https://docs.gunicorn.org/en/stable/settings.html
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib.util
import os
import resource
import signal
import socket
import struct
import sys
from pathlib import Path
from typing import Any
from typing import NoReturn

from llmgate.errors import ConfigError
from llmgate.server import accept_balance
from llmgate.server import bind_check
from llmgate.server import env
from llmgate.server import warmup

_WORKERS = {
    "gthread": "llmgate.server.gthread_worker.Worker",
    "gevent": "llmgate.server.gevent_worker.Worker",
}
_MOST_FILES = 65536
_COLLECTIONS = (20_000, 20, 100)  # Python's own: 700, 10, 10
_MALLOPT = ((-8, 2), (-3, 256 * 1024), (-1, 256 * 1024))
"""glibc's M_ARENA_MAX, M_MMAP_THRESHOLD, M_TRIM_THRESHOLD, from its malloc.h."""


def _worker_class() -> str:
    """Return gevent's worker if it is installed, else threads; LLMGATE_WORKER_CLASS decides."""
    chosen = os.environ.get("LLMGATE_WORKER_CLASS")
    there = importlib.util.find_spec("gevent") is not None
    if chosen == "gevent" and not there:
        raise ConfigError(
            "LLMGATE_WORKER_CLASS is gevent, which is not installed: run pip install"
            " 'llmgate[gevent]', or unset it"
        )
    if not chosen:
        chosen = "gevent" if there else "gthread"
    if "." not in chosen and chosen not in _WORKERS:
        raise ConfigError(
            f"the environment variable LLMGATE_WORKER_CLASS is {chosen[:40]!r}; set it to gthread"
            " or gevent, or unset it"
        )
    return _WORKERS.get(chosen, chosen)


def _end(error: ConfigError) -> NoReturn:
    """End with *error* on one line and the exit code of a wrong command."""
    sys.stderr.write(f"llmgate: {error}\n")
    sys.exit(2)


try:
    _said = env.server(os.environ)
    worker_class = _worker_class()
except ConfigError as error:
    _end(error)


def _files() -> int:
    """Return how many files a process may open, having asked for more: a stream needs two."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, _MOST_FILES)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return _MOST_FILES if soft == resource.RLIM_INFINITY else soft
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return wanted


bind = f"{f'[{_said.host}]' if ':' in _said.host else _said.host}:{_said.port}"
workers = _said.workers
_most = 2048 if worker_class == _WORKERS["gevent"] else 1280  # requests; threads come when needed
threads = min(_said.threads or _most, max(16, (_files() - 100) // 3))
worker_connections = threads + min(1000, threads * 2)
preload_app = True
timeout = 60  # of a worker's heartbeat; a request may take longer
graceful_timeout = 25  # Heroku kills 30 s after SIGTERM
keepalive = 95  # longer than a router keeps an idle connection
max_requests = 0  # a restart would make the next request wait for every stream
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None
control_socket_disable = True
forwarder_headers = ""  # else a client's SCRIPT_NAME header moves the path
limit_request_field_size = 8190
loglevel = "warning"
accesslog = None
# without the query string, which may hold a key, for those who turn it on
access_log_format = '%(h)s "%(m)s %(U)s" %(s)s %(B)s %(M)sms'
logger_class = "llmgate.server.gthread_worker.Logger"


def nworkers_changed(server: Any, new: int, old: int | None) -> None:
    """End at once, in one line, if the addresses are not to be had: gunicorn takes five seconds.

    It is the first of gunicorn's hooks: nothing is loaded yet, and no pid file written.
    """
    if old is not None or bind_check.inherits(os.environ, os.getpid()):
        return
    try:
        bind_check.check(server.cfg.address, server.cfg.reuse_port, "with PORT, HOST or --bind")
    except ConfigError as error:
        _end(error)


def _give_memory_back() -> None:
    """Let glibc keep little of what is freed, where it is glibc and nobody has said otherwise.

    Else each thread, up to eight a core, has an arena of its own that stays as large as it once
    was, and one large body raises for good what is kept.
    """
    if not any(name.startswith(("MALLOC_", "GLIBC_TUNABLES")) for name in os.environ):
        with contextlib.suppress(AttributeError, OSError):
            for parameter, value in _MALLOPT:
                ctypes.CDLL(None).mallopt(parameter, value)


def when_ready(server: Any) -> None:
    """Give the connections to be accepted their time-outs; keep what is loaded shared.

    What is frozen no collection of a worker touches, so that its pages stay the master's.
    """
    _give_memory_back()
    if "llmgate.door" in getattr(server.app.callable, "extensions", {}):
        warmup.rehearse(server.app.callable)
    gc.collect()
    gc.freeze()
    for listener in server.LISTENERS:
        for option, seconds in (
            (socket.SO_RCVTIMEO, _said.read_timeout),
            (socket.SO_SNDTIMEO, _said.write_timeout),
        ):
            listener.sock.setsockopt(socket.SOL_SOCKET, option, struct.pack("ll", seconds, 0))


def on_exit(server: Any) -> None:
    """Let what was frozen be collected first: else logging complains while Python ends."""
    gc.unfreeze()


def child_exit(server: Any, worker: Any) -> None:
    """Let the other workers wait no more for one that is gone."""
    accept_balance.CONNECTIONS.note(worker.age, None)


def worker_exit(server: Any, worker: Any) -> None:
    """As the master does."""
    gc.unfreeze()


def post_fork(server: Any, worker: Any) -> None:
    """Let a worker that is told to end before it has begun do so: the master's handlers, which
    it has until then, would only note the signal, and the master would wait for it."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, signal.SIG_DFL)


def post_worker_init(worker: Any) -> None:
    """Tell the app which worker it runs in; under gevent collect garbage less often.

    A thousand streams are a large heap to look through each time: it shows in their first chunks.
    """
    if worker_class == _WORKERS["gevent"]:
        gc.set_threshold(*_COLLECTIONS)
    door = getattr(worker.wsgi, "extensions", {}).get("llmgate.door")
    if door:
        door.opened(worker, worker.cfg.threads, worker.cfg.graceful_timeout)


def on_reload(server: Any) -> None:
    """Read the configuration again after SIGHUP; if it is wrong the old one goes on serving."""
    again = getattr(server.app.callable, "extensions", {}).get("llmgate.again")
    if again is not None:
        try:
            server.app.callable = again()
        except ConfigError as error:
            server.log.error("not reloaded, the old configuration serves: %s", error)
    when_ready(server)
