"""Every method of OpenAI's SDK that asks for a resource: through the gate as without it.

The SDK's source says which paths there are; its signatures say how its methods are called, and its
types what an upstream answers.
"""

from __future__ import annotations

import ast
import inspect
import re
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from typing import NamedTuple

import httpx
import openai
import pydantic
import pytest
from openai import pagination
from openai._legacy_response import HttpxBinaryResponseContent
from openai.types.beta.threads import Run
from testing.upstream import Answer
from testing.upstream import Seen
from testing.upstream import Upstream
from testing.upstream import answer
from testing.upstream import error_body
from testing.upstream import event
from testing.upstream import json_answer
from testing.upstream import sse

from llmgate import config
from llmgate import create_app
from llmgate.dialects.openai import resources as openai_resources

if int(openai.VERSION.partition(".")[0]) < 3:
    pytest.skip("the SDK of today has the resources", allow_module_level=True)

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of what it calls old

EXCEPTIONS = {
    "/organization/": "administers the account: a key of that kind has no place in a gateway",
    "/projects/": "administers the account, too",
    "/safety/": "tells the account's owner of abuse",
    "/webhook_endpoints": "tells OpenAI whom to call on behalf of the account",
    "/webhook_event_types": "belongs to these",
}
"""Paths that are not served, and why."""

_VERBS = ("_get", "_post", "_delete", "_put", "_patch", "_get_api_list")


class Method(NamedTuple):
    """A method of the SDK: where it is, what it asks for."""

    name: str  # beta.threads.runs.create
    verb: str
    path: str  # ids are {}


