"""Walking through the pages by their own links: a few of each kind, so that no page is forgotten and none twice."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from urllib.parse import parse_qsl, urlsplit

# Of pages that differ only in what they are about (an app, a table, a batch), or in the values of their parameters, so
# many are looked at.
OF_A_KIND = 1
# Links that download, log out or change the language lead to no further page.
_NO_PAGE = re.compile(r"^/(api|static|login|logout|enter)(/|$)|/download|\.(csv|xlsx|parquet|json|yml|html|pdf|docx)$")
_NAME = re.compile(r"[0-9]|[A-Z]|[一-鿿]|[._]|%")


def kind_of(path: str) -> str:
    """Paths whose parts are names of things are of one kind; the parameters count by their names."""
    parts = urlsplit(path)
    steps = ["*" if _NAME.search(step) else step for step in parts.path.split("/")]
    if steps[:2] == ["", "runbooks"]:  # named in words, and all of one form
        steps[2:] = ["*" for _ in steps[2:]]
    names = sorted({name for name, _ in parse_qsl(parts.query, keep_blank_values=True)})
    return "/".join(steps) + ("?" + "&".join(names) if names else "")


def is_page(link: str, address: str) -> bool:
    """Whether a whole address lies below ``address`` and leads to a page."""
    parts = urlsplit(link)
    return f"{parts.scheme}://{parts.netloc}" == address and not _NO_PAGE.search(parts.path)


class Walk:
    """Pages still to be seen, breadth first from the overview."""

    def __init__(self, start: str = "/") -> None:
        self._waiting = [start]
        self._known = {start}
        self._kinds: Counter[str] = Counter({kind_of(start): 1})
        self.seen: list[str] = []

    def __iter__(self) -> Iterator[str]:
        while self._waiting:
            path = self._waiting.pop(0)
            self.seen.append(path)
            yield path

    def take_links(self, links: Iterable[str], address: str) -> None:
        """Note where a page leads: whole addresses, of which those below ``address`` count."""
        for link in links:
            if not is_page(link, address):
                continue
            parts = urlsplit(link)
            path = parts.path + (f"?{parts.query}" if parts.query else "")
            kind = kind_of(path)
            if path in self._known or "lang=" in parts.query or self._kinds[kind] >= OF_A_KIND:
                continue
            self._known.add(path)
            self._kinds[kind] += 1
            self._waiting.append(path)
