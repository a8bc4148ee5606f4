from __future__ import annotations

import pytest

from llmgate.config.file import references
from llmgate.config.file.problems import Problems

ENVIRON = {"A": "1", "EMPTY": " ", "QUOTED": '"x"'}


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("os.environ/A", "1"),
        (" os.environ/A ", "1"),
        ("${A}", "1"),
        ("https://${A}/v1", "https://1/v1"),
        ("${NOPE:-2}", "2"),
        ("${A:-2}", "1"),
        ("sk-a$b", "sk-a$b"),
    ],
)
def test_a_reference_is_the_variables_value(text: str, wanted: str) -> None:
    problems = Problems()

    assert references.resolved({"k": [text]}, ENVIRON, "", problems) == {"k": [wanted]}
    assert problems.errors == []


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("os.environ/NOPE", "variable NOPE is not set"),
        ("os.environ/EMPTY", "variable EMPTY is empty"),
        ("os.environ/QUOTED", "variable QUOTED has quotation marks"),
        ("${NOPE}", "variable NOPE is not set"),
        ("$A", "write os.environ/A"),
        ("os.environ.A", "write os.environ/A"),
        ('os.environ["A"]', "write os.environ/A"),
        ("https://os.environ/A/v1", "must be the whole value"),
    ],
)
def test_what_is_no_value_is_an_error_with_its_place(text: str, part: str) -> None:
    problems = Problems()

    assert references.resolved({"k": text, "j": "x"}, ENVIRON, "", problems) == {
        "k": None,
        "j": "x",
    }
    (error,) = problems.errors
    assert error.startswith("k: ")
    assert part in error
