from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from testing.config_texts import BALANCED

from llmgate import config
from llmgate.accounting import pricing
from llmgate.config import Settings
from llmgate.config.deployments import Overrides
from llmgate.config.resource_deployments import ResourceDeployments
from llmgate.errors import ConfigError
from llmgate.inbound import keepalive
from llmgate.routing.retry_policy import RetryPolicy
from llmgate.routing.router_settings import RouterSettings

ONE = """
model_list:
  - model_name: gpt
    litellm_params: {model: openai/gpt-4o, api_key: sk-1}
"""


@pytest.fixture
def written(tmp_path: Path) -> Any:
    """Give a function that writes a file (main.yaml) and returns its path."""

    def write(text: str | bytes, name: str = "main.yaml") -> str:
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return str(path)

    return write


def fault(path: str | None, environ: Mapping[str, str] | None = None) -> str:
    """Return the message that refuses the file at *path*, less the path at its head."""
    with pytest.raises(ConfigError) as caught:
        config.load(path, environ or {})
    lines = str(caught.value).splitlines()
    (message,) = [line for line in lines if not line.startswith("warning: ")]
    assert message.startswith(f"{path}: ")
    return re.sub(r" \((\S+, )?line \d+\)$", "", message.removeprefix(f"{path}: "))


def only(settings: Settings, group: str = "gpt") -> Any:
    (deployment,) = settings.routes.groups[group]
    return deployment


# -- whole files


WHOLE = """
model_list:
  - model_name: gpt-4o
    litellm_params: &eu
      model: azure/gpt-4o-eu
      api_base: os.environ/AZURE_EU
      api_key: os.environ/AZURE_EU_KEY
      api_version: 2024-10-21
      rpm: 6
    model_info: {id: eu, base_model: azure/gpt-4o, mode: chat}
  - model_name: gpt-4o
    litellm_params:
      <<: *eu
      model: azure/gpt-4o-us
      timeout: 30
      rpm: 2
  - model_name: fast
    litellm_params:
      model: groq/llama-3.3-70b-versatile
      temperature: 0.2
      max_tokens: 512
      additional_drop_params: [user]
      extra_headers: {X-Team: a}
  - model_name: "openai/*"
    litellm_params: {model: "openai/*"}
litellm_settings:
  drop_params: true
  num_retries: 3
  request_timeout: 120
  set_verbose: false
general_settings:
  master_key: os.environ/MASTER
  max_request_size_mb: 8
router_settings:
  routing_strategy: simple-shuffle
  model_group_alias: {gpt-4: gpt-4o, quick: {model: fast}}
environment_variables:
  GROQ_API_KEY: gsk-1
llmgate_settings: {max_upload_mb: 0.5, log_prompts: true}
"""


def test_a_whole_configuration_is_read(written: Any) -> None:
    environ = {"AZURE_EU": "https://eu/", "AZURE_EU_KEY": "azure-1", "MASTER": "sk-m"}

    got = config.load(written(WHOLE), environ)

    eu, us = got.routes.groups["gpt-4o"]
    assert (eu.id, eu.api_base, eu.api_key, eu.api_version) == (
        "eu",
        "https://eu",
        "azure-1",
        "2024-10-21",
    )
    assert (eu.model, us.model) == ("gpt-4o-eu", "gpt-4o-us")
    assert (eu.weight, us.weight, eu.timeout, us.timeout) == (6, 2, 120, 30)
    assert (eu.prices, us.api_key) == (pricing.prices("azure", "gpt-4o"), "azure-1")
    fast = only(got, "fast")
    assert (fast.api_key, fast.defaults) == ("gsk-1", {"temperature": 0.2, "max_tokens": 512})
    assert fast.settings == {"additional_drop_params": ["user"], "extra_headers": {"X-Team": "a"}}
    assert all(d.drop_params for found in got.routes.groups.values() for d in found)
    assert got.routes.aliases == {"gpt-4": "gpt-4o", "quick": "fast"}
    assert [*got.resource_deployments.environment] == ["groq"]
    assert got._replace(
        routes=got.routes._replace(groups={}, aliases={}),
        resource_deployments=ResourceDeployments(),
    ) == Settings(
        routes=got.routes._replace(groups={}, aliases={}),
        router=RouterSettings(policy=RetryPolicy(retries=3), timeout=120.0),
        master_key="sk-m",
        max_body=8 * 1024 * 1024,
        max_upload=512 * 1024,
        log_prompts=True,
        warnings=got.warnings,
        notes=got.notes,
    )
    assert [text.partition(": ")[2].partition(" has none")[0] for text in got.warnings] == [
        "model_list[3].litellm_params.api_key: openai/*"
    ]


