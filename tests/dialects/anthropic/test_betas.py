from __future__ import annotations

import json
from typing import Any

import pytest

from llmgate.dialects.anthropic import betas


@pytest.mark.parametrize(
    ("header", "wanted"),
    [(None, []), ("", []), ("a", ["a"]), ("a,b , c,,", ["a", "b", "c"])],
)
def test_a_header_lists_betas(header: str | None, wanted: list[str]) -> None:
    assert betas.listed(header) == wanted


@pytest.mark.parametrize(
    ("given", "wanted"),
    [(None, None), ([], None), ("a", None), (["a"], "a"), (["a", "b"], "a,b")],
)
def test_betas_go_into_the_header(given: Any, wanted: str | None) -> None:
    body = {"model": "m", "anthropic_beta": given}

    call = betas.call("https://x", body)

    assert isinstance(call.data, bytes)
    assert json.loads(call.data) == {"model": "m"}
    assert call.headers.get("anthropic-beta") == wanted
    assert body["anthropic_beta"] == given


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (["context-1m-2025-08-07", "claude-code-20250219"], ["context-1m-2025-08-07"]),
        (["claude-code-20250219"], None),
        (None, None),
    ],
)
def test_aws_is_told_of_those_it_knows(given: Any, wanted: Any) -> None:
    got = betas.at_aws({"max_tokens": 1, "anthropic_beta": given})

    assert got == ({"max_tokens": 1, "anthropic_beta": wanted} if wanted else {"max_tokens": 1})


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (
            ["interleaved-thinking-2025-05-14", "effort-2025-11-24"],
            ["interleaved-thinking-2025-05-14"],
        ),
        (["advanced-tool-use-2025-11-20"], ["tool-search-tool-2025-10-19"]),
        (["not-yet-heard-of-2031-01-01"], None),
    ],
)
def test_google_gets_those_that_it_supports(given: Any, wanted: Any) -> None:
    got = betas.at_google({"max_tokens": 1, "anthropic_beta": given})

    assert got == ({"max_tokens": 1, "anthropic_beta": wanted} if wanted else {"max_tokens": 1})
