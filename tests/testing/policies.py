"""A policy that remembers what it is told, and an app that has it."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping
from typing import Any

import yaml
from flask.testing import FlaskClient

from llmgate import config
from llmgate import create_app
from llmgate.accounting.records import Entry
from llmgate.accounting.records import Request
from llmgate.contract import Deployment
from llmgate.pipeline.policy import BasePolicy
from llmgate.pipeline.policy import Policy


class Recorder(BasePolicy):
    """Keeps every call of its hooks."""

    def __init__(self) -> None:
        self.admitted: list[Request] = []
        self.attempts: list[tuple[str, str]] = []  # request id, deployment id
        self.entries: list[Entry] = []

    def admit(self, request: Request) -> None:
        """Keep *request*."""
        self.admitted.append(request)

    def started(self, request: Request, deployment: Deployment) -> None:
        """Keep the ids."""
        self.attempts.append((request.id, deployment.id))

    def record(self, entry: Entry) -> None:
        """Keep *entry*."""
        self.entries.append(entry)

    def recorded_attempts(self) -> list[tuple[str, str]]:
        """Return request id and deployment id of each entry that closes an attempt."""
        return [(e.request_id, e.deployment.id) for e in self.entries if e.deployment]

    def ends(self) -> list[str]:
        """Return the ids of the requests that have ended."""
        return [entry.request_id for entry in self.entries if entry.final]


def client_with(
    path: Any, given: Mapping[str, Any], policies: Iterable[Policy], **env: str
) -> FlaskClient:
    """Return a client of the app of the configuration *given*, written to *path*."""
    path.write_text(yaml.safe_dump(dict(given), sort_keys=False), encoding="utf-8")
    return create_app(config.load(str(path), env), policies).test_client()
