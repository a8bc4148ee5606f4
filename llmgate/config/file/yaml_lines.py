"""Where in an operator's file a key stands, for messages."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import yaml

from llmgate.config.file import yaml_file
from llmgate.schema import parameters


class _Found(NamedTuple):
    node: yaml.Node
    line: int


def line_of(path: Path, key_path: str) -> str:
    """Return ` (line 12)` for a *key_path* of the file at *path*, or of a file that it includes.

    The nearest key above stands in for one that is missing; empty if there is none at all.
    """
    steps = parameters.steps(key_path)
    if not steps:
        return ""
    for file, root in yaml_file.nodes(path):
        found = _child(_Found(root, 0), steps[0])
        if found is None:
            continue
        rest = steps[1:]
        items = len(found.node.value) if isinstance(found.node, yaml.SequenceNode) else 0
        if items and rest and rest[0].isdecimal() and int(rest[0]) >= items:
            steps = [steps[0], str(int(rest[0]) - items), *rest[1:]]  # of the next file
            continue
        where = "" if file == path else f"{file.name}, "
        return f" ({where}line {_deepest(found, rest).line})"
    return ""


def _deepest(found: _Found, steps: list[str]) -> _Found:
    """Return what *steps* lead to from *found*, as far as they lead."""
    for step in steps:
        child = _child(found, step)
        if child is None:
            return found
        found = child
    return found


def _child(parent: _Found, step: str) -> _Found | None:
    """Return the member or item of *parent* that *step* names, merged ones included."""
    node = parent.node
    if isinstance(node, yaml.SequenceNode):
        at = int(step) if step.isdecimal() else len(node.value)
        item = node.value[at] if at < len(node.value) else None
        return _Found(item, item.start_mark.line + 1) if item else None
    if not isinstance(node, yaml.MappingNode):
        return None
    for key, value in node.value:
        if key.value == step:
            return _Found(value, key.start_mark.line + 1)
    merged = (value for key, value in node.value if key.value == "<<")
    found = (_child(_Found(value, parent.line), step) for value in merged)
    return next((each for each in found if each), None)
