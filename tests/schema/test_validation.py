from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from testing.places import places
from testing.places import replaced
from testing.request_bodies import BAD
from testing.request_bodies import GOOD
from testing.request_bodies import chat

from llmgate import errors
from llmgate.schema import validation

SCHEMAS = {
    path.stem: json.loads(path.read_text(encoding="utf-8"))
    for path in sorted((Path(__file__).parents[2] / "schemas").glob("*.json"))
}
NO_OPERATIONS = {"config", "user_config"}  # not a whole request
OPERATIONS = [name for name in SCHEMAS if name not in NO_OPERATIONS]
APART = {"engine_chat", "resource"}  # that have none of the gate's own parameters, or few
NATIVE = {"messages", "responses"}  # whose `metadata` is the API's own
FORMS = {"images_edits", "images_variations", "transcriptions", "translations"}
CANARY = "sk-canary-5f1d"


def refused(name: str, value: Any) -> errors.InvalidRequest:
    with pytest.raises(errors.InvalidRequest) as caught:
        validation.check(name, value)
    return caught.value


def subschemas(schema: Any) -> Iterator[dict[str, Any]]:
    if isinstance(schema, dict):
        yield schema
    for part in schema.values() if isinstance(schema, dict) else schema:
        if isinstance(part, dict | list):
            yield from subschemas(part)


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name in GOOD for value in GOOD[name]]
)
def test_a_good_body_passes(name: str, value: Any) -> None:
    before = deepcopy(value)

    validation.check(name, value)

    assert list(validation.violations(name, value)) == []
    assert value == before


def test_what_is_not_surely_good_is_left_to_jsonschema() -> None:
    validation.check("chat", chat(temperature=float("nan")))
    validation.check("config", {"model_list": []})


@pytest.mark.parametrize(("name", "value", "param", "code"), BAD)
def test_a_bad_body_is_refused_by_name_and_place(
    name: str, value: Any, param: str | None, code: str
) -> None:
    error = refused(name, value)

    assert (error.status, error.param, error.code) == (400, param, code)
    assert (param or "the ") in error.message
    assert next(validation.violations(name, value)) == (param or "", error.message)


def test_every_operation_has_good_and_bad_bodies() -> None:
    assert set(GOOD) == {name for name, *_ in BAD} == set(OPERATIONS)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        (
            "chat",
            [],
            "Invalid type for the chat completion request: expected an object, but got an array.",
        ),
        ("chat", {"model": "m"}, "Missing required parameter: 'messages'. It must be an array."),
        (
            "chat",
            {"model": "m", "message": []},
            "Missing required parameter: 'messages'. It must be an array. 'message' is unknown; did"
            " you mean 'messages'?",
        ),
        (
            "chat",
            chat(messages=[{"role": "user", "content": 3}]),
            "Invalid type for 'messages[0].content': expected a string or an array of content"
            " parts, but got an integer.",
        ),
        (
            "chat",
            chat(temperature="hot"),
            "Invalid type for 'temperature': expected a number, but got a string.",
        ),
        ("chat", chat(temperature=-1), "Invalid value for 'temperature': expected at least 0."),
        ("chat", chat(top_p=2), "Invalid value for 'top_p': expected at most 1."),
        ("chat", chat(messages=[]), "Invalid value for 'messages': expected at least 1 item."),
        ("chat", chat(model=""), "Invalid value for 'model': expected at least 1 character."),
        (
            "embeddings",
            {"model": "m", "input": [None]},
            "Invalid type for 'input[0]': expected a string, an integer or an array, but got null.",
        ),
        (
            "embeddings",
            {"model": "m", "input": "x", "encoding_format": "int8"},
            "Invalid value for 'encoding_format': expected one of 'float', 'base64'.",
        ),
        (
            "images_edits",
            {"prompt": "x", "n": "0"},
            "Invalid value for 'n': expected a whole number of at least 1.",
        ),
        (
            "speech",
            {"model": "m", "input": "x", "voice": "v", "speed": 0},
            "Invalid value for 'speed': expected more than 0.",
        ),
        (
            "chat",
            chat(user={1, 2}),
            "Invalid type for 'user': expected a string, but got something else.",
        ),
    ],
)
def test_a_message_says_what_is_wrong_and_what_to_send(name: str, value: Any, message: str) -> None:
    assert refused(name, value).message == message