@pytest.mark.parametrize("text", ["", "{}", "# nothing\n", "model_list:\nlitellm_settings:\n"])
def test_an_empty_file_is_refused_with_what_to_write(text: str, written: Any) -> None:
    message = fault(written(text))

    assert message.startswith("is empty; write into it what is to be served, such as model_list: [")
    model_list = yaml.safe_load(message.partition("such as ")[2])
    assert only(config.load(written(yaml.safe_dump(model_list)), {}), "gpt-4o").model == "gpt-4o"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            ONE + "general_settings: {}\nmodel_list: []\n",
            "is not valid YAML in line 6: the key 'model_list' is there twice, first in line 2;"
            " keep one",
        ),
        (
            ONE.replace("sk-1", "sk-1, api_key: sk-2"),
            "is not valid YAML in line 4: the key 'api_key' is there twice, first in line 4; keep"
            " one",
        ),
        (
            ONE + "router_settings: {fallbacks: [{a: [b], 'a': [c]}]}",
            "is not valid YAML in line 5: the key 'a' is there twice, first in line 5; keep one",
        ),
    ],
)
def test_a_key_that_is_there_twice_is_named(text: str, message: str, written: Any) -> None:
    assert fault(written(text)) == message


def test_what_is_merged_may_be_said_again(written: Any) -> None:
    text = """
    model_list:
      - model_name: gpt
        litellm_params: &one {model: openai/a, api_key: k, temperature: 1}
      - model_name: other
        litellm_params: &two {<<: *one, model: openai/b}
      - model_name: last
        litellm_params: {<<: *one, <<: *two, temperature: 0}
    """

    got = config.load(written(text), {})

    assert (only(got, "other").model, only(got, "last").defaults) == ("b", {"temperature": 0})


@pytest.mark.parametrize("key", ["''", "' '"])
def test_an_empty_key_is_refused(key: str, written: Any) -> None:
    assert fault(written(ONE.replace("sk-1", key)), {"OPENAI_API_KEY": "sk-e"}) == (
        "model_list[0].litellm_params.api_key: is empty; write a value or os.environ/NAME, or"
        " remove the key"
    )


def test_an_empty_variable_of_a_key_is_named(written: Any) -> None:
    assert fault(written(ONE.replace("sk-1", "os.environ/MY_KEY")), {"MY_KEY": ""}) == (
        "model_list[0].litellm_params.api_key: the environment variable MY_KEY is empty; set it"
    )


@pytest.mark.parametrize(
    ("written_as", "place", "meant"),
    [
        ("model_nam:", "model_list[0].model_name", "model_name"),
        ("litelm_parms:", "model_list[0].litellm_params", "litellm_params"),
        ("{modle:", "model_list[0].litellm_params.model", "model"),
    ],
)
def test_a_required_key_that_is_misspelt_is_named(
    written_as: str, place: str, meant: str, written: Any
) -> None:
    right = f"{{{meant}:" if "{" in written_as else f"{meant}:"

    got = fault(written(ONE.replace(right, written_as)))

    assert got.startswith(f"{place}: Missing required parameter: '{place}'. It must be ")
    assert got.endswith(f" '{written_as.strip('{:')}' is unknown; did you mean '{meant}'?")


