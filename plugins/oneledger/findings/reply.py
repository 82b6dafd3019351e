"""The audited office's own words on each finding: the passages of its published reply."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path

import yaml

_REPLIES = Path(__file__).parent


@dataclass(frozen=True)
class Passage:
    """What a reply says on one finding, quoted in the language in which it was published.

    Attributes:
        found: the finding as the audit put it.
        requirement: what the audit asks for.
        done: what the office says it did, by paragraph.
        reply, index_number, published_on: the document that it is quoted from.
    """

    number: int
    found: str
    requirement: str
    done: tuple[str, ...]
    reply: str
    index_number: str
    published_on: str


def passage(list_year: int, title: str) -> Passage | None:
    """The passage on the finding of this title; None when the reply to that year's list is not ours to quote."""
    return next((one for one in _passages(list_year) if one.found.startswith(title)), None)


@functools.cache
def _passages(list_year: int) -> tuple[Passage, ...]:
    path = _REPLIES / f"audit_reply_{list_year}.yml"
    if not path.is_file():
        return ()
    reply = yaml.safe_load(path.read_text(encoding="utf-8"))
    return tuple(
        Passage(
            number=one["number"], found=one["found"], requirement=one["requirement"], done=tuple(one["done"]),
            reply=reply["title"], index_number=reply["index_number"], published_on=str(reply["published_on"]),
        )
        for one in reply["passages"]
    )  # fmt: skip