@pytest.mark.fault("S9")
@pytest.mark.parametrize("name", OPERATIONS)
def test_no_error_quotes_the_body(name: str) -> None:
    spoiled = [CANARY, {CANARY: CANARY}, [CANARY], [[[CANARY]]], [{CANARY: CANARY}]]
    refusals = 0

    for body in GOOD[name]:
        for path in places(body):
            for value in (replaced(body, path, new) for new in spoiled):
                try:
                    validation.check(name, value)
                except errors.InvalidRequest as error:
                    refusals += 1
                    assert CANARY not in f"{error!r} {error.body()} {error.headers} {error.args}"
                    assert error.__cause__ is error.__context__ is None

    assert refusals > 5


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_schema_is_valid_and_says_what_it_is(name: str) -> None:
    schema = SCHEMAS[name]

    Draft202012Validator.check_schema(schema)

    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["$id"] == f"urn:llmgate:schemas:{name}"
    assert schema["title"]
    assert schema["description"]
    assert all("type" in schema["properties"][key] for key in schema.get("required", ()))


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_request_may_have_members_that_are_not_known(name: str) -> None:
    assert all("additionalProperties" not in part for part in subschemas(SCHEMAS[name]))

    validation.check(name, {**GOOD[name][0], "not_known": {CANARY: [None]}})


@pytest.mark.fault("S19")
@pytest.mark.parametrize("name", SCHEMAS)
def test_a_schema_has_no_keyword_that_can_be_made_slow(name: str) -> None:
    keywords = {key for part in subschemas(SCHEMAS[name]) for key in part}

    assert not keywords & {"anyOf", "oneOf", "uniqueItems", "contains", "patternProperties"}


def test_the_gate_s_own_parameters_are_the_same_in_every_json_schema() -> None:
    chat_only = set(SCHEMAS["chat"]["properties"]) - set(SCHEMAS["moderations"]["properties"])
    own = set(SCHEMAS["chat"]["properties"]) - chat_only - {"model"}
    wanted = {key: SCHEMAS["chat"]["properties"][key] for key in own}

    for name in set(OPERATIONS) - FORMS - APART:
        shared = own - {"metadata"} if name in NATIVE else own
        found = {key: SCHEMAS[name]["properties"].get(key) for key in shared}
        assert found == {key: wanted[key] for key in shared}, name
    assert {"api_key", "api_base", "timeout", "metadata", "tags", "user_config"} <= own


def test_patterns_have_no_end_to_end_repetition_but_that_of_a_reference() -> None:
    patterns = {
        part["pattern"] for one in SCHEMAS.values() for part in subschemas(one) if "pattern" in part
    }

    for pattern in patterns:
        assert pattern.startswith("^")
        assert pattern.endswith("$")
        for allowed in (r"os\.environ/.+", r"\$\{.+", "[-+]"):
            pattern = pattern.replace(allowed, "")
        assert not set("*+") & set(pattern)


def steps(name: str, value: Any) -> int:
    """Return how many calls of Python functions a check of *value* makes."""
    calls = 0

    def count(frame: Any, event: str, arg: Any) -> None:
        nonlocal calls
        calls += event == "call"

    with contextlib.suppress(errors.InvalidRequest):
        validation.check(name, value)  # builds what is built once
    previous = sys.getprofile()
    sys.setprofile(count)
    try:
        with contextlib.suppress(errors.InvalidRequest):
            validation.check(name, value)
    finally:
        sys.setprofile(previous)
    return calls


def test_a_good_body_costs_few_steps() -> None:
    message = {"role": "user", "content": "hi"}

    assert steps("chat", chat()) < 15
    assert steps("chat", chat(messages=[message] * 400)) < 2 * 400 + 15
    assert steps("embeddings", {"model": "m", "input": list(range(100_000))}) < 15
    assert steps("embeddings", {"model": "m", "input": ["x"] * 100_000}) < 15


@pytest.mark.fault("S19")
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("embeddings", {"model": "m", "input": [*range(10_000), None]}),
        ("embeddings", {"model": "m", "input": [[*range(10_000), 0.5]]}),
        ("embeddings", {"model": "m", "input": [1.0] * 10_000}),
        ("embeddings", {"model": "m", "input": [None] * 10_000}),
        ("chat", chat(messages=[{"role": "user"}] * 10_000 + [{}])),
        ("chat", chat(messages=[{}] * 10_000)),
        ("chat", chat(messages=[{"role": "user", "content": [{"type": "text"}] * 10_000 + [{}]}])),
        ("chat", chat(stop=["x"] * 10_000 + [0])),
        ("chat", chat(tools=[{"type": "function", "function": {"name": "f"}}] * 10_000 + [{}])),
        ("chat", {**{f"member{number}": [] for number in range(10_000)}, "model": "m"}),
    ],
)
def test_a_hostile_body_costs_few_steps_per_item(name: str, value: Any) -> None:
    assert steps(name, value) < 8 * 10_000
