from __future__ import annotations

import gc
import os
import platform
import runpy
import signal
import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import requests
from gunicorn.config import Config
from testing.gateway import API_KEY
from testing.gateway import CONF
from testing.gateway import KEPT
from testing.gateway import ROOT
from testing.gateway import Gateway
from testing.workers import WORKERS

from llmgate import gunicorn_conf


def settings(monkeypatch: pytest.MonkeyPatch, **env: str) -> dict[str, Any]:
    """Return the settings as they are read in an environment that has *env*."""
    for name in (
        "HOST",
        "PORT",
        "WEB_CONCURRENCY",
        "LLMGATE_THREADS",
        "LLMGATE_WORKER_CLASS",
        "LLMGATE_MASTER_KEY",
    ):
        monkeypatch.delenv(name, raising=False)
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    found = runpy.run_path(gunicorn_conf.__file__)
    return {name: value for name, value in found.items() if name in Config().settings}


@pytest.mark.parametrize(
    ("env", "bind"),
    [
        ({}, "127.0.0.1:4000"),
        ({"LLMGATE_MASTER_KEY": "sk"}, "0.0.0.0:4000"),
        ({"PORT": "80"}, "0.0.0.0:80"),
        ({"PORT": "", "HOST": ""}, "127.0.0.1:4000"),
        ({"HOST": "127.0.0.1"}, "127.0.0.1:4000"),
        ({"PORT": "80", "HOST": "::"}, "[::]:80"),
    ],
)
def test_it_listens_where_the_environment_says(
    env: Any, bind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert settings(monkeypatch, **env)["bind"] == bind


def test_processes_and_threads_are_those_of_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    few = settings(monkeypatch, LLMGATE_WORKER_CLASS="gthread")
    many = settings(monkeypatch, WEB_CONCURRENCY="5", LLMGATE_THREADS="100")

    assert (few["workers"], few["threads"]) == (2, 1280)
    assert (many["workers"], many["threads"]) == (5, 100)


def test_gunicorn_takes_every_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    config = Config()

    for name, value in settings(monkeypatch).items():
        if value is not None:
            config.set(name, value)

    assert config.preload_app
    assert config.forwarder_headers == []
    assert "%(r)s" not in config.access_log_format
    assert config.worker_connections > config.threads


@pytest.mark.parametrize(
    ("env", "found", "wanted"),
    [
        ({}, True, "llmgate.server.gevent_worker.Worker"),
        ({}, False, "llmgate.server.gthread_worker.Worker"),
        ({"LLMGATE_WORKER_CLASS": "gthread"}, True, "llmgate.server.gthread_worker.Worker"),
        ({"LLMGATE_WORKER_CLASS": "gevent"}, True, "llmgate.server.gevent_worker.Worker"),
        ({"LLMGATE_WORKER_CLASS": "my.Worker"}, True, "my.Worker"),
    ],
)
def test_gevent_serves_where_it_is_installed(
    env: Any, found: bool, wanted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: found or None)

    assert settings(monkeypatch, **env)["worker_class"] == wanted


def test_what_is_loaded_before_the_fork_is_frozen() -> None:
    gc.unfreeze()

    gunicorn_conf.when_ready(SimpleNamespace(LISTENERS=[], app=SimpleNamespace(callable=None)))

    assert gc.get_freeze_count() > 0
    gc.unfreeze()


def test_a_worker_that_has_not_begun_ends_when_it_is_told_to() -> None:
    before = signal.signal(signal.SIGTERM, lambda *args: None)
    others = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGQUIT)}
    try:
        gunicorn_conf.post_fork(None, None)

        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    finally:
        for number, handler in {signal.SIGTERM: before, **others}.items():
            signal.signal(number, handler)


@pytest.mark.parametrize(("kind", "is_less_often"), [("gevent", True), ("gthread", False)])
def test_a_worker_of_many_streams_collects_garbage_less_often(
    kind: str, is_less_often: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gunicorn_conf, "worker_class", gunicorn_conf._WORKERS[kind])
    before = gc.get_threshold()
    worker = SimpleNamespace(wsgi=None, cfg=None)
    try:
        gunicorn_conf.post_worker_init(worker)

        assert (gc.get_threshold() != before) == is_less_often
    finally:
        gc.set_threshold(*before)


