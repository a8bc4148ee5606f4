"""The dashboard in a real Chromium: see .ci/browser. Screenshots are in DASHBOARD_SHOTS."""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from testing.gateway import Gateway

HAS_BROWSER = (
    importlib.util.find_spec("playwright") is not None
    and importlib.util.find_spec("axe_playwright_python") is not None
    and shutil.which("chromium") is not None
)
collect_ignore = [] if HAS_BROWSER else ["test_forms.py", "test_pages.py"]

MASTER = "sk-browser-master-1"
ADMIN = {"Authorization": f"Bearer {MASTER}"}
FLAGS = """--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-sync
--disable-background-networking --disable-component-update""".split()
MODES: dict[str, dict[str, Any]] = {
    "light": {"color_scheme": "light", "viewport": {"width": 1280, "height": 800}},
    "dark": {"color_scheme": "dark", "viewport": {"width": 1280, "height": 800}},
    "phone": {"color_scheme": "light", "viewport": {"width": 390, "height": 844}},
}


def echo(name: str, **params: Any) -> dict[str, Any]:
    """Return a model that the built-in echo answers, at a price."""
    prices = {"input_cost_per_token": 2.5e-6, "output_cost_per_token": 1e-5}
    return {"model_name": name, "litellm_params": {"model": f"echo/{name}", **prices, **params}}


CONFIG: dict[str, Any] = {
    "model_list": [
        echo("gpt-4o", rpm=600),
        echo("claude-sonnet-4-5"),
        {
            "model_name": "out-of-reach",
            "litellm_params": {
                "model": "openai/gpt-4o-mini",
                "api_base": "http://127.0.0.1:9/v1",
                "api_key": "sk-nobody-listens",
            },
        },
    ],
    "general_settings": {"master_key": MASTER},
    "router_settings": {"num_retries": 0, "cooldown_time": 60},
    "litellm_settings": {"max_budget": 50, "budget_duration": "30d"},
}


class Site:
    """A gateway and what a person does with it."""

    def __init__(self, gate: Gateway, chromium: Any) -> None:
        self.url = gate.url
        self._chromium = chromium

    def api(self, path: str, body: Any, key: str = MASTER) -> Any:
        """Return the answer of the API to *body*."""
        headers = {"Authorization": f"Bearer {key}"}
        return requests.post(self.url + path, json=body, headers=headers, timeout=20).json()

    def chat(self, key: str, model: str = "gpt-4o", **body: Any) -> Any:
        """Send a chat with *key*."""
        messages = [{"role": "user", "content": "How are you today? " * 3}]
        return self.api("/v1/chat/completions", {"model": model, "messages": messages, **body}, key)

    def open(self, mode: str = "light", key: str | None = MASTER, **options: Any) -> Any:
        """Return a new window, logged in with *key*; what its console reports fails the test."""
        context = self._chromium.new_context(**MODES[mode], **options)
        page = context.new_page()
        page.problems = []
        page.on("pageerror", lambda error: page.problems.append(str(error)))
        page.on("console", lambda line: _note(page, line))
        page.goto(f"{self.url}/ui/login")
        if key is not None:
            page.fill("#key", key)
            page.click("button.main")
        return page


def _note(page: Any, line: Any) -> None:
    """Note an error on the console, such as one of the content security policy."""
    if line.type == "error" and "Failed to load resource" not in line.text:
        page.problems.append(line.text)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """Debian's Chromium."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def empty(chromium: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A gateway that no one has used."""
    place = str(tmp_path_factory.mktemp("empty"))
    with Gateway(CONFIG, env={"LLMGATE_DATA_DIR": place}) as gate:
        yield Site(gate, chromium)


@pytest.fixture(scope="session")
def site(chromium: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A gateway with teams, 200 keys, calls and errors."""
    place = str(tmp_path_factory.mktemp("site"))
    with Gateway(CONFIG, env={"LLMGATE_DATA_DIR": place}) as gate:
        found = Site(gate, chromium)
        fill(found)
        yield found


def fill(site: Site) -> None:
    """Make what the pages of *site* show."""
    team = {"team_id": "research", "team_alias": "Research", "max_budget": 20}
    site.api("/team/new", {**team, "budget_duration": "30d"})
    for at in range(197):
        site.api("/key/generate", {"key_alias": f"client-{at:03}", "max_budget": 1 + at})
    given: list[dict[str, Any]] = [
        {"key_alias": "ci", "team_id": "research", "max_budget": 5, "budget_duration": "30d"},
        {"key_alias": "librechat", "max_budget": 0.0012, "rpm_limit": 60, "user_id": "ana"},
        {"key_alias": "notebook", "models": ["gpt-4o"], "duration": "30d", "key": "sk-notebook-1"},
    ]
    keys = [site.api("/key/generate", each)["key"] for each in given]
    for at in range(12):
        tags = ["prod" if at % 3 else "dev"]
        model = "claude-sonnet-4-5" if at % 4 == 0 else "gpt-4o"
        more = {"max_tokens": 20, "metadata": {"tags": tags}, "user": "eva", "stream": at == 5}
        if not more["stream"]:
            site.chat(keys[at % 2], model, **more)
    site.chat(keys[0], "out-of-reach")


@pytest.fixture(scope="session")
def shots() -> Path:
    """The folder of the screenshots."""
    found = Path(os.environ.get("DASHBOARD_SHOTS", "/tmp/dashboard-shots"))
    found.mkdir(parents=True, exist_ok=True)
    return found


@pytest.fixture(scope="session")
def shoot(shots: Path) -> Callable[[Any, str], None]:
    """A function that saves a window as a picture, whole."""
    return lambda page, name: page.screenshot(path=shots / f"{name}.png", full_page=True)
