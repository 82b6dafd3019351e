"""The list of decisions at the door as a table for docs/sources.md: ``python -m oneledger.catalogue.decision_page``."""

from __future__ import annotations

from oneledger.catalogue.decisions import door_problems
from oneledger.settings import PROJECT_ROOT

BEGIN = "<!-- decisions: written by python -m oneledger.catalogue.decision_page -->"
END = "<!-- end of decisions -->"
_PAGE = PROJECT_ROOT / "docs" / "sources.md"


def render() -> str:
    """One row a problem: its key, what it is, the choices (the default first), where it occurs."""
    lines = [
        "| key | what can be wrong | 问题 | choices, default first | connectors |",
        "|---|---|---|---|---|",
    ]
    for problem in door_problems().values():
        choices = [problem.default, *(choice for choice in problem.choices if choice != problem.default)]
        lines.append(
            f"| `{problem.key.removeprefix('decisions.')}` | {problem.title_en} | {problem.title_zh} "
            f"| {', '.join(f'`{choice}`' for choice in choices)} | {', '.join(problem.connectors)} |"
        )
    return "\n".join(lines)


def with_table(page: str) -> str:
    """The page with its table brought up to date."""
    before, rest = page.split(BEGIN, 1)
    after = rest.split(END, 1)[1]
    return f"{before}{BEGIN}\n\n{render()}\n\n{END}{after}"


if __name__ == "__main__":
    _PAGE.write_text(with_table(_PAGE.read_text(encoding="utf-8")), encoding="utf-8")