@pytest.mark.parametrize("path", [None, ""])
def test_without_a_file_there_are_defaults(path: str | None) -> None:
    got = config.load(path, {})

    assert got._replace(routes=None) == Settings(None)  # type: ignore[arg-type]
    assert [*got.routes.groups] == ["*"]


def test_what_is_not_served_is_named_in_one_warning(written: Any) -> None:
    path = written(
        ONE.replace("sk-1", "sk-1, mock_response: hi, max_budget: 3")
        + "litellm_settings: {callbacks: [langfuse], cache: true}\nguardrails: [{a: b}]\n"
    )

    got = config.load(path, {})

    assert got.warnings == (
        f"{path}: these keys are ignored: model_list[0].litellm_params.mock_response,"
        " model_list[0].litellm_params.max_budget, litellm_settings.callbacks,"
        " litellm_settings.cache, guardrails",
    )


def test_what_is_not_served_does_not_reach_a_provider(written: Any) -> None:
    text = ONE.replace("sk-1", "sk-1, merge_reasoning_content_in_choices: true, otpm: 3, top_k: 4")

    assert only(config.load(written(text), {})).defaults == {"top_k": 4}


def test_a_configuration_as_litellm_has_it_loads(written: Any) -> None:
    written("litellm_settings: {drop_params: false}", "more.yaml")
    environ = {"AZURE_EU_KEY": "k", "AZURE_TIMEOUT": "5", "MASTER_KEY": "sk-m", "GROQ_API_KEY": "g"}

    got = config.load(written(BALANCED), environ)

    assert {name: len(found) for name, found in got.routes.groups.items()} == {
        "*": 1,
        "groq/*": 1,
        "chat": 2,
    }
    assert (got.routes.forced, got.warnings) == ("chat", ())


# -- the environment


def test_names_of_the_environment_are_resolved_at_any_depth(written: Any) -> None:
    text = """
    model_list:
      - model_name: gpt
        litellm_params:
          model: os.environ/MODEL
          extra_body: {a: [{b: os.environ/DEEP}, "x os.environ/DEEP"]}
          extra_headers: {X-Key: os.environ/DEEP}
    """

    got = only(config.load(written(text), {"MODEL": "openai/gpt-4o", "DEEP": "d"}))

    assert (got.provider, got.model) == ("openai", "gpt-4o")
    assert got.settings["extra_body"] == {"a": [{"b": "d"}, "x os.environ/DEEP"]}
    assert got.settings["extra_headers"] == {"X-Key": "d"}


def test_a_name_that_is_not_set_is_named_with_its_place(written: Any) -> None:
    text = ONE.replace("sk-1", "sk-1, extra_body: {a: [1, os.environ/NOPE]}")

    assert fault(written(text)) == (
        "model_list[0].litellm_params.extra_body.a[1]: the environment variable NOPE is not set;"
        " set it"
    )


def test_values_of_the_environment_become_numbers_and_flags(written: Any) -> None:
    text = """
    model_list:
      - model_name: gpt
        litellm_params:
          {model: openai/x, temperature: os.environ/T, drop_params: os.environ/NO,
           weight: os.environ/W, input_cost_per_token: 1e-6, max_tokens: os.environ/M}
    litellm_settings: {drop_params: os.environ/YES, num_retries: os.environ/R}
    """
    environ = {"T": "0.3", "NO": "false", "YES": "True", "W": "2", "R": "0", "M": "7"}

    got = config.load(written(text), environ)

    deployment = only(got)
    assert deployment.defaults == {"temperature": 0.3, "max_tokens": 7}
    assert (deployment.drop_params, deployment.weight, got.retries) == (False, 2, 0)
    assert deployment.prices == {"input_cost_per_token": 1e-6}


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (ONE.replace("sk-1", "sk-1, weight: os.environ/X"), "model_list[0].litellm_params.weight"),
        (ONE + "litellm_settings: {drop_params: os.environ/X}", "litellm_settings.drop_params"),
        (ONE + "router_settings: {num_retries: os.environ/X}", "router_settings.num_retries"),
    ],
)
def test_a_wrong_value_of_the_environment_is_named_by_its_place(
    text: str, place: str, written: Any
) -> None:
    message = fault(written(text), {"X": "sk-canary"})

    assert message.startswith(f"{place}: Invalid value for '{place}': expected ")
    assert "canary" not in message


