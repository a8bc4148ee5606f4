"""Which paths are of OpenAI's resources."""

from __future__ import annotations

import pytest

from llmgate.dialects.openai import resources as openai_resources


@pytest.mark.parametrize(
    ("path", "ids"),
    [
        ("files", ()),
        ("files/file-1", ("file-1",)),
        ("threads/thread_1/runs/run_1/steps", ("thread_1", "run_1")),
    ],
)
def test_a_path_of_the_table_is_found_with_its_ids(path: str, ids: tuple[str, ...]) -> None:
    found = openai_resources.found(path.split("/"))

    assert found is not None
    assert found[1] == ids


@pytest.mark.parametrize(
    "path", ["", "nothing", "files/file-1/other", "fine_tuning", "files/{}/{}"]
)
def test_no_other_path_is_found(path: str) -> None:
    assert openai_resources.found(path.split("/")) is None
