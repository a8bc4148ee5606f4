from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from llmgate.storage.leases import Full
from llmgate.storage.leases import Leases
from llmgate.storage.leases import Wanted


@pytest.fixture
def leases(tmp_path: Path) -> Leases:
    return Leases(tmp_path / "leases.db")


def test_no_more_run_than_are_allowed(leases: Leases) -> None:
    leases.take("r1", [Wanted("key:a", 2)], 1)
    leases.take("r2", [Wanted("key:a", 2)], 1)

    with pytest.raises(Full):
        leases.take("r3", [Wanted("key:a", 2)], 1)
    leases.release("r1")
    leases.take("r3", [Wanted("key:a", 2)], 1)

    assert leases.running("key:a") == 2


def test_a_request_that_one_name_refuses_counts_under_none(leases: Leases) -> None:
    leases.take("r1", [Wanted("team:t", 1)], 1)

    with pytest.raises(Full) as refused:
        leases.take("r2", [Wanted("key:a", 1), Wanted("team:t", 1)], 1)

    assert (refused.value.name, leases.running("key:a")) == ("team:t", 0)


def test_the_leases_of_a_dead_process_end_with_it(leases: Leases, tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from llmgate.storage.leases import *;"
        "Leases(Path(sys.argv[1])).take('r1', [Wanted('key:a', 1)], 1); import os; os._exit(9)"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path / "leases.db")], check=False)

    leases.take("r2", [Wanted("key:a", 1)], 1)

    assert leases.running("key:a") == 1
