from __future__ import annotations

from typing import Any

import pytest

from llmgate import errors
from llmgate.contract import Deployment
from llmgate.providers import PROVIDERS
from llmgate.trust import client_credentials

OURS = Deployment(
    "g",
    "openai",
    "gpt-4o",
    "https://api.openai.com/v1",
    api_key="sk-ours",
    settings={"organization": "org-ours", "additional_drop_params": ["user"]},
)


def applied(body: Any) -> Deployment:
    """Return our deployment with what *body* brings, where nothing special is allowed."""
    client_credentials.check(body)
    return client_credentials.applied(OURS, body, PROVIDERS["openai"], client_credentials.Allowed())


@pytest.mark.parametrize("name", ["api_base", "base_url", "azure_ad_token", "aws_region_name"])
def test_addresses_and_settings_are_refused_unless_allowed(name: str) -> None:
    with pytest.raises(errors.Forbidden) as caught:
        applied({name: "https://evil.example", "api_key": "sk-theirs"})

    assert (caught.value.param, caught.value.code) == (name, "client_address_not_allowed")


def test_an_address_that_a_provider_declares_is_never_a_clients() -> None:
    provider = PROVIDERS["openai"]._replace(address_settings=frozenset({"new_endpoint"}))
    allowed = client_credentials.Allowed(everything=True)

    with pytest.raises(errors.Forbidden) as caught:
        client_credentials.applied(OURS, {"new_endpoint": "https://x"}, provider, allowed)

    assert caught.value.param == "new_endpoint"
    body = {"new_endpoint": None}
    assert client_credentials.applied(OURS, body, provider, allowed) is OURS


@pytest.mark.parametrize("name", sorted(client_credentials.NEVER))
@pytest.mark.parametrize("value", ["x", "", {}, False])
def test_some_settings_are_never_a_clients(name: str, value: Any) -> None:
    with pytest.raises(errors.Forbidden) as caught:
        client_credentials.check({name: value})

    assert caught.value.param == name


@pytest.mark.parametrize(
    "key",
    [
        "os.environ/HOME",
        "oidc/google",
        7,
        ["sk-1"],
        "sk 1",
        "sk-1\r\nX-Evil: 1",
        "sk-1\n",
        "ключ",
        "\x00",
    ],
)
def test_what_is_no_key_is_refused(key: Any) -> None:
    with pytest.raises(errors.InvalidRequest) as caught:
        client_credentials.check({"api_key": key})

    assert caught.value.param == "api_key"


@pytest.mark.parametrize(
    "body", [{}, {"api_key": None}, {"api_key": ""}, {"api_base": None}, {"model_list": None}]
)
def test_a_request_that_brings_nothing_is_served_with_our_key(body: Any) -> None:
    assert applied(body) is OURS


def test_a_clients_key_goes_in_place_of_ours_and_of_whom_we_are() -> None:
    got = applied({"api_key": "sk-theirs"})

    assert got.api_key == "sk-theirs"
    assert got.settings == {"additional_drop_params": ["user"]}
    assert got.api_base == OURS.api_base
    assert (OURS.api_key, OURS.settings["organization"]) == ("sk-ours", "org-ours")
