"""Runbooks in the browser: every page, in both languages, and the pages about quality that lead there."""

from __future__ import annotations

import re

from oneledger.runbooks import PAGES, page_of
from oneledger.runbooks.pages import SECTIONS, read_page

from .conftest import ClientOf

_LINK = re.compile(r'href="/runbooks/([a-z-]+)"')


def test_the_list_has_every_page_in_the_language_asked_for(client: ClientOf) -> None:
    for language in ("zh", "en"):
        text = client("viewer").get("/runbooks", params={"lang": language}).text
        assert set(_LINK.findall(text)) == set(PAGES)
        one = read_page("delivery-cut-off")
        assert (one.title_zh in text) == (language == "zh")
        assert (one.title_en in text) == (language == "en")


def test_every_page_has_its_sections_its_commands_and_links_that_lead_somewhere(client: ClientOf) -> None:
    for name in PAGES:
        answer = client("viewer").get(f"/runbooks/{name}", params={"lang": "zh"})
        assert answer.status_code == 200, name
        assert all(title in answer.text for title in SECTIONS.values()), name
        assert set(_LINK.findall(answer.text)) <= set(PAGES), name
        assert '.md"' not in answer.text, name
        assert f"oneledger runbook {name}" in answer.text
        assert '<pre tabindex="0"' in answer.text
    english = client("viewer").get("/runbooks/delivery-cut-off", params={"lang": "en"}).text
    assert all(f"<h2>{title}</h2>" in english.replace("&#39;", "'") for title in SECTIONS)


def test_what_no_runbook_is_called_is_not_found(client: ClientOf) -> None:
    assert client("viewer").get("/runbooks/no-such-page").status_code == 404
    assert client("viewer").get("/runbooks/..%2F..%2Fetc").status_code in (404, 422)
    assert client(None).get("/runbooks/delivery-cut-off").status_code == 303


def test_quality_and_the_page_of_a_check_lead_to_what_to_do(client: ClientOf) -> None:
    quality = client("viewer").get("/quality", params={"lang": "en"}).text
    assert 'href="/runbooks"' in quality
    checks = re.findall(r'href="/quality/checks/(\w+)"', quality)
    for check in checks[:3]:
        assert f'href="/runbooks/{page_of(f"check:{check}")}"' in quality
        text = client("viewer").get(f"/quality/checks/{check}", params={"lang": "en"}).text
        assert f'href="/runbooks/{page_of(f"check:{check}")}"' in text
    assert checks


def test_the_quarantine_leads_to_what_to_do_about_each_rule(client: ClientOf) -> None:
    text = client("auditor").get("/quality/quarantine", params={"lang": "en"}).text
    if "<table" in text and "Nothing is kept out" not in text:
        assert _LINK.search(text)
