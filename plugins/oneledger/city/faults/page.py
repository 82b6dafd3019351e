"""The matrix of faults as docs/faults.md: ``python -m oneledger.city.faults.page``."""

from __future__ import annotations

from oneledger.catalogue import door_problems
from oneledger.city.breaking import KINDS
from oneledger.city.faults.breakage import Breakage
from oneledger.settings import PROJECT_ROOT

PAGE = PROJECT_ROOT / "docs" / "faults.md"
_SECTIONS = (
    ("drops/zheliban", "Drop files of the portals"),
    ("drops/zhezhengding", ""),
    ("drops/finance", "Workbooks"),
    ("irs", "IRS and its HTTP API"),
    ("library", "Project library, a database"),
)
_COLUMNS = "| name | what is wrong | decision | what you see | what to do |\n|---|---|---|---|---|\n"
_HEAD = """# Faults

Written by `python -m oneledger.city.faults.page` from the faults themselves; a test keeps it up to date.

`oneledger city break NAME` spoils one thing in the synthetic city's source systems, `oneledger city mend NAME` (or
`--all`) undoes it exactly: the bytes from before are kept beside the city. `tests/faults/` injects each of the {count}
faults by name, carries it through the pipeline, and compares the marts after mending with those of a city that never
had it.

| decision | what becomes of the delivery |
|---|---|
| accept | it is taken without a word: it is only written otherwise |
| warn | it is taken, and its outcome says what is strange |
| quarantine | the wrong rows are held back whole, with reason and remedy; the others are taken |
| refuse | nothing of it is landed; its outcome says why, the other deliveries go on, and it is tried again |
| wait | it is not complete yet; a later run takes it |
| gate | it is taken, and a check of a gate speaks |
| reconcile | it is taken, and the published figures no longer come out |

The last column is what the outcome's remedy says in Chinese; it says the same in English, with names and numbers.
Each has a [runbook](runbooks/README.md), found by the name of its decision, rule or check: `oneledger runbook
truncated_file`.

What is decided can be changed for each source where the catalogue gives a choice:
[sources.md](sources.md#decisions-at-the-door). After an API mended records without marking them as changed, ask for
everything once: `oneledger ingest irs --anew`.
"""


def render() -> str:
    """The whole page."""
    parts = [_HEAD.format(count=len(KINDS))]
    for prefix, title in _SECTIONS:
        faults = [breakage for breakage in KINDS.values() if breakage.place.startswith(prefix)]
        if title:
            parts.append(f"\n## {title}\n\n{_COLUMNS}")
        parts += [_row(breakage) for breakage in faults]
    return "".join(parts)


def _row(breakage: Breakage) -> str:
    expected = breakage.expected
    known = door_problems().get(expected.problem)
    shows = f"`{expected.rule}`, " if expected.rule else ""
    seen = f"{expected.text} ({shows}`{expected.source}.{expected.entity}`)"
    todo = known.remedy_zh if known and known.remedy_zh != "无需处理" else _TODO[expected.decision]
    decided = f"{expected.decision} (`{known.key}`)" if known else expected.decision
    return f"| `{breakage.kind}` {breakage.title_zh} | {breakage.problem} | {decided} | {seen} | {todo} |\n"


# Where no decision of the catalogue says it: the remedy stands at the rule or the check.
_TODO = {
    "accept": "无需处理 nothing",
    "warn": "见结果记录的 remedy; see the remedy of the outcome",
    "quarantine": "`oneledger quarantine show` 列出每行的原因与处理办法 gives reason and remedy of each row",
    "refuse": "见结果记录的 remedy; see the remedy of the outcome",
    "wait": "无需处理 nothing: a later run takes it",
    "gate": "`oneledger checks --failed` 列出责任方与处理办法 names owner and remedy",
    "reconcile": "`oneledger reconcile` 列出差异 shows the difference; the source corrects the record",
}


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