def test_the_file_sets_environment_variables(written: Any) -> None:
    text = """
    model_list:
      - {model_name: gpt, litellm_params: {model: openai/gpt-4o}}
      - {model_name: b, litellm_params: {model: groq/x, api_key: os.environ/MINE}}
    environment_variables: {OPENAI_API_KEY: os.environ/TEAM_KEY, MINE: os.environ/TEAM_KEY,
                            OPENAI_ORGANIZATION: 7}
    """

    got = config.load(written(text), {"TEAM_KEY": "sk-team", "OPENAI_API_KEY": "sk-other"})

    assert (only(got).api_key, only(got, "b").api_key) == ("sk-team", "sk-team")
    assert only(got).settings == {"organization": "7"}
    assert "TEAM_KEY" not in os.environ


def test_an_unset_variable_in_environment_variables_is_named(written: Any) -> None:
    assert fault(written("environment_variables: {A: os.environ/NOPE}")) == (
        "environment_variables.A: the environment variable NOPE is not set; set it"
    )


# -- the master key


@pytest.mark.parametrize(
    ("text", "environ", "wanted"),
    [
        (ONE, {}, None),
        (ONE, {"LLMGATE_MASTER_KEY": ""}, None),
        ("general_settings: {master_key: sk-f}", {"LLMGATE_MASTER_KEY": "sk-e"}, "sk-f"),
        ("general_settings: {master_key: os.environ/MK}", {"MK": "sk-f"}, "sk-f"),
        (ONE + "general_settings: {master_key: sk-f}", {}, "sk-f"),
        (ONE, {"LLMGATE_MASTER_KEY": "sk-e"}, "sk-e"),
    ],
)
def test_the_master_key_is_that_of_the_file_or_the_environment(
    text: str, environ: Any, wanted: str | None, written: Any
) -> None:
    assert config.load(written(text), environ).master_key == wanted


@pytest.mark.parametrize("key", ["sk-1\n", " sk-1", "sk\n1", "sk\x001"])
def test_a_master_key_that_no_client_can_send_is_refused(key: str, written: Any) -> None:
    text = "general_settings: {master_key: os.environ/MK}"

    found = fault(written(text), {"MK": key})

    assert found.startswith("general_settings.master_key: ")


def test_a_master_key_that_came_out_empty_opens_nothing(written: Any) -> None:
    text = "general_settings: {master_key: os.environ/MK}"

    assert fault(written(text), {"MK": ""}).startswith("general_settings.master_key: ")


# -- precedence and limits


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", 600),
        ("litellm_settings: {request_timeout: 5}", 5),
        ("router_settings: {timeout: 6}\nlitellm_settings: {request_timeout: 5}", 6),
        ("router_settings: {timeout: '6.5'}", 6.5),
        ("router_settings: {timeout: null}\nlitellm_settings: {request_timeout: 5}", 5),
    ],
)
def test_timeouts_go_from_the_narrow_to_the_wide(text: str, wanted: float, written: Any) -> None:
    assert only(config.load(written(ONE + text), {})).timeout == wanted

    own = ONE.replace("sk-1", "sk-1, timeout: 7")
    assert only(config.load(written(own + text), {})).timeout == 7


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", 2),
        ("litellm_settings: {num_retries: 0}", 0),
        ("litellm_settings: {num_retries: 5}\nrouter_settings: {num_retries: 1}", 1),
        ("litellm_settings: {num_retries: 5}\nrouter_settings: {num_retries: null}", 5),
        ("litellm_settings: {num_retries: null}", 2),
    ],
)
def test_retries_are_those_of_the_router_first(text: str, wanted: int, written: Any) -> None:
    assert config.load(written(ONE + text), {}).retries == wanted


