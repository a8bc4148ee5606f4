from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient

from llmgate import config
from llmgate.errors import ConfigError
from llmgate.inbound import root_path

ECHO = {"model_list": [{"model_name": "e", "litellm_params": {"model": "echo/echo"}}]}


@pytest.mark.parametrize("path", ["/llm/v1/models", "/v1/models", "/llm/health", "/health"])
def test_routes_are_below_the_root_path_and_without_it(
    path: str, app_for: Callable[..., FlaskClient]
) -> None:
    assert app_for(ECHO, SERVER_ROOT_PATH="llm/").get(path).status_code == 200


def test_other_prefixes_are_unknown_paths(app_for: Callable[..., FlaskClient]) -> None:
    assert app_for(ECHO, SERVER_ROOT_PATH="/llm").get("/llmx/v1/models").status_code == 404


@pytest.mark.parametrize(
    ("peer", "prefix", "script", "path"),
    [
        ("10.1.2.3", "/gate/", "/gate", "/v1/models"),
        ("", "/gate", "/gate", "/v1/models"),
        ("8.8.8.8", "/gate", "", "/gate/v1/models"),
        ("not an address", "/gate", "", "/gate/v1/models"),
        ("10.1.2.3", "//evil.example", "", "/gate/v1/models"),
        ("10.1.2.3", "/other", "/other", "/gate/v1/models"),
    ],
)
def test_a_prefix_is_taken_from_trusted_proxies_alone(
    peer: str, prefix: str, script: str, path: str
) -> None:
    seen: list[Any] = []
    app = root_path.RootPath(
        lambda environ, start: seen.append(environ), root_path.Prefixes(proxies=("10.0.0.0/8",))
    )

    app({"REMOTE_ADDR": peer, "HTTP_X_FORWARDED_PREFIX": prefix, "PATH_INFO": "/gate/v1/models"}, 0)

    assert (seen[0].get("SCRIPT_NAME", ""), seen[0]["PATH_INFO"]) == (script, path)


def test_every_proxy_may_be_trusted_and_the_prefix_alone_is_the_root() -> None:
    seen: list[Any] = []
    app = root_path.RootPath(
        lambda environ, start: seen.append(environ), root_path.Prefixes("/b", ("*",))
    )

    app({"REMOTE_ADDR": "8.8.8.8", "HTTP_X_FORWARDED_PREFIX": "/a", "PATH_INFO": "/a/b"}, 0)

    assert (seen[0]["SCRIPT_NAME"], seen[0]["PATH_INFO"]) == ("/a/b", "/")


@pytest.mark.parametrize(
    ("name", "value"), [("SERVER_ROOT_PATH", "/a b"), ("FORWARDED_ALLOW_IPS", "proxy")]
)
def test_what_cannot_be_a_prefix_or_a_proxy_stops_the_start(name: str, value: str) -> None:
    with pytest.raises(ConfigError, match=f"the environment variable {name}"):
        config.load(None, {name: value})
