"""The demonstration in docs/keys.md, run as it is written."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import yaml
from testing.gateway import Gateway

PAGE = (Path(__file__).parents[1] / "docs" / "keys.md").read_text(encoding="utf-8")


def block(name: str) -> str:
    """Return the block of the page below the mark `demo: name`."""
    found = re.search(rf"^<!-- demo: {name} -->\n```\w+\n(.*?)^```$", PAGE, re.S | re.M)
    assert found
    return found[1]


def test_a_newcomer_sees_a_key_refused_and_raised(tmp_path: Path) -> None:
    store = {"LLMGATE_DATA_DIR": str(tmp_path / "data")}
    with Gateway(yaml.safe_load(block("config")), env=store, workers=2) as gateway:
        commands = block("commands").replace("127.0.0.1:4000", gateway.url.removeprefix("http://"))
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", commands],
            env={"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", **store},
            capture_output=True,
            text=True,
            timeout=60,
        )

    assert (done.stdout.split(), done.stderr) == (["200", "422", "200"], "")