@pytest.mark.parametrize(
    ("text", "body", "upload"),
    [
        (ONE, 32, 100),
        ("llmgate_settings: {max_body_mb: 1, max_upload_mb: 2}", 1, 2),
        ("general_settings: {max_request_size_mb: 4}", 4, 100),
        ("llmgate_settings: {max_body_mb: 1}\ngeneral_settings: {max_request_size_mb: 4}", 1, 100),
        ("llmgate_settings: {max_body_mb: '0.5', max_upload_mb: null}", 0.5, 100),
    ],
)
def test_limits_are_in_megabytes(text: str, body: float, upload: float, written: Any) -> None:
    got = config.load(written(text), {})

    assert (got.max_body, got.max_upload) == (body * 1024 * 1024, upload * 1024 * 1024)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", False),
        ("litellm_settings: {drop_params: true}", True),
        ("litellm_settings: {drop_params: 'false'}", False),
    ],
)
def test_parameters_are_dropped_if_the_settings_say_so(
    text: str, wanted: bool, written: Any
) -> None:
    path = written(ONE + text)

    assert only(config.load(path, {})).drop_params is wanted
    assert only(config.load(path, {}, Overrides(drop_params=True))).drop_params is True


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ("null", keepalive.Times()),
        ("true", keepalive.Times()),
        ("false", keepalive.Times(0, 0, 0)),
        ("{first: 3, every: null}", keepalive.Times(first=3.0)),
        ("{first: '3', every: 4.5, whole: 0}", keepalive.Times(3.0, 4.5, 0.0)),
    ],
)
def test_heartbeats_come_when_they_are_wanted(said: str, wanted: Any, written: Any) -> None:
    got = config.load(written(f"llmgate_settings: {{heartbeat: {said}}}"), {})

    assert got.beats == wanted


# -- what serves every request


@pytest.mark.parametrize(
    ("text", "model", "forced", "serving"),
    [
        (ONE, "gpt", "gpt", ("openai", "gpt-4o", "sk-1")),
        (ONE, "groq/x", "groq/x", ("groq", "x", None)),
        (
            ONE + "general_settings: {completion_model: gpt}",
            None,
            "gpt",
            ("openai", "gpt-4o", "sk-1"),
        ),
        (ONE + "general_settings: {completion_model: groq/x}", None, "groq/x", ("groq", "x", None)),
        (
            ONE + "general_settings: {completion_model: gpt}",
            "groq/x",
            "groq/x",
            ("groq", "x", None),
        ),
        ("general_settings: {completion_model: groq/x}", None, "groq/x", ("groq", "x", None)),
        (
            ONE + "router_settings: {model_group_alias: {nick: gpt}}",
            "nick",
            "nick",
            ("openai", "gpt-4o", "sk-1"),
        ),
    ],
)
def test_one_model_serves_every_request(
    text: str, model: str | None, forced: str, serving: Any, written: Any
) -> None:
    got = config.load(written(text), {}, Overrides(model=model))

    (found,) = got.routes.find("anything")
    assert got.routes.forced == forced
    assert got.routes.names() == [forced]
    assert (found.provider, found.model, found.api_key) == serving


def test_a_completion_model_that_cannot_be_is_named_by_its_place(written: Any) -> None:
    assert fault(written("general_settings: {completion_model: nope}")).startswith(
        "general_settings.completion_model: model: 'nope' names no provider"
    )


def test_settings_hold_without_a_model_list(written: Any) -> None:
    text = """
    general_settings: {master_key: sk-m}
    litellm_settings: {drop_params: true, num_retries: 0, request_timeout: 9}
    router_settings: {model_group_alias: {nick: gpt-4o}}
    """

    got = config.load(written(text), {"OPENAI_API_KEY": "sk-1"})

    (found,) = got.routes.find("nick")
    assert (got.master_key, got.retries) == ("sk-m", 0)
    assert (found.model, found.drop_params, found.timeout) == ("gpt-4o", True, 9)


