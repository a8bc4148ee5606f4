"""Keys of several parts, and those that lie in files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from llmgate.config import deployments
from llmgate.config.deployments import Context
from llmgate.config.deployments import Overrides
from llmgate.contract import Deployment
from llmgate.errors import ConfigError

KEYS = {"AWS_ACCESS_KEY_ID": "env-id", "AWS_SECRET_ACCESS_KEY": "env-secret"}
AWS = {**KEYS, "AWS_SESSION_TOKEN": "env-token", "AWS_REGION": "eu-west-1"}
KEY_FILE = {"type": "service_account", "project_id": "p", "private_key": "-----BEGIN"}


def made(environ: dict[str, str], model: str, **given: Any) -> Deployment:
    entry = {"model_name": "g", "litellm_params": {"model": model, **given}}
    ((deployment,),) = deployments.groups([entry], Context(environ, Overrides())).values()
    return deployment


def aws(environ: dict[str, str], **given: Any) -> list[Any]:
    """Return the region, the three parts of the signature's key, and the bearer token."""
    deployment = made(environ, "bedrock/amazon.nova-pro-v1:0", **given)
    names = ("region_name", "access_key_id", "secret_access_key", "session_token")
    return [deployment.settings.get(f"aws_{name}") for name in names] + [deployment.api_key]


def test_the_environment_gives_a_whole_key() -> None:
    assert aws(AWS) == ["eu-west-1", "env-id", "env-secret", "env-token", None]


def test_a_configured_key_takes_no_parts_from_the_environment() -> None:
    given = {"aws_access_key_id": "id", "aws_secret_access_key": "secret"}
    environ = {**AWS, "AWS_BEARER_TOKEN_BEDROCK": "bearer"}

    assert aws(environ, **given) == ["eu-west-1", "id", "secret", None, None]


def test_a_configured_bearer_token_needs_no_signature() -> None:
    assert aws(AWS, api_key="bearer") == ["eu-west-1", None, None, None, "bearer"]


def test_an_entra_token_goes_before_a_key_of_the_environment() -> None:
    got = made(
        {"AZURE_API_KEY": "env"}, "azure/x", api_base="https://a", azure_ad_token="configured"
    )

    assert (got.api_key, got.settings["azure_ad_token"]) == (None, "configured")


@pytest.mark.parametrize("from_environment", [True, False])
def test_a_key_file_is_read(tmp_path: Path, from_environment: bool) -> None:
    path = tmp_path / "key.json"
    path.write_text(json.dumps(KEY_FILE), encoding="utf-8")

    if from_environment:
        got = made({"GOOGLE_APPLICATION_CREDENTIALS": str(path)}, "vertex_ai/gemini-2.5-pro")
    else:
        got = made({}, "vertex_ai/gemini-2.5-pro", vertex_credentials=str(path))

    assert json.loads(got.settings["vertex_credentials"]) == KEY_FILE


@pytest.mark.parametrize("given", [KEY_FILE, json.dumps(KEY_FILE), f"\n {json.dumps(KEY_FILE)}"])
def test_a_key_that_is_no_path_is_kept(given: Any) -> None:
    got = made({}, "vertex_ai/gemini-2.5-pro", vertex_credentials=given)

    kept = got.settings["vertex_credentials"]
    assert (json.loads(kept) if isinstance(kept, str) else kept) == KEY_FILE


def test_a_key_file_that_cannot_be_read_is_named_by_its_setting(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe\xff")

    for name in ("missing", "binary"):
        with pytest.raises(ConfigError, match="vertex_credentials: the file that it names"):
            made({}, "vertex_ai/gemini-2.5-pro", vertex_credentials=str(tmp_path / name))
