"""The words a person reads: docstrings, comments, messages, docs and schema descriptions.

`python tests/test_words.py [source ...]` prints every match, those of PENDING as well; a source is
a package (`llmgate/routing`), a page (`docs/routing.md`), `schemas`, `bench` or `.ci`.
"""

from __future__ import annotations

import ast
import io
import json
import re
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[1]

WORDS = {
    r"(?<!there )(?<!There )\b(is|are|was|were) (no|none)\b(?! longer| more| less| later)": (
        "is not a valid X; is not X; there is no X"
    ),
    r"\b(says|tells|told|asked|heard|overheard|said)\b": "contains, reports, requested, received",
    r"\b(clients?|callers?|who)( \w+){0,2} (leaves?|left|gone)\b(?! out)": "disconnects",
    r"(?<!/)\b(hang|hangs|hung|hanging)[ -]?ups?\b": "disconnects, disconnected",
    r"\b([Ss]ilent|[Ss]ilences?)\b": "idle, read timeout, no data for N s",
    r"\b[Dd]rip(s|ped|ping)?\b": "is too slow; slow body",
    r"\b(rests|rested|resting)\b|\bto rest\b|\brests? for\b|\bof rest\b": "is in cooldown",
    r"\b[Mm]end(s|ed|ing|able)?\b": "fix, retry",
    r"\b(give|gives|gave|given|giving) up\b": "abandoned, timed out",
    r"\b[Ss]igns? of life\b|\b[Hh]eart ?beats\b|\b[Bb]eats?\b": "keep-alive",
    r"\b(no|without) effect\b": "is ignored",
    r"\bof no use\b|\bno sense\b|\b[Ss]enseless\b": "invalid, unexpected",
    r"\bshall\b": "must, will",
    r"\b[Ww]hoever\b": "anyone who",
    r"\b[Ll]ikewise\b": "also",
    r"\b[Mm]eanwhile\b": "while",
    r"\bas ever\b": "as usual",
    r"\bways? out\b": "HTTP session; remedy",
    r"\b[Tt]he (door|pen|pulse)\b": "admission control, write lock, keep-alive thread",
    r"\bhands\b": "threads, passes",
    r"\b([Oo]ption|[Kk]ey|[Ss]etting)s?\b[^.;:]{0,30}\b(serve|serves|served)\b": "supports, uses",
    r"\b[Bb](ring|rings|ringing|rought)\b": "sends, provides",
    r"\b[Gg]oe?s? before\b": "takes precedence over",
    r"\b(and|or) (its|their|the) like\b": "and similar",
    r"\bto be had\b": "available",
    r"\bin the (midst|making)\b": "in the middle of; almost certainly",
    r"\bthe makings of\b": "shared parts of",
    r"\b[Nn]obody\b": "no one; no deployment",
    r"\bas which\b|\bfor want of\b|\btherein\b|\bthereof\b|\bwhereof\b": "(rewrite)",
}
"""What is not written, as a regular expression, and what to write in its place."""

EXCEPTIONS: dict[str, str] = {}
"""Sentences that match and stay, each with the reason."""

PENDING: set[str] = set()
"""Sources that are not held to the table yet; it may only shrink."""


class Text(NamedTuple):
    """Something that a person reads."""

    source: str  # the package or page that it belongs to
    path: str
    line: int
    text: str


def source(path: Path) -> str:
    """Return the package or page that *path* belongs to."""
    parts = path.relative_to(ROOT).parts
    return "/".join(parts[: 1 if parts[0] in ("bench", "schemas", ".ci") else 2])


# -- texts of a file

SQL = r"\s*(select|insert|create|delete|update|pragma)\b"


def python(code: str) -> Iterator[tuple[int, str]]:
    """Yield the docstrings, messages and comments in *code*, each with its line."""
    inner: set[ast.AST] = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.JoinedStr):
            inner.update(ast.walk(node))
            pieces = [n.value if isinstance(n, ast.Constant) else "{}" for n in node.values]
            yield node.lineno, "".join(map(str, pieces))
        elif isinstance(node, ast.Constant) and node not in inner and is_prose(node.value):
            yield node.lineno, str(node.value)
    yield from comments(code)


def is_prose(value: object) -> bool:
    """Return whether the literal *value* is a text of several words, not SQL."""
    return isinstance(value, str) and " " in value and not re.match(SQL, value)


