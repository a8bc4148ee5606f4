"""Whether the addresses of the server are to be had."""

from __future__ import annotations

import errno
import os
import socket
from typing import Any

import pytest

from llmgate.errors import ConfigError
from llmgate.server import bind_check


def fault(host: str, port: int) -> str:
    with pytest.raises(ConfigError) as caught:
        bind_check.check([(host, port)], False, "here")
    return str(caught.value)


def test_a_free_port_is_found() -> None:
    port = bind_check.available_port("127.0.0.1", 0, False, "")

    assert bind_check.available_port("127.0.0.1", port, False, "") == port


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_an_address_in_use_is_named(host: str) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as taken:
        try:
            taken.bind((host, 0))
        except OSError:
            pytest.skip(f"this machine has no {host}")
        taken.listen()
        port = taken.getsockname()[1]

        message = fault(host, port)

    shown = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    assert message == (
        f"cannot listen on {shown}: Address already in use; stop what uses it, or choose another"
        " port, here"
    )


def test_a_port_that_others_share_may_be_shared() -> None:
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("127.0.0.1", 0))
        other.listen()
        bind_check.check([other.getsockname()], True, "here")

        assert "Address already in use" in fault(*other.getsockname())


def test_an_address_that_is_not_ours_is_named() -> None:
    assert fault("192.0.2.1", 4000) == (
        "cannot listen on 192.0.2.1:4000: Cannot assign requested address; this machine has no such"
        " address: choose another host, here"
    )


@pytest.mark.parametrize("host", ["no such host", "a" * 300, "1:2:3"])
def test_a_host_that_is_none_is_named(host: str) -> None:
    message = fault(host, 4000)

    assert message.startswith("cannot listen on ")
    assert message.endswith("; choose another host or port, here")


def test_a_port_that_is_none_is_named() -> None:
    assert fault("127.0.0.1", 70000).startswith("cannot listen on 127.0.0.1:70000: ")


def test_a_port_for_root_alone_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(self: Any, address: Any) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(socket.socket, "bind", refused)

    assert fault("127.0.0.1", 80) == (
        "cannot listen on 127.0.0.1:80: Permission denied; only root may use this port: choose one"
        " of 1024 or more, here"
    )


@pytest.mark.parametrize(
    ("environ", "wanted"),
    [
        ({}, False),
        ({"LISTEN_PID": "7", "LISTEN_FDS": "1"}, True),
        ({"LISTEN_PID": "8", "LISTEN_FDS": "1"}, False),
        ({"GUNICORN_FD": "5"}, True),
    ],
)
def test_sockets_may_be_there_already(environ: dict[str, str], wanted: bool) -> None:
    assert bind_check.inherits(environ, 7) is wanted
