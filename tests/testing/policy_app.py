"""An app whose slow policy writes the id of each request to the file SLOW_POLICY_FILE."""

from __future__ import annotations

import os
import time
from pathlib import Path

from llmgate import config
from llmgate import create_app
from llmgate.accounting.records import Entry
from llmgate.pipeline.policy import BasePolicy


class Slow(BasePolicy):
    """Takes its time for each record."""

    slow = True

    def record(self, entry: Entry) -> None:
        """Write the id of *entry*, late."""
        time.sleep(0.1)
        with Path(os.environ["SLOW_POLICY_FILE"]).open("a", encoding="utf-8") as file:
            file.write(f"{entry.request_id}\n")


app = create_app(config.load(os.environ.get("LLMGATE_CONFIG"), os.environ), [Slow()])
