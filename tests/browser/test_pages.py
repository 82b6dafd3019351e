"""Every page in a real Chromium: both languages, light and dark, phone and paper, with and without a login."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext

from oneledger.web.navigation import NAVIGATION
from tests.browser.conftest import Site, Visit, log_in, visit
from tests.browser.walking import Walk, kind_of
from tests.evaluation.story import Story

pytestmark = pytest.mark.slow

_CHINESE = re.compile(r"[一-鿿]")
# Links in drawings hold their address in another way than those in text.
READ_LINKS = """links => links.map(
    one => new URL(one.getAttribute('href') ?? one.getAttribute('xlink:href'), document.baseURI).href
)"""
# A page is scanned as it lies there: axe's own loading of style sheets would be another request.
_AXE = {"preload": False, "resultTypes": ["violations"]}
_SERIOUS = {"serious", "critical"}
# Words of our own, which stand in the visitor's language; names out of the data stay as they are.
_OWN_WORDS = "nav a, h2, th, label, button, legend, summary, .badge, .figure .label, .idea"


@pytest.fixture(scope="module")
def engineers(chromium: Browser, site: Site) -> Iterator[BrowserContext]:
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    log_in(context, site, "engineer")
    yield context
    context.close()


@pytest.fixture(scope="module")
def walked(engineers: BrowserContext, site: Site) -> list[str]:
    """Addresses of pages, found by following links; each opened, and without complaint."""
    seen = visit(engineers, site)
    walk = Walk()
    wrong = []
    for path in walk:
        status = seen.open(path)
        if status != 200:
            wrong.append(f"{path}: {status}")
            continue
        links = seen.page.eval_on_selector_all("a[href]", READ_LINKS)
        walk.take_links(links, site.address)
    seen.page.close()
    assert not wrong, "links that lead nowhere:\n" + "\n".join(wrong)
    assert not seen.complaints, "\n".join(seen.complaints)
    return walk.seen


@pytest.fixture(scope="module")
def paths(walked: list[str]) -> list[str]:
    """One address of each kind of page, whatever its parameters."""
    first: dict[str, str] = {}
    for path in walked:
        first.setdefault(kind_of(path.partition("?")[0]), path)
    return list(first.values())


def test_links_lead_to_every_place_of_the_navigation(walked: list[str]) -> None:
    assert {place.path for place in NAVIGATION} <= set(walked)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_own_words_of_every_page_are_in_the_language_asked_for(
    engineers: BrowserContext, site: Site, paths: list[str], language: str
) -> None:
    engineers.add_cookies([{"name": "oneledger_language", "value": language, "url": site.address}])
    seen = visit(engineers, site)
    wrong = []
    for path in paths:
        seen.open(path)
        assert seen.page.locator("html").get_attribute("lang") == {"zh": "zh-CN", "en": "en"}[language]
        words = seen.page.eval_on_selector_all(
            f":is({_OWN_WORDS}):not([lang]):not([data-value]):not([data-value] *)",
            "all => all.map(one => one.innerText.trim())",
        )
        if language == "en":
            wrong += [f"{path}: {word!r}" for word in words if _CHINESE.search(word)]
        else:
            assert any(_CHINESE.search(word) for word in words), path
    seen.page.close()
    assert not wrong, "\n".join(wrong[:60])


def test_no_page_has_a_serious_accessibility_problem(chromium: Browser, site: Site, paths: list[str]) -> None:
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    log_in(context, site, "engineer")
    seen = visit(context, site)
    axe = Axe()
    wrong = []
    for path in paths:
        seen.page.emulate_media(color_scheme="light")
        seen.open(path)
        found = {"light": axe.run(seen.page, options=_AXE)}
        # Light and dark differ in their colours alone.
        seen.page.emulate_media(color_scheme="dark")
        found["dark"] = axe.run(seen.page, options={**_AXE, "runOnly": ["color-contrast"]})
        wrong += [
            f"{path} {theme}: {one['id']} ({one['impact']}), {one['help']}: {one['nodes'][0]['html'][:160]}"
            for theme, answer in found.items()
            for one in answer.response["violations"]
            if one["impact"] in _SERIOUS
        ]
    context.close()
    assert not wrong, "\n".join(wrong)


def test_every_page_fits_a_phone_without_scrolling_sideways(chromium: Browser, site: Site, paths: list[str]) -> None:
    context = chromium.new_context(viewport={"width": 390, "height": 844}, device_scale_factor=1, is_mobile=True)
    log_in(context, site, "engineer")
    seen = visit(context, site)
    wide = []
    for path in paths:
        seen.open(path)
        width = seen.page.evaluate("document.documentElement.scrollWidth")
        if width > 390:
            wide.append(f"{path}: {width} px")
    context.close()
    assert not wide, "\n".join(wide)


def test_without_scripts_every_page_still_shows_its_heading_and_its_numbers(
    chromium: Browser, site: Site, paths: list[str]
) -> None:
    context = chromium.new_context(java_script_enabled=False)
    log_in(context, site, "engineer")
    seen = visit(context, site)
    for path in paths:
        assert seen.open(path) == 200
        assert seen.page.locator("main h1").count() == 1, f"{path} has not just one first heading"
    context.close()
    assert not seen.complaints, "\n".join(seen.complaints)


def test_somebody_not_logged_in_is_sent_to_the_login_from_every_page_and_nothing_leaks(
    chromium: Browser, site: Site, paths: list[str], story: Story
) -> None:
    context = chromium.new_context()
    seen = visit(context, site)
    for path in paths:
        seen.open(path)
        assert seen.page.url.startswith(f"{site.address}/login"), path
        text = seen.page.content()
        assert story.second_version not in text, path
        assert "nav aria-label" not in text, path
    context.close()


def test_the_keyboard_reaches_the_content_first(engineers: BrowserContext, site: Site) -> None:
    seen: Visit = visit(engineers, site)
    seen.open("/")
    seen.page.keyboard.press("Tab")
    assert seen.page.evaluate("document.activeElement.className") == "skip"
    seen.page.keyboard.press("Enter")
    assert seen.page.url.endswith("#content")
    seen.page.close()


def test_the_language_switch_stays_on_the_page_and_is_kept(chromium: Browser, site: Site) -> None:
    context = chromium.new_context(locale="zh-CN")
    log_in(context, site, "viewer")
    seen = visit(context, site)
    seen.open("/?version=current")
    seen.page.get_by_text("English", exact=True).click()
    assert seen.page.locator("html").get_attribute("lang") == "en"
    assert "version=current" in seen.page.url
    seen.open("/")
    assert seen.page.locator("html").get_attribute("lang") == "en"
    context.close()
