"""What the environment says of the server."""

from __future__ import annotations

import pytest

from llmgate.errors import ConfigError
from llmgate.server import env


@pytest.mark.parametrize("environ", [{}, {"PORT": "", "WEB_CONCURRENCY": " ", "HOST": ""}])
def test_what_is_not_said_has_its_default(environ: dict[str, str]) -> None:
    assert env.server(environ) == ("127.0.0.1", 4000, 2, None, 15, 10, 1024, 900, 95)


@pytest.mark.parametrize("name", ["PORT", "LLMGATE_MASTER_KEY", "LITELLM_MASTER_KEY"])
def test_a_key_or_a_platforms_port_opens_every_address(name: str) -> None:
    assert env.server({name: "80"}).host == "0.0.0.0"
    assert env.server({name: "80", "HOST": "::1"}).host == "::1"


def test_what_is_said_holds() -> None:
    environ = {
        "HOST": "::1",
        "PORT": "80 ",
        "WEB_CONCURRENCY": "3",
        "LLMGATE_THREADS": "4",
        "LLMGATE_READ_TIMEOUT": "5",
        "LLMGATE_WRITE_TIMEOUT": "6",
        "LLMGATE_READ_RATE": "7",
        "LLMGATE_BODY_TIMEOUT": "8",
        "LLMGATE_KEEPALIVE_TIMEOUT": "620",
    }

    assert env.server(environ) == ("::1", 80, 3, 4, 5, 6, 7, 8, 620)


@pytest.mark.parametrize(
    ("name", "most"),
    [
        ("PORT", 65535),
        ("WEB_CONCURRENCY", 1000),
        ("LLMGATE_THREADS", 65535),
        ("LLMGATE_READ_TIMEOUT", 86400),
        ("LLMGATE_WRITE_TIMEOUT", 86400),
        ("LLMGATE_READ_RATE", 10**9),
        ("LLMGATE_BODY_TIMEOUT", 86400),
        ("LLMGATE_KEEPALIVE_TIMEOUT", 86400),
    ],
)
@pytest.mark.parametrize("text", ["x", "0", "-1", "1.5", "1e3", "\u00b2", "9" * 5000, "over"])
def test_what_is_no_number_is_named_with_its_remedy(name: str, most: int, text: str) -> None:
    said = str(most + 1) if text == "over" else text

    with pytest.raises(ConfigError) as caught:
        env.server({name: said})

    assert str(caught.value) == (
        f"the environment variable {name} is {said[:40]!r}; set it to a whole number from 1 to"
        f" {most}, or unset it"
    )