def comments(code: str) -> Iterator[tuple[int, str]]:
    """Yield the comments in *code*; those on consecutive lines are one."""
    first, last, text = 0, 0, ""
    for token in tokenize.generate_tokens(io.StringIO(code).readline):
        if token.type != tokenize.COMMENT:
            continue
        if token.start[0] != last + 1:
            if text:
                yield first, text
            first, text = token.start[0], ""
        last, text = token.start[0], f"{text} {token.string.lstrip('# ')}"
    if text:
        yield first, text


def markdown(page: str) -> Iterator[tuple[int, str]]:
    """Yield the lines of *page*; of a code block only the comments."""
    fenced = False
    for number, line in enumerate(page.splitlines(), 1):
        if line.lstrip().startswith("```"):
            fenced = not fenced
        elif not fenced:
            yield number, line
        elif "# " in line:
            yield number, line.partition("# ")[2]


def shell(script: str) -> Iterator[tuple[int, str]]:
    """Yield the comments and the printed texts of *script*."""
    for number, line in enumerate(script.splitlines(), 1):
        if re.match(r" *(#|echo |step )", line):
            yield number, line


def schema(text: str) -> Iterator[tuple[int, str]]:
    """Yield the descriptions in a JSON Schema."""
    yield from ((1, words) for words in descriptions(json.loads(text)))


def descriptions(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("description"), str):
            yield node["description"]
        for value in node.values():
            yield from descriptions(value)
    elif isinstance(node, list):
        for value in node:
            yield from descriptions(value)


READERS = {".py": python, ".md": markdown, ".json": schema, "": shell}


def texts() -> Iterator[Text]:
    """Yield everything a person reads in this repository, tests aside."""
    patterns = "*.md docs/*.md bench/*.md bench/*.py .ci/* schemas/*.json llmgate/**/*.py"
    for pattern in patterns.split():
        for path in sorted(ROOT.glob(pattern)):
            if path.suffix not in READERS or path.is_dir():
                continue
            name = str(path.relative_to(ROOT))
            for line, text in READERS[path.suffix](path.read_text(encoding="utf-8")):
                yield Text(source(path), name, line, text)


# -- the table, applied


def matches(text: str) -> Iterator[str]:
    """Yield what *text* has of WORDS; what is between backticks is code, not words."""
    prose = re.sub(r"``?[^`\n]+``?", "`x`", re.sub(r"\s+", " ", text))
    for pattern, instead in WORDS.items():
        for found in re.finditer(pattern, prose):
            around = prose[max(0, found.start() - 30) : found.end() + 30]
            if not any(each in around for each in EXCEPTIONS):
                yield f"'{found[0]}' (in '{around}'): write {instead}"


TEXTS = list(texts())
SOURCES = sorted({each.source for each in TEXTS})


def wrong(name: str) -> list[str]:
    """Return the matches in the source *name*, each with its place."""
    return [
        f"{each.path}:{each.line}: {found}"
        for each in TEXTS
        if each.source == name
        for found in matches(each.text)
    ]


@pytest.mark.parametrize("name", [name for name in SOURCES if name not in PENDING])
def test_the_words_are_those_of_the_field(name: str) -> None:
    assert wrong(name) == []


@pytest.mark.parametrize(
    "sentence",
    [
        "The body is no JSON.",
        "the fields that are none",
        "what the upstream said",
        "a client that has left",
        "silent for 20 s",
        "it rests for 5 s",
        "Leave it out, or mend it.",
        "the client's key goes before ours",
    ],
)
def test_a_sentence_in_other_words_is_found(sentence: str) -> None:
    assert list(matches(sentence))


@pytest.mark.parametrize(
    "sentence",
    [
        "There is no master key.",
        "The stream is no longer open.",
        "No deployment is left.",
        "The rest of the body is forwarded; a REST API.",
        "`said` is the start of the page",
        "A client may leave out the field.",
        "POST realtime/calls/{}/hangup",
    ],
)
def test_plain_sentences_are_not_found(sentence: str) -> None:
    assert list(matches(sentence)) == []


def test_texts_are_read_where_a_person_reads_them() -> None:
    code = (
        '"""Doc string."""\nx = f"an {x} message"\n# a comment\n# of two lines\ny = "wire_name"\n'
    )

    assert [text.strip() for _, text in python(code)] == [
        "Doc string.",
        "an {} message",
        "a comment of two lines",
    ]
    assert list(markdown("a\n```yaml\nb: c  # words\n```\n")) == [(1, "a"), (3, "words")]
    assert list(schema('{"properties": {"a": {"description": "Words."}}}')) == [(1, "Words.")]


def test_what_is_pending_exists() -> None:
    assert set(SOURCES) >= PENDING


if __name__ == "__main__":
    for each_name in sys.argv[1:] or SOURCES:
        print("\n".join(wrong(each_name)))
