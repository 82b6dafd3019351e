"""Runbooks: for each failure one page: what you see, what it means, what to do, how to know it's mended."""

from oneledger.runbooks.catalogue import (
    PAGES,
    SITUATIONS,
    code_of_check,
    code_of_outcome,
    code_of_row_rule,
    page_of,
    runbook_command,
)

__all__ = [
    "PAGES",
    "SITUATIONS",
    "code_of_check",
    "code_of_outcome",
    "code_of_row_rule",
    "page_of",
    "runbook_command",
]
