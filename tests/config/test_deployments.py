from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from llmgate.accounting import pricing
from llmgate.config import deployments
from llmgate.config.deployments import Context
from llmgate.config.deployments import Overrides
from llmgate.contract import Deployment
from llmgate.contract import RoutingOptions
from llmgate.errors import ConfigError
from llmgate.providers import PROVIDERS
from llmgate.providers.rows import ROWS
from llmgate.routing.routes import Routes
from llmgate.trust import client_credentials

LISTED = pricing.prices("openai", "gpt-4o")


def context(environ: Mapping[str, str] | None = None, **given: Any) -> Context:
    return Context(environ or {}, given.pop("overrides", Overrides()), **given)


def entry(model: str = "openai/gpt-4o", group: str = "g", info: Any = None, **given: Any) -> Any:
    """Return an entry of model_list."""
    return {"model_name": group, "litellm_params": {"model": model, **given}, "model_info": info}


def made(*args: Any, environ: Mapping[str, str] | None = None, **given: Any) -> Deployment:
    """Return the deployment that one entry makes."""
    ((deployment,),) = deployments.groups([entry(*args, **given)], context(environ)).values()
    return deployment


def fault(*entries: Any, **given: Any) -> str:
    """Return the message that refuses *entries*."""
    with pytest.raises(ConfigError) as caught:
        deployments.groups(entries, context(**given))
    return str(caught.value)


# -- groups


def test_deployments_of_one_name_make_a_group() -> None:
    entries = [entry("openai/a"), entry("groq/b"), entry("openai/a"), entry("openai/c", "h")]

    got = deployments.groups(entries, context())

    assert {name: [d.model for d in found] for name, found in got.items()} == {
        "g": ["a", "b", "a"],
        "h": ["c"],
    }
    assert len({d.id for found in got.values() for d in found}) == 4


@pytest.mark.parametrize("group", ["openai/*", "*", "gpt-*"])
def test_a_wildcard_keeps_its_star(group: str) -> None:
    got = deployments.groups([entry("openai/*", group)], context())

    assert [(d.provider, d.model) for d in got[group]] == [("openai", "*")]


@pytest.mark.parametrize("model", ["openai/*", "*"])
def test_a_star_that_the_group_leaves_open_is_refused(model: str) -> None:
    assert fault(entry("openai/a"), entry(model, "fast")) == (
        f"model_list[1].litellm_params.model: '{model}' contains '*' but model_name 'fast' has"
        " none; put one into model_name as well, or name one model"
    )


def test_a_catch_all_is_what_the_environment_has_keys_for() -> None:
    environ = {"GROQ_API_KEY": "g", "MISTRAL_API_KEY": "m"}

    got = deployments.groups([entry("*", "*", drop_params=True, timeout=3)], context(environ))

    assert {
        name: (found[0].provider, found[0].model, found[0].api_key) for name, found in got.items()
    } == {
        "*": ("groq", "*", "g"),
        "groq/*": ("groq", "*", "g"),
        "mistral/*": ("mistral", "*", "m"),
    }
    assert all(d.drop_params and d.timeout == 3 for found in got.values() for d in found)


@pytest.mark.parametrize("first", [True, False])
def test_a_catch_all_adds_nothing_to_groups_that_are_written_out(first: bool) -> None:
    entries = [entry("*", "*"), entry("groq/*", "groq/*", api_key="mine")]

    got = deployments.groups(entries if first else entries[::-1], context({"GROQ_API_KEY": "g"}))

    assert {name: [d.api_key for d in found] for name, found in got.items()} == {
        "*": ["g"],
        "groq/*": ["mine"],
    }


def test_a_catch_all_without_any_key_is_echo() -> None:
    got = deployments.groups([entry("*", "*")], context())

    assert [(d.provider, d.model, d.group) for d in got["*"]] == [("echo", "echo", "*")]


@pytest.mark.parametrize("name", ["api_key", "api_base", "base_url"])
def test_a_catch_all_has_no_key_or_address_of_one_provider(name: str) -> None:
    assert fault(entry("*", "*", **{name: "https://x"})) == (
        f"model_list[0].litellm_params.{name}: belongs to one provider, and model '*' stands for"
        " all; name one, as in openai/*"
    )


