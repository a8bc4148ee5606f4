from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from collections.abc import Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import pytest
import requests
from click.testing import CliRunner
from click.testing import Result
from flask import Flask
from testing.gateway import KEPT
from testing.gateway import ROOT
from testing.upstream import Upstream
from testing.upstream import chat_completion
from testing.upstream import json_answer

from llmgate import cli
from llmgate import gunicorn_conf
from llmgate.config import load
from llmgate.providers import PROVIDERS
from llmgate.server import embedded
from llmgate.version import VERSION

CHAT = {"model": "any", "messages": [{"role": "user", "content": "say it again"}]}
MODULE = ["-m", "llmgate"]
SCRIPT = ["-c", "import sys; from llmgate.cli import main; sys.exit(main())"]  # as pip writes it


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take all that the command reads out of the environment."""
    names = {name for each in PROVIDERS.values() for found in each.env.values() for name in found}
    for name in (*names, "PORT", "HOST", "LLMGATE_CONFIG", "LLMGATE_MASTER_KEY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "main.yaml"
    path.write_text(
        "model_list: [{model_name: gpt, litellm_params: {model: openai/gpt-4o, api_key: k}}]"
    )
    return path


def run(*args: str, **env: str) -> Result:
    return CliRunner(env=env).invoke(cli.main, args, prog_name="llmgate")


def parsed(*args: str, **env: str) -> Mapping[str, Any]:
    """Return the options as `main` gets them."""
    with CliRunner(env=env).isolation(env=env):
        return cli.main.make_context("llmgate", list(args)).params


# -- options


@pytest.mark.fault("S3")
@pytest.mark.parametrize(
    ("given", "key", "environ", "wanted"),
    [
        (None, None, {}, "127.0.0.1"),
        (None, "sk", {}, "0.0.0.0"),
        (None, None, {"PORT": "80"}, "0.0.0.0"),
        ("::1", None, {}, "::1"),
    ],
)
def test_without_a_key_only_this_machine_reaches_the_gateway(
    given: str | None, key: str | None, environ: Mapping[str, str], wanted: str
) -> None:
    settings = load(None, {})._replace(master_key=key)

    assert cli._host(given, settings, environ) == wanted


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("--detailed_debug --port 5", ["--detailed_debug"]),
        ("--telemetry False --request_timeout=600 --port 5", ["--telemetry", "--request_timeout"]),
        ("--run-gunicorn --port 5 --debug", ["--run-gunicorn", "--debug"]),
    ],
)
def test_options_of_litellms_command_are_named_as_ignored(
    line: str, names: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli._less_ignored(line.split()) == ["--port", "5"]

    assert capsys.readouterr().err.splitlines() == [
        f"llmgate: warning: {name} is ignored" for name in names
    ]


SAID: dict[str, Any] = {
    "model": "ollama/codellama",
    "temperature": 0.3,
    "max_tokens": 2048,
    "drop_params": True,
}


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("--model ollama/codellama --temperature 0.3 --max_tokens 2048 --drop_params", SAID),
        ("-m ollama/codellama --temperature 0.3 --max-tokens 2048 --drop-params", SAID),
        ("--model gpt-3.5-turbo", {"model": "gpt-3.5-turbo"}),
        ("--api_base http://h", {"api_base": "http://h"}),
        ("--api-base http://h", {"api_base": "http://h"}),
        ("--workers 3 --threads 8", {"workers": 3, "threads": 8}),
        ("--num_workers 3", {"workers": 3}),
        ("-c x.yaml -p 80 --host ::1", {"path": "x.yaml", "port": 80, "host": "::1"}),
        ("--config x.yaml --port 0", {"path": "x.yaml", "port": 0}),
        ("--check", {"check": True}),
        ("", {}),
    ],
)
def test_an_option_may_be_spelled_both_ways(line: str, wanted: Any) -> None:
    defaults = {
        "model": None,
        "path": None,
        "host": None,
        "port": None,
        "api_base": None,
        "drop_params": False,
        "temperature": None,
        "max_tokens": None,
        "workers": None,
        "threads": None,
        "check": False,
        "probe": False,
    }

    assert parsed(*line.split()) == {**defaults, **wanted}


@pytest.mark.parametrize(
    ("args", "env", "wanted"),
    [
        (
            "",
            {"HOST": "127.0.0.1", "LLMGATE_CONFIG": "x"},
            ("127.0.0.1", "x"),
        ),
        ("", {"HOST": "", "LLMGATE_CONFIG": ""}, (None, None)),
        ("--host h -c y", {"HOST": "i", "LLMGATE_CONFIG": "x"}, ("h", "y")),
    ],
)
def test_the_environment_says_what_the_line_does_not(args: str, env: Any, wanted: Any) -> None:
    got = parsed(*args.split(), **env)

    assert (got["host"], got["path"]) == wanted


@pytest.mark.parametrize(
    "line",
    [
        "--port x",
        "--port 65536",
        "--port -1",
        "--max_tokens 0",
        "--temperature hot",
        "--temperature -1",
        "--workers 0",
        "--threads many",
        "--unknown",
        "stray",
    ],
)
def test_a_wrong_option_is_refused(line: str) -> None:
    with pytest.raises(click.UsageError) as caught:
        parsed(*line.split())

    assert caught.value.exit_code == 2
    told = run(*line.split())
    assert (told.exit_code, told.stdout, told.stderr.count("\n")) == (2, "", 1)
    assert told.stderr.startswith("llmgate: ")
    assert told.stderr.endswith("; llmgate --help lists the options\n")


@pytest.mark.parametrize("command", [MODULE, SCRIPT])
@pytest.mark.parametrize("name", ["PORT", "WEB_CONCURRENCY", "LLMGATE_THREADS"])
def test_a_number_of_the_environment_that_is_none_is_one_line(
    command: list[str], name: str
) -> None:
    kept = {each: os.environ[each] for each in KEPT if each in os.environ}

    done = subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env={**kept, name: "x"},
        capture_output=True,
        text=True,
        timeout=20,
    )

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"llmgate: the environment variable {name} is 'x'; set it to a")
    assert done.stderr.count("\n") == 1


def test_a_wrong_number_does_not_keep_help_from_being_read() -> None:
    assert run("--help", PORT="x").exit_code == 0


def test_the_version_is_said() -> None:
    got = run("--version")

    assert (got.exit_code, got.stdout) == (0, f"llmgate, version {VERSION}\n")


def test_help_names_every_option() -> None:
    got = run("-h")

    assert got.exit_code == 0
    for name in "model config host port api-base drop-params temperature max-tokens".split():
        assert f"--{name}" in got.stdout


def test_options_reach_gunicorns_settings() -> None:
    app = Flask("x")

    options = {"bind": "127.0.0.1:5", "workers": "3", "threads": "7"}
    server = embedded.Server(lambda: app, gunicorn_conf, options)

    assert (server.cfg.address, server.cfg.workers, server.cfg.threads) == (
        [("127.0.0.1", 5)],
        3,
        7,
    )
    assert (server.cfg.preload_app, server.cfg.graceful_timeout) == (True, 25)
    assert server.load() is app


# -- check


def test_a_valid_configuration_passes_the_check(config: Path) -> None:
    got = run("--check", "--config", str(config))

    assert (got.exit_code, got.stdout) == (0, "main.yaml: valid\n")
    assert got.stderr.startswith("llmgate: warning: no master key is set")


def test_the_check_says_what_has_no_effect(config: Path) -> None:
    config.write_text(config.read_text() + "\nlitellm_settings: {cache: true}")

    got = run("--check", LLMGATE_CONFIG=str(config), LLMGATE_MASTER_KEY="sk-m")

    assert (got.exit_code, got.stderr) == (
        0,
        f"llmgate: warning: {config}: these keys are ignored: litellm_settings.cache\n",
    )


def test_without_a_file_the_environment_is_checked() -> None:
    echo = "no model_list is given and no provider's key is set: the built-in echo answers"

    got = run("--check")

    assert got.stdout == "the environment: valid\n"
    assert f"llmgate: warning: {echo}" in got.stderr
    assert echo not in run("--check", OPENAI_API_KEY="sk-1").stderr


@pytest.mark.parametrize(
    ("args", "text", "message"),
    [
        (
            "-c {path}",
            "model_lst: []",
            "{path}: model_lst: Unknown parameter: 'model_lst'. Did you",
        ),
        ("-c {path} --check", "model_list: 5", "{path}: model_list: Invalid type for 'model_list'"),
        ("-c {path}", "a: [", "{path}: is not valid YAML in line 1: "),
        ("-c {path}", None, "{path}: cannot be read: No such file or directory; check its path"),
        (
            "-c {path}",
            "general_settings: {{master_key: os.environ/NOPE}}",
            "{path}: general_settings.master_key: the environment variable NOPE is not set; set it",
        ),
        (
            "-c {path}",
            "model_list: [{{model_name: a, litellm_params: {{model: opnai/x}}}}]",
            "{path}: model_list[0].litellm_params.model: unknown provider 'opnai' in 'opnai/x'",
        ),
        ("--model codellama", None, "--model: 'codellama' names no provider: write it as <prov"),
        ("--model azure/x", None, "--api_base: is missing, and provider azure has no address"),
        ("--api-base http://h", None, "--api-base needs --model"),
    ],
)
def test_a_fault_is_one_line_and_exit_code_2(
    args: str, text: str | None, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "my.yaml"
    if text is not None:
        path.write_text(text.replace("{{", "{").replace("}}", "}"))

    got = run(*args.format(path=path).split())

    assert (got.exit_code, got.stdout) == (2, "")
    assert got.stderr.startswith("llmgate: " + message.format(path=path))
    assert got.stderr.count("\n") == 1


# -- the port


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_port_in_use_is_named_with_the_remedy(host: str) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as taken:
        try:
            taken.bind((host, 0))
        except OSError:
            pytest.skip(f"this machine has no {host}")
        taken.listen()
        port = taken.getsockname()[1]

        got = run("--host", host, PORT=str(port))

    assert (got.exit_code, got.stdout) == (2, "")
    shown = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    assert got.stderr == (
        f"llmgate: cannot listen on {shown}: Address already in use; stop what uses it, or choose"
        " another port, with --port (or PORT) and --host (or HOST)\n"
    )


def test_a_host_that_is_not_ours_is_refused() -> None:
    got = run("--host", "192.0.2.1")

    assert got.exit_code == 2
    assert got.stderr.startswith("llmgate: cannot listen on 192.0.2.1:4000: ")


# -- the real thing


@contextmanager
def started(
    command: list[str], args: str, **env: str
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Give the process of the command with *args* and the line it said, once it serves."""
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    process = subprocess.Popen(
        [sys.executable, *command, *args.split()],
        cwd=ROOT,
        env={**kept, **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        assert process.stderr
        line = next(each for each in process.stderr if " on http://" in each)
        yield process, line
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def answered(url: str, body: Mapping[str, Any]) -> requests.Response:
    """Return the answer to *body*, asked until somebody listens."""
    deadline = time.monotonic() + 10
    while True:
        try:
            return requests.post(
                f"{url}/v1/chat/completions",
                json=body,
                headers={"Connection": "close"},  # else a worker waits for it when it ends
                timeout=10,
            )
        except requests.ConnectionError:
            assert time.monotonic() < deadline
            time.sleep(0.02)


def wait_for_workers(pid: int, number: int) -> None:
    deadline = time.monotonic() + 10
    children = Path(f"/proc/{pid}/task/{pid}/children")
    while len(children.read_text().split()) != number:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def address(line: str) -> str:
    found = re.search(r"on (http://\S+:\d+) serves ", line)
    assert found
    return found[1]


def test_the_module_serves_without_any_set_up_until_sigterm() -> None:
    args = "--host 127.0.0.1 --port 0 --workers 2 --threads 3"

    with started(MODULE, args) as (process, line):
        reply = answered(address(line), CHAT)
        wait_for_workers(process.pid, 2)
        process.terminate()
        status = process.wait(20)

    assert reply.json()["choices"][0]["message"]["content"] == "say it again"
    assert status == 0
    assert line.startswith(f"llmgate {VERSION} on http://127.0.0.1:")


def test_the_script_serves_as_the_seeds_start_it(upstream: Upstream) -> None:
    upstream.plays(json_answer(chat_completion("done")))
    args = "--model ollama/codellama --temperature 0.3 --max_tokens 2048 --drop_params"
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    env = {"PORT": str(port), "HOST": "127.0.0.1", "OLLAMA_API_BASE": upstream.url}
    env["WEB_CONCURRENCY"] = "1"

    with started(SCRIPT, args, **env) as (process, line):
        reply = answered(
            f"http://127.0.0.1:{port}", {**CHAT, "model": "gpt-4", "stop_sequences": ["\n"]}
        )
        again = answered(f"http://127.0.0.1:{port}", {**CHAT, "temperature": 1, "max_tokens": 5})
        process.send_signal(signal.SIGTERM)
        status = process.wait(10)

    assert line.endswith(f" on http://127.0.0.1:{port} serves ollama/codellama\n")
    assert (reply.status_code, again.status_code, status) == (200, 200, 0)
    assert reply.json()["choices"][0]["message"]["content"] == "done"
    first, second = upstream.requests
    assert first.path == "/v1/chat/completions"
    assert first.json == {
        "model": "codellama",
        "messages": CHAT["messages"],
        "temperature": 0.3,
        "max_tokens": 2048,
    }
    assert (second.json["temperature"], second.json["max_tokens"]) == (1, 5)


def test_a_sighup_reads_the_file_again(config: Path) -> None:
    again = config.read_text().replace("model_name: gpt", "model_name: other")

    with started(MODULE, f"--host 127.0.0.1 --port 0 --workers 1 -c {config}") as (process, line):
        before = models(address(line))
        config.write_text("model_list: 5")
        process.send_signal(signal.SIGHUP)
        assert process.stderr
        said = next(each for each in process.stderr if "not reloaded" in each)
        kept = models(address(line))
        config.write_text(again)
        process.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + 10
        while models(address(line)) != ["other"]:
            assert time.monotonic() < deadline
            time.sleep(0.05)

    assert (before, kept) == (["gpt"], ["gpt"])
    assert "model_list: Invalid type" in said


def models(url: str) -> list[str]:
    """Return the names of the models at *url*, asked until somebody listens."""
    deadline = time.monotonic() + 10
    while True:
        try:
            got = requests.get(f"{url}/v1/models", headers={"Connection": "close"}, timeout=10)
            return [model["id"] for model in got.json()["data"]]
        except requests.ConnectionError:
            assert time.monotonic() < deadline
            time.sleep(0.02)
