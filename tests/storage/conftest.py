"""Places for the stores: a directory always, PostgreSQL where DATABASE_URL names a server."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from llmgate.storage.places import POSTGRES

SERVER = os.environ.get("DATABASE_URL", "")


@pytest.fixture(
    params=["sqlite", "postgres"] if SERVER.startswith(POSTGRES) else ["sqlite"], scope="function"
)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Yield where a store may be, empty."""
    if request.param == "sqlite":
        yield str(tmp_path / "data")
        return
    import psycopg

    name = f"test_{secrets.token_hex(6)}"
    with psycopg.connect(SERVER, autocommit=True) as server:
        server.execute(f"create database {name}")
        yield f"{SERVER.rpartition('/')[0]}/{name}"
        server.execute(f"drop database {name} with (force)")