def test_a_star_with_a_provider_beside_it_is_that_providers() -> None:
    got = made("*", "*", custom_llm_provider="groq", api_key="g")

    assert (got.provider, got.model, got.api_key) == ("groq", "*", "g")


# -- one deployment


@pytest.mark.parametrize("name", ["brought", "routed", "elsewhere", "origin", "has_client_key"])
def test_no_member_of_model_info_switches_behaviour(name: str) -> None:
    got = made("openai/gpt-4o", "chat", info={name: True}, api_key="k")

    assert (got.origin, got.has_client_key, got.has_client_address) == ("config", False, False)
    assert client_credentials.pin(got, "http://127.0.0.1/", client_credentials.Allowed()) is None


def test_a_deployment_is_complete() -> None:
    info = {"id": 7, "mode": "chat", "input_cost_per_token": 1e-6}

    got = made(
        "azure/eu",
        "chat",
        info=info,
        api_base="https://x.openai.azure.com/",
        api_key="k\n",
        api_version="2024-10-21",
        timeout=3,
        weight=2.5,
        drop_params=True,
        output_cost_per_token=2e-6,
        temperature=0.5,
        top_k=3,
        seed=None,
        extra_body={"a": 1},
        metadata={"x": 1},
        num_retries=4,
    )

    assert tuple(got) == (
        "chat",
        "azure",
        "eu",
        "https://x.openai.azure.com",
        "7",
        "k",
        "2024-10-21",
        3.0,
        True,
        2.5,
        {"extra_body": {"a": 1}},
        {"temperature": 0.5, "top_k": 3},
        {"input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6},
        info,
        RoutingOptions(retries=4),
        "config",
        False,
        True,
        False,
        False,
        None,
    )


@pytest.mark.parametrize(
    ("model", "given", "wanted"),
    [
        ("gpt-3.5-turbo", {}, ("openai", "gpt-3.5-turbo")),
        ("groq/llama-3.3-70b", {}, ("groq", "llama-3.3-70b")),
        ("openrouter/meta/llama-3", {}, ("openrouter", "meta/llama-3")),
        ("llama-3", {"custom_llm_provider": "groq"}, ("groq", "llama-3")),
        ("groq/llama-3", {"custom_llm_provider": "groq"}, ("groq", "llama-3")),
        ("meta/llama-3", {"custom_llm_provider": "groq"}, ("groq", "meta/llama-3")),
    ],
)
def test_the_provider_is_named_by_the_model_or_beside_it(
    model: str, given: Any, wanted: Any
) -> None:
    got = made(model, **given)

    assert (got.provider, got.model) == wanted


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"model": "opnai/x"}, "model: unknown provider 'opnai' in 'opnai/x'; known are "),
        ({"model": "llama"}, "model: 'llama' names no provider: write it as <provider>/<model>"),
        ({"model": "groq"}, "model: 'groq' is a provider without a model: write groq/<model>"),
        (
            {"model": "x", "custom_llm_provider": "opnai"},
            "custom_llm_provider: unknown provider 'opnai'; known are ",
        ),
        (
            {"model": "azure/x"},
            "api_base: is missing, and provider azure has no address of its own; set it, or the"
            " environment variable AZURE_API_BASE or AZURE_OPENAI_ENDPOINT",
        ),
        (
            {"model": "gpt-4o", "api_base": "localhost:8000"},
            "api_base: must begin with http:// or https://, here and in OPENAI_BASE_URL",
        ),
    ],
)
def test_what_is_wrong_is_named_with_its_place(given: Any, message: str) -> None:
    assert fault(entry(**given)).startswith(f"model_list[0].litellm_params.{message}")


