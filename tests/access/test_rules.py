from __future__ import annotations

import pytest

from llmgate.access import rules


@pytest.mark.parametrize(
    ("routes", "path", "allowed"),
    [
        ([], "/v1/anything", True),
        (["llm_api_routes"], "/v1/chat/completions", True),
        (["llm_api_routes"], "/chat/completions", True),
        (["llm_api_routes"], "/openai/deployments/x/chat/completions", True),
        (["llm_api_routes"], "/key/generate", False),
        (["llm_api_routes"], "/spend/logs", False),
        (["llm_api_routes"], "/metrics", False),
        (["llm_api_routes"], "/api/tracking/logs", False),
        (["/v1/*"], "/anthropic/v1/files", False),
        (["/v1/*"], "/files", True),
        (["info_routes"], "/models", True),
        (["info_routes"], "/chat/completions", False),
        (["management_routes"], "/customer/new", True),
        (["management_routes"], "/v1/chat/completions", False),
        (["/chat/completions"], "/v1/chat/completions", True),
        (["/v1/chat/completions"], "/chat/completions", True),
        (["/v1/*"], "/embeddings", True),
        (["/threads/{id}/runs"], "/v1/threads/t1/runs", True),
        (["/threads/{id}/runs"], "/v1/threads/t1/t2/runs", False),
    ],
)
def test_a_key_calls_the_routes_that_it_has(routes: list[str], path: str, allowed: bool) -> None:
    assert rules.allows_route(routes, path) is allowed


def test_models_are_names_patterns_and_groups() -> None:
    def allows(models: list[str], *groups: str) -> bool:
        return rules.allows_model(models, "openai/gpt-4o", groups)

    assert allows([]) and allows(["openai/gpt-4o"]) and allows(["openai/*"])
    assert allows(["beta"], "beta") and allows(["all-team-models"])
    assert not allows(["gpt-4o"]) and not allows(["beta"]) and not allows(["no-default-models"])
