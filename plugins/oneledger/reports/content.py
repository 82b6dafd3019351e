"""What a circular says, before anybody draws it: sections, tables, figures and sentences, in one language.

Every number stands here as the text that is printed, with its unit. The renderers (``html``, ``pdf``, ``word``) lay
this out and compute nothing, so that three files of one circular cannot say three things.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from oneledger.charts.palette import Palette

Language = Literal["zh", "en"]
LANGUAGES: tuple[Language, ...] = ("zh", "en")
Tone = Literal["plain", "good", "warn", "bad", "muted"]


@dataclass(frozen=True)
class Paragraph:
    """Running text. ``lead`` marks the words that it begins with, as a circular numbers its points."""

    text: str
    lead: str = ""


@dataclass(frozen=True)
class Bullets:
    """Short points, each a sentence."""

    items: tuple[str, ...]


@dataclass(frozen=True)
class Notice:
    """Something that must not be overlooked: what is withheld, missing, or has nothing to compare with."""

    text: str
    tone: Tone = "muted"


@dataclass(frozen=True)
class KeyFigure:
    """One number of a strip: what it is, the number as printed, its unit, and a word on it (change, target, date)."""

    label: str
    value: str
    unit: str
    note: str = ""
    tone: Tone = "plain"


@dataclass(frozen=True)
class KeyFigures:
    """A strip of numbers."""

    items: tuple[KeyFigure, ...]


@dataclass(frozen=True)
class Column:
    """A column of a table. ``width`` is its part of the line, beside the widths of the others."""

    title: str
    unit: str = ""
    is_number: bool = False
    width: float = 1.0

    @property
    def heading(self) -> str:
        return (
            f"{self.title}（{self.unit}）"
            if self.unit and _is_chinese(self.title)
            else (f"{self.title} ({self.unit})" if self.unit else self.title)
        )


@dataclass(frozen=True)
class Table:
    """Rows of printed cells under headings that repeat on each page; ``total`` is a last row that adds up the others.

    Attributes:
        table_id: names it among the others (``ranking``), for anchors and tests.
        empty: the sentence that stands in its place when it has no rows.
        note: what must be known to read it.
    """

    table_id: str
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]
    total: tuple[str, ...] | None = None
    note: str = ""
    empty: str = ""


@dataclass(frozen=True)
class Figure:
    """A chart: how it is drawn in a palette, what it shows, and what those who do not see it are told."""

    figure_id: str
    caption: str
    alt: str
    chart: Callable[[Palette], dict[str, Any]]


@dataclass(frozen=True)
class Definitions:
    """Words and what they mean."""

    items: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Commands:
    """Commands to type, each with what it shows."""

    items: tuple[tuple[str, str], ...]


Block = Paragraph | Bullets | Notice | KeyFigures | Table | Figure | Definitions | Commands


@dataclass(frozen=True)
class Section:
    """A part of a circular. ``number`` is printed before the title (``一、``, ``Annex 1``)."""

    section_id: str
    number: str
    title: str
    blocks: tuple[Block, ...]
    is_annex: bool = False

    @property
    def heading(self) -> str:
        return f"{self.number}{self.title}"


@dataclass(frozen=True)
class Seal:
    """How the paper is tied to what lies in the system.

    Attributes:
        run_id, version: the evaluation run and the published version.
        content_hash: of the version's data.
        rules_hash: of the rules in force.
        anchor: head of the ledger of seals when the run was sealed; None when nothing sealed it.
        sequence: its entry in the ledger.
        inputs_hash: over all of these, what this circular was made from.
    """

    run_id: str
    version: str
    content_hash: str
    rules_hash: str
    anchor: str | None
    sequence: int | None
    inputs_hash: str


@dataclass(frozen=True)
class Circular:
    """A whole circular in one language.

    Attributes:
        banner: the name of who issues it, at the head of the first page.
        kind: what it is (``通报``).
        about: what the head says of it, label and text.
        opening: to whom, and why it is sent.
        signature: who issues it and on which day, at the end of the text.
        synthetic: what is said on each page when the data are generated; empty for real ones.
        watermark: on each page of a draft; empty for a confirmed one.
        words: fixed words that renderers print (page, contents …).
    """

    language: Language
    banner: str
    kind: str
    title: str
    subtitle: str
    running_title: str
    about: tuple[tuple[str, str], ...]
    opening: tuple[str, ...]
    sections: tuple[Section, ...]
    signature: tuple[str, str]
    seal: Seal
    synthetic: str
    watermark: str
    words: dict[str, str] = field(default_factory=dict)

    def tables(self) -> Iterator[Table]:
        """Every table, in the order of the sections."""
        for section in self.sections:
            for block in section.blocks:
                if isinstance(block, Table):
                    yield block

    def table(self, table_id: str) -> Table:
        """The table of this name; raises KeyError when there is none."""
        for one in self.tables():
            if one.table_id == table_id:
                return one
        raise KeyError(table_id)


def _is_chinese(text: str) -> bool:
    return any("\u4e00" <= letter <= "\u9fff" for letter in text)