def test_base_url_is_another_word_for_api_base() -> None:
    assert made(base_url="http://x/v1/").api_base == "http://x/v1"
    assert made(base_url="http://x/v1/", api_base="http://y").api_base == "http://y"


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({}, 1),
        ({"rpm": 6}, 6),
        ({"tpm": 5000}, 5000),
        ({"rpm": 6, "tpm": 5000}, 6),
        ({"weight": 3, "rpm": 6}, 3),
        ({"weight": 0, "rpm": 6}, 0),
        ({"weight": None, "rpm": 0}, 1),
    ],
)
def test_a_weight_is_said_or_is_the_rate(given: Any, wanted: float) -> None:
    assert made(**given).weight == wanted


@pytest.mark.parametrize(
    ("info", "given", "wanted"),
    [
        (None, {}, pricing.prices("openai", "gpt-4o")),
        ({"base_model": "gpt-4o-mini"}, {}, pricing.prices("openai", "gpt-4o-mini")),
        ({"input_cost_per_token": 1}, {}, {**LISTED, "input_cost_per_token": 1.0}),
        (
            {"input_cost_per_token": 1},
            {"input_cost_per_token": 2},
            {**LISTED, "input_cost_per_token": 2.0},
        ),
        ({}, {"input_cost_per_token": 0}, {**LISTED, "input_cost_per_token": 0.0}),
        (
            {},
            {"input_cost_per_token": 0, "output_cost_per_token": 0},
            {"input_cost_per_token": 0.0, "output_cost_per_token": 0.0},
        ),
        ({"input_cost_per_token": None}, {}, pricing.prices("openai", "gpt-4o")),
    ],
)
def test_prices_are_the_operators_or_the_lists(info: Any, given: Any, wanted: Any) -> None:
    got = made(info=info, **given)

    assert got.prices == wanted
    assert not [key for key in got.defaults if "cost" in key]


def test_the_price_of_a_model_that_nobody_knows_is_unknown() -> None:
    assert made("groq/no-such-model").prices == {}


@pytest.mark.parametrize(
    ("own", "wide", "said", "wanted"),
    [
        (None, False, False, False),
        (None, True, False, True),
        (False, True, False, False),
        (True, False, False, True),
        (False, False, True, True),
    ],
)
def test_the_narrower_drop_params_wins_and_the_command_line_over_all(
    own: bool | None, wide: bool, said: bool, wanted: bool
) -> None:
    given = context(drop_params=wide, overrides=Overrides(drop_params=said))

    ((got,),) = deployments.groups([entry(drop_params=own)], given).values()

    assert got.drop_params is wanted


def test_the_command_lines_defaults_go_before_the_files() -> None:
    given = context(overrides=Overrides(temperature=0.0, max_tokens=5))

    ((got,),) = deployments.groups([entry(temperature=1, top_p=0.5)], given).values()

    assert got.defaults == {"temperature": 0.0, "top_p": 0.5, "max_tokens": 5}


def test_an_id_is_the_same_at_every_start_and_for_no_other() -> None:
    assert made().id == made().id
    assert len(made().id) == 16
    assert made().id != made("openai/gpt-4o-mini").id
    assert made().id != made(api_base="http://x").id


# -- keys and addresses from the environment


WITH_ENV = [
    (name, setting, variable)
    for name in ("openai", "azure", *ROWS)
    for setting, variables in PROVIDERS[name].env.items()
    for variable in variables
]


def identity(name: str) -> dict[str, str]:
    """Return what Azure's logins need beside their secret."""
    return {"tenant_id": "t", "client_id": "c"} if name == "azure" else {}


@pytest.mark.parametrize(("name", "setting", "variable"), WITH_ENV)
def test_the_environment_completes_a_deployment(name: str, setting: str, variable: str) -> None:
    base = {"api_base": "https://own/v1", **identity(name)}
    base.pop(setting, None)

    got = made(f"{name}/m", environ={variable: " https://env/v1/\n"}, **base)

    found = {**got.settings, **got._asdict()}[setting]
    assert found.removesuffix("/") == "https://env/v1"


@pytest.mark.parametrize(("name", "setting", "variable"), WITH_ENV)
def test_the_file_goes_before_the_environment(name: str, setting: str, variable: str) -> None:
    given = {"api_base": "https://own/v1", **identity(name), setting: "https://own/v1"}

    got = made(f"{name}/m", environ={variable: "https://env/v1"}, **given)

    assert {**got.settings, **got._asdict()}[setting] == "https://own/v1"


