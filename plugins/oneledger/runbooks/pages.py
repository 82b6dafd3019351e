"""Reading the pages of ``docs/runbooks``: title, summary, failures, sections, and the commands within them."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.common.utils import escapeHtml
from markdown_it.token import Token

from oneledger.runbooks.catalogue import GROUPS, PAGES, page_of
from oneledger.settings import PROJECT_ROOT, ConfigurationError

FOLDER = PROJECT_ROOT / "docs" / "runbooks"
# The sections that every page has, in this order.
SECTIONS = {
    "What you see": "看到什么",
    "What it means": "是什么意思",
    "What to do": "怎么办",
    "How to know it's mended": "怎样知道已恢复",
}
# What runs as it stands; `sh` is for other machines and other people's systems.
RUNS, SHOWN_ONLY, ANSWER = "bash", "sh", "text"
_TITLE = re.compile(r"^(?P<en>.+?) · (?P<zh>.+)$")
_SUMMARY = "中文摘要："
_CODES = "Failures 故障代码: "


@dataclass(frozen=True)
class Block:
    """Commands of a page, and the lines that must be in what they answer (``…`` stands for anything)."""

    language: str
    commands: str
    answer: tuple[str, ...] = ()


@dataclass(frozen=True)
class Section:
    """One section: its titles, its tokens, and the commands in it."""

    title_en: str
    title_zh: str
    tokens: tuple[Token, ...]

    @property
    def blocks(self) -> list[Block]:
        fences = [token for token in self.tokens if token.type == "fence"]
        found = []
        for number, token in enumerate(fences):
            if token.info.strip() == ANSWER:
                continue
            after = fences[number + 1] if number + 1 < len(fences) else None
            is_answered = after is not None and after.info.strip() == ANSWER
            answer = tuple(after.content.splitlines()) if is_answered and after else ()
            found.append(
                Block(token.info.strip(), token.content, tuple(line.strip() for line in answer if line.strip()))
            )
        return found


@dataclass(frozen=True)
class Runbook:
    """One page."""

    name: str
    title_en: str
    title_zh: str
    summary_zh: str
    codes: tuple[str, ...]
    sections: tuple[Section, ...]
    text: str

    @property
    def seen(self) -> str:
        """The first sentence of what one sees, for lists."""
        inline = next((token for token in self.sections[0].tokens if token.type == "inline"), None)
        return " ".join((inline.content if inline else "").split())

    def section(self, title: str) -> Section:
        return next(one for one in self.sections if one.title_en == title)

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name, "title_en": self.title_en, "title_zh": self.title_zh, "summary_zh": self.summary_zh,
            "codes": list(self.codes), "seen": self.seen, "path": f"docs/runbooks/{self.name}.md",
        }  # fmt: skip


def parser() -> MarkdownIt:
    """Markdown as these pages are written: tables, and no HTML of their own."""
    return MarkdownIt("commonmark", {"html": False}).enable("table")


@cache
def read_page(name: str, folder: Path = FOLDER) -> Runbook:
    """One page.

    Raises:
        ConfigurationError: there is no such page, or it has not the form that all have.
    """
    path = folder / f"{name}.md"
    if name not in PAGES or not path.exists():
        raise ConfigurationError(f"There is no runbook {name!r}. `oneledger runbook` lists all of them.")
    text = path.read_text("utf-8")
    tokens = parser().parse(text)
    title = _TITLE.match(tokens[1].content if len(tokens) > 1 else "")
    sections = tuple(_sections(tokens))
    summary = next((t.content for t in tokens if t.type == "inline" and t.content.startswith(_SUMMARY)), "")
    if title is None or not summary or [one.title_en for one in sections] != list(SECTIONS):
        raise ConfigurationError(
            f"{path} must have a title `English · 中文`, a line `{_SUMMARY}…` and the sections {', '.join(SECTIONS)}."
        )
    return Runbook(
        name,
        title["en"],
        title["zh"],
        " ".join(summary.removeprefix(_SUMMARY).split()),
        codes_said(text),
        sections,
        text,
    )


def codes_said(text: str) -> tuple[str, ...]:
    """The failures that a page says it is about."""
    line = next((line for line in text.splitlines() if line.startswith(_CODES)), "")
    return tuple(re.findall(r"`([^`]+)`", line))


def codes_line(name: str) -> str:
    """The line of a page that says its failures."""
    return _CODES + ", ".join(f"`{code}`" for code in PAGES[name])


def all_pages() -> list[Runbook]:
    """Every page, in the order of what one sees."""
    return [read_page(name) for name in PAGES]


def grouped_pages() -> list[tuple[str, str, list[Runbook]]]:
    """(title zh, title en, pages), by what one sees first."""
    return [(zh, en, [read_page(name) for name in pages]) for zh, en, pages in GROUPS]


def find_page(asked: str) -> Runbook:
    """The page of a failure code, of the name of a page, or of the part of a code after its kind.

    Raises:
        ConfigurationError: nothing is called so; the message names what is spelt alike.
    """
    if asked in PAGES:
        return read_page(asked)
    codes = {code: page for page, of_page in PAGES.items() for code in of_page}
    if asked in codes:
        return read_page(codes[asked])
    if ":" in asked and asked.partition(":")[0] in ("row", "check"):
        return read_page(page_of(asked))
    found = {page for code, page in codes.items() if code.partition(":")[2].lower() == asked.lower()}
    if len(found) == 1:
        return read_page(found.pop())
    known = [*PAGES, *(code.partition(":")[2] for code in codes)]
    alike = sorted(found) or list(dict.fromkeys(difflib.get_close_matches(asked, known, 5, 0.5)))
    told = f"{'It may be one of' if found else 'Spelt alike'}: {', '.join(alike)}. " if alike else ""
    raise ConfigurationError(f"No runbook is called {asked!r}. {told}`oneledger runbook` lists all of them.")


def render(tokens: Sequence[Token], address_of: dict[str, str] | None = None) -> str:
    """HTML of tokens. Links to other runbooks lead to ``address_of[name]``; links to other files are plain text."""
    markdown = parser()
    # What may be wider than a phone scrolls in itself, by keyboard as well.
    markdown.add_render_rule("fence", _fence)
    markdown.add_render_rule("table_open", lambda *_: '<div class="wide" tabindex="0"><table>')
    markdown.add_render_rule("table_close", lambda *_: "</table></div>")
    kept = [_linked(token, address_of or {}) for token in tokens]
    return str(markdown.renderer.render(kept, markdown.options, {}))


def _fence(renderer: Any, tokens: Sequence[Token], index: int, *_: Any) -> str:
    answer = ' class="answer"' if tokens[index].info.strip() == ANSWER else ""
    return f'<pre tabindex="0"{answer}><code>{escapeHtml(tokens[index].content)}</code></pre>\n'


def _linked(token: Token, address_of: dict[str, str]) -> Token:
    if token.type != "inline" or not token.children:
        return token
    children: list[Token] = []
    is_dropped = False
    for child in token.children:
        if child.type == "link_open":
            name = str(child.attrs.get("href", "")).removesuffix(".md")
            is_dropped = name not in address_of
            if is_dropped:
                continue
            child = child.copy(attrs={"href": address_of[name]})
        elif child.type == "link_close" and is_dropped:
            is_dropped = False
            continue
        children.append(child)
    return token.copy(children=children)


def _sections(tokens: Sequence[Token]) -> Iterator[Section]:
    starts = [number for number, token in enumerate(tokens) if token.type == "heading_open" and token.tag == "h2"]
    for start, end in zip(starts, [*starts[1:], len(tokens)], strict=True):
        title = tokens[start + 1].content
        yield Section(title, SECTIONS.get(title, title), tuple(tokens[start + 3 : end]))
