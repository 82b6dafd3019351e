"""The seed of Chinese holidays and make-up working days, written once from the package `chinesecalendar`.

The models read the seed, never the package: the calendar that a result was computed with is in the
repository. After the State Council's General Office announced another year and the package has it:

    python -m oneledger.warehouse.working_days
"""

from __future__ import annotations

import csv
import io
from importlib.metadata import version
from pathlib import Path

from oneledger.settings import load_settings

FIRST_YEAR = 2020
COLUMNS = ("exception_on", "is_working_day", "holiday_name_zh", "holiday_name_en", "source")


def seed_text() -> str:
    """The seed as CSV: one row a holiday or make-up working day from 2020 to the last year the package knows."""
    from chinese_calendar import constants

    source = f"chinesecalendar {version('chinesecalendar')} (国务院办公厅节假日安排通知)"
    chinese = {holiday.value: holiday.chinese for holiday in constants.Holiday}
    named = [(day, "false", name) for day, name in constants.holidays.items()]
    named += [(day, "true", name) for day, name in constants.workdays.items()]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for day, is_working_day, name in sorted(named):
        if day.year >= FIRST_YEAR:
            writer.writerow([day.isoformat(), is_working_day, chinese[name], name, source])
    return text.getvalue()


def seed_path(dbt_project_dir: Path) -> Path:
    return dbt_project_dir / "seeds" / "working_day_exception.csv"


if __name__ == "__main__":
    seed_path(load_settings().dbt_project_dir).write_text(seed_text(), encoding="utf-8")
