"""How much goes out at once; more is asked for page by page or narrowed by filters."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Caps:
    """Limits of one answer, in rows.

    Attributes:
        page: the most that ``limit`` may say.
        file: of a CSV or Parquet file without ``limit``.
        sheet: of a workbook.
        offset: how far paging by number goes; the cursor has no end.
        fact_without_month: a daily fact with more rows than this is asked for month by month.
    """

    page: int = 10_000
    file: int = 2_000_000
    sheet: int = 200_000
    offset: int = 1_000_000
    fact_without_month: int = 5_000_000


CAPS = Caps()
PAGE_ROWS = 100