@pytest.mark.parametrize("name", ["openai", *ROWS])
def test_a_provider_is_where_its_row_says_unless_told(name: str) -> None:
    own = "https://api.openai.com/v1" if name == "openai" else ROWS[name].base_url

    if own:
        assert made(f"{name}/m").api_base == own
    else:
        assert f"provider {name} has no address" in fault(entry(f"{name}/m"))
    assert made(f"{name}/m", api_base="https://own/v1/").api_base == "https://own/v1"


def test_the_first_variable_that_is_set_and_not_empty_counts() -> None:
    environ = {"TOGETHER_API_KEY": "", "TOGETHERAI_API_KEY": "b", "TOGETHER_AI_TOKEN": "c"}

    assert made("together_ai/m", environ=environ).api_key == "b"


@pytest.mark.parametrize("given", ['{"type": "x"}', ' {"type": "x"}\n', {"type": "x"}])
def test_credentials_are_given_as_they_are(given: Any) -> None:
    got = made("vertex_ai/gemini-2.5-flash", vertex_project="p", vertex_credentials=given)

    wanted = given.strip() if isinstance(given, str) else given
    assert got.settings["vertex_credentials"] == wanted


def test_credentials_are_read_from_the_file_that_is_named(tmp_path: Path) -> None:
    path = tmp_path / "key.json"
    path.write_text('{"type": "x"}\n')

    got = made("vertex_ai/gemini-2.5-flash", vertex_project="p", vertex_credentials=str(path))

    assert got.settings["vertex_credentials"] == '{"type": "x"}'


@pytest.mark.parametrize(
    ("data", "why"), [(None, "No such file or directory"), (b"\xff", "it is not UTF-8 text")]
)
def test_a_file_of_credentials_that_cannot_be_read_is_refused(
    data: bytes | None, why: str, tmp_path: Path
) -> None:
    path = tmp_path / "key.json"
    if data is not None:
        path.write_bytes(data)

    assert fault(
        entry("vertex_ai/gemini-2.5-flash", vertex_project="p", vertex_credentials=str(path))
    ).endswith(
        "model_list[0].litellm_params.vertex_credentials: the file that it names cannot be read:"
        f" {why}; give the path of a key"
        " file, or its JSON"
    )


# -- no model_list


@pytest.mark.parametrize(
    ("environ", "wanted"),
    [
        ({}, {"*": "echo"}),
        ({"OPENAI_API_KEY": ""}, {"*": "echo"}),
        ({"OPENAI_API_KEY": "o"}, {"openai/*": "openai", "*": "openai"}),
        ({"GROQ_API_KEY": "g"}, {"groq/*": "groq", "*": "groq"}),
        (
            {"GROQ_API_KEY": "g", "OPENAI_API_KEY": "o", "OLLAMA_API_BASE": "http://o:1"},
            {
                "openai/*": "openai",
                "groq/*": "groq",
                "ollama/*": "ollama",
                "ollama_chat/*": "ollama_chat",
                "*": "openai",
            },
        ),
        ({"AZURE_API_KEY": "a"}, {"*": "echo"}),
        (
            {"AZURE_API_KEY": "a", "AZURE_API_BASE": "https://a"},
            {"azure/*": "azure", "*": "azure"},
        ),
        ({"ANTHROPIC_API_KEY": "a"}, {"anthropic/*": "anthropic", "*": "anthropic"}),
        ({"AWS_ACCESS_KEY_ID": "a"}, {"*": "echo"}),
        (
            {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "s"},
            {"bedrock/*": "bedrock", "sagemaker/*": "sagemaker", "*": "bedrock"},
        ),
        ({"AWS_BEARER_TOKEN_BEDROCK": "b"}, {"bedrock/*": "bedrock", "*": "bedrock"}),
        ({"VERTEXAI_ACCESS_TOKEN": "t"}, {"*": "echo"}),
        (
            {"VERTEXAI_ACCESS_TOKEN": "t", "VERTEXAI_PROJECT": "p"},
            {"vertex_ai/*": "vertex_ai", "*": "vertex_ai"},
        ),
        (
            {"HOSTED_VLLM_API_BASE": "http://v:8000/v1"},
            {"hosted_vllm/*": "hosted_vllm", "*": "hosted_vllm"},
        ),
    ],
)
def test_the_environment_alone_makes_groups(environ: Any, wanted: Any) -> None:
    got = deployments.from_environment(context(environ))

    assert {name: found[0].provider for name, found in got.items()} == wanted
    assert all(len(found) == 1 for found in got.values())


