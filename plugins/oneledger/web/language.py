"""Chinese or English: which one a visitor reads, and how a text stands in both."""

from __future__ import annotations

import enum

from starlette.requests import Request

COOKIE = "oneledger_language"


class Language(enum.StrEnum):
    """The two languages of pages and reports; Chinese when a visitor says nothing."""

    ZH = "zh"
    EN = "en"

    @property
    def tag(self) -> str:
        """For ``<html lang>``."""
        return "zh-CN" if self is Language.ZH else "en"

    def pick(self, zh: str, en: str) -> str:
        return zh if self is Language.ZH else en


def language_of(request: Request) -> Language:
    """The language asked for in the address, else kept in the cookie, else preferred by the browser.

    Inside Airflow the page's script writes the cookie after Airflow's own choice (``static/early.js``).
    """
    for wish in (request.query_params.get("lang"), request.cookies.get(COOKIE)):
        if wish in (Language.ZH, Language.EN):
            return Language(wish)
    for part in request.headers.get("accept-language", "").split(","):
        tag = part.split(";")[0].strip().lower()
        if tag.startswith(Language.ZH):
            return Language.ZH
        if tag.startswith(Language.EN):
            return Language.EN
    return Language.ZH
