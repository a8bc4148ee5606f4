"""The faults and rules that tests must inject, and the table of their tests in docs/reliability.md.

A test names the faults that it injects: `@pytest.mark.fault("U1", "C6")`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from collections.abc import Mapping
from pathlib import Path

from docs_options import table

Fault = tuple[str, str]  # what happens, and what the gateway does then

TESTS = Path(__file__).resolve().parents[1] / "tests"

UPSTREAM: Mapping[str, Fault] = {
    "U1": (
        "the upstream refuses the connection",
        "503 `upstream_unavailable`; retried, or sent to another deployment",
    ),
    "U2": (
        "its packets are dropped: no connection, no refusal",
        "the same after the connect timeout of 5 s",
    ),
    "U3": (
        "it accepts the request and sends no headers",
        "504 after the timeout, not repeated at the same deployment",
    ),
    "U4": (
        "a stream becomes idle",
        "keep-alives, then an error event after the idle timeout; no `[DONE]`",
    ),
    "U5": ("a stream is cut off", "an error event, no `[DONE]`, no fallback; usage is estimated"),
    "U6": (
        "a stream ends without `[DONE]` or usage",
        "complete if a `finish_reason` came, else an error event",
    ),
    "U7": (
        "status 200 and an error inside",
        "an error with a status of its own, as long as nothing was sent to the client",
    ),
    "U8": ("invalid JSON", "502, without quoting it"),
    "U9": ("an HTML page", "502, without quoting it"),
    "U10": (
        "invalid UTF-8, or characters that are cut between packets",
        "passed on unchanged; events end at line feeds only",
    ),
    "U11": ("an event without an end", "an error event at the limit; memory stays flat"),
    "U12": ("a response above the limit", "502 `response_too_large`"),
    "U13": (
        "a small compressed response that expands to gigabytes",
        "decompressed only up to the limit",
    ),
    "U14": (
        "429 with every kind of `Retry-After`",
        "obeyed if short, passed on if long; a cooldown is at most 120 s",
    ),
    "U15": ("a series of 5xx", "a bounded number of attempts, then cooldown, then one probe"),
    "U16": (
        "one byte a second",
        "a whole response has a deadline; a stream has `stream_max_seconds`, if set",
    ),
    "U17": ("a redirect", "502; not followed"),
    "U18": (
        "a name that does not resolve, or slowly",
        "503 within the request's time; other requests are not delayed",
    ),
    "U19": (
        "a certificate that is expired, self-signed or another host's",
        "502 `upstream_tls_error`; no setting accepts it",
    ),
    "U20": ("proxy variables and `~/.netrc` in the environment", "ignored"),
    "U21": ("a kept connection that the upstream closed while idle", "replaced"),
    "U22": (
        "a kept connection that is lost while the request is sent",
        "repeated once if the connection had been used before and no byte of a response came",
    ),
    "U23": (
        "interim responses, garbage, and heads without an end",
        "interim responses are skipped; the rest is 502 and the connection is closed",
    ),
    "U24": (
        "JSON instead of a stream, or a stream instead of JSON",
        "JSON becomes a stream where that is possible; else 502",
    ),
    "U25": ("chunks of one byte", "constant cost per byte; several are passed on together"),
}
CLIENT: Mapping[str, Fault] = {
    "C1": (
        "the client disconnects in mid-stream",
        "the upstream's call ends within 0.25 s; the usage so far is charged",
    ),
    "C2": (
        "it disconnects before the upstream has responded",
        "the upstream's call ends within 0.25 s",
    ),
    "C3": (
        "it disconnects while a whole response is prepared",
        "the upstream's call ends within 0.25 s",
    ),
    "C4": ("it closes its side of the connection only", "counts as a disconnect"),
    "C5": ("it does not read", "dropped after the write timeout"),
    "C6": (
        "half a head, or a body that is slow or never comes",
        "408 or a closed connection; no thread and no processor time is used",
    ),
    "C7": ("a chunked body", "read like any other"),
    "C8": ("a chunked body above the limit", "413"),
    "C9": ("a body shorter than its `Content-Length`", "400 or 408"),
    "C10": (
        "ambiguous framing: `Content-Length` and `Transfer-Encoding`, duplicates, folds",
        "400 or 501, and the connection is closed",
    ),
    "C11": ("a malformed chunk", "400"),
    "C12": (
        "a huge body, refused while it arrives",
        "the client reads 401 or 413; what it still sends is discarded within bounds",
    ),
    "C13": ("deeply nested JSON", "400"),
    "C14": ("NaN, Infinity, 1e999", "400"),
    "C15": ("duplicate keys", "the last one counts, for checks and upstream alike"),
    "C16": (
        "invalid UTF-8, UTF-16, lone surrogates",
        "400; an escaped surrogate is passed on escaped",
    ),
    "C17": (
        "integers of thousands of digits",
        "400 above Python's limit of digits, else passed on unchanged",
    ),
    "C18": ("line breaks in what becomes a header", "replaced"),
    "C19": ("paths that climb: `..`, `%2e%2e`", "404; nothing is sent"),
    "C20": ("control characters in a path", "404; nothing is sent"),
    "C21": ("several requests in one packet", "answered in order"),
    "C22": ("many idle connections", "no thread is used"),
}
PROCESS: Mapping[str, Fault] = {
    "P1": ("SIGTERM while streams run", "streams end within the grace period"),
    "P2": ("SIGTERM to every process, twice", "the same; the exit takes less than 30 s"),
    "P3": (
        "a stream that is longer than the grace period",
        "an error event `server_shutdown` before the end",
    ),
    "P4": (
        "SIGKILL of a worker",
        "the others go on; its requests are logged as lost; what was acknowledged is in the ledger",
    ),
    "P5": (
        "SIGHUP while streams run; an invalid new configuration",
        "streams of the old worker end; an invalid configuration is refused and the old one stays",
    ),
    "P6": (
        "the worker's memory is limited",
        "large requests are 503; small ones and streams go on",
    ),
    "P7": (
        "the disk is full",
        "budgets are refused with 503, keys without a budget still work; limits hold per worker",
    ),
    "P8": (
        "the database is locked",
        "the first request waits a little, then limits hold per worker for 5 s",
    ),
    "P9": (
        "the database cannot be reached",
        "budgets are refused with 503, keys without a budget still work",
    ),
    "P10": (
        "the shared store stops answering",
        "the first request waits a little, then limits hold per worker",
    ),
    "P11": (
        "the clock jumps",
        "limits and cooldowns use a monotonic clock; counts of an earlier boot are dropped",
    ),
    "P12": ("more requests than threads", "503 at once, with `Retry-After`; `/health` is answered"),
    "P13": ("one hung upstream wants every thread", "some threads stay for the other deployments"),
    "P14": ("no file descriptors left", "accepting pauses; streams go on"),
    "P15": (
        "more concurrent calls than pooled connections",
        "each call gets a connection; those above the pool's size are closed afterwards",
    ),
    "P16": (
        "several attempts of one request",
        "each has its own record, the request has one reservation",
    ),
    "P17": (
        "many requests at the end of a cooldown",
        "one request goes first; the others wait for its result",
    ),
    "P18": ("many identical requests at once", "look-ups of names and logins are shared"),
    "P19": (
        "workers that end, again and again, and their metrics",
        "nothing of them stays in the master",
    ),
    "P20": (
        "the reader of the log pauses",
        "lines wait, then are dropped and counted; requests are not delayed",
    ),
    "P21": ("gunicorn's control socket", "off"),
    "P22": (
        "a whole response that takes longer than a load balancer waits",
        "spaces before the JSON keep the connection alive",
    ),
}
RULES: Mapping[str, Fault] = {
    "S1": (
        "no spelling of a path avoids the key check",
        "every view declares who may call it; unknown paths need a key, too",
    ),
    "S2": (
        "keys are stored as hashes and compared in constant time",
        "`hmac.compare_digest` on SHA-256; a hash is not accepted as a key",
    ),
    "S3": (
        "a gateway without a key, or with a published one, does not go unnoticed",
        "without a key only this machine reaches it by default; published keys are warned of",
    ),
    "S4": (
        "a client's `api_base` reaches no private address",
        "checked after name resolution, and the checked address is the one that is used",
    ),
    "S5": (
        "the gateway's keys are not sent to an address that a client names",
        "400 without a key of the client's own",
    ),
    "S6": ("redirects are not followed", "502"),
    "S7": (
        "headers are forwarded by an allow list, in both directions",
        "what is not on the list is left out",
    ),
    "S8": ("no secret is logged", "canaries in every place are not found in the log"),
    "S9": (
        "no error quotes a secret or the request",
        "canaries in every place are not found in responses",
    ),
    "S10": (
        "no request is parsed in two ways (request smuggling)",
        "400, 413, 417, 431 or 501, and the connection is closed",
    ),
    "S11": ("no CORS headers", "a preflight learns nothing, unless origins are configured"),
    "S12": (
        "cookies do not authenticate API requests",
        "401; the dashboard has a session of its own",
    ),
    "S13": (
        "keys in the query are accepted only where Google's clients send them",
        "ignored elsewhere",
    ),
    "S14": ("management needs the master key", "401 with any other key, 403 without a master key"),
    "S15": ("public endpoints reveal nothing of the configuration", "a constant text"),
    "S16": (
        "file names and fields cannot break out of a form",
        "they are quoted, and read back the same",
    ),
    "S17": (
        "compressed request bodies do not exhaust the memory",
        "413 at 200 times their size, or above the limit; an unknown coding is 415",
    ),
    "S18": ("YAML constructs no objects", "the start is refused"),
    "S19": ("no JSON Schema is slow for a hostile body", "a bounded number of steps per item"),
    "S20": ("parallel requests cannot exceed a budget", "as many as the budget has room for"),
    "S21": ("what is forwarded is what was checked", "the parsed object is checked and sent"),
    "S22": ("SQL contains no values", "quotes and patterns are data"),
    "S23": ("no header value splits a response", "replaced"),
    "S24": ("keys are not arguments of the command line", "by environment or file only"),
    "S25": ("guessing keys is throttled", "429 `too_many_wrong_keys`; right keys still work"),
    "S26": (
        "dependencies have lower bounds without known vulnerabilities",
        "a test compares the lock file with the declared bounds",
    ),
}
ATTACKS: Mapping[str, Fault] = {
    "F0": (
        "an upstream sends a body after HEAD, or more than was requested",
        "such a connection is not used again",
    ),
    "F1": (
        "an endless request body without a key",
        "refused at once; the rest is discarded within bounds",
    ),
    "F2": ("a form that is slow to parse", "linear time"),
    "F3": (
        "a name server that does not answer",
        "look-ups have a time limit and do not stop the worker",
    ),
    "F4": ("the reader of the log pauses", "lines wait, then are dropped and counted"),
    "F5": ("a provider's login does not answer", "only requests that need that login wait"),
    "F6": ("another process holds the state file", "a short wait, then memory for 5 s"),
    "F7": ("requests without a key that are not complete", "no thread is used"),
    "F8": (
        "no threads or file descriptors left",
        "accepting pauses; running threads do the work; streams go on",
    ),
    "F9": (
        "form fields inside an uploaded file",
        "fields are found by the boundary; content is not changed",
    ),
    "F10": ("a finished stream whose connection stays open", "the drain has one deadline"),
    "F11": ("the clock goes back", "a monotonic clock"),
    "F12": (
        "a prompt that breaks the listing of tracked chats",
        "values are cleaned before they are encoded; one bad row is skipped",
    ),
    "F13": ("a header that prevents the log line", "the header has the depth limit of bodies"),
    "F14": (
        "an upstream that repeats the gateway's key",
        "removed from errors and headers on every route",
    ),
    "F15": ("JSON that needs much more memory than its bytes", "502 or 413 before it is parsed"),
    "F16": ("an upload onto a full disk", "507 with `Retry-After`"),
    "F17": ("a large event in small pieces", "linear time"),
    "F18": ("early responses, truncated TLS, killed workers", "each has a defined result"),
}
SECTIONS: Mapping[str, Mapping[str, Fault]] = {
    "Upstreams": UPSTREAM,
    "Clients": CLIENT,
    "The process and its stores": PROCESS,
    "Security rules": RULES,
    "Attacks on earlier versions": ATTACKS,
}


def marked() -> Mapping[str, list[str]]:
    """Return the tests of each fault, as pytest names them."""
    found: dict[str, list[str]] = {}
    for path in sorted(TESTS.rglob("test_*.py")):
        text = path.read_text(encoding="utf-8")
        if "mark.fault(" not in text:
            continue
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef):
                test = f"{path.relative_to(TESTS)}::{node.name}"
                for fault in _marks(node):
                    found.setdefault(fault, []).append(test)
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
                behaviour,
                "<br>".join(f"`{test}`" for test in tests.get(fault, ())),
            )
            for fault, (what, behaviour) in section.items()
        )
        parts.append(f"### {title}\n\n{table(('fault', 'behaviour', 'test'), rows)}")
    return "\n".join(parts)


def _marks(node: ast.FunctionDef) -> Iterator[str]:
    """Yield the faults in the decorators `pytest.mark.fault("F1", ...)` of a test."""
    for each in node.decorator_list:
        if isinstance(each, ast.Call) and ast.unparse(each.func) == "pytest.mark.fault":
            yield from (ast.literal_eval(argument) for argument in each.args)
