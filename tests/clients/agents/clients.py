"""The clients: what each is installed from, how it is set up, and how it is asked."""

from __future__ import annotations

import json
from collections.abc import Callable
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from typing import NamedTuple

from installed import Package

PROGRAMS = Path(__file__).parent / "programs"
FILES = ("one.txt", "two.txt")
PROMPT = f"Read the files {FILES[0]} and {FILES[1]} in this folder and report their words."
KEY = "sk-any"


class Task(NamedTuple):
    """What a client is given."""

    url: str  # of the gateway, without a path
    model: str
    work: Path  # its working folder, with FILES
    home: Path  # its HOME, empty
    installed: Path


class Setup(NamedTuple):
    """How a client is started for a task."""

    command: list[str]
    env: Mapping[str, str] = {}
    files: Mapping[str, str] = {}  # below HOME


class Client(NamedTuple):
    """One client on one of the gateway's APIs."""

    name: str  # for .ci/agents
    title: str
    api: str
    package: Package
    tool: str
    argument: str  # of the tool: the one that names a file
    setup: Callable[[Task], Setup]
    value: str = "{folder}/{file}"  # what the argument is for a file
    signs: bool = True  # it returns the thought signatures of Gemini


def _npm(*requirements: str) -> Package:
    return Package("npm", requirements)


def _bin(task: Task, name: str) -> str:
    return str(task.installed / "node_modules" / ".bin" / name)


def claude(task: Task) -> Setup:
    """Set up Claude Code."""
    names = ("ANTHROPIC_MODEL", "ANTHROPIC_DEFAULT_HAIKU_MODEL")
    env = {
        "ANTHROPIC_BASE_URL": task.url,
        "ANTHROPIC_AUTH_TOKEN": KEY,
        **dict.fromkeys(names, task.model),
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "DISABLE_AUTOUPDATER": "1",
    }
    return Setup([_bin(task, "claude"), "-p", PROMPT, "--allowedTools", "Read"], env)


def codex(task: Task) -> Setup:
    """Set up Codex CLI."""
    config = f"""\
model_provider = "llmgate"
check_for_update_on_startup = false

[model_providers.llmgate]
name = "llmgate"
base_url = "{task.url}/v1"
wire_api = "responses"
env_key = "LLMGATE_API_KEY"

[analytics]
enabled = false
"""
    options = ["--skip-git-repo-check", "-s", "danger-full-access", "-m", task.model]
    command = [_bin(task, "codex"), "exec", *options, PROMPT]
    return Setup(command, {"LLMGATE_API_KEY": KEY}, {".codex/config.toml": config})


def gemini(task: Task) -> Setup:
    """Set up Gemini CLI."""
    settings = {
        "security": {"auth": {"selectedType": "gemini-api-key"}, "folderTrust": {"enabled": False}},
        "privacy": {"usageStatisticsEnabled": False},
        "general": {"enableAutoUpdate": False},
    }
    env = {
        "GOOGLE_GEMINI_BASE_URL": task.url,
        "GEMINI_API_KEY": KEY,
        "GEMINI_CLI_TRUST_WORKSPACE": "true",
    }
    command = [_bin(task, "gemini"), "-m", task.model, "-p", PROMPT]
    return Setup(command, env, {".gemini/settings.json": json.dumps(settings)})


def qwen(task: Task) -> Setup:
    """Set up qwen-code."""
    settings = {
        "security": {"auth": {"selectedType": "openai"}},
        "privacy": {"usageStatisticsEnabled": False},
        "general": {"enableAutoUpdate": False},
    }
    env = {
        "OPENAI_BASE_URL": f"{task.url}/v1",
        "OPENAI_API_KEY": KEY,
        "OPENAI_MODEL": task.model,
    }
    command = [_bin(task, "qwen"), "--auth-type", "openai", "-p", PROMPT]
    return Setup(command, env, {".qwen/settings.json": json.dumps(settings)})


