"""Numbers that more than one section tells, each computed in one place."""

from __future__ import annotations

from typing import Any

from oneledger.reports.facts import Facts, Row
from oneledger.reports.wording import NONE, Wording


def with_stars(facts: Facts) -> int:
    return sum(facts.distribution[band] for band in ("5", "4", "3"))


def scored(facts: Facts) -> int:
    return facts.population - facts.distribution["withheld"]


def star_bands(facts: Facts) -> list[Any]:
    """The rows of the star bands in force at the end of the period, highest first."""
    day = facts.period_end_on.isoformat()
    found = [
        row
        for row in facts.rules.rows("star_band")
        if row["effective_from"] <= day and (not row["effective_to"] or row["effective_to"] >= day)
    ]
    return sorted(found, key=lambda row: -float(row["minimum_score"]))


def mean_score(facts: Facts) -> float | None:
    known = [row["score"] for row in facts.ranking if row["score"] is not None]
    return sum(known) / len(known) if known else None


def level_name(facts: Facts, words: Wording) -> str:
    return words.term("level", facts.run.record["round"]["level"])


def finding_counts(facts: Facts) -> tuple[int, int]:
    """How many findings are closed, and how many are overdue."""
    return (
        sum(row["state"] == "closed" for row in facts.findings),
        sum(bool(row["is_overdue"]) for row in facts.findings),
    )


def growth(facts: Facts) -> float | None:
    """New requests of the period against the same months a year before."""
    before = facts.sharing["year_before_count"]
    return facts.sharing["requests_count"] / float(before) - 1 if before else None


def newest_released_ledger(facts: Facts) -> Row | None:
    """The newest ledger of the city of whose publication and release the days are known."""
    known = [
        row for row in facts.ledgers if row["ledger_level"] == "city" and row["publish_to_release_days"] is not None
    ]
    return known[-1] if known else None


def month_sum(facts: Facts, month: Any) -> int:
    return sum(row["apps_count"] for row in facts.low_use_months if row["month"] == month)


def star_rate(facts: Facts, words: Wording) -> str:
    return words.percent(with_stars(facts) / scored(facts)) if scored(facts) else NONE