def test_an_alias_of_nothing_is_refused(written: Any) -> None:
    text = ONE + "router_settings: {model_group_alias: {nick: gpt, lost: nowhere}}"

    assert fault(written(text)) == (
        "router_settings.model_group_alias.lost: Unknown model 'nowhere'. Available:"
        " nick, lost, gpt."
    )


# -- include


def test_included_lists_extend_and_the_rest_replaces(written: Any) -> None:
    written(
        "model_list: [{model_name: b, litellm_params: {model: openai/b}}]\n"
        "litellm_settings: {num_retries: 1}\n",
        "b.yaml",
    )
    written("general_settings: {master_key: sk-c}\n", "c.yaml")
    path = written(
        "include: [b.yaml, c.yaml]\nlitellm_settings: {num_retries: 7, drop_params: true}" + ONE
    )

    got = config.load(path, {})

    assert [*got.routes.groups] == ["gpt", "b"]
    assert (got.retries, only(got).drop_params, got.master_key) == (1, False, "sk-c")


def test_an_included_list_stands_where_there_was_none(written: Any) -> None:
    written(ONE, "b.yaml")

    assert [*config.load(written("include: [b.yaml]"), {}).routes.groups] == ["gpt"]


def test_an_included_file_that_is_missing_is_named(written: Any, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        config.load(written("include: [nope.yaml]"), {})

    assert str(caught.value) == (
        f"{tmp_path}/nope.yaml: cannot be read: No such file or directory; check its path and its"
        " permissions"
    )


def test_an_included_file_includes_nothing_itself(written: Any, tmp_path: Path) -> None:
    path = written("include: [main.yaml]")

    with pytest.raises(ConfigError) as caught:
        config.load(path, {})

    assert str(caught.value) == (
        f"{tmp_path}/main.yaml: include: is for the first file alone; list all in {path}"
    )


def test_a_fault_in_an_included_file_is_found(written: Any) -> None:
    written("model_list: [{model_name: b}]", "b.yaml")

    assert fault(written("include: [b.yaml]" + ONE)).startswith("model_list[1].litellm_params: ")


# -- what is wrong with a file


@pytest.mark.fault("S18")
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [1\nb: 2\n", "is not valid YAML in line 2: expected ',' or ']', but got ':'"),
        ("a:\n\tb: 2\n", "is not valid YAML in line 2: found character '\\t' that cannot start"),
        ("a: 1\n---\nb: 2\n", "is not valid YAML in line 2: but found another document"),
        (b"a: \xff\xfe", "is not valid YAML: cannot be parsed"),
        ("a: \x00", "is not valid YAML: cannot be parsed"),
        (f"a: {'9' * 5000}", "is not valid YAML: cannot be parsed"),
        ("[" * 600, "is not valid YAML: cannot be parsed"),
        ("a: !!timestamp 2024-13-45", "is not valid YAML: cannot be parsed"),
        (
            "litellm_settings: !!python/object/apply:os.system [id]",
            "is not valid YAML in line 1: could not determine a constructor for the tag",
        ),
        ("a: !Env HOME", "is not valid YAML in line 1: could not determine a constructor"),
        ("- 1\n", "must be a mapping with model_list and other sections"),
        ("hello\n", "must be a mapping with model_list and other sections"),
        ("#" * (4 * 1024 * 1024 + 1), "is larger than 4194304 bytes; is it a configuration?"),
        (
            "model_list: &a\n- {model_name: x, litellm_params: &p {model: openai/x, x: *p}}",
            "an alias in it contains itself; write it out",
        ),
        ("model_lst: []", "model_lst: Unknown parameter: 'model_lst'. Did you mean 'model_list'?"),
        (
            "master_key: k",
            "master_key: Unknown parameter: 'master_key'. Did you mean"
            " 'general_settings.master_key'?",
        ),
        (
            "model_list: [{model_name: a, model: openai/x, litellm_params: {model: openai/x}}]",
            "model_list[0].model: Unknown parameter: 'model_list[0].model'. Did you mean"
            " 'litellm_params.model'?",
        ),
        ("1: 2", "1: Unknown parameter: '1'."),
        ("include: a.yaml", "include: Invalid type for 'include': expected an array"),
        ("include: 5", "include: Invalid type for 'include': expected an array"),
        ("include: [5]", "main.yaml/5"),
        ("model_list: {a: b}", "model_list: Invalid type for 'model_list': expected an array"),
        ("model_list: [{model_name: a}]", "model_list[0].litellm_params: Missing required"),
        (
            "router_settings: {model_group_alias: {a: {}}}",
            "router_settings.model_group_alias.a.mod",
        ),
        (
            ONE.replace("sk-1", "sk-1, timeout: soon"),
            "model_list[0].litellm_params.timeout: Invalid value for"
            " 'model_list[0].litellm_params.timeout': expected a number of at least 0.",
        ),
        (
            ONE.replace("sk-1", "7"),
            "model_list[0].litellm_params.api_key: Invalid type for"
            " 'model_list[0].litellm_params.api_key': expected a string (in quotes",
        ),
        (
            ONE.replace("sk-1", "sk-1, configurable_clientside_auth_params: [{api_base: '('}]"),
            "model_list[0].litellm_params.configurable_clientside_auth_params: ",
        ),
        (
            ONE.replace("sk-1", "sk-1, configurable_clientside_auth_params: [master_key]"),
            "model_list[0].litellm_params.configurable_clientside_auth_params: clients",
        ),
        (ONE + "router_settings: {fallbacks: [{gpt: 5}]}", "router_settings.fallbacks[0].gpt: "),
        (
            ONE + "router_settings: {fallbacks: {gpt: [b]}}",
            "router_settings.fallbacks: Invalid type for 'router_settings.fallbacks': expected a"
            " list such as [{gpt-4o: [claude, gemini]}]",
        ),
        (
            ONE + "router_settings: {model_group_alias: {a: b, b: gpt}}",
            "router_settings.model_group_alias.a: 'b' is an alias itself; name its model group",
        ),
        (
            ONE.replace("gpt\n", "*\n"),
            "is not valid YAML in line 3: expected alphabetic or numeric character, but found"
            " '\\n'; a name with a star needs quotes",
        ),
        (ONE + "llmgate_settings: {max_body_mb: 0}", "llmgate_settings.max_body_mb: "),
        (ONE + "llmgate_settings: {max_bdy_mb: 1}", "llmgate_settings.max_bdy_mb: Unknown"),
    ],
)
def test_a_fault_is_one_line_with_its_place(text: Any, message: str, written: Any) -> None:
    if message == "main.yaml/5":  # the name of a file may be a number
        with pytest.raises(ConfigError, match=r"/5: cannot be read"):
            config.load(written(text), {})
        return

    assert fault(written(text)).startswith(message)