def opencode(kind: str) -> Callable[[Task], Setup]:
    """Return how opencode is set up with the AI SDK's provider of *kind*."""

    def setup(task: Task) -> Setup:
        base = f"{task.url}/{'v1beta' if kind == 'google' else 'v1'}"
        provider = {
            "npm": f"@ai-sdk/{kind}",
            "options": {"baseURL": base, "apiKey": KEY},
            "models": {task.model: {}},
        }
        config: dict[str, Any] = {"autoupdate": False, "share": "disabled"}
        config["provider"] = {"llmgate": provider}
        env = {"OPENCODE_DISABLE_AUTOUPDATE": "1", "OPENCODE_DISABLE_MODELS_FETCH": "1"}
        env["OPENCODE_DISABLE_LSP_DOWNLOAD"] = "1"
        command = [_bin(task, "opencode"), "run", "-m", f"llmgate/{task.model}", PROMPT]
        return Setup(command, env, {".config/opencode/opencode.json": json.dumps(config)})

    return setup


def program(name: str, kind: str) -> Callable[[Task], Setup]:
    """Return how a program of ours that uses a library is started."""

    def setup(task: Task) -> Setup:
        path = PROGRAMS / name
        if path.suffix == ".mjs":  # node looks for modules beside the program
            target = task.installed / path.name
            target.write_text(path.read_text("utf-8"), "utf-8")
            return Setup(["node", str(target), kind, task.url, task.model, PROMPT])
        python = str(task.installed / "bin" / "python")
        return Setup([python, str(path), kind, task.url, task.model, PROMPT])

    return setup


_OPENCODE = _npm("opencode-ai@1.18.33")
_AI_SDK = _npm(
    "ai@7.0.173",
    "@ai-sdk/openai@4.0.118",
    "@ai-sdk/openai-compatible@3.0.92",
    "@ai-sdk/anthropic@4.0.105",
    "@ai-sdk/google@4.0.121",
    "zod@4.6.7",
)
_OPENAI_AGENTS = Package("pip", ("openai-agents==0.24.0",))
_PYDANTIC_AI = Package("pip", ("pydantic-ai-slim[openai,anthropic,google]==2.68.0",))
_LANGCHAIN = Package(
    "pip",
    (
        "langchain==1.5.2",
        "langchain-openai==1.7.4",
        "langchain-anthropic==1.7.10",
        "langchain-google-genai==4.4.3",
    ),
)
_CHAT, _RESPONSES, _MESSAGES, _GEMINI = "chat", "Responses", "Messages", "Gemini"


def _libraries() -> list[Client]:
    """Return the libraries, each on every API that it has."""
    found = []
    for name, title, package, file, apis in (
        ("ai-sdk", "AI SDK", _AI_SDK, "ai_sdk.mjs", (_CHAT, _RESPONSES, _MESSAGES, _GEMINI)),
        ("openai-agents", "openai-agents", _OPENAI_AGENTS, "agents_sdk.py", (_CHAT, _RESPONSES)),
        (
            "pydantic-ai",
            "pydantic-ai",
            _PYDANTIC_AI,
            "pydantic_agent.py",
            (_CHAT, _RESPONSES, _MESSAGES, _GEMINI),
        ),
        ("langchain", "LangChain", _LANGCHAIN, "langchain_agent.py", (_CHAT, _MESSAGES, _GEMINI)),
    ):
        for api in apis:
            setup = program(file, api)
            signs = api == _GEMINI
            found.append(
                Client(name, title, api, package, "read_file", "path", setup, "{file}", signs)
            )
    return found


CLIENTS = [
    Client(
        "claude",
        "Claude Code",
        _MESSAGES,
        _npm("@anthropic-ai/claude-code@2.1.332"),
        "Read",
        "file_path",
        claude,
    ),
    Client(
        "codex",
        "Codex CLI",
        _RESPONSES,
        _npm("@openai/codex@0.171.0"),
        "exec_command",
        "cmd",
        codex,
        "cat {file}",
    ),
    Client(
        "gemini",
        "Gemini CLI",
        _GEMINI,
        _npm("@google/gemini-cli@0.61.0"),
        "read_file",
        "file_path",
        gemini,
    ),
    *(
        Client("opencode", "opencode", api, _OPENCODE, "read", "filePath", opencode(kind), signs=it)
        for api, kind, it in (
            (_CHAT, "openai-compatible", False),
            (_RESPONSES, "openai", False),
            (_MESSAGES, "anthropic", True),
            (_GEMINI, "google", True),
        )
    ),
    Client(
        "qwen-code",
        "qwen-code",
        _CHAT,
        _npm("@qwen-code/qwen-code@0.24.4"),
        "read_file",
        "file_path",
        qwen,
        signs=False,
    ),
    *_libraries(),
]
"""Every client on every API that it has, in the order of the table."""