@pytest.mark.parametrize("name", ["openai", *(n for n, row in ROWS.items() if row.base_url)])
def test_a_key_alone_makes_a_working_provider(name: str) -> None:
    for variable in PROVIDERS[name].env["api_key"]:
        routes = Routes(deployments.from_environment(context({variable: "k"})))

        for asked in ("some-model", f"{name}/some-model"):
            (found,) = routes.find(asked)
            assert (found.provider, found.model, found.api_key) == (name, "some-model", "k")


def test_without_a_file_the_command_lines_defaults_hold_too() -> None:
    given = context({"OPENAI_API_KEY": "o"}, overrides=Overrides(max_tokens=5), timeout=9)

    (found,) = deployments.from_environment(given)["*"]

    assert (found.defaults, found.timeout) == ({"max_tokens": 5}, 9)


# -- one model for every request


@pytest.mark.parametrize(
    ("model", "api_base", "wanted"),
    [
        ("gpt-3.5-turbo", None, ("openai", "gpt-3.5-turbo", "https://api.openai.com/v1")),
        ("gpt-3.5-turbo", "http://h/v1", ("openai", "gpt-3.5-turbo", "http://h/v1")),
        ("ollama/codellama", None, ("ollama", "codellama", "http://localhost:11434/v1")),
        ("ollama/codellama", "http://h:1", ("ollama", "codellama", "http://h:1/v1")),
        ("my-model", "http://h/v1", ("custom_openai", "my-model", "http://h/v1")),
        ("meta/llama", "http://h/v1", ("custom_openai", "meta/llama", "http://h/v1")),
        ("echo", None, ("echo", "echo", "echo:")),
    ],
)
def test_a_model_string_serves_every_request(model: str, api_base: str | None, wanted: Any) -> None:
    given = context(overrides=Overrides(model, api_base))

    routes = deployments.forced(Routes({}), model, "--", given)

    (found,) = routes.find("gpt-4o")
    assert (found.provider, found.model, found.api_base, found.group) == (*wanted, model)


def test_a_group_serves_every_request() -> None:
    routes = Routes(deployments.groups([entry(), entry("groq/x", "h")], context()))

    (found,) = deployments.forced(routes, "h", "--", context()).find("g")

    assert found.model == "x"


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("my-model", "--model: 'my-model' names no provider: write it as <provider>/<model>"),
        ("x/y", "--model: unknown provider 'x' in 'x/y'"),
        ("groq", "--model: 'groq' is a provider without a model: write groq/<model>"),
        ("openai/*", "--model: 'openai/*' contains '*'; name one model"),
        ("azure/x", "--api_base: is missing, and provider azure has no address of its own"),
    ],
)
def test_a_model_that_cannot_serve_is_refused(model: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        deployments.forced(Routes({}), model, "--", context())

    assert str(caught.value).startswith(message)


# -- secrets


def test_every_secret_of_the_routes_is_known() -> None:
    routes = Routes(
        deployments.groups(
            [
                entry(api_key="one", organization="org"),
                entry("azure/x", api_base="https://a", azure_ad_token="two"),
                entry("groq/x", extra_headers={"X-Api-Key": "three", "X-Team": "a"}),
            ],
            context(),
        )
    )

    assert sorted(deployments.secrets(routes)) == ["one", "three", "two"]


def test_no_repr_shows_a_secret() -> None:
    given = context({"OPENAI_API_KEY": "canary"})
    found = deployments.groups([entry(), entry("azure/x", api_base="https://a")], given)

    assert "canary" not in repr(given)
    assert "canary" not in repr(found)
    assert found["g"][0].api_key == "canary"
