"""The documents say what is so: their commands run, their files load, their tables are of today.

On the pages, a block is introduced by a comment: `<!-- run -->` has bash or Python run against a
real gateway (`run: name` and `output: name` go together), `<!-- check -->` tries commands with
--check, `<!-- librechat -->` marks YAML that is not a configuration of ours, `<!-- row -->` is a
row of providers.compatible and `<!-- module: name -->` the text of a module.
"""

from __future__ import annotations

import ast
import configparser
import json
import os
import re
import runpy
import shlex
import subprocess
import sys
from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any
from typing import NamedTuple

import pytest
import yaml
from flask.testing import FlaskClient
from testing import answers
from testing import inprocess
from testing import openai_bodies
from testing.gateway import KEPT
from testing.gateway import Gateway
from testing.upstream import Upstream

from llmgate import config
from llmgate import gunicorn_conf
from llmgate.accounting import records
from llmgate.accounting import request_log
from llmgate.accounting import tags
from llmgate.cli import main
from llmgate.contract import Deployment
from llmgate.providers import PROVIDERS
from llmgate.providers import compatible
from llmgate.providers.row import Row

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
TEXTS = {page.name: page.read_text(encoding="utf-8") for page in PAGES}
KEY = "sk-of-the-docs"
LISTENS = "localhost:4000"  # where the documents say that the gateway is


class Block(NamedTuple):
    """A fenced block of a page."""

    page: str
    mark: str  # what its comment says, empty if there is none
    kind: str
    text: str


_BLOCK = re.compile(r"(?:^<!-- ([^\n]*) -->\n)?^```(\w+)\n(.*?)^```$", re.S | re.M)

BLOCKS = [
    Block(page, *(found or "" for found in match.groups()))
    for page, text in TEXTS.items()
    for match in _BLOCK.finditer(text)
]


def of(*kinds: str) -> list[Any]:
    """Return the blocks of these *kinds*, each with an id for pytest."""
    found = [block for block in BLOCKS if block.kind in kinds]
    return [pytest.param(block, id=f"{block.page}-{at}") for at, block in enumerate(found)]


def environ(text: str) -> dict[str, str]:
    """Return the variables that *text* refers to."""
    return dict.fromkeys(re.findall(r"os\.environ/(\w+)", text), KEY)


# -- examples


@pytest.fixture(scope="module")
def echo() -> Iterator[Gateway]:
    with Gateway() as gateway:
        yield gateway


def ran(block: Block, gateway: Gateway) -> str:
    """Return what *block* writes when it is run against *gateway*."""
    text = block.text.replace(LISTENS, gateway.url.removeprefix("http://"))
    command = ["bash", "-euo", "pipefail", "-c"] if block.kind == "bash" else [sys.executable, "-c"]
    done = subprocess.run(
        [*command, text],
        capture_output=True,
        text=True,
        timeout=60,
        env={name: os.environ[name] for name in KEPT if name in os.environ},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    "block", [block for block in of("bash", "python") if block.values[0].mark.startswith("run")]
)
def test_an_example_runs_and_is_answered(block: Block, echo: Gateway) -> None:
    name = block.mark.partition(":")[2].strip()
    wanted = [each.text for each in BLOCKS if name and each.mark == f"output: {name}"]

    got = ran(block, echo)

    assert got
    assert not re.search(r'"error": ?\{', got)
    assert [alike(text) for text in wanted] == ([alike(got)] if name else [])


def alike(text: str) -> Any:
    """Return the JSON in *text* without what differs from one answer to the next."""
    ever_new = ("_response_ms", "id", "created")
    return {key: value for key, value in json.loads(text).items() if key not in ever_new}


@pytest.mark.parametrize(
    "line",
    [
        line
        for block in BLOCKS
        if block.mark == "check"
        for line in block.text.splitlines()
        if line.strip()
    ],
)
def test_a_command_of_the_docs_is_valid(line: str) -> None:
    words = shlex.split(line, comments=True)
    at = words.index("llmgate")
    said = dict(word.split("=", 1) for word in words[:at])
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}

    done = subprocess.run(
        [sys.executable, "-m", "llmgate", *words[at + 1 :], "--check"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**kept, **said},
    )

    assert (done.returncode, done.stdout) == (0, "the environment: valid\n")


@pytest.mark.parametrize("block", of("yaml"))
def test_a_configuration_of_the_docs_loads(block: Block, tmp_path: Path) -> None:
    if block.mark == "librechat":
        assert yaml.safe_load(block.text)["endpoints"]["custom"]
        return
    path = tmp_path / "config.yaml"
    path.write_text(block.text, encoding="utf-8")

    settings = config.load(str(path), environ(block.text))

    assert [w for w in settings.warnings if "litellm_params.api_key: " not in w] == []
    assert settings.routes.groups


