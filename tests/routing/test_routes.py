from __future__ import annotations

from typing import Any

import pytest

from llmgate import errors
from llmgate.accounting import pricing
from llmgate.contract import Deployment
from llmgate.routing.routes import Routes


def to(model: str, provider: str = "groq", **over: Any) -> Deployment:
    return Deployment("g", provider, model, "https://x", **over)


ROUTES = Routes(
    {
        "chat": (to("one"), to("two")),
        "both": (to("exact"),),
        "gpt-*": (to("gpt-*"),),
        "gpt-4*": (to("four-*"), to("fixed")),
        "openai/*": (to("*", "openai"),),
        "a-*-z": (to("in-*"),),
        "*": (to("any/*"),),
    },
    {"nick": "chat", "both": "chat", "gpt-alias": "gpt-4o", "lost": "nowhere"},
)


# -- finding


@pytest.mark.parametrize(
    ("asked", "models"),
    [
        ("chat", ["one", "two"]),
        ("both", ["exact"]),  # the group goes before the alias
        ("nick", ["one", "two"]),
        ("gpt-alias", ["four-o", "fixed"]),
        ("gpt-3.5", ["gpt-3.5"]),
        ("gpt-4o", ["four-o", "fixed"]),
        ("gpt-4", ["four-", "fixed"]),  # a star may stand for nothing
        ("openai/gpt-4o", ["gpt-4o"]),
        ("openai/org/x", ["org/x"]),
        ("a-b-z", ["in-b"]),
        ("a--z", ["in-"]),
        ("a-z", ["any/a-z"]),
        ("lost", ["any/nowhere"]),
        ("x", ["any/x"]),
        ("openai/*", ["*"]),  # as the list of models shows it
    ],
)
def test_the_most_exact_group_is_found(asked: str, models: list[str]) -> None:
    assert [d.model for d in ROUTES.find(asked)] == models


def test_a_wildcards_deployment_is_filled_in() -> None:
    (found,) = ROUTES.find("openai/gpt-4o-mini")

    assert found == to(
        "gpt-4o-mini",
        "openai",
        prices=pricing.prices("openai", "gpt-4o-mini"),
        from_wildcard=True,
    )._replace(group="openai/gpt-4o-mini")


@pytest.mark.parametrize(
    ("pattern", "model", "asked", "sent"),
    [
        ("fo::*:static::*", "fo::*:static::*", "fo::hi::static::hi", "fo::hi::static::hi"),
        ("*/*", "*-*", "a/b/c", "a-b/c"),
        ("a**b", "**", "axb", "x"),
        ("*-v*", "one", "x-v", "one"),
        ("aba*ba", "*", "ababa", None),
        ("*x*", "**", "y", None),
        ("openai/*", "*", "openai/", None),
    ],
)
def test_each_star_stands_for_a_part(
    pattern: str, model: str, asked: str, sent: str | None
) -> None:
    routes = Routes({pattern: (to(model),)})

    if sent is None:
        with pytest.raises(errors.ModelNotFound):
            routes.find(asked)
    else:
        assert [d.model for d in routes.find(asked)] == [sent]


def test_hidden_aliases_are_found_and_not_listed() -> None:
    routes = Routes({"chat": (to("one"),)}, {"a": "chat", "b": "chat"}, hidden=frozenset({"b"}))

    assert routes.names() == ["a", "chat"]
    assert [d.model for d in routes.find("b")] == ["one"]


def test_a_wildcards_own_prices_are_kept() -> None:
    prices = {"input_cost_per_token": 1.0}
    routes = Routes({"openai/*": (to("*", "openai", prices=prices),)})

    assert routes.find("openai/gpt-4o")[0].prices == prices


@pytest.mark.parametrize("asked", ["groq/llama", "llama"])
def test_a_deployment_is_found_by_its_own_model(asked: str) -> None:
    routes = Routes({"fast": (to("llama"), to("other")), "slow": (to("llama"),)})

    assert [d.model for d in routes.find(asked)] == ["llama", "llama"]


@pytest.mark.parametrize("asked", ["nope", "", "*", "openai/", "groq/llama/x"])
def test_a_model_that_is_not_there_is_refused_with_those_that_are(asked: str) -> None:
    routes = Routes({"fast": (to("llama"),), "openai/*": (to("*", "openai"),)}, {"nick": "fast"})

    with pytest.raises(errors.ModelNotFound) as caught:
        routes.find(asked)

    assert (caught.value.status, caught.value.code) == (404, "model_not_found")
    assert caught.value.param == "model"
    assert caught.value.message.startswith(
        f"Unknown model '{asked}'. Available: nick, fast, openai/"
    )


def test_many_models_are_not_all_listed() -> None:
    routes = Routes({f"m{at}": (to("x"),) for at in range(25)})

    with pytest.raises(errors.ModelNotFound) as caught:
        routes.find("y" * 500)

    assert caught.value.message.startswith(f"Unknown model '{'y' * 200}'.")
    assert caught.value.message.endswith("m18, m19 and 5 more (see /v1/models).")


@pytest.mark.parametrize(
    ("forced", "models"),
    [("chat", ["one", "two"]), ("nick", ["one", "two"]), ("gpt-4o", ["four-o", "fixed"])],
)
def test_a_forced_group_serves_every_request(forced: str, models: list[str]) -> None:
    routes = ROUTES._replace(forced=forced)

    assert [d.model for d in routes.find("anything")] == models
    assert routes.names() == [forced]


# -- names


def test_names_are_aliases_groups_and_what_wildcards_stand_for() -> None:
    routes = Routes(
        {
            "chat": (to("one"), to("two")),
            "openai/*": (to("*", "openai"),),
            "my-*": (to("gpt-4o*", "openai"),),
            "fixed-*": (to("fixed-one"), to("elsewhere")),
            "vllm/*": (to("*", "hosted_vllm"),),
        },
        {"nick": "chat"},
    )

    got = routes.names()

    known = pricing.models("openai")
    assert got == [
        "nick",
        "chat",
        *(f"openai/{name}" for name in known),
        *(f"my-{name.removeprefix('gpt-4o')}" for name in known if name.startswith("gpt-4o-")),
        "fixed-one",
    ]
    assert routes.shown() == [*got, "vllm/*"]


def test_what_serves_bare_names_is_named_without_its_provider() -> None:
    own = to("*", "openai")._replace(group="openai/*")
    groups = {"openai/*": (own,), "groq/*": (to("*", "groq"),), "*": (own._replace(group="*"),)}

    got = Routes(groups).names()

    assert got == [*(f"groq/{name}" for name in pricing.models("groq")), *pricing.models("openai")]
    other = (own._replace(group="*", api_base="https://other.example"),)
    assert "openai/gpt-4o" in Routes({**groups, "*": other}).names()


def test_a_wildcard_without_known_models_is_told_of() -> None:
    routes = Routes({"vllm/*": (to("*", "hosted_vllm"),)})

    with pytest.raises(errors.ModelNotFound) as caught:
        routes.find("other")

    assert routes.names() == []
    assert caught.value.message.endswith("Available: vllm/*.")


def test_every_name_is_found() -> None:
    for name in ROUTES.names():
        assert ROUTES.find(name)
