"""OpenAI's resources that are passed through: one row each, its methods and its path.

`{}` stands for an id; a star marks paths that accept a form with files, too. Paths that are not in
the table are endpoints of their own, or not supported: administration of accounts.
Source: https://platform.openai.com/docs/api-reference
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any
from typing import NamedTuple

_TABLE = """
GET,POST          agents
GET,POST,DELETE   agents/{}
GET,POST          agents/automations
GET,POST,DELETE   agents/automations/{}
GET,POST          agents/automations/{}/invocations
GET               agents/automations/{}/invocations/{}
POST              agents/automations/{}/pause
POST              agents/automations/{}/resume
GET,POST          agents/environments
GET               agents/environments/{}
GET,POST          agents/environments/{}/files *
GET,POST          agents/environments/templates
GET,POST,DELETE   agents/environments/templates/{}
GET,POST          agents/sessions
GET,POST,DELETE   agents/sessions/{}
GET               agents/sessions/{}/artifacts
GET,DELETE        agents/sessions/{}/artifacts/{}
GET               agents/sessions/{}/artifacts/{}/content
GET,POST          agents/sessions/{}/events
GET               agents/sessions/{}/items
GET               agents/sessions/{}/subagents
GET               agents/sessions/{}/subagents/{}
GET               agents/sessions/{}/subagents/{}/items
GET               agents/sessions/{}/subagents/{}/turns
GET               agents/sessions/{}/subagents/{}/turns/{}
GET               agents/sessions/{}/subagents/{}/turns/{}/items
GET               agents/sessions/{}/traces
GET               agents/sessions/{}/turns
GET               agents/sessions/{}/turns/{}
GET               agents/sessions/{}/turns/{}/items
GET,POST          assistants
GET,POST,DELETE   assistants/{}
GET,POST          audio/voice_consents *
GET,POST,DELETE   audio/voice_consents/{}
POST              audio/voices *
DELETE            audio/voices/{}
GET,POST          batches
GET               batches/{}
POST              batches/{}/cancel
GET               chat/completions
GET,POST,DELETE   chat/completions/{}
GET               chat/completions/{}/messages
POST              chatkit/sessions
POST              chatkit/sessions/{}/cancel
GET               chatkit/threads
GET,DELETE        chatkit/threads/{}
GET               chatkit/threads/{}/items
GET,POST          containers
GET,DELETE        containers/{}
GET,POST          containers/{}/files *
GET,DELETE        containers/{}/files/{}
GET               containers/{}/files/{}/content
POST              content_provenance_checks *
POST              conversations
GET,POST,DELETE   conversations/{}
GET,POST          conversations/{}/items
GET,DELETE        conversations/{}/items/{}
POST              decisions
GET,POST          evals
GET,POST,DELETE   evals/{}
GET,POST          evals/{}/runs
GET,POST,DELETE   evals/{}/runs/{}
POST              evals/{}/runs/{}/cancel
GET               evals/{}/runs/{}/output_items
GET               evals/{}/runs/{}/output_items/{}
GET,POST          files *
GET,DELETE        files/{}
GET               files/{}/content
POST              fine_tuning/alpha/graders/run
POST              fine_tuning/alpha/graders/validate
GET,POST          fine_tuning/checkpoints/{}/permissions
DELETE            fine_tuning/checkpoints/{}/permissions/{}
GET,POST          fine_tuning/jobs
GET               fine_tuning/jobs/{}
POST              fine_tuning/jobs/{}/cancel
GET               fine_tuning/jobs/{}/checkpoints
GET               fine_tuning/jobs/{}/events
POST              fine_tuning/jobs/{}/pause
POST              fine_tuning/jobs/{}/resume
POST              live/sessions
POST              live/sessions/{}/accept
GET               live/sessions/{}/content
POST              live/sessions/{}/fork
POST              live/sessions/{}/hangup
POST              live/sessions/{}/refer
POST              live/sessions/{}/reject
DELETE            models/{}
POST              realtime/calls *
POST              realtime/calls/{}/accept
POST              realtime/calls/{}/hangup
POST              realtime/calls/{}/refer
POST              realtime/calls/{}/reject
POST              realtime/client_secrets
POST              realtime/sessions
POST              realtime/transcription_sessions
POST              realtime/translations/client_secrets
POST              responses/compact
POST              responses/input_tokens
GET,POST          skills *
GET,POST,DELETE   skills/{}
GET               skills/{}/content
GET,POST          skills/{}/versions *
GET,DELETE        skills/{}/versions/{}
GET               skills/{}/versions/{}/content
POST              threads
GET,POST,DELETE   threads/{}
GET,POST          threads/{}/messages
GET,POST,DELETE   threads/{}/messages/{}
GET,POST          threads/{}/runs
GET,POST          threads/{}/runs/{}
POST              threads/{}/runs/{}/cancel
GET               threads/{}/runs/{}/steps
GET               threads/{}/runs/{}/steps/{}
POST              threads/{}/runs/{}/submit_tool_outputs
POST              threads/runs
POST              uploads
GET               uploads/{}
POST              uploads/{}/cancel
POST              uploads/{}/complete
POST              uploads/{}/parts *
GET,POST          vaults
GET,POST,DELETE   vaults/{}
GET,POST          vaults/{}/credentials
GET,POST,DELETE   vaults/{}/credentials/{}
GET,POST          vector_stores
GET,POST,DELETE   vector_stores/{}
POST              vector_stores/{}/file_batches
GET               vector_stores/{}/file_batches/{}
POST              vector_stores/{}/file_batches/{}/cancel
GET               vector_stores/{}/file_batches/{}/files
GET,POST          vector_stores/{}/files
GET,POST,DELETE   vector_stores/{}/files/{}
GET               vector_stores/{}/files/{}/content
POST              vector_stores/{}/search
GET,POST          videos *
GET,DELETE        videos/{}
GET               videos/{}/content
POST              videos/{}/remix
POST              videos/characters *
GET               videos/characters/{}
POST              videos/edits *
POST              videos/extensions *
"""

_SHARED = tuple(
    """audio/voice_consents audio/voices chat/completions models responses/compact
    responses/input_tokens""".split()
)
"""Where the table has a part of what is below a word that has endpoints of its own."""

KEPT_BY: Mapping[str, tuple[str, ...]] = {
    "assistants": ("assistant_settings",),
    "threads": ("assistant_settings",),
    "vector_stores": ("assistant_settings", "files_settings"),
    "fine_tuning": ("finetune_settings",),
    **dict.fromkeys(("batches", "containers", "evals", "files", "uploads"), ("files_settings",)),
}
"""The sections of the configuration that say who keeps a resource, by its first word."""


class Row(NamedTuple):
    """One kind of path."""

    methods: tuple[str, ...]
    path: str
    takes_form: bool


def _rows() -> tuple[Row, ...]:
    lines = (line.split() for line in _TABLE.strip().splitlines())
    return tuple(Row(tuple(line[0].split(",")), line[1], len(line) > 2) for line in lines)


ROWS = _rows()


def _tree() -> dict[str, Any]:
    """Return the rows by the steps of their paths; a row is at the empty step."""
    tree: dict[str, Any] = {}
    for row in ROWS:
        node = tree
        for step in row.path.split("/"):
            node = node.setdefault(step, {})
        node[""] = row
    return tree


_TREE = _tree()


def found(steps: Sequence[str]) -> tuple[Row, tuple[str, ...]] | None:
    """Return the row for a path of *steps*, and the ids in it; None if there is none."""
    node, ids = _TREE, []
    for step in steps:
        if step in node and step not in ("", "{}"):
            node = node[step]
        elif "{}" in node:
            node = node["{}"]
            ids.append(step)
        else:
            return None
    return (node[""], tuple(ids)) if "" in node else None


def roots() -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the words that all paths of the table begin with: those of its own, and others."""
    firsts = dict.fromkeys(row.path.split("/")[0] for row in ROWS)
    shared = {path.split("/")[0] for path in _SHARED}
    return tuple(first for first in firsts if first not in shared), _SHARED