@pytest.mark.parametrize("block", of("json"))
def test_json_of_the_docs_is_json(block: Block) -> None:
    assert json.loads(block.text)


def test_the_example_configuration_loads() -> None:
    path = ROOT / "docs" / "examples" / "config.yaml"

    settings = config.load(str(path), environ(path.read_text(encoding="utf-8")))

    assert [w for w in settings.warnings if "litellm_params.api_key: " not in w] == []
    assert sorted(settings.routes.groups) == ["gpt-4o", "groq/*", "local"]
    assert settings.routes.find("gpt-4") == settings.routes.groups["gpt-4o"]


def test_librechats_example_is_that_of_the_page() -> None:
    text = (ROOT / "docs" / "examples" / "librechat.yaml").read_text(encoding="utf-8")
    [shown] = [block.text for block in BLOCKS if block.mark == "librechat"]

    assert yaml.safe_load(text) == yaml.safe_load(shown)
    assert yaml.safe_load(text)["endpoints"]["custom"][0]["baseURL"].endswith(":4000/v1")


ASKS = {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 5}


def replies(client: FlaskClient, model: str) -> tuple[Any, list[Any]]:
    """Return the answer to a chat with *model*, and the content of each chunk of a stream."""
    whole = inprocess.posted(client, {**ASKS, "model": model}).get_json()
    streamed = inprocess.posted(client, {**ASKS, "model": model, "stream": True})
    chunks = inprocess.chunks(streamed)
    assert chunks.pop() == inprocess.DONE
    return whole, [chunk["choices"][0]["delta"].get("content") for chunk in chunks]


