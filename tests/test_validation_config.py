from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from testing.config_texts import BALANCED
from testing.config_texts import FAULTS
from testing.config_texts import GROWN
from testing.config_texts import UNSERVED
from testing.places import places
from testing.places import replaced

from llmgate import errors
from llmgate.schema import validation

SCHEMA = json.loads(
    (Path(__file__).parents[1] / "schemas" / "config.json").read_text(encoding="utf-8")
)
CANARY = "sk-canary-5f1d"
FALLBACKS = {"fallbacks", "context_window_fallbacks", "content_policy_fallbacks"}
FALLBACKS |= {"default_fallbacks", "max_fallbacks"}


def found(text: str) -> list[tuple[str, str]]:
    return list(validation.violations("config", yaml.safe_load(text)))


@pytest.mark.parametrize(
    "text",
    [
        BALANCED,
        GROWN,
        "model_list:\nlitellm_settings:\ngeneral_settings:\nrouter_settings:\n",
        "general_settings: {}\nmodel_list: []\nenvironment_variables:\ninclude:\n",
        "{}",
    ],
)
def test_whole_configurations_of_litellm_pass(text: str) -> None:
    assert found(text) == []


def test_what_is_not_served_is_listed_by_its_path() -> None:
    assert validation.unsupported(yaml.safe_load(BALANCED)) == []
    assert validation.unsupported(yaml.safe_load(GROWN)) == UNSERVED


@pytest.mark.parametrize(
    "value", [None, [], "x", {"model_list": 3}, {"model_list": [3, {"litellm_params": []}]}, {1: 2}]
)
def test_a_broken_configuration_has_nothing_that_is_not_served(value: Any) -> None:
    assert validation.unsupported(value) == []


@pytest.mark.parametrize(("text", "path", "message"), FAULTS)
def test_a_fault_is_named_by_its_place_with_what_to_do(text: str, path: str, message: str) -> None:
    assert found(text) == [(path, message)]


def test_an_unknown_strategy_is_refused_with_those_there_are() -> None:
    ((path, message),) = found("router_settings: {routing_strategy: fastest}")

    assert path == "router_settings.routing_strategy"
    assert "expected one of 'simple-shuffle', 'least-busy'" in message


def test_every_fault_is_found() -> None:
    text = """
    model_list:
      - {model_name: "", litellm_params: {model: 3, timeout: -1}}
      - {litellm_params: {}}
    litellm_settings: {a: 1, b: 2}
    general_settings: []
    """

    assert [path for path, _ in found(text)] == [
        "model_list[0].model_name",
        "model_list[0].litellm_params.model",
        "model_list[0].litellm_params.timeout",
        "model_list[1].model_name",
        "model_list[1].litellm_params.model",
        "litellm_settings.a",
        "litellm_settings.b",
        "general_settings",
    ]


def test_the_first_fault_can_be_raised() -> None:
    with pytest.raises(errors.InvalidRequest) as caught:
        validation.check("config", {"include": "more.yaml"})

    assert (caught.value.param, caught.value.code) == ("include", "invalid_type")


@pytest.mark.parametrize("text", [BALANCED, GROWN])
@pytest.mark.parametrize("new", [CANARY, [CANARY], [[CANARY]], {"x": CANARY}])
def test_no_message_quotes_a_value(text: str, new: Any) -> None:
    faults = 0

    for path in places(yaml.safe_load(text)):
        value = replaced(yaml.safe_load(text), path, new)
        for place, message in validation.violations("config", value):
            faults += 1
            assert CANARY not in place + message

    assert faults > 5