@pytest.mark.parametrize(
    ("env", "message"),
    [
        (
            {"PORT": "x"},
            "the environment variable PORT is 'x'; set it to a whole number from 1 to 65535, or"
            " unset it",
        ),
        (
            {"LLMGATE_WORKER_CLASS": "threads"},
            "the environment variable LLMGATE_WORKER_CLASS is 'threads'; set it to gthread or"
            " gevent, or unset it",
        ),
        (
            {"LLMGATE_WORKER_CLASS": "gevent"},
            "LLMGATE_WORKER_CLASS is gevent, which is not installed: run pip install"
            " 'llmgate[gevent]', or unset it",
        ),
    ],
)
def test_what_is_wrong_in_the_environment_ends_it_in_one_line(
    env: Any, message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)

    with pytest.raises(SystemExit) as caught:
        settings(monkeypatch, **env)

    assert caught.value.code == 2
    assert capsys.readouterr() == ("", f"llmgate: {message}\n")


def starting(key: str | None, *binds: str) -> tuple[list[str], int]:
    """Return where a gunicorn with *binds* listens whose app has *key*, and its warnings."""
    config, warned = Config(), []
    config.set("bind", list(binds))
    settings = SimpleNamespace(master_key=key)
    app = SimpleNamespace(callable=SimpleNamespace(extensions={"llmgate.settings": settings}))
    log = SimpleNamespace(warning=lambda *text: warned.append(text))
    gunicorn_conf.on_starting(SimpleNamespace(app=app, cfg=config, log=log))
    return config.bind, len(warned)


def test_without_a_key_gunicorn_listens_on_loopback_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["gunicorn"])
    monkeypatch.setattr(gunicorn_conf.bind_check, "check", lambda *args: None)
    monkeypatch.setenv("HOST", "")  # restored after the test
    default = f"127.0.0.1:{gunicorn_conf._env.port}"

    assert starting(None, default) == ([default], 1)
    assert starting(None, "0.0.0.0:1") == (["0.0.0.0:1"], 0)  # said in an option
    assert starting("sk", default) == ([f"0.0.0.0:{gunicorn_conf._env.port}"], 0)
    assert starting("sk", default) == ([default], 0)  # HOST is set now, for a reload
    monkeypatch.setenv("HOST", "")
    monkeypatch.setattr(sys, "argv", ["gunicorn", f"--bind={default}"])
    assert starting("sk", default) == ([default], 0)


def server(*addresses: Any) -> Any:
    return SimpleNamespace(cfg=SimpleNamespace(address=addresses, reuse_port=False))


