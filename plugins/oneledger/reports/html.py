"""A circular as one HTML file: charts inside as SVG, no script, no other file; light, dark, on a phone and on paper."""

from __future__ import annotations

import functools

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from oneledger.reports.content import Circular
from oneledger.reports.layout import plain


def render_html(circular: Circular) -> str:
    """The page; equal circulars give equal pages."""
    content = plain(circular, is_for_screen=True)
    for section in content["sections"]:
        for block in section["blocks"]:
            if block["kind"] == "figure":
                # Drawn by us; the texts in it were escaped when it was drawn.
                block["svg"] = Markup(block["svg"])  # noqa: S704
    return _template().render(circular=content)


@functools.cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("oneledger.reports", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("circular.html")
