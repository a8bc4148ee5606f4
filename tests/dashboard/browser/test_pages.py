"""Every page in light, dark and on a phone: accessible, within its width, without errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from .conftest import MODES
from .conftest import Site

PAGES = {
    "overview": "",
    "usage": "/usage?span=24h&by=key",
    "requests": "/requests",
    "keys": "/keys",
    "key-new": "/keys/new",
    "teams": "/teams",
    "team": "/teams/research",
    "team-new": "/teams/new",
    "models": "/models",
    "playground": "/playground",
    "settings": "/settings",
    "nothing": "/nothing",
}


def problems(page: Any) -> list[str]:
    """Return what axe finds serious on *page*, and what is wider than it."""
    found = [
        f"{each['id']}: {each['nodes'][0]['html'][:200]}"
        for each in Axe().run(page).response["violations"]
        if each["impact"] in ("serious", "critical")
    ]
    width = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    return [*found, *page.problems, *(["too wide"] if width > 0 else [])]


@pytest.mark.parametrize("mode", MODES)
def test_every_page_is_fit_to_use(site: Site, mode: str, shoot: Callable[..., None]) -> None:
    page, found = site.open(mode), {}
    for name, path in PAGES.items():
        page.goto(f"{site.url}/ui{path}")
        shoot(page, f"{name}-{mode}")
        found[name] = problems(page)
    for name, link in (("key", "tbody th a >> nth=1"), ("request", "tbody th a >> nth=0")):
        page.goto(f"{site.url}/ui/{name}s")
        page.click(link)
        page.wait_for_selector("dl.facts")
        shoot(page, f"{name}-{mode}")
        found[name] = problems(page)

    assert {name: each for name, each in found.items() if each} == {}


@pytest.mark.parametrize("mode", MODES)
def test_the_pages_of_a_key_are_fit_to_use(
    site: Site, mode: str, shoot: Callable[..., None]
) -> None:
    page = site.open(mode, "sk-notebook-1")

    shoot(page, f"mine-{mode}")
    assert page.url == f"{site.url}/ui/mine"
    assert problems(page) == []
    assert page.locator("nav a:visible").all_inner_texts() in (["My usage", "Playground"], [])


@pytest.mark.parametrize("mode", MODES)
def test_a_gateway_that_no_one_has_used_is_explained(
    empty: Site, mode: str, shoot: Callable[..., None]
) -> None:
    page, found = empty.open(mode, key=None), {}
    shoot(page, f"login-{mode}")
    found["login"] = problems(page)
    page.fill("#key", "sk-wrong-key")
    page.click("button.main")
    shoot(page, f"login-wrong-{mode}")
    assert "not known here" in page.locator("[role=alert]").inner_text()
    found["wrong"] = problems(page)
    page = empty.open(mode)
    for name in ("", "usage", "requests", "keys", "teams"):
        page.goto(f"{empty.url}/ui/{name}")
        shoot(page, f"empty-{name or 'overview'}-{mode}")
        assert page.locator(".empty").count() == 1, name
        found[name] = problems(page)

    assert {name: each for name, each in found.items() if each} == {}


def test_a_phone_has_a_menu(site: Site, shoot: Callable[..., None]) -> None:
    page = site.open("phone")

    page.click("summary >> text=Menu")
    shoot(page, "menu-phone")
    page.click("nav a:visible >> text=Teams")

    assert page.locator("h1").inner_text() == "Teams"