@pytest.mark.fault("S18")
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    remedy = "; check its path and its permissions"

    assert fault(str(tmp_path / "nope")) == f"cannot be read: No such file or directory{remedy}"
    assert fault(str(tmp_path)) == f"cannot be read: Is a directory{remedy}"


@pytest.mark.parametrize("key", ["5", "on", "50256"])
def test_keys_that_are_no_text_become_text(key: str, written: Any) -> None:
    text = ONE.replace("sk-1", f"sk-1, logit_bias: {{{key}: -100}}")

    ((name, value),) = only(config.load(written(text), {})).defaults["logit_bias"].items()

    assert (name, value) == ("True" if key == "on" else key, -100)


# -- secrets


def test_no_repr_shows_a_secret(written: Any) -> None:
    text = ONE.replace("sk-1", "sk-canary, extra_headers: {X-Key: canary}, user: canary")
    text += "general_settings: {master_key: sk-canary}"

    got = config.load(written(text), {"GROQ_API_KEY": "canary"})

    assert repr(got) == "Settings(1 model groups)"
    for shown in (repr(got.routes), repr(only(got)), str(got)):
        assert "canary" not in shown


@pytest.mark.parametrize(
    ("name", "meant"),
    [("apikey", "api_key"), ("api_bse", "api_base"), ("tiemout", "timeout")],
)
def test_a_misspelt_parameter_is_not_sent_upstream(tmp_path: Path, name: str, meant: str) -> None:
    path = tmp_path / "config.yaml"
    given = {"model": "openai/gpt-4o", name: "sk-a-secret"}
    entry = {"model_name": "gpt-4o", "litellm_params": given}
    path.write_text(yaml.safe_dump({"model_list": [entry]}), encoding="utf-8")

    with pytest.raises(ConfigError, match=f"{name}: unknown option; did you mean '{meant}'") as got:
        config.load(str(path), {})

    assert "sk-a-secret" not in str(got.value)