def sources() -> Iterator[tuple[str, ast.FunctionDef]]:
    """Yield the methods of the SDK's classes, named by their class."""
    for path in sorted((Path(openai.__file__).parent / "resources").rglob("*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("Async"):
                module = ".".join(path.relative_to(Path(openai.__file__).parent).parts)
                for each in node.body:
                    if isinstance(each, ast.FunctionDef):
                        yield f"{module.removesuffix('.py')}.{node.name}.{each.name}", each


def requests_of() -> Iterator[Method]:
    """Yield what each method asks for."""
    for name, function in sources():
        for node in ast.walk(function):
            called = getattr(getattr(node, "func", None), "attr", "")
            if isinstance(node, ast.Call) and called in _VERBS:
                yield Method(name, _verb(node, called), _path(node))


def _verb(node: ast.Call, name: str) -> str:
    said = [ast.literal_eval(word.value) for word in node.keywords if word.arg == "method"]
    return str(said[0] if said else "get" if "list" in name else name[1:]).upper()


def _path(node: ast.Call) -> str:
    found = re.search(r"'(/[^'?]*)", ast.unparse(node.args[0]))
    assert found
    return re.sub(r"\{[^}]*\}", "{}", found[1])


METHODS = sorted(set(requests_of()))


def test_every_path_of_the_sdk_is_served_or_excepted() -> None:
    urls = create_app(config.load(None, {"OPENAI_API_KEY": "x"})).url_map.bind("localhost")

    unserved = []
    for method in METHODS:
        if method.path.startswith(tuple(EXCEPTIONS)):
            continue
        path = method.path.replace("{}", "id_1")
        endpoint, _ = urls.match(f"/v1{path}", method.verb)
        row = openai_resources.found(path[1:].split("/"))
        if endpoint.startswith("resources.") and not (row and method.verb in row[0].methods):
            unserved.append((method.verb, method.path))

    assert len(METHODS) > 200
    assert unserved == []


def test_every_exception_is_one() -> None:
    assert [each for each in EXCEPTIONS if not any(m.path.startswith(each) for m in METHODS)] == []


def test_every_row_is_of_the_sdk_but_those_that_are_older() -> None:
    asked = {(m.verb, m.path[1:]) for m in METHODS}
    rows = {(verb, row.path) for row in openai_resources.ROWS for verb in row.methods}

    assert (
        rows - asked
        == {
            ("GET", "uploads/{}"),
            ("POST", "evals/{}/runs/{}"),
            ("GET", "chat/completions/{}"),
        }
        - asked
    )


# Each method, called


def resources(client: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Yield each method of *client* that asks for something, by its name."""
    for each in dir(type(client)):
        found = inspect.getattr_static(type(client), each)
        if each.startswith(("_", "with_")):
            continue
        if hasattr(found, "func") or isinstance(found, property):
            below = getattr(client, each)
            if type(below).__module__.startswith("openai.resources"):
                yield from resources(below, f"{name}{each}.")
        elif callable(found):
            yield f"{name}{each}", getattr(client, each)


RELAYED = {
    (m.name.rpartition(".")[0].rpartition(".")[2], m.name.rpartition(".")[2])
    for m in METHODS
    for row in filter(None, [openai_resources.found(m.path[1:].split("/"))])
    if m.verb in row[0].methods
}
"""Class and name of the methods whose paths the table has."""


def is_relayed(method: Any) -> bool:
    """Return whether *method* asks for what the table has."""
    return (type(method.__self__).__name__, method.__name__) in RELAYED


_OFFLINE = openai.OpenAI(api_key="x", admin_api_key="x", base_url="http://127.0.0.1:1/v1")
NAMES = [name for name, method in resources(_OFFLINE) if is_relayed(method)]


MORE: dict[str, dict[str, Any]] = {
    "audio.voices.create": {"name": "a", "prompt": "b", "type": "c"},
    "automations.create": {"name": "a", "run_at": "b", "target": {}, "type": "c"},
    "environments.files.create": {"file_id": "file-1", "path": "/a", "type": "file"},
}
"""What methods need that have several forms, by the end of their names."""


def arguments(name: str, method: Any) -> dict[str, Any]:
    """Return what *method* has to be given."""
    found = {k: v for end, more in MORE.items() if name.endswith(end) for k, v in more.items()}
    hints = typing.get_type_hints(method.__wrapped__ if hasattr(method, "__wrapped__") else method)
    for each, parameter in inspect.signature(method).parameters.items():
        if parameter.default is inspect.Parameter.empty and parameter.kind in (
            parameter.KEYWORD_ONLY,
            parameter.POSITIONAL_OR_KEYWORD,
        ):
            found[each] = value(each, hints.get(each))
    return found


def value(name: str, hint: Any) -> Any:
    """Return something for the parameter called *name*."""
    text = str(hint)
    if name.endswith("_id") or name in ("id", "version", "model"):
        return f"{name.replace('_', '-')}-1"
    if "FileTypes" in text or "IO[bytes]" in text or name in ("file", "data", "audio_sample"):
        return ("a.jsonl", b'{"a": 1}', "application/octet-stream")
    if "Iterable" in text or "Sequence" in text or "List" in text:
        return [{"a": "b"}] if "TypedDict" in text or "Param" in text or "param" in text else ["a"]
    if "Dict" in text or "Param" in text or "param" in text or "Config" in text:
        return {"type": "a"}
    return 1 if hint is int else "a"


def sample(hint: Any, depth: int = 0) -> Any:
    """Return JSON that is of the type *hint*, with what it requires."""
    origin, parts = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated:
        return sample(parts[0], depth)
    if origin is typing.Literal:
        return parts[0]
    if origin is list:
        return [sample(parts[0], depth + 1)] if depth < 6 else []
    if origin is dict:
        return {}
    if parts:  # a union
        return None if type(None) in parts else sample(parts[0], depth)
    if inspect.isclass(hint) and issubclass(hint, pydantic.BaseModel):
        fields = hint.model_fields.items()
        return {
            field.alias or name: sample(field.annotation, depth + 1)
            for name, field in fields
            if field.is_required()
        }
    return {str: "a", int: 1, float: 1.5, bool: True}.get(hint, "a")


def reply_to(method: Any) -> Answer:
    """Return what an upstream answers to *method*."""
    kind = typing.get_type_hints(method)["return"]
    origin, parts = typing.get_origin(kind), typing.get_args(kind)
    if origin is openai.Stream:
        return sse([{"type": "a", "event": "b"}])
    if kind is HttpxBinaryResponseContent:
        return answer([b"\x00\xff" * 99], headers={"content-type": "application/octet-stream"})
    if inspect.isclass(origin or kind) and issubclass(origin or kind, pagination.BasePage):
        each = (origin or kind).__pydantic_generic_metadata__["args"][0]
        return json_answer({"object": "list", "data": [sample(each)], "has_more": False})
    if origin is not None and parts:
        kind = parts[0]
    return json_answer(sample(kind)) if kind is not type(None) else answer([], status=204)


def told(seen: Seen) -> tuple[Any, ...]:
    """Return what came to the upstream, without what differs from one time to the next."""
    kind = seen.headers.get("content-type", "")
    boundary = kind.partition("boundary=")[2].encode()
    body = seen.body.replace(boundary, b"--") if boundary else seen.body
    return seen.method, seen.path, kind.partition(";")[0], body, seen.headers.get("openai-beta")


def read(result: Any) -> Any:
    """Return what the SDK made of an answer."""
    if isinstance(result, HttpxBinaryResponseContent):
        return result.content
    if isinstance(result, openai.Stream):
        return [read(event) for event in result]
    if isinstance(result, pydantic.BaseModel):
        return type(result).__name__, result.model_dump(exclude={"_request_id"}, warnings=False)
    return result


@pytest.fixture(scope="module")
def through(session_upstream: Upstream) -> Iterator[openai.OpenAI]:
    """The SDK at a gateway in this process."""
    env = {"OPENAI_API_KEY": "sk-upstream", "OPENAI_BASE_URL": f"{session_upstream.url}/v1"}
    app = create_app(config.load(None, env))
    transport = httpx.WSGITransport(app=app)
    with (
        httpx.Client(transport=transport) as http,
        openai.OpenAI(
            api_key="x", base_url="http://gate/v1", http_client=http, max_retries=0
        ) as sdk,
    ):
        yield sdk


@pytest.fixture(scope="module")
def straight(session_upstream: Upstream) -> Iterator[openai.OpenAI]:
    """The SDK at the upstream itself."""
    url = f"{session_upstream.url}/v1"
    with openai.OpenAI(api_key="sk-upstream", base_url=url, max_retries=0) as sdk:
        yield sdk


@pytest.mark.parametrize("name", NAMES)
def test_a_method_of_the_sdk_works_through_the_gate_as_without_it(
    through: openai.OpenAI, straight: openai.OpenAI, upstream: Upstream, name: str
) -> None:
    methods = [dict(resources(sdk))[name] for sdk in (straight, through)]
    upstream.plays(reply_to(methods[0]))

    found = [read(method(**arguments(name, method))) for method in methods]

    direct, relayed = map(told, upstream.requests)
    assert relayed == direct
    assert found[1] == found[0]
    assert upstream.requests[1].headers["authorization"] == "Bearer sk-upstream"


def test_there_are_more_than_a_hundred_of_them() -> None:
    assert len(NAMES) > 130


# Streams, and Azure's client


def test_a_run_is_streamed_through_the_sdk(through: openai.OpenAI, upstream: Upstream) -> None:
    kinds = ("thread.run.created", "thread.run.completed")
    run = sample(Run)
    said = b"".join(event(run | {"status": "completed"}, kind) for kind in kinds)
    said += event("[DONE]", "done")
    upstream.plays(answer([said], headers={"content-type": "text/event-stream"}))

    with through.beta.threads.runs.stream(thread_id="t-1", assistant_id="a-1") as stream:
        got = [each.event for each in stream]

    assert got == list(kinds)
    assert upstream.requests[0].path == "/v1/threads/t-1/runs"


def test_an_error_is_the_sdks_own(through: openai.OpenAI, upstream: Upstream) -> None:
    upstream.plays(json_answer(error_body("No such File object: file-1", param="id"), 404))

    with pytest.raises(openai.NotFoundError) as caught:
        through.files.retrieve("file-1")

    assert (caught.value.param, caught.value.status_code) == ("id", 404)
    assert "No such File object" in caught.value.message


def test_azures_client_has_azures_resources(upstream: Upstream) -> None:
    env = {"AZURE_API_KEY": "sk-azure", "AZURE_API_BASE": upstream.url, "OPENAI_API_KEY": "x"}
    transport = httpx.WSGITransport(app=create_app(config.load(None, env)))
    page = {"object": "list", "data": [], "has_more": False}
    upstream.plays(json_answer(page))

    with (
        httpx.Client(transport=transport) as http,
        openai.AzureOpenAI(
            azure_endpoint="http://gate",
            api_version="2025-03-01-preview",
            api_key="x",
            http_client=http,
        ) as sdk,
    ):
        sdk.files.list()
        sdk.beta.assistants.list()

    assert [seen.path for seen in upstream.requests] == [
        f"/openai/{name}?api-version=2025-03-01-preview" for name in ("files", "assistants")
    ]
    assert {seen.headers["api-key"] for seen in upstream.requests} == {"sk-azure"}
