"""Templates filled: one Jinja environment, everything escaped, a name that is not given is an error."""

from __future__ import annotations

import dataclasses
import functools
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse

from oneledger.audit.anchors import current_anchor
from oneledger.web import formats
from oneledger.web.access import Visitor
from oneledger.web.language import Language
from oneledger.web.navigation import NAVIGATION, is_within
from oneledger.web.static import asset_address

TEMPLATES = Path(__file__).with_name("templates")


def show(
    request: Request, template: str, language: Language, *, status_code: int = 200, **context: Any
) -> HTMLResponse:
    """The template with its context as an answer.

    Templates have beside their context: ``t(zh, en)``, ``url(path, **query)``, ``link(**query)`` (this page with other
    parameters), ``asset(name)``, ``svg(text)``, and the filters of ``formats``.
    """
    root = request.scope.get("root_path", "")

    def url(path: str, **query: Any) -> str:
        given = {name: one for name, one in query.items() if one not in (None, "")}
        return f"{root}{path}" + (f"?{urlencode(given, doseq=True)}" if given else "")

    def link(**query: Any) -> str:
        path = request.url.path.removeprefix(root)
        return url(path, **{**dict(request.query_params), **query})

    return HTMLResponse(
        _environment(language)
        .get_template(template)
        .render(
            {
                "language": language,
                "t": language.pick,
                "url": url,
                "link": link,
                "asset": lambda name: root + asset_address(name),
                "path": request.url.path.removeprefix(root),
                "navigation": NAVIGATION,
                "is_within": is_within,
                "visitor": _shown_visitor(request),
                "is_embedded": request.app.state.is_embedded,
                "anchor": functools.partial(current_anchor, request.app.state.settings),
                **context,
            }
        ),
        status_code=status_code,
    )


def _shown_visitor(request: Request) -> Visitor | None:
    """The visitor; in a page that is remembered for others with a place in it instead of the name."""
    visitor: Visitor | None = getattr(request.state, "visitor", None)
    place: str | None = getattr(request.state, "shown_name", None)
    return dataclasses.replace(visitor, name=place) if visitor and place else visitor


@functools.cache
def _environment(language: Language) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "number": formats.number,
        "rate": formats.rate,
        "signed": formats.signed,
        "money": functools.partial(formats.money, language=language),
        "compact": functools.partial(formats.compact, language=language),
        "day": formats.day,
        "month": formats.month,
        "moment": formats.moment,
        "cell": formats.value,
        "grain": functools.partial(formats.grain, language=language),
        "described": functools.partial(formats.described, language=language),
        # Only for what charts.render drew.
        "svg": Markup,
    }
    # Macros of components.html are imported without context; these two are all that they need of it.
    environment.globals |= {"t": language.pick, "language": language}
    return environment
