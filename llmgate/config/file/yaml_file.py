"""The operator's file as it is written: YAML, and the files that it includes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from yaml.composer import ComposerError

from llmgate.errors import ConfigError

_LARGEST_FILE = 4 * 1024 * 1024
_MERGE = "tag:yaml.org,2002:merge"  # `<<`, which may be there for each of several anchors


def read(path: Path) -> dict[str, Any]:
    """Return the YAML at *path* with the files that it includes; raises ConfigError."""
    value = _read(path)
    names = value.get("include")
    for name in names if isinstance(names, list) else ():
        included = _read(path.parent / str(name))
        if "include" in included:
            raise ConfigError(
                f"{path.parent / str(name)}: include: is for the first file alone; list all in"
                f" {path}"
            )
        for key, item in included.items():
            kept = value.get(key)
            value[key] = kept + item if isinstance(kept, list) and isinstance(item, list) else item
    return value


def nodes(path: Path) -> Iterator[tuple[Path, yaml.Node]]:
    """Yield each file that `read` reads for *path*, with its YAML as nodes, which know lines."""
    value = yaml.load(path.read_bytes(), _Loader)
    names = value.get("include")
    included = [path.parent / str(name) for name in names] if isinstance(names, list) else []
    for file in (path, *included):
        node = yaml.compose(file.read_bytes(), _Loader)
        assert node is not None
        yield file, node


class _Loader(yaml.SafeLoader):
    """YAML in which `api_version: 2024-10-21` is text, and a key is written once."""

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        """Return the mapping that begins here; raises ComposerError for a key that is there twice.

        YAML takes the last, so that half of what was meant is gone without a word.
        """
        node = super().compose_mapping_node(anchor)
        lines: dict[str, int] = {}
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.tag == _MERGE:
                continue
            if key.value in lines:
                first = lines[key.value]
                what = f"the key {key.value[:80]!r} is there twice, first in line {first}; keep one"
                raise ComposerError(None, None, what, key.start_mark)
            lines[key.value] = key.start_mark.line + 1
        return node


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in found if not tag.endswith(":timestamp")]
    for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


_HINTS = {
    "while scanning an alias": "; a name with a star needs quotes",
    "while scanning for the next token": "; indent with spaces, and put other characters in quotes",
}
"""What to write where YAML reads a character as its own syntax, by what it was doing."""


def _read(path: Path) -> dict[str, Any]:
    """Return the mapping in the YAML file at *path*."""
    try:
        text = path.read_bytes()
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot be read: {error.strerror}; check its path and its permissions"
        ) from None
    if len(text) > _LARGEST_FILE:
        raise ConfigError(f"{path}: is larger than {_LARGEST_FILE} bytes; is it a configuration?")
    try:
        value = yaml.load(text, _Loader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        where = getattr(error, "problem_mark", None)
        line = f" in line {where.line + 1}" if where else ""
        what = getattr(error, "problem", None) or "cannot be parsed"
        hint = _HINTS.get(getattr(error, "context", None) or "", "")
        raise ConfigError(f"{path}: is not valid YAML{line}: {what}{hint}") from None
    empty = isinstance(value, dict) and all(item is None for item in value.values())
    if empty or value is None:
        raise ConfigError(
            f"{path}: is empty; write into it what is to be served, such as model_list:"
            " [{model_name: gpt-4o, litellm_params: {model: openai/gpt-4o}}]"
        )
    if not isinstance(value, dict):
        raise ConfigError(f"{path}: must be a mapping with model_list and other sections")
    return value
