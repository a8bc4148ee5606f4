"""Who answers what names no model, as the configuration says it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from llmgate import config
from llmgate.config import resource_deployments
from llmgate.config.deployments import secrets
from llmgate.errors import ConfigError
from llmgate.trust.redaction import secrets_of

AZURE = {"custom_llm_provider": "azure", "api_base": "https://a.example", "api_key": "sk-azure"}
TARGET = {"path": "/search", "target": "https://s.example/api/"}
Written = Callable[[Any], str]


@pytest.fixture
def written(tmp_path: Path) -> Written:
    """A function that returns the path of a file with a configuration."""

    def file(given: Any) -> str:
        path = tmp_path / "config.yaml"
        path.write_text(yaml.safe_dump(given), encoding="utf-8")
        return str(path)

    return file


def targets(*entries: Any) -> Any:
    """Return a configuration with pass-throughs."""
    return {"general_settings": {"pass_through_endpoints": list(entries)}}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"files_settings": [{"custom_llm_provider": "nobody"}]},
            "files_settings[0].custom_llm_provider: unknown provider 'nobody'",
        ),
        ({"finetune_settings": [{}]}, "Missing required parameter"),
        ({"assistant_settings": {"custom_llm_provider": "azure"}}, "[0].api_base: is missing"),
        (targets({**TARGET, "path": "search"}), "[0].path: must be a path"),
        (targets(TARGET, {**TARGET, "path": "/a/../b"}), "[1].path: must be a path"),
        (targets({**TARGET, "path": "/a/<b>"}), "[0].path: must be a path"),
        (targets({**TARGET, "target": "s.example"}), "[0].target: must begin with http"),
        (targets({**TARGET, "target": "https://s.example/?a=b"}), "and no query"),
        (targets({**TARGET, "headers": {"A": "x os.environ/NONE"}}), "NONE is not set; set it"),
        ({"general_settings": {"disable_pass_through": ["nobody"]}}, "expected"),
    ],
)
def test_what_cannot_be_is_refused_with_its_place(
    given: Any, message: str, written: Written
) -> None:
    with pytest.raises(ConfigError) as caught:
        config.load(written(given), {})

    assert message in str(caught.value)


def test_secrets_are_known_and_not_shown(written: Written) -> None:
    given = {
        "files_settings": [AZURE],
        **targets({**TARGET, "headers": {"X-Own": "Bearer os.environ/SECRET"}}),
    }

    found = config.load(written(given), {"SECRET": "s-target", "GROQ_API_KEY": "sk-groq"})

    known = {text for each in found.resource_deployments.every() for text in secrets_of(each)}
    assert known == {"sk-azure", "Bearer s-target", "sk-groq"}
    assert "sk-groq" in {*secrets(found.routes)}
    shown = repr(found.resource_deployments) + repr(found) + str(found.resource_deployments.targets)
    assert not any(text in shown for text in known)


def test_what_the_environment_has_wrong_harms_no_configuration(written: Written) -> None:
    model = {"model_name": "m", "litellm_params": {"model": "openai/x", "api_key": "k"}}
    env = {"AZURE_API_BASE": "no address", "AZURE_API_KEY": "k", "MISTRAL_API_KEY": "m"}

    found = config.load(written({"model_list": [model]}), env)

    assert [*found.resource_deployments.environment] == ["mistral"]


def test_deployments_alike_in_address_and_key_are_one(written: Written) -> None:
    params = {"model": "groq/llama", "api_key": "k"}
    listed = [{"model_name": name, "litellm_params": params} for name in ("a", "b")]
    other = {"model_name": "c", "litellm_params": {**params, "api_key": "k2"}}
    found = config.load(written({"model_list": [*listed, other]}), {})

    def keys(model: str | None) -> list[str | None]:
        return [
            d.api_key
            for d in resource_deployments.of(
                "groq", found.routes, found.resource_deployments, model
            )
        ]

    assert (keys("llama"), keys("other"), keys(None)) == (["k", "k2"], ["k"], ["k"])
    assert resource_deployments.of("xai", found.routes, found.resource_deployments) == ()
