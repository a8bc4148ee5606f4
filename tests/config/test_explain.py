from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from llmgate import config
from llmgate import errors
from llmgate.config import explain


def to(group: str, model: str, **params: Any) -> dict[str, Any]:
    at = {"api_base": "https://user:pass@h/v1", "api_key": "k", **params}
    info = {"id": f"{group}-{model}"}
    return {
        "model_name": group,
        "litellm_params": {"model": f"custom_openai/{model}", **at},
        "model_info": info,
    }


def settings(tmp_path: Path, *entries: dict[str, Any], **router: Any) -> config.Settings:
    path = tmp_path / "c.yaml"
    path.write_text(yaml.safe_dump({"model_list": list(entries), "router_settings": router}))
    return config.load(str(path), {})


def test_deployments_are_listed_in_the_order_in_which_they_are_tried(tmp_path: Path) -> None:
    found = settings(
        tmp_path,
        to("gpt", "last"),
        to("gpt", "third", order=2, rpm=10),
        to("gpt", "first", order=1, weight=3),
        to("gpt", "second", order=1),
    )

    assert list(explain.lines(found, "gpt")) == [
        "gpt: model group",
        "  1. custom_openai/first at https://h/v1 (id gpt-first); order 1; 75% of requests",
        "  1. custom_openai/second at https://h/v1 (id gpt-second); order 1; 25% of requests",
        "  2. custom_openai/third at https://h/v1 (id gpt-third); order 2; rpm 10",
        "  3. custom_openai/last at https://h/v1 (id gpt-last)",
    ]


def test_weights_of_zero_are_equal_shares_and_other_strategies_are_named(tmp_path: Path) -> None:
    entries = to("gpt", "a", weight=0), to("gpt", "b", weight=0)
    busy = settings(tmp_path, *entries, routing_strategy="least-busy")
    by_weight = settings(tmp_path, *entries)

    for found, how in ((busy, "least-busy"), (by_weight, "50% of requests")):
        _, *lines = explain.lines(found, "gpt")
        assert [line.rpartition("; ")[2] for line in lines] == [how] * 2


def test_a_deployment_without_a_key_is_the_last(tmp_path: Path) -> None:
    entry = to("gpt", "b")
    entry["litellm_params"] = {"model": "groq/b"}
    found = list(explain.lines(settings(tmp_path, entry, to("gpt", "a")), "gpt"))

    assert found[1].startswith("  1. custom_openai/a at ")
    assert found[2].startswith("  2. groq/b at https://api.groq.com/openai/v1 (id gpt-b); last of")
    assert "GROQ_API_KEY" in found[2]


@pytest.mark.parametrize(
    ("model", "head"),
    [
        ("nick", "nick: alias of 'gpt'"),
        ("free", "free: alias of 'w/x', wildcard 'w/*'"),
        ("w/x", "w/x: wildcard 'w/*'"),
        ("custom_openai/a", "custom_openai/a: the model string of deployments; no model group has"),
    ],
)
def test_why_a_name_is_found(tmp_path: Path, model: str, head: str) -> None:
    aliases = {"nick": "gpt", "free": "w/x"}
    found = settings(tmp_path, to("gpt", "a"), to("w/*", "*"), model_group_alias=aliases)

    assert next(explain.lines(found, model)).startswith(head)


def test_a_forced_model_is_named(tmp_path: Path) -> None:
    found = settings(tmp_path, to("gpt", "a"))
    found = found._replace(routes=found.routes._replace(forced="gpt"))

    assert next(explain.lines(found, "any")) == "any: every request is for 'gpt'"


def test_tags_select_deployments(tmp_path: Path) -> None:
    found = settings(
        tmp_path,
        to("gpt", "a", tags=["paid", "eu"]),
        to("gpt", "b", tags=["free"]),
        enable_tag_filtering=True,
    )

    assert list(explain.lines(found, "gpt", ["free"]))[1:] == [
        "  1. custom_openai/b at https://h/v1 (id gpt-b); tags free",
        "  not: custom_openai/a at https://h/v1 (id gpt-a); tags paid, eu;"
        " its tags (paid, eu) do not match",
    ]
    assert list(explain.lines(found, "gpt", ["other"]))[1].startswith("  none: Not allowed")


def test_fallbacks_are_followed_to_their_end(tmp_path: Path) -> None:
    found = settings(
        tmp_path,
        *(to(name, name) for name in "abcd"),
        fallbacks=[{"a": ["b", "gone"]}, {"b": ["a", "c"]}],
        context_window_fallbacks=[{"a": ["d"]}],
        max_fallbacks=3,
    )

    assert [line.partition(" at ")[0] for line in explain.lines(found, "a")] == [
        "a: model group",
        "  1. custom_openai/a",
        "after errors of all of them:",
        "  b: model group",
        "    1. custom_openai/b",
        "  gone: does not exist, and is skipped",
        "  c: model group",
        "    1. custom_openai/c",
        "if the request is too long:",
        "  d: model group",
        "    1. custom_openai/d",
    ]


def test_default_fallbacks_stand_in_for_an_unknown_name(tmp_path: Path) -> None:
    entries = to("a", "a"), to("b", "b")
    found = settings(tmp_path, *entries, default_fallbacks=["a"], fallbacks=[{"a": ["b"]}])

    assert [line.partition(" at ")[0] for line in explain.lines(found, "what")] == [
        "what: no model group, alias or wildcard matches; default_fallbacks:",
        "  a: model group",
        "    1. custom_openai/a",
        "  b: model group",
        "    1. custom_openai/b",
    ]
    with pytest.raises(errors.ModelNotFound):
        list(explain.lines(settings(tmp_path, *entries), "what"))
