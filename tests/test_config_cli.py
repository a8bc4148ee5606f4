from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from click.testing import Result
from testing.gateway import deployment
from testing.upstream import Upstream
from testing.upstream import error_body
from testing.upstream import json_answer
from testing.upstream import model_list

from llmgate import cli


@pytest.fixture
def config(tmp_path: Path, upstream: Upstream) -> str:
    path = tmp_path / "c.yaml"
    listed = [
        deployment("gpt", upstream.url, "openai/gpt-4o"),
        deployment("mine", upstream.url, "custom_openai/gone"),
    ]
    path.write_text(yaml.safe_dump({"model_list": listed}))
    return str(path)


def run(*args: str) -> Result:
    env = {"LLMGATE_CONFIG": "", "CONFIG_FILE_PATH": ""}
    return CliRunner(env=env).invoke(cli.main, args, prog_name="llmgate")


def test_explain_prints_where_a_request_goes(config: str) -> None:
    result = run("config", "explain", "gpt", "-c", config)

    assert result.exit_code == 0
    assert result.stdout.startswith("gpt: model group\n  1. openai/gpt-4o at http://127.0.0.1:")


def test_an_unknown_model_is_an_error(config: str) -> None:
    result = run("config", "explain", "what", "-c", config)

    assert result.exit_code == 1
    assert result.stderr == "llmgate: Unknown model 'what'. Available: gpt, mine.\n"


def test_prices_of_a_model_string_and_of_a_group(config: str) -> None:
    result = run("prices", "openai/gpt-4o")
    assert (result.exit_code, result.stdout.split()[0]) == (0, "openai/gpt-4o")

    result = run("prices", "gpt", "-c", config)
    assert result.stdout.startswith("gpt: openai/gpt-4o (chat, context 128000")


def test_a_model_without_a_price_is_the_exit_code(config: str) -> None:
    assert run("prices", "openai/nobody-knows").exit_code == 1
    result = run("prices", "nobody-knows")
    assert result.exit_code == 2
    assert "write it as <provider>/<model>" in result.stderr


def test_a_probe_reports_each_deployment(config: str, upstream: Upstream) -> None:
    upstream.plays(json_answer(model_list("gpt-4o")))

    result = run("--config", config, "--check", "--probe")

    assert result.exit_code == 1
    assert [line for line in result.stdout.splitlines() if " at http" in line] == [
        f"ok  gpt: openai/gpt-4o at {upstream.url}/v1: the key is accepted, the model is listed",
        f"FAILED  mine: custom_openai/gone at {upstream.url}/v1: the key is accepted;"
        " 'gone' is not among its 1 models",
    ]


def test_a_probe_names_a_key_that_is_refused(config: str, upstream: Upstream) -> None:
    body = error_body("Incorrect API key provided: sk-upstream-secret", code="invalid_api_key")
    upstream.plays(json_answer(body, 401))

    result = run("--config", config, "--check", "--probe")

    assert result.exit_code == 1
    assert "FAILED  gpt: openai/gpt-4o" in result.stdout
    assert "401 invalid_api_key: Incorrect API key provided: ***" in result.stdout
    assert "sk-upstream-secret" not in result.output


def test_probe_needs_check(config: str) -> None:
    assert run("--probe").stderr == "llmgate: --probe needs --check\n"
