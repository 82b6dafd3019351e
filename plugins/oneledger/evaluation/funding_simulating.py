"""What share of its budget a project would be paid at other rates: the models' own SQL on rates that somebody tries.

Nothing is computed here. The version's compiled ``evaluation.funding_share`` runs over the rates of the cases instead
of those that were measured, with the weights and bands that the version was built with.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from oneledger.evaluation.engine import open_engine
from oneledger.publishing.versions import PublishedVersion
from oneledger.settings import Settings

SHARE = "evaluation.funding_share"
RATE_IDS = ("online_rate", "usage_rate", "satisfaction_rate")
_RATES = "evaluation.funding_rate"
_RULES = ("evaluation.funding_weight", "evaluation.funding_band")
_BUDGETS = "marts.budget_execution"
_CONFIRMED = "confirmed.funding_share"

State = Literal["reported", "missing", "not_applicable"]


@dataclass(frozen=True)
class TriedRate:
    """One of the three rates.

    Attributes:
        rate: 0 to 1; None unless ``state`` is ``reported``.
        state: ``missing`` withholds the share, ``not_applicable`` leaves the rate's weight to the others.
    """

    rate: float | None
    state: State = "reported"


@dataclass(frozen=True)
class FundingCase:
    """A project and budget year as somebody imagines it.

    Attributes:
        budget_cny: the year's budget in yuan; None is a missing budget.
        linked_apps_count: apps linked to the project; 0 means that the share does not apply.
    """

    budget_year: int
    online: TriedRate
    usage: TriedRate
    satisfaction: TriedRate
    budget_cny: Decimal | None
    linked_apps_count: int = 1


@dataclass(frozen=True)
class FundingOutcome:
    """What the rules make of a case, as ``evaluation.funding_share`` has it: see there."""

    state: str
    reason: str | None
    combined_rate: float | None
    share: float | None
    budget_cny: Decimal | None
    payable_cny: Decimal | None
    withheld_cny: Decimal | None
    rule_version: str | None


def funding_outcomes(
    settings: Settings, version: PublishedVersion, cases: Sequence[FundingCase]
) -> list[FundingOutcome]:
    """The outcome of each case by the rules of a version, in the order of the cases.

    Raises:
        ConfigurationError: the version carries no evaluation.
    """
    with open_engine(settings, version) as engine:
        engine.show_published(_RULES)
        engine.substitute(_RATES, [row for number, case in enumerate(cases) for row in _rate_rows(number, case)])
        engine.substitute(
            _BUDGETS,
            [
                {"project_id": str(number), "budget_year": case.budget_year, "budget_cny": case.budget_cny}
                for number, case in enumerate(cases)
            ],
        )
        # What was confirmed belongs to real projects; no case is frozen.
        engine.substitute(_CONFIRMED, [])
        engine.run([SHARE])
        found = engine.connection.execute(
            "select state, reason, combined_rate, share, budget_cny, payable_cny, withheld_cny, rule_version"
            f" from {SHARE} order by cast(project_id as bigint)"
        ).fetchall()
    return [FundingOutcome(*row) for row in found]


def _rate_rows(number: int, case: FundingCase) -> list[dict[str, Any]]:
    return [
        {
            "project_id": str(number), "budget_year": case.budget_year, "rate_id": rate_id,
            "linked_apps_count": case.linked_apps_count, "rate": tried.rate, "state": tried.state,
        }
        for rate_id, tried in zip(RATE_IDS, (case.online, case.usage, case.satisfaction), strict=True)
    ]  # fmt: skip