def test_an_address_in_use_ends_it_before_gunicorn_tries(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = taken.getsockname()

        with pytest.raises(SystemExit) as caught:
            gunicorn_conf.nworkers_changed(server("/a/socket", 5, address), 2, None)

    assert caught.value.code == 2
    assert capsys.readouterr().err == (
        f"llmgate: cannot listen on 127.0.0.1:{address[1]}: Address already in use; stop what uses"
        " it, or choose another port, with PORT, HOST or --bind\n"
    )


def test_sockets_that_it_has_already_are_not_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        own = server(taken.getsockname())
        gunicorn_conf.nworkers_changed(own, 3, 2)
        with monkeypatch.context() as patch:
            patch.setenv("LISTEN_PID", str(os.getpid()))
            gunicorn_conf.nworkers_changed(own, 2, None)
        monkeypatch.setenv("GUNICORN_FD", "7")
        gunicorn_conf.nworkers_changed(own, 2, None)


# -- memory

_ARENAS = """
import re, sys, threading
from types import SimpleNamespace
from llmgate import gunicorn_conf

gunicorn_conf.when_ready(SimpleNamespace(LISTENERS=[], app=SimpleNamespace(callable=None)))
together = threading.Barrier(8)
def run():
    kept = bytearray(100_000)
    together.wait()
    kept.clear()
threads = [threading.Thread(target=run) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
reserved = re.findall(r"^(\\w+)-(\\w+) ---p 0+ 00:00 0 *$", open("/proc/self/maps").read(), re.M)
print(sum(32 << 20 < int(end, 16) - int(start, 16) <= 64 << 20 for start, end in reserved))
"""


def arenas(**env: str) -> int:
    """Return how many arenas beside the first glibc has made for eight threads."""
    done = subprocess.run(
        [sys.executable, "-c", _ARENAS],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
        check=True,
        timeout=20,
    )
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries have no arenas")
def test_threads_share_two_arenas_unless_the_environment_says_otherwise() -> None:
    assert arenas() == 1
    assert arenas(MALLOC_ARENA_MAX="6") == 5


# -- the real thing


def begun(*args: str, **env: str) -> tuple[int, str, str]:
    """Return exit code and output of gunicorn with *args*."""
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    done = subprocess.run(
        [sys.executable, "-m", "gunicorn", "-c", CONF, *args, "app:app"],
        cwd=ROOT,
        env={**kept, **env},
        capture_output=True,
        text=True,
        timeout=20,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("worker", WORKERS)
@pytest.mark.parametrize("bound", [False, True])
def test_gunicorn_ends_at_once_if_the_port_is_in_use(worker: str, bound: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        env = {} if bound else {"PORT": port, "HOST": "127.0.0.1"}
        args = ["--bind", f"127.0.0.1:{port}"] if bound else []

        code, out, err = begun(*args, LLMGATE_WORKER_CLASS=worker, **env)

    assert (code, out) == (2, "")
    assert err.startswith(f"llmgate: cannot listen on 127.0.0.1:{port}: Address already in use; ")
    assert err.count("\n") == 1  # gunicorn's own tries are eleven


@pytest.mark.parametrize("name", ["PORT", "LLMGATE_THREADS", "LLMGATE_READ_TIMEOUT"])
def test_gunicorn_ends_in_one_line_if_a_number_is_none(name: str) -> None:
    code, out, err = begun(**{name: "x"})

    assert (code, out) == (2, "")
    assert err.startswith(f"llmgate: the environment variable {name} is 'x'; set it to a whole")
    assert err.count("\n") == 1


@pytest.mark.fault("F8")
@pytest.mark.parametrize(
    ("threads", "tasks", "got"),
    [(1280, None, 1280), (1280, 256, 112), (64, 256, 64), (1280, 32768, 1280), (1280, 20, 8)],
)
def test_threads_are_bounded_by_what_the_platform_allows(
    threads: int, tasks: int | None, got: int
) -> None:
    assert gunicorn_conf._within_tasks(threads, tasks) == got  # for two workers


@pytest.mark.fault("F8")
@pytest.mark.parametrize(("workers", "threads"), [(1, 276), (2, 134), (8, 27)])
def test_the_option_for_workers_bounds_the_threads(
    workers: int, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gunicorn_conf, "worker_class", gunicorn_conf._WORKERS["gthread"])
    monkeypatch.setattr(gunicorn_conf, "_tasks", lambda: 300)
    monkeypatch.setenv("GUNICORN_FD", "3")  # the sockets are there: nothing is bound
    config = Config()
    config.set("threads", 1280)

    gunicorn_conf.nworkers_changed(SimpleNamespace(cfg=config), workers, None)

    assert config.threads == threads


@pytest.mark.fault("F8")
def test_the_smallest_limit_of_tasks_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "max").write_text("max\n")
    (tmp_path / "number").write_text("300\n")
    paths = (tmp_path / "max", tmp_path / "number", tmp_path / "none")
    monkeypatch.setattr(gunicorn_conf, "_PIDS_MAX", paths)
    monkeypatch.setattr(gunicorn_conf.os, "geteuid", lambda: 0)

    assert gunicorn_conf._tasks() == 300


@pytest.mark.fault("P21", "S24")
def test_a_gateway_has_no_control_socket_and_no_key_in_its_arguments(gateway: Gateway) -> None:
    assert requests.get(f"{gateway.url}/health", timeout=5).ok

    sockets = [path for path in gateway.home.rglob("*") if path.is_socket()]
    listening = Path(f"/proc/{gateway.pid}/net/unix").read_text()
    pids = [gateway.pid, *gateway.workers()]
    arguments = b"".join(Path(f"/proc/{pid}/cmdline").read_bytes() for pid in pids)

    assert sockets == []
    assert "gunicorn.ctl" not in listening
    assert arguments and API_KEY.encode() not in arguments
