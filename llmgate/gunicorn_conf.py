"""gunicorn's settings: `gunicorn -c python:llmgate.gunicorn_conf app:app`.

Reasons: docs/deploy.md, and https://docs.gunicorn.org/en/stable/settings.html
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib.util
import os
import re
import resource
import signal
import socket
import struct
import sys
from pathlib import Path
from typing import Any
from typing import NoReturn

from llmgate.accounting import in_flight
from llmgate.accounting import request_log
from llmgate.errors import ConfigError
from llmgate.server import accept_balance
from llmgate.server import bind_check
from llmgate.server import embedded
from llmgate.server import env
from llmgate.server import warmup

_WORKERS = {
    "gthread": "llmgate.server.gthread_worker.Worker",
    "gevent": "llmgate.server.gevent_worker.Worker",
}
_MAX_FILES = 65536
_PIDS_MAX = (Path("/sys/fs/cgroup/pids.max"), Path("/sys/fs/cgroup/pids/pids.max"))
_MIN_THREADS = 8
_OTHER_TASKS = 16  # the master, a shell, what else runs in the container
_OTHER_THREADS = 8  # of a worker: keep-alives, disconnects, log, closing, drain
_COLLECTIONS = (20_000, 20, 100)  # Python's own: 700, 10, 10
_FLUSH_SECONDS = 2.0  # for the records that slow policies still have to write
_BIND = re.compile(r"-b|--bind")
_MALLOPT = ((-8, 2), (-3, 256 * 1024), (-1, 256 * 1024))
"""glibc's M_ARENA_MAX, M_MMAP_THRESHOLD, M_TRIM_THRESHOLD, from its malloc.h."""


def _worker_class() -> str:
    """Return LLMGATE_WORKER_CLASS; default: gevent's worker if it is installed, else threads."""
    chosen = os.environ.get("LLMGATE_WORKER_CLASS")
    has_gevent = importlib.util.find_spec("gevent") is not None
    if chosen == "gevent" and not has_gevent:
        raise ConfigError(
            "LLMGATE_WORKER_CLASS is gevent, which is not installed: run pip install"
            " 'llmgate[gevent]', or unset it"
        )
    if not chosen:
        chosen = "gevent" if has_gevent else "gthread"
    if "." not in chosen and chosen not in _WORKERS:
        raise ConfigError(
            f"the environment variable LLMGATE_WORKER_CLASS is {chosen[:40]!r}; set it to gthread"
            " or gevent, or unset it"
        )
    return _WORKERS.get(chosen, chosen)


def _end(error: ConfigError) -> NoReturn:
    """Exit with *error* on one line and the exit code of a usage error."""
    sys.stderr.write(f"llmgate: {error}\n")
    sys.exit(2)


try:
    _env = env.server(os.environ)
    worker_class = _worker_class()
except ConfigError as error:
    _end(error)


def _files() -> int:
    """Raise the limit of open files and return it: a stream needs two."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MAX_FILES if hard == resource.RLIM_INFINITY else min(hard, _MAX_FILES)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return _MAX_FILES if soft == resource.RLIM_INFINITY else soft
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return wanted


def _tasks() -> int | None:
    """Return how many processes and threads the platform allows, None: without limit.

    On Heroku `ulimit -u`: https://devcenter.heroku.com/articles/limits#processes-threads
    """
    soft = resource.getrlimit(resource.RLIMIT_NPROC)[0]
    limits = [soft] if soft != resource.RLIM_INFINITY and os.geteuid() else []  # not root's
    for path in _PIDS_MAX:
        with contextlib.suppress(OSError, ValueError):  # "max" is not a number
            limits.append(int(path.read_text()))
    return min(limits, default=None)


def _within_tasks(threads: int, tasks: int | None, workers: int = _env.workers) -> int:
    """Return *threads*, or fewer if those of all *workers* would exceed *tasks*."""
    if tasks is None:
        return threads
    return min(threads, max(_MIN_THREADS, (tasks - _OTHER_TASKS) // workers - _OTHER_THREADS))


bind = f"{f'[{_env.host}]' if ':' in _env.host else _env.host}:{_env.port}"
workers = _env.workers
_max_requests = (
    2048 if worker_class == _WORKERS["gevent"] else 1280
)  # requests; threads start when needed
threads = min(_env.threads or _max_requests, max(16, (_files() - 100) // 3))
if worker_class == _WORKERS["gthread"]:
    threads = _within_tasks(threads, _tasks())
worker_connections = threads + min(1000, threads * 2)
preload_app = True
timeout = 60  # of the worker's heartbeat; requests may take longer
graceful_timeout = 25  # Heroku kills 30 s after SIGTERM
keepalive = _env.keep_alive  # by default longer than load balancers keep idle connections
max_requests = 0  # no restarts: the next request would wait for every stream
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None
control_socket_disable = True
forwarder_headers = ""  # else a client's SCRIPT_NAME header moves the path
limit_request_field_size = 8190
loglevel = "warning"
accesslog = None
# without the query string, which may contain a key; used with LLMGATE_ACCESS_LOG
access_log_format = '%(h)s "%(m)s %(U)s" %(s)s %(B)s %(M)sms'
logger_class = "llmgate.server.gthread_worker.Logger"


def nworkers_changed(server: Any, new: int, old: int | None) -> None:
    """Exit at once, with one line, if an address cannot be bound: gunicorn retries for 5 s.

    This is gunicorn's first hook: nothing is loaded yet, and no pid file written. Only here the
    number of workers is known if it is an option of the command.
    """
    if old is None and worker_class == _WORKERS["gthread"]:
        server.cfg.set("threads", _within_tasks(server.cfg.threads, _tasks(), new))
    if old is not None or bind_check.inherits(os.environ, os.getpid()):
        return
    try:
        bind_check.check(server.cfg.address, server.cfg.reuse_port, "with PORT, HOST or --bind")
    except ConfigError as error:
        _end(error)


def on_starting(server: Any) -> None:
    """Listen on every address if the configuration has a master key, and no address was given.

    The app is loaded here, and no socket opened yet. Without a key only this machine reaches it.
    """
    settings = getattr(server.app.callable, "extensions", {}).get("llmgate.settings")
    is_default = server.cfg.bind == [f"{env.LOOPBACK}:{_env.port}"] and not _is_bind_given()
    if settings is None or not is_default or isinstance(server.app, embedded.Server):
        return
    if settings.master_key is None:
        server.log.warning(
            "no master key is set: listening on %s only; set LLMGATE_MASTER_KEY, or HOST=%s to"
            " listen everywhere",
            env.LOOPBACK,
            env.EVERYWHERE,
        )
        return
    os.environ["HOST"] = env.EVERYWHERE  # for SIGHUP, which reads this module again
    server.cfg.set("bind", f"{env.EVERYWHERE}:{_env.port}")
    server.address = server.cfg.address
    nworkers_changed(server, _env.workers, None)


def _is_bind_given() -> bool:
    """Return whether HOST, or an option of gunicorn's, contains the address."""
    options = [*sys.argv[1:], *os.environ.get("GUNICORN_CMD_ARGS", "").split()]
    return bool(os.environ.get("HOST")) or any(map(_BIND.match, options))


