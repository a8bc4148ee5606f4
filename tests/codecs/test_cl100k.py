from __future__ import annotations

import importlib.util
from collections.abc import Iterator

import pytest

from llmgate import errors
from llmgate.codecs import cl100k


@pytest.fixture
def not_installed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    cl100k._vocabulary.cache_clear()
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    yield
    cl100k._vocabulary.cache_clear()


@pytest.mark.parametrize(
    ("ids", "wanted"),
    [
        ([], ""),
        ([9906, 1917], "Hello world"),
        ([9468, 234, 235], "🌍"),
        ([9468], "\ufffd"),
    ],
)
def test_token_ids_are_text(ids: list[int], wanted: str) -> None:
    assert cl100k.text(ids) == wanted


@pytest.mark.parametrize("id", [-1, 100256, 2**40])
def test_what_is_no_token_is_refused(id: int) -> None:
    with pytest.raises(errors.InvalidRequest, match=f"{id} is not in cl100k_base") as caught:
        cl100k.text([9906, id])

    assert caught.value.param == "input"


def test_without_the_vocabulary_the_extra_is_named(not_installed: None) -> None:
    with pytest.raises(errors.InvalidRequest, match=r"llmgate\[tokens\]") as caught:
        cl100k.text([9906])

    assert (caught.value.code, caught.value.status) == ("token_ids_not_supported", 400)
