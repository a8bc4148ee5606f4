from __future__ import annotations

from typing import Any

import pytest

from llmgate.contract import Deployment
from llmgate.trust import redaction

LONG = "A1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q7r8S9t0"


@pytest.mark.parametrize(
    "key",
    [
        f"sk-{LONG}",
        f"sk-proj-{LONG[:20]}_{LONG[20:]}-x",
        f"sk-ant-api03-{LONG}",
        f"sk-or-v1-{LONG}",
        f"gsk_{LONG}",
        f"xai-{LONG}",
        f"hf_{LONG}",
        f"r8_{LONG}",
        f"pplx-{LONG}",
        f"nvapi-{LONG}",
        f"csk-{LONG}",
        f"fw_{LONG}",
        f"pk-{LONG}",
        f"AIza{LONG[:35]}",
        "AKIAIOSFODNN7EXAMPLE",
    ],
)
@pytest.mark.parametrize(
    "frame", ["{}", "Incorrect API key provided: {}.", '{{"k":"{}"}}', "a={},b", "({})", "\n{}\n"]
)
def test_the_keys_of_providers_are_known_by_their_looks(key: str, frame: str) -> None:
    assert redaction.clean(frame.format(key)) == frame.format("***")


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Authorization: Bearer abc.def-123~+/=", "Authorization: Bearer ***"),
        ("bearer 12345678", "bearer ***"),
        ("https://x/v1?key=abc&alt=sse", "https://x/v1?key=***&alt=sse"),
        ('"https://x/v1?alt=sse&api-key=abc"', '"https://x/v1?alt=sse&api-key=***"'),
    ],
)
def test_keys_are_known_by_their_places(text: str, wanted: str) -> None:
    assert redaction.clean(text) == wanted


@pytest.mark.parametrize(
    "text",
    [
        "",
        "The model `gpt-4o` does not exist",
        "This is a task-oriented, risk-management-like sentence.",
        "sk-short",
        "hosted_vllm/meta-llama/Llama-3.3-70B-Instruct",
        "the bearer of news",
        "AKIA",
        "monkey=banana&key=",
    ],
)
def test_other_text_is_left_alone(text: str) -> None:
    assert redaction.clean(text) == text


def test_secrets_are_taken_out_wherever_they_are() -> None:
    got = redaction.clean("a 1234-secret-5678 b secret-56 secret", ["secret", "1234-secret-5678"])

    assert got == "a *** b ***-56 ***"


@pytest.mark.parametrize("order", [1, -1])
def test_a_secret_that_begins_another_uncovers_nothing(order: int) -> None:
    secrets = ["plain-secret", "plain-secret-and-more"][::order]

    assert redaction.clean("x plain-secret-and-more y", secrets) == "x *** y"


@pytest.mark.parametrize("secret", [None, "", "abc"])
def test_what_is_too_short_for_a_secret_is_none(secret: Any) -> None:
    assert redaction.clean("abc", [secret]) == "abc"


def test_the_secrets_of_a_deployment_are_its_keys_tokens_and_headers_of_that_name() -> None:
    settings = {
        "azure_ad_token": "b",
        "client_secret": "c",
        "azure_password": "d",
        "vertex_credentials": {"type": "x", "private_key": "e", "nested": {"deep": "f"}},
        "extra_headers": {"Authorization": "g", "X-Team": "team"},
        "organization": "org",
        "rpm": 7,
        "key_number": 8,
    }

    got = list(redaction.secrets_of(Deployment("g", "p", "m", "b", api_key="a", settings=settings)))

    assert got == ["a", "b", "c", "d", "x", "e", "f", "g"]


def test_a_deployment_without_a_key_has_no_secret() -> None:
    assert list(redaction.secrets_of(Deployment("g", "p", "m", "b"))) == []
