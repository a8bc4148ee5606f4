from __future__ import annotations

import pytest

from llmgate.config import addresses
from llmgate.errors import ConfigError


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("https://h/v1", "https://h/v1"),
        ("https://h/v1/", "https://h/v1"),
        ("https://h/v1/chat/completions", "https://h/v1"),
        ("https://h/v1/messages", "https://h/v1"),
        ("https://h/v1beta/models/g:generateContent", "https://h/v1beta"),
        ("http://h/api/generate", "http://h/d"),
    ],
)
def test_the_path_of_an_endpoint_is_cut(given: str, wanted: str) -> None:
    assert addresses.cleaned(given, "api_base", "/d", False) == (wanted, None)


def test_azures_version_is_taken_from_the_address() -> None:
    given = "https://h/openai/deployments/d/chat/completions?api-version=2025-01-01"

    got = addresses.cleaned(given, "api_base", "", True)

    assert got == ("https://h/openai/deployments/d", "2025-01-01")
    assert addresses.cleaned("https://h/openai", "api_base", "", True).base == "https://h"
    assert addresses.api_version("api-version=2024-10-21") == "2024-10-21"


@pytest.mark.parametrize(
    "given", ["https://h/v1?x=1", "https://", "https://h/v1#x", "http://h:port/v1"]
)
def test_what_is_no_base_is_refused(given: str) -> None:
    with pytest.raises(ConfigError, match=r"^api_base: "):
        addresses.cleaned(given, "api_base", "", False)
