"""Chinese for the descriptions of tables and columns, which the models write in English: ``descriptions_zh.csv``.

By the English text itself, as the models hold it. A description that was changed has no Chinese until somebody writes
it again, so that the two never say different things; a test names what lacks one, and so does
``python -m oneledger.catalogue.descriptions``.
"""

from __future__ import annotations

import csv
import functools
import sys
from collections.abc import Iterable
from pathlib import Path

from oneledger.settings import load_settings

FILE = Path(__file__).with_name("descriptions_zh.csv")


def chinese_of(description: str) -> str | None:
    """What a description says in Chinese; None when nobody has written it."""
    return _by_english().get(_line(description))


def without_chinese(descriptions: Iterable[str]) -> list[str]:
    """Those of these descriptions that have none, each once."""
    known = _by_english()
    return sorted({line for one in descriptions if (line := _line(one)) and line not in known})


@functools.cache
def _by_english() -> dict[str, str]:
    with FILE.open(encoding="utf-8", newline="") as file:
        return {_line(row["english"]): row["chinese"].strip() for row in csv.DictReader(file)}


def _line(text: str) -> str:
    return " ".join(text.split())


def published_descriptions() -> list[str]:
    """Every description of a published table, its columns, and the rules that it rests on, of the current version."""
    from oneledger.lineage.ground import read_models
    from oneledger.publishing.versions import resolve

    models = read_models(resolve(load_settings()))
    found = []
    for one in models.relations.values():
        if one.schema in ("marts", "evaluation") or one.kind == "seed":
            found += [one.description, *(str(column.get("description") or "") for column in one.columns.values())]
    return found


def main() -> int:
    """Print what lacks Chinese as lines for the file; 1 when anything does."""
    missing = without_chinese(published_descriptions())
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerows((line, "") for line in missing)
    return 1 if missing else 0


if __name__ == "__main__":
    raise SystemExit(main())
