"""A gateway for LLMstudio's own clients: 0.3.12 or 1.0.6, whichever this venv has.

.ci/llmstudio makes the two venvs; where there is no llmstudio, nothing here is collected.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest
from testing.gateway import Gateway
from testing.gateway import config_for
from testing.upstream import Upstream


def _version() -> str:
    """Return the version of the llmstudio that is installed, empty if none is."""
    try:
        return metadata.version("llmstudio")
    except metadata.PackageNotFoundError:
        return ""


_MAJOR = _version().partition(".")[0]

collect_ignore = [f"test_llmstudio_{major}.py" for major in "01" if major != _MAJOR]


@pytest.fixture(scope="session")
def session_gateway(
    session_upstream: Upstream, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    """A gateway of two workers that keeps what is said; ask for `gateway` in a test."""
    path: Path = tmp_path_factory.mktemp("tracking") / "chats.db"
    config = config_for(session_upstream, num_retries=0)
    config["llmgate_settings"] = {"tracking": str(path)}
    with Gateway(config, workers=2) as gate:
        yield gate


@pytest.fixture(scope="session")
def locked(session_upstream: Upstream) -> Iterator[Gateway]:
    """A gateway that wants the key sk-master."""
    config = config_for(session_upstream, num_retries=0)
    with Gateway({**config, "general_settings": {"master_key": "sk-master"}}) as gate:
        yield gate
