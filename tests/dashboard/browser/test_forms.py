"""What a person does: by mouse, by keyboard alone, without JavaScript."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import requests
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from .conftest import MASTER
from .conftest import Site


def create(page: Any, site: Site, alias: str) -> str:
    """Return the value of a key that the form made."""
    page.goto(f"{site.url}/ui/keys/new")
    page.fill("#key_alias", alias)
    page.fill("#max_budget", "3")
    page.select_option("#budget_duration", "30d")
    page.fill("#models", "gpt-4o")
    page.click("text=Create key")
    found: str = page.locator("#value").inner_text()
    return found


def test_a_key_is_made_raised_rotated_blocked_and_deleted(
    site: Site, shoot: Callable[..., None]
) -> None:
    page = site.open()
    key = create(page, site, "by hand")
    shoot(page, "key-created-light")
    assert serious(page) == []
    assert site.chat(key)["choices"]

    page.click("text=Open the page of by hand")
    page.fill("#max_budget", "4.5")
    page.click("text=Save")
    assert "$4.50 per 1mo" in page.locator("tbody").first.inner_text()
    page.click("button >> text=Block")
    assert "refused" in page.locator("[role=status]").inner_text()
    assert "blocked" in site.chat(key)["error"]["message"]
    page.click("button >> text=Unblock")
    page.click("button >> text=Rotate")
    rotated = page.locator("#value").inner_text()
    assert rotated != key and site.chat(rotated)["choices"]

    page.click("text=Open the page of by hand")
    page.click("button >> text=Delete")  # the box is empty: the browser asks for it
    assert site.chat(rotated)["choices"]
    page.check("[name=confirmed]")
    page.click("button >> text=Delete")
    assert "deleted" in page.locator("[role=status]").inner_text()
    assert site.chat(rotated)["error"]["code"] == "invalid_api_key"
    assert page.problems == []


def test_what_is_wrong_in_a_form_is_shown_beside_it(site: Site, shoot: Callable[..., None]) -> None:
    page = site.open()
    page.goto(f"{site.url}/ui/keys/new")
    page.fill("#key_alias", "wrong")
    page.fill("#max_budget", "a lot")
    page.click("text=Create key")

    shoot(page, "key-wrong-light")
    assert "must be a number" in page.locator("[role=alert]").inner_text()
    assert page.input_value("#key_alias") == "wrong"
    assert page.get_attribute("#max_budget", "aria-invalid") == "true"
    assert serious(page) == []


def test_by_keyboard_alone(site: Site, shoot: Callable[..., None]) -> None:
    page = site.open(key=None)
    page.keyboard.type(MASTER)  # the field has the focus
    page.keyboard.press("Enter")
    page.wait_for_url(f"{site.url}/ui")
    page.keyboard.press("Tab")
    assert focused(page) == "Skip to content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"

    page.goto(f"{site.url}/ui/keys")
    reach(page, "New key")
    shoot(page, "keyboard-light")
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    page.keyboard.press("Enter")
    page.wait_for_url("**/keys/new")
    reach(page, "", "key_alias")
    page.keyboard.type("typed")
    page.keyboard.press("Enter")

    assert page.locator("#value").inner_text().startswith("sk-")


def focused(page: Any) -> str:
    """Return the text of what has the focus."""
    found: str = page.evaluate("(document.activeElement.innerText || '').trim()")
    return found


def reach(page: Any, text: str, id: str = "") -> None:
    """Press Tab until what has *text*, or *id*, has the focus."""
    for _ in range(60):
        page.keyboard.press("Tab")
        if id and page.evaluate("document.activeElement.id") == id:
            return
        if not id and focused(page) == text:
            return
    raise AssertionError(f"{text or id} cannot be reached by Tab")


def test_without_javascript(site: Site) -> None:
    page = site.open(java_script_enabled=False)

    key = create(page, site, "without script")
    page.goto(f"{site.url}/ui/requests")

    assert site.chat(key)["choices"]
    assert not page.locator("#tail").is_visible()
    page.goto(f"{site.url}/ui/playground")
    assert "needs JavaScript" in page.locator("main").inner_text()
    page.goto(f"{site.url}/ui/keys?q=without")
    assert page.locator("tbody tr").count() == 1


def test_models_are_tested_by_a_button(site: Site, shoot: Callable[..., None]) -> None:
    page = site.open()
    page.goto(f"{site.url}/ui/models")

    page.click("[aria-label='Test gpt-4o at echo/gpt-4o']")
    assert "was answered in" in page.locator("[role=status]").inner_text()
    page.click("[aria-label='Test out-of-reach at openai/gpt-4o-mini']")

    shoot(page, "model-tested-light")
    assert "failed after" in page.locator("[role=status]").inner_text()


def test_new_requests_appear_while_they_are_followed(site: Site) -> None:
    page = site.open()
    page.goto(f"{site.url}/ui/requests?model=claude-sonnet-4-5")
    before = page.locator("tbody tr").count()

    page.click("#tail")
    site.chat("sk-notebook-1")  # may not use it, and is not listed
    key = site.api("/key/generate", {})["key"]
    site.chat(key, "claude-sonnet-4-5")

    expect(page.locator("tbody tr")).to_have_count(before + 1, timeout=20_000)
    assert page.get_attribute("#tail", "aria-pressed") == "true"
    page.click("#tail")
    assert page.locator("#tail").inner_text() == "Follow live"
    assert page.problems == []


def test_models_are_compared_in_the_playground(site: Site, shoot: Callable[..., None]) -> None:
    page = site.open()
    page.goto(f"{site.url}/ui/playground")
    page.click("#more")
    page.fill("#system", "Be brief.")
    page.fill("#message", "What is a gateway?")
    page.keyboard.press("Control+Enter")
    expect(page.locator(".numbers:not(:empty)")).to_have_count(2, timeout=20_000)

    assert page.locator(".words").all_inner_texts() == ["What is a gateway?"] * 2
    numbers = page.locator(".numbers").all_inner_texts()
    assert all("tokens" in each and "$0.000" in each and "first token" in each for each in numbers)
    page.click("summary >> text=Raw events >> nth=0")
    assert "data: [DONE]" in page.locator(".said details pre.wrap").nth(1).inner_text()
    page.click("summary >> text=As code")
    assert "Be brief." in page.locator("#code").inner_text()
    for language, words in (("python", "from openai"), ("js", "import OpenAI"), ("curl", "curl ")):
        page.select_option("#language", language)
        assert words in page.locator("#code").inner_text()
    shoot(page, "playground-used-light")
    assert serious(page) == []
    page.click("text=Remove")
    page.select_option("[name=model]", "out-of-reach")
    page.fill("#message", "Hello?")
    page.click("#send")
    page.wait_for_selector(".column .notice.bad")
    shoot(page, "playground-error-light")
    page.click("summary >> text=Tools")
    page.fill("#tools", "{")
    page.fill("#message", "Hello?")
    page.click("#send")
    assert "not valid JSON" in page.locator("#problem").inner_text()
    assert page.problems == []


def test_the_command_of_a_request_works(site: Site) -> None:
    page = site.open()
    page.goto(f"{site.url}/ui/requests?status=ok")
    page.click("tbody th a >> nth=0")

    command = page.locator("#curl").inner_text()

    assert command.startswith(f"curl {site.url}/v1/chat/completions")
    assert MASTER not in command and "YOUR_KEY" in command


def test_logging_out_everywhere_ends_the_other_window(site: Site) -> None:
    one, other = site.open(), site.open()
    one.goto(f"{site.url}/ui/settings")
    one.click("text=Log out everywhere")

    assert "logged out on every device" in one.locator("[role=status]").inner_text()
    other.goto(f"{site.url}/ui/keys")
    assert other.url == f"{site.url}/ui/login?next=/ui/keys"


def test_another_site_can_neither_frame_nor_read_it(site: Site) -> None:
    got = requests.get(f"{site.url}/ui/login", headers={"Origin": "https://x.example"}, timeout=9)

    assert got.headers["X-Frame-Options"] == "DENY"
    assert "Access-Control-Allow-Origin" not in got.headers


def serious(page: Any) -> list[str]:
    """Return what axe finds serious on *page*."""
    found = Axe().run(page).response["violations"]
    return [each["id"] for each in found if each["impact"] in ("serious", "critical")]
