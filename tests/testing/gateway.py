"""The real gateway for tests: gunicorn in processes of its own, on a free loopback port.

with Upstream() as up, Gateway(config_for(up)) as gate:
    requests.post(gate.url + "/v1/chat/completions", json=...)
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

import yaml

from testing.upstream import Upstream

ROOT = Path(__file__).parents[2]
CONF = "python:llmgate.gunicorn_conf"
KEPT: tuple[str, ...] = ("PATH", "LANG", "LC_ALL", "TZ", "VIRTUAL_ENV")
KEPT = (*KEPT, "LLMGATE_WORKER_CLASS")  # so that the whole suite can be run under each
"""What of the machine's environment a gateway gets: no keys, no proxies, no home."""

API_KEY = "sk-upstream-secret"
MODELS = (
    "gpt-4o",
    "gpt-4o-mini",
    "gpt-3.5-turbo",
    "gpt-3.5-turbo-instruct",
    "text-embedding-3-small",
    "text-embedding-ada-002",
    "dall-e-3",
    "whisper-1",
    "tts-1",
    "omni-moderation-latest",
    "text-moderation-stable",
)


def config_for(up: Upstream, **litellm_settings: Any) -> dict[str, Any]:
    """Return a configuration that has every one of MODELS at *up*."""
    config: dict[str, Any] = {"model_list": [deployment(model, up.url) for model in MODELS]}
    if litellm_settings:
        config["litellm_settings"] = litellm_settings
    return config


def deployment(group: str, url: str, model: str | None = None, **params: Any) -> dict[str, Any]:
    """Return an entry for `model_list`: *model* (else `openai/` and *group*) at *url*/v1."""
    own = {"model": model or f"openai/{group}", "api_base": f"{url}/v1", "api_key": API_KEY}
    return {"model_name": group, "litellm_params": {**own, **params}}


class Gateway:
    """A gateway that runs from `with` to its end, or to `stop`."""

    def __init__(
        self,
        config: Mapping[str, Any] | None = None,
        *,
        env: Mapping[str, str] | None = None,
        workers: int = 1,
        app: str = "app:app",
        conf: str | None = CONF,
        args: Sequence[str] = (),
    ) -> None:
        """Take *config* as LLMGATE_CONFIG's file; *args* are more of gunicorn's options."""
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._folder = tempfile.TemporaryDirectory(prefix="llmgate-test-")
        self.home = Path(self._folder.name)  # its HOME, for what a test wants to find there
        self._env = {name: os.environ[name] for name in KEPT if name in os.environ}
        self._env |= {"HOME": str(self.home), "PYTHONUNBUFFERED": "1"}
        self._env |= {"PORT": str(self.port), "WEB_CONCURRENCY": str(workers), **(env or {})}
        if config:
            path = self.home / "config.yaml"
            path.write_text(yaml.safe_dump(dict(config), sort_keys=False), encoding="utf-8")
            self._env["LLMGATE_CONFIG"] = str(path)
        self._command = [sys.executable, "-m", "gunicorn", *(["-c", conf] if conf else [])]
        self._command += ["--bind", f"127.0.0.1:{self.port}", *args, app]
        self._workers = workers
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Gateway:
        """Start it and wait until it answers and has all its workers."""
        with self._file("stdout").open("wb") as out, self._file("stderr").open("wb") as err:
            # A session of its own: its group can be killed as a whole.
            self._process = subprocess.Popen(
                self._command,
                cwd=ROOT,
                env=self._env,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )
        try:
            self._await_readiness()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop it and remove its files."""
        try:
            self.stop()
        finally:
            self._folder.cleanup()

    @property
    def pid(self) -> int:
        """Return the process id of gunicorn's master."""
        assert self._process
        return self._process.pid

    def workers(self) -> list[int]:
        """Return the process ids of its workers."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text()
        return [int(pid) for pid in children.split()]

    def peak_memory(self) -> int:
        """Return the most bytes that any one worker has had resident so far."""
        status = [Path(f"/proc/{pid}/status").read_text() for pid in self.workers()]
        return max(int(each.partition("VmHWM:")[2].split()[0]) for each in status) * 1024

    def logs(self) -> list[Any]:
        """Return the lines of its standard output, decoded where they are JSON."""
        return [_decoded(line) for line in self._text("stdout").rpartition("\n")[0].splitlines()]

    def stderr(self) -> str:
        """Return its standard error so far, which has gunicorn's own log."""
        return self._text("stderr")

    def log(self, wanted: Callable[[Any], bool], timeout: float = 5.0) -> Any:
        """Return the first line of `logs` that is *wanted*, as soon as it is there."""
        deadline = time.monotonic() + timeout
        while True:
            found = [line for line in self.logs() if wanted(line)]
            if found:
                return found[0]
            assert time.monotonic() < deadline, f"no such line in {self.logs()}"
            time.sleep(0.01)

    def stop(self, grace: float = 10.0) -> int:
        """Return its exit status after SIGTERM; SIGKILL follows after *grace* seconds."""
        assert self._process
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(grace)
            except subprocess.TimeoutExpired:
                self._process.kill()
        status = self._process.wait()
        if status < 0:  # killed: its workers are orphans
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
        return status

    def _await_readiness(self, timeout: float = 20.0) -> None:
        assert self._process
        deadline = time.monotonic() + timeout
        while not self._ready():
            assert self._process.poll() is None, f"it ended:\n{self.stderr()}"
            assert time.monotonic() < deadline, f"not ready in {timeout} s:\n{self.stderr()}"
            time.sleep(0.02)

    def _ready(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2)
        try:
            if len(self.workers()) < self._workers:
                return False
            connection.request("GET", "/health", headers={"Connection": "close"})
            return connection.getresponse().status < 500
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def _file(self, name: str) -> Path:
        return self.home / name

    def _text(self, name: str) -> str:
        return self._file(name).read_text(encoding="utf-8", errors="replace")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def _decoded(line: str) -> Any:
    try:
        return json.loads(line)
    except ValueError:
        return line