def test_numbers_and_flags_that_are_text_become_what_they_say() -> None:
    raw = yaml.safe_load(
        """
        model_list:
          - model_name: "1"
            litellm_params:
              {model: m, api_key: "12", input_cost_per_token: 1e-6, rpm: "6", drop_params: "FALSE",
               timeout: ".5", order: "-1", presence_penalty: "-1.5", top_k: "5", api_version: "7",
               weight: os.environ/WEIGHT, tags: ["1"]}
            model_info: {output_cost_per_token: 3e-05, max_tokens: "10", id: "3"}
        litellm_settings: {drop_params: "sure", request_timeout: soon, num_retries: null}
        router_settings: {num_retries: "2", timeout: 7, model_group_alias: {"1": "2"}}
        environment_variables: {A: "1"}
        """
    )

    value = validation.typed(raw)

    assert value == {
        "model_list": [
            {
                "model_name": "1",
                "litellm_params": {
                    "model": "m",
                    "api_key": "12",
                    "input_cost_per_token": 1e-6,
                    "rpm": 6,
                    "drop_params": False,
                    "timeout": 0.5,
                    "order": -1,
                    "presence_penalty": -1.5,
                    "top_k": "5",
                    "api_version": "7",
                    "weight": "os.environ/WEIGHT",
                    "tags": ["1"],
                },
                "model_info": {"output_cost_per_token": 3e-05, "max_tokens": 10, "id": "3"},
            }
        ],
        "litellm_settings": {"drop_params": "sure", "request_timeout": "soon", "num_retries": None},
        "router_settings": {"num_retries": 2, "timeout": 7, "model_group_alias": {"1": "2"}},
        "environment_variables": {"A": "1"},
    }
    assert [path for path, _ in validation.violations("config", value)] == [
        "litellm_settings.drop_params",
        "litellm_settings.request_timeout",
    ]


def sections() -> Iterator[tuple[str, dict[str, Any]]]:
    entry = SCHEMA["properties"]["model_list"]["items"]
    yield "", SCHEMA
    yield "model_list[]", entry
    yield "litellm_params", entry["properties"]["litellm_params"]
    yield "model_info", entry["properties"]["model_info"]
    for name in ("litellm_settings", "general_settings", "router_settings", "llmgate_settings"):
        yield name, SCHEMA["properties"][name]


def test_what_is_served_is_no_more_than_this() -> None:
    served = {
        name: {key for key, part in section["properties"].items() if "unsupported" not in part}
        for name, section in sections()
        if name not in ("litellm_params", "model_info")
    }

    assert served == {
        "": {"model_list", "include", "environment_variables", "litellm_settings"}
        | {"general_settings", "router_settings", "llmgate_settings"}
        | {"files_settings", "finetune_settings", "assistant_settings", "credential_list"},
        "model_list[]": {"model_name", "litellm_params", "model_info", "rpm", "tpm"},
        "litellm_settings": {"drop_params", "num_retries", "request_timeout", "timeout"}
        | {"json_logs", "set_verbose", "telemetry", "stream_timeout", *FALLBACKS}
        | {"check_provider_endpoint", "ssl_verify", "ssl_certificate"}
        | {"allowed_fails", "cooldown_time"}
        | {"max_budget", "budget_duration", "budget_exceeded_status_code"}
        | {"max_end_user_budget", "timezone", "ssl_verify", "ssl_certificate"},
        "general_settings": {"master_key", "completion_model", "max_request_size_mb"}
        | {"allow_client_side_credentials", "reject_clientside_metadata_tags"}
        | {"disable_pass_through", "pass_through_endpoints"}
        | {"user_header_mappings", "user_header_name", "maximum_spend_logs_retention_period"},
        "router_settings": {"num_retries", "timeout", "model_group_alias", *FALLBACKS}
        | {"retry_policy", "model_group_retry_policy", "retry_after", "stream_timeout"}
        | {"allowed_fails", "allowed_fails_policy", "cooldown_time", "disable_cooldowns"}
        | {"enable_tag_filtering", "tag_filtering_match_any", "enable_pre_call_checks"}
        | {"routing_strategy_args", "default_max_parallel_requests"},
        "llmgate_settings": {
            "responses_store",
            "show_prices",
            "log_prompts",
            "max_body_mb",
            "max_upload_mb",
            "retry_unsafe",
        }
        | {"allow_private_addresses", "heartbeat", "state_path", "tracking"}
        | {"data_dir", "allow_unpriced_models", "keys", "cors", "dashboard", "stream_max_seconds"},
    }


@pytest.mark.parametrize(("name", "section"), list(sections()))
def test_only_parameters_and_information_of_models_are_open(
    name: str, section: dict[str, Any]
) -> None:
    is_open = section.get("additionalProperties") is not False

    assert is_open == (name in ("litellm_params", "model_info"))