def _configure_malloc() -> None:
    """Make glibc return freed memory, unless the environment configures malloc.

    By default each thread, up to eight per core, has an arena that never shrinks, and one large
    body raises the mmap threshold for good.
    """
    if not any(name.startswith(("MALLOC_", "GLIBC_TUNABLES")) for name in os.environ):
        with contextlib.suppress(AttributeError, OSError):
            for parameter, value in _MALLOPT:
                ctypes.CDLL(None).mallopt(parameter, value)


def when_ready(server: Any) -> None:
    """Set timeouts on the listeners, which accepted sockets inherit; freeze loaded objects.

    Garbage collections in workers skip frozen objects, so their pages stay shared with the master.
    """
    _configure_malloc()
    if "llmgate.admission" in getattr(server.app.callable, "extensions", {}):
        warmup.warm_up(server.app.callable)
    gc.collect()
    gc.freeze()
    for listener in server.LISTENERS:
        for option, seconds in (
            (socket.SO_RCVTIMEO, _env.read_timeout),
            (socket.SO_SNDTIMEO, _env.write_timeout),
        ):
            listener.sock.setsockopt(socket.SOL_SOCKET, option, struct.pack("ll", seconds, 0))


def on_exit(server: Any) -> None:
    """Unfreeze: otherwise logging warns at interpreter shutdown."""
    gc.unfreeze()


def child_exit(server: Any, worker: Any) -> None:
    """Log the requests that an exited worker left; remove it from the accept balance."""
    accept_balance.CONNECTIONS.record(worker.age, None)
    request_log.print_lost(in_flight.TABLE.lost(worker.age))


def worker_exit(server: Any, worker: Any) -> None:
    """Let slow policies, the ledger and the log write what is queued; unfreeze, as in `on_exit`."""
    gate = getattr(worker.wsgi, "extensions", {}).get("llmgate")
    if gate is not None:
        gate.policies.flush(_FLUSH_SECONDS)
        worker.wsgi.extensions["llmgate.access"].close()
    request_log.STDOUT.drain(_FLUSH_SECONDS)
    gc.unfreeze()


def post_fork(server: Any, worker: Any) -> None:
    """Let SIGTERM end a worker that is still starting.

    Until `init_signals` a worker has the master's handlers, which only queue the signal.
    """
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, signal.SIG_DFL)


def post_worker_init(worker: Any) -> None:
    """Start admission control in the worker; under gevent collect garbage less often.

    With a thousand streams a collection scans a large heap, which delays first chunks.
    """
    if worker_class == _WORKERS["gevent"]:
        gc.set_threshold(*_COLLECTIONS)
    admission_control = getattr(worker.wsgi, "extensions", {}).get("llmgate.admission")
    if admission_control:
        in_flight.TABLE.attach(worker.age)
        admission_control.start(worker, worker.cfg.threads, worker.cfg.graceful_timeout)
        worker.on_thread_limit = admission_control.set_threads


def on_reload(server: Any) -> None:
    """Reload the configuration after SIGHUP; if it is invalid, keep the old one."""
    reload = getattr(server.app.callable, "extensions", {}).get("llmgate.reload")
    if reload is not None:
        try:
            server.app.callable = reload()
        except ConfigError as error:
            server.log.error("not reloaded, the old configuration stays in use: %s", error)
    when_ready(server)