def test_the_row_of_the_docs_is_a_provider(
    app_for: Callable[..., FlaskClient], upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    [text] = [block.text for block in BLOCKS if block.mark == "row"]
    for name, row in eval(text, {"Row": Row}).items():
        monkeypatch.setitem(dict_of(PROVIDERS), name, compatible.provider(name, row))
    upstream.plays(
        answers.json_answer(openai_bodies.chat_completion("Hello")),
        answers.sse(openai_bodies.chat_chunks("Hello")),
    )
    client = app_for({}, EXAMPLE_API_KEY="k", EXAMPLE_API_BASE=upstream.url)

    whole, contents = replies(client, "example/some-model")

    assert whole["choices"][0]["message"]["content"] == "Hello"
    assert "".join(each or "" for each in contents) == "Hello"
    assert [seen.path for seen in upstream.requests] == ["/chat/completions"] * 2
    assert json.loads(upstream.requests[0].body)["model"] == "some-model"


def test_the_provider_of_the_docs_answers(
    app_for: Callable[..., FlaskClient], upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    parrot = modules_of("add-a-provider.md", monkeypatch)["llmgate.providers.parrot"].PARROT
    monkeypatch.setitem(dict_of(PROVIDERS), parrot.name, parrot)
    used = {"in": 3, "out": 2}
    upstream.plays(
        answers.json_answer({"id": "p-1", "text": "Hello", "stop": "limit", "used": used}),
        answers.sse([{"text": "Hel"}, {"text": "lo"}, {"stop": "end", "used": used}], done=False),
        answers.json_answer({"problem": "no such model"}, 404),
        answers.sse([{"text": "Hel"}], done=False),
    )
    client = app_for({}, PARROT_API_KEY="k", PARROT_API_BASE=upstream.url)

    whole, contents = replies(client, "parrot/grey")
    missing = inprocess.posted(client, {**ASKS, "model": "parrot/grey"})
    cut = inprocess.posted(client, {**ASKS, "model": "parrot/grey", "stream": True})

    assert whole["choices"][0]["message"]["content"] == "Hello"
    assert whole["choices"][0]["finish_reason"] == "length"
    assert whole["usage"] == {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    assert contents == ["Hel", "lo", None]
    assert json.loads(upstream.requests[0].body) == {
        "model": "grey",
        "turns": [{"role": "user", "text": "Hi"}],
        "max_output": 5,
    }
    assert upstream.requests[0].headers["authorization"] == "Bearer k"
    assert (missing.status_code, missing.get_json()["error"]["message"]) == (404, "no such model")
    assert inprocess.chunks(cut)[-1]["error"]["code"] == "upstream_cut_short"


def modules_of(page: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, ModuleType]:
    """Return the modules that *page* shows, importable until the end of the test."""
    made = {}
    for block in BLOCKS:
        kind, _, name = block.mark.partition(": ")
        if (block.page, kind) == (page, "module"):
            made[name] = module = ModuleType(name)
            monkeypatch.setitem(sys.modules, name, module)
            exec(compile(block.text, name, "exec"), module.__dict__)
            package, _, short = name.rpartition(".")
            if package:
                monkeypatch.setattr(sys.modules[package], short, module, raising=False)
    return made


def test_the_policies_of_the_docs_hold(
    tmp_path: Path, upstream: Upstream, lines: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "house.log"
    monkeypatch.setenv("HOUSE_LOG", str(log))
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_BASE_URL", upstream.url)
    monkeypatch.delenv("LLMGATE_CONFIG", raising=False)
    upstream.plays(answers.json_answer(openai_bodies.chat_completion("Hello")))
    client = modules_of("policies.md", monkeypatch)["house_app"].app.test_client()

    def status(**over: Any) -> int:
        return inprocess.posted(client, {**ASKS, "model": "gpt-4o", **over}).status_code

    assert [status(user="ann") for _ in range(3)] == [200, 200, 429]
    assert status(user="bob") == 200
    assert status(user="cy", tags=["private"]) == 403
    finished = [line["request_id"] for line in lines if line["status"] == 200]
    client.application.extensions["llmgate"].policies.flush(5)
    assert log.read_text() == "".join(f"{each} openai 200\n" for each in finished)


def dict_of(providers: Any) -> dict[str, Any]:
    """Return the registry of *providers* as what it is: a dict, that a test may add to."""
    assert isinstance(providers, dict)
    return providers


def test_the_readmes_first_lines_are_two_commands_and_a_request() -> None:
    first = [block.text.strip() for block in BLOCKS if block.page == "README.md"][:3]

    assert [len(text.splitlines()) for text in first] == [1, 1, 1]
    assert first[0].endswith(" && .venv/bin/llmgate")
    assert first[1].endswith(" && .venv/bin/pytest -n auto")
    assert first[2].startswith("curl ")


# -- links and tables


def test_every_link_leads_somewhere() -> None:
    links = [
        (page, link)
        for page in PAGES
        for link in re.findall(r"\]\(([^):]+)\)", TEXTS[page.name])
        if not leads_somewhere(page, link)
    ]

    assert links == []


def leads_somewhere(page: Path, link: str) -> bool:
    """Return whether the *link* on *page* is to a file that is there, and to a title in it."""
    name, _, title = link.partition("#")
    there = page.parent / name if name else page
    if not title or not there.exists():
        return there.exists()
    titles = re.findall(r"^#+ (.*)$", there.read_text(encoding="utf-8"), re.M)
    return title in [re.sub(r"[^\w -]", "", each.lower()).replace(" ", "-") for each in titles]


@pytest.mark.parametrize(
    "name",
    ["providers.md", "endpoints.md", "configuration.md", "design.md", "reliability.md"],
)
def test_the_tables_are_of_today(name: str) -> None:
    script = runpy.run_path(str(ROOT / ".ci" / "docs_tables.py"))

    assert script["page"](name, TEXTS[name]) == TEXTS[name], "run: python .ci/docs_tables.py"


def test_every_fault_has_a_test_that_injects_it() -> None:
    page = TEXTS["reliability.md"]

    rows = re.findall(r"^\| ([UCPSF]\d+): .*? \| (.*?) \| (.*?) \|$", page, re.M)

    assert len(rows) == 25 + 22 + 22 + 26 + 19
    assert [fault for fault, *tests in rows if not all(tests)] == []


# -- what pages must not leave out


def test_the_docs_name_every_option_of_the_command() -> None:
    options = [name for param in main.params for name in param.opts if name.startswith("--")]

    assert [name for name in options if f"`{name}" not in TEXTS["configuration.md"]] == []


def strings() -> set[str]:
    """Return every text in the code."""
    paths = sorted((ROOT / "llmgate").rglob("*.py"))
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in paths]
    return {
        node.value
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def test_the_docs_name_every_variable_of_ours() -> None:
    names = {text for text in strings() if re.fullmatch(r"LLMGATE_[A-Z_]+", text)}

    assert names >= {"LLMGATE_MASTER_KEY", "LLMGATE_THREADS"}
    assert [name for name in sorted(names) if f"`{name}`" not in TEXTS["configuration.md"]] == []


def test_the_docs_name_every_code_of_an_error() -> None:
    trees = [
        ast.parse(path.read_text(encoding="utf-8"))
        for path in (ROOT / "llmgate").rglob("*.py")
        if "fronts" not in path.parts  # their codes are Google's and Anthropic's
    ]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    given = [node.value for node in nodes if isinstance(node, ast.keyword) and node.arg == "code"]
    given += [
        node.value
        for node in nodes
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "code"
    ]
    codes = {each.value for each in given if isinstance(each, ast.Constant) and each.value}

    assert codes >= {"invalid_json", "upstream_timeout", "client_left"}
    assert [code for code in sorted(codes) if f"`{code}`" not in TEXTS["errors.md"]] == []


def entry() -> records.Entry:
    """Return an entry that has everything that a log line may tell of."""
    return records.Entry(
        request_id="5f0c1d2e3b4a59687766554433221100",
        endpoint="/v1/chat/completions",
        caller=records.Caller("master", "user-17", ("chat",), {"trace_id": "t-22"}),
        group="gpt-4o",
        deployment=Deployment("gpt-4o", "openai", "gpt-4o", "https://api.openai.com/v1", "id"),
        attempt=1,
        final=True,
        status=200,
        error="message",
        error_code="code",
        cause="cause",
        stream=True,
        aborted=True,
        usage={"prompt_tokens": 12},
        usage_estimated=True,
        cost=0.1,
        started=0.0,
        latency=1.0,
        ttft=0.1,
        body={"model": "gpt-4o"},
    )


def test_the_docs_name_every_field_of_the_log() -> None:
    fields = request_log.line(entry(), prompts=True)
    found = [block for block in BLOCKS if (block.page, block.kind) == ("logging.md", "json")]
    shown = json.loads(found[0].text)

    assert [name for name in fields if f"`{name}`" not in TEXTS["logging.md"]] == []
    assert list(shown) == [name for name in fields if name in shown]


def test_the_docs_merge_metadata_as_the_log_does() -> None:
    table = TEXTS["logging.md"].partition("| `metadata` | `litellm_metadata` |")[2]
    rows = [re.findall(r"`([^`]*)`|\| (?=\|)", line) for line in table.splitlines()[2:]]
    examples = [[json.loads(cell or "null") for cell in row] for row in rows if len(row) == 3]

    assert len(examples) == 3
    for own, other, merged in examples:
        assert tags.metadata({"metadata": own, "litellm_metadata": other}, None) == merged


def test_the_docs_name_every_setting_of_gunicorn() -> None:
    tree = ast.parse(Path(gunicorn_conf.__file__).read_text(encoding="utf-8"))
    names = [ast.unparse(node.targets[0]) for node in tree.body if isinstance(node, ast.Assign)]
    settings = [name for name in names if name.islower() and not name.startswith("_")]

    assert "keepalive" in settings
    assert [name for name in settings if f"`{name}`" not in TEXTS["deploy.md"]] == []


# -- the files of a deployment


def locked() -> dict[str, str]:
    """Return what requirements.txt locks: names and versions."""
    text = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    lines = re.findall(r"^(\S+)==(\S+) \\\n    --hash=sha256:", text, re.M)
    assert len(lines) == len(re.findall(r"^[a-z]", text, re.M))  # no line without a hash
    return dict(lines)


def numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", version)))


@pytest.mark.fault("S26")
def test_the_lock_has_the_base_install_and_nothing_older() -> None:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    lines = setup["options"]["install_requires"].strip().splitlines()
    needs = dict(line.partition(",")[0].split(">=") for line in lines)
    versions = locked()

    assert [name for name in needs if name not in versions] == []
    assert [n for n, least in needs.items() if numbers(versions[n]) < numbers(least)] == []


def test_heroku_is_told_what_the_docs_say() -> None:
    app = json.loads((ROOT / "app.json").read_text(encoding="utf-8"))
    procfile = (ROOT / "Procfile").read_text(encoding="utf-8")

    assert app["env"]["LLMGATE_MASTER_KEY"]["generator"] == "secret"
    assert [name for name, said in app["env"].items() if said.get("required") is False] == [
        "OPENAI_API_KEY",
        "LLMGATE_CONFIG",
    ]
    assert app["formation"] == {"web": {"quantity": 1, "size": "basic"}}
    assert procfile == "web: gunicorn -c python:llmgate.gunicorn_conf app:app\n"
    assert (ROOT / ".python-version").read_text(encoding="utf-8") == "3.13\n"


def test_the_image_copies_what_is_there_and_starts_what_heroku_starts() -> None:
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    sources = [
        name
        for line in re.findall(r"^COPY (?!--from)(.*) \S+$", text, re.M)
        for name in line.split()
    ]
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    [command] = re.findall(r"^CMD (.*)$", text, re.M)

    assert [name for name in sources if not (ROOT / name).exists() or name in ignored] == []
    assert json.loads(command) == ["gunicorn", "-c", "python:llmgate.gunicorn_conf", "app:app"]
    assert re.search(r"^USER (?!root)", text, re.M)
