"""The faults and rules that tests must inject, and the table of their tests in docs/reliability.md.

A test names the faults that it injects: `@pytest.mark.fault("U1", "C6")`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from collections.abc import Mapping
from pathlib import Path

from docs_options import table

TESTS = Path(__file__).resolve().parents[1] / "tests"

UPSTREAM = {
    "U1": "the upstream refuses the connection",
    "U2": "its packets are dropped: no connection, no refusal",
    "U3": "it accepts the request and sends no headers",
    "U4": "a stream becomes idle",
    "U5": "a stream is cut off",
    "U6": "a stream ends without `[DONE]` or usage",
    "U7": "status 200 and an error inside",
    "U8": "invalid JSON",
    "U9": "an HTML page",
    "U10": "invalid UTF-8, or characters that are cut between packets",
    "U11": "an event without an end",
    "U12": "a response above the limit",
    "U13": "a small compressed response that expands to gigabytes",
    "U14": "429 with every kind of `Retry-After`",
    "U15": "a series of 5xx",
    "U16": "one byte a second",
    "U17": "a redirect",
    "U18": "a name that does not resolve, or slowly",
    "U19": "a certificate that is expired, self-signed or another host's",
    "U20": "proxy variables and `~/.netrc` in the environment",
    "U21": "a kept connection that the upstream closed while idle",
    "U22": "a kept connection that is lost while the request is sent",
    "U23": "interim responses, garbage, and heads without an end",
    "U24": "JSON instead of a stream, or a stream instead of JSON",
    "U25": "chunks of one byte",
}
CLIENT = {
    "C1": "the client disconnects in mid-stream",
    "C2": "it disconnects before the upstream has responded",
    "C3": "it disconnects while a whole response is prepared",
    "C4": "it closes its side of the connection only",
    "C5": "it does not read",
    "C6": "half a head, or a body that is slow or never comes",
    "C7": "a chunked body",
    "C8": "a chunked body above the limit",
    "C9": "a body shorter than its `Content-Length`",
    "C10": "ambiguous framing: `Content-Length` and `Transfer-Encoding`, duplicates, folds",
    "C11": "a malformed chunk",
    "C12": "a huge body, refused while it arrives",
    "C13": "deeply nested JSON",
    "C14": "NaN, Infinity, 1e999",
    "C15": "duplicate keys",
    "C16": "invalid UTF-8, UTF-16, lone surrogates",
    "C17": "integers of thousands of digits",
    "C18": "line breaks in what becomes a header",
    "C19": "paths that climb: `..`, `%2e%2e`",
    "C20": "control characters in a path",
    "C21": "several requests in one packet",
    "C22": "many idle connections",
}
PROCESS = {
    "P1": "SIGTERM while streams run",
    "P2": "SIGTERM to every process, twice",
    "P3": "a stream that is longer than the grace period",
    "P4": "SIGKILL of a worker",
    "P5": "SIGHUP while streams run; an invalid new configuration",
    "P6": "the worker's memory is limited",
    "P7": "the disk is full",
    "P8": "the database is locked",
    "P9": "the database cannot be reached",
    "P10": "the shared store stops answering",
    "P11": "the clock jumps",
    "P12": "more requests than threads",
    "P13": "one hung upstream wants every thread",
    "P14": "no file descriptors left",
    "P15": "more concurrent calls than pooled connections",
    "P16": "several attempts of one request",
    "P17": "many requests at the end of a cooldown",
    "P18": "many identical requests at once",
    "P19": "workers that end, again and again, and their metrics",
    "P20": "the reader of the log pauses",
    "P21": "gunicorn's control socket",
    "P22": "a whole response that takes longer than a load balancer waits",
}
RULES = {
    "S1": "no spelling of a path avoids the key check",
    "S2": "keys are stored as hashes and compared in constant time",
    "S3": "a gateway without a key, or with a published one, does not go unnoticed",
    "S4": "a client's `api_base` reaches no private address",
    "S5": "the gateway's keys are not sent to an address that a client names",
    "S6": "redirects are not followed",
    "S7": "headers are forwarded by an allow list, in both directions",
    "S8": "no secret is logged",
    "S9": "no error quotes a secret or the request",
    "S10": "no request is parsed in two ways (request smuggling)",
    "S11": "no CORS headers",
    "S12": "cookies do not authenticate API requests",
    "S13": "keys in the query are accepted only where Google's clients send them",
    "S14": "management needs the master key",
    "S15": "public endpoints reveal nothing of the configuration",
    "S16": "file names and fields cannot break out of a form",
    "S17": "compressed request bodies are refused",
    "S18": "YAML constructs no objects",
    "S19": "no JSON Schema is slow for a hostile body",
    "S20": "parallel requests cannot exceed a budget",
    "S21": "what is forwarded is what was checked",
    "S22": "SQL contains no values",
    "S23": "no header value splits a response",
    "S24": "keys are not arguments of the command line",
    "S25": "guessing keys is throttled",
    "S26": "dependencies have lower bounds without known vulnerabilities",
}
ATTACKS = {
    "F0": "an upstream sends a body after HEAD, or more than was requested",
    "F1": "an endless request body without a key",
    "F2": "a form that is slow to parse",
    "F3": "a name server that does not answer",
    "F4": "the reader of the log pauses",
    "F5": "a provider's login does not answer",
    "F6": "another process holds the state file",
    "F7": "requests without a key that are not complete",
    "F8": "no threads or file descriptors left",
    "F9": "form fields inside an uploaded file",
    "F10": "a finished stream whose connection stays open",
    "F11": "the clock goes back",
    "F12": "a prompt that breaks the listing of tracked chats",
    "F13": "a header that prevents the log line",
    "F14": "an upstream that repeats the gateway's key",
    "F15": "JSON that needs much more memory than its bytes",
    "F16": "an upload onto a full disk",
    "F17": "a large event in small pieces",
    "F18": "early responses, truncated TLS, killed workers",
}
SECTIONS = {
    "Upstreams": UPSTREAM,
    "Clients": CLIENT,
    "The process and its stores": PROCESS,
    "Security rules": RULES,
    "Attacks on earlier versions": ATTACKS,
}


def marked() -> Mapping[str, list[tuple[str, str]]]:
    """Return the tests of each fault: their claim, and file and name."""
    found: dict[str, list[tuple[str, str]]] = {}
    for path in sorted(TESTS.rglob("test_*.py")):
        text = path.read_text(encoding="utf-8")
        if "mark.fault(" not in text:
            continue
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef):
                test = f"{path.relative_to(TESTS)}::{node.name}"
                for fault in _marks(node):
                    found.setdefault(fault, []).append((_claim(node.name), test))
    return found


def faults() -> str:
    """Return a table for each section, from the marks of the tests."""
    tests = marked()
    unknown = set(tests) - {fault for section in SECTIONS.values() for fault in section}
    if unknown:
        raise LookupError(f"marks of unknown faults: {sorted(unknown)}")
    parts = []
    for title, section in SECTIONS.items():
        rows = (
            (
                f"{fault}: {what}",
                "<br>".join(each[0] for each in tests.get(fault, ())),
                "<br>".join(f"`{each[1]}`" for each in tests.get(fault, ())),
            )
            for fault, what in section.items()
        )
        parts.append(f"### {title}\n\n{table(('fault', 'behaviour', 'test'), rows)}")
    return "\n".join(parts)


def _marks(node: ast.FunctionDef) -> Iterator[str]:
    """Yield the faults in the decorators `pytest.mark.fault("F1", ...)` of a test."""
    for each in node.decorator_list:
        if isinstance(each, ast.Call) and ast.unparse(each.func) == "pytest.mark.fault":
            yield from (ast.literal_eval(argument) for argument in each.args)


def _claim(name: str) -> str:
    """Return the name of a test as a sentence."""
    return name.removeprefix("test_").replace("_", " ")