def test_a_parameter_of_the_upstream_itself_goes_there(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    given = {"model": "openai/gpt-4o", "top_k": 5, "min_p": 0.1, "repetition_penalty": 1.1}
    entry = {"model_name": "gpt-4o", "litellm_params": given}
    path.write_text(yaml.safe_dump({"model_list": [entry]}), encoding="utf-8")

    settings = config.load(str(path), {})

    [deployment] = settings.routes.groups["gpt-4o"]
    assert deployment.defaults == {"top_k": 5, "min_p": 0.1, "repetition_penalty": 1.1}


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"OPENAI_API_KEY": "k"},
        {"ANTHROPIC_API_KEY": "k", "OPENAI_API_KEY": "k", "GROQ_API_KEY": "k"},
        {"HOSTED_VLLM_API_BASE": "http://h/v1", "GEMINI_API_KEY": "k"},
        {"HOSTED_VLLM_API_BASE": "http://h/v1"},
    ],
)
def test_the_names_that_the_environment_makes_can_be_called(environ: dict[str, str]) -> None:
    routes = config.load(None, environ).routes

    served = [
        (found.provider, found.model) for name in routes.names() for found in routes.find(name)
    ]

    assert len(set(served)) == len(served)
    assert not [model for _, model in served if "*" in model or "ft:" in model]
    assert ("gpt-4o" in routes.names()) == ("OPENAI_API_KEY" in environ)


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ("null", None),
        ("false", None),
        ("true", (86400, 256 << 20)),
        ("{ttl_hours: 0.5, max_mb: 1}", (1800, 1 << 20)),
    ],
)
def test_responses_are_stored_within_limits(said: str, wanted: Any, written: Any) -> None:
    got = config.load(written(f"llmgate_settings: {{responses_store: {said}}}"), {})

    assert got.responses_store == wanted


@pytest.mark.parametrize(
    ("text", "env", "seconds"),
    [
        ("", {}, None),
        ("", {"LLMGATE_STREAM_MAX_SECONDS": ""}, None),
        ("", {"LLMGATE_STREAM_MAX_SECONDS": "3600"}, 3600.0),
        ("llmgate_settings: {stream_max_seconds: 0.5}", {}, 0.5),
        ("llmgate_settings: {stream_max_seconds: 5}", {"LLMGATE_STREAM_MAX_SECONDS": "9"}, 5.0),
    ],
)
def test_a_stream_may_have_a_limit(
    text: str, env: dict[str, str], seconds: float | None, written: Any
) -> None:
    assert config.load(written(ONE + text), env).router.stream_max_seconds == seconds


@pytest.mark.parametrize("value", ["0", "-1", "x", "inf", "nan"])
def test_a_limit_of_streams_that_is_invalid_is_named(value: str, written: Any) -> None:
    message = fault(written(ONE), {"LLMGATE_STREAM_MAX_SECONDS": value})

    assert "LLMGATE_STREAM_MAX_SECONDS is not a number of seconds" in message
