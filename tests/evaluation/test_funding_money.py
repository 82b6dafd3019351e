"""Money of the funding share, on the SQL of the model itself: it adds up to the fen, and better never earns less."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oneledger.settings import PROJECT_ROOT
from oneledger.warehouse.control import create_control_tables
from oneledger.warehouse.evaluation_runs import load_decided_runs
from tests.models.usage_city import UsageCity

RATES = ("online_rate", "usage_rate", "satisfaction_rate")
SEEDS = PROJECT_ROOT / "dbt_project" / "seeds"
YEAR = 2022

# One rate: numerator, denominator and state, as the model reads them.
reported = st.integers(1, 40).flatmap(
    lambda denominator: st.tuples(st.integers(0, denominator), st.just(denominator), st.just("reported"))
)
absent = st.sampled_from([(None, None, "missing"), (0, 0, "not_applicable")])
rates = st.tuples(*[st.one_of(reported, reported, reported, absent) for _ in RATES])
budgets = st.decimals(Decimal("0.00"), Decimal("9999999999.99"), places=2)
projects = st.lists(st.tuples(budgets, rates), min_size=1, max_size=8)
# Bands that rise, the first from 0: what the test of the seed demands.
bands = st.lists(
    st.tuples(st.integers(1, 99), st.integers(0, 10_000)), max_size=5, unique_by=lambda band: band[0]
).flatmap(
    lambda found: st.integers(0, 10_000).map(
        lambda lowest: list(
            zip(
                [0, *sorted(minimum for minimum, _ in found)],
                sorted([lowest, *(share for _, share in found)]),
                strict=True,
            )
        )
    )
)
slow_enough = settings(max_examples=40)


class FundingModel:
    """The compiled model over tables of its own in memory."""

    def __init__(self, sql: str) -> None:
        self.sql = sql
        self.connection = duckdb.connect()
        self.connection.execute("attach ':memory:' as warehouse")
        self.connection.execute("use warehouse")
        create_control_tables(self.connection)
        self.connection.execute(
            "create table marts.budget_execution (project_id varchar, budget_year bigint, project_name varchar,"
            " department_id varchar, level varchar, budget_cny decimal(18, 2));"
            "create table evaluation.funding_rate (project_id varchar, budget_year bigint, rate_id varchar,"
            " measured_to_on date, linked_apps_count bigint, numerator bigint, denominator bigint, rate double,"
            " state varchar)"
        )
        for seed in ("funding_weight", "funding_band"):
            self.connection.execute(
                f"create table evaluation.{seed} as from read_csv('{SEEDS / seed}.csv', header = true, types ="
                " {'effective_from': 'date', 'effective_to': 'date', 'rule_version': 'varchar'})"
            )

    def set_bands(self, found: list[tuple[int, int]]) -> None:
        self.connection.execute("delete from evaluation.funding_band")
        self.connection.executemany(
            "insert into evaluation.funding_band by name"
            " select ? / 100 as minimum_rate, ? / 10000 as share, date '2010-01-01' as effective_from,"
            " 'v' as rule_version",
            [list(band) for band in found],
        )

    def pay(self, found: list[tuple[Decimal | None, tuple[Any, ...]]]) -> list[dict[str, Any]]:
        """What the model gives for projects with these budgets and rates, in their order."""
        self.connection.execute("delete from marts.budget_execution; delete from evaluation.funding_rate")
        self.connection.executemany(
            "insert into marts.budget_execution by name"
            " select ? as project_id, ?::bigint as budget_year, ?::decimal(18, 2) as budget_cny",
            [[f"p{number:02d}", YEAR, budget] for number, (budget, _) in enumerate(found)],
        )
        self.connection.executemany(
            "insert into evaluation.funding_rate values (?, ?, ?, null, 1, ?, ?, ?, ?)",
            [
                [f"p{number:02d}", YEAR, rate_id, numerator, denominator,
                 numerator / denominator if state == "reported" else None, state]
                for number, (_, three) in enumerate(found)
                for rate_id, (numerator, denominator, state) in zip(RATES, three, strict=True)
            ],
        )  # fmt: skip
        cursor = self.connection.execute(f"from ({self.sql}) order by project_id")
        names = [column[0] for column in cursor.description or []]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


@pytest.fixture(scope="module")
def compiled(families: UsageCity) -> str:
    """The SQL of evaluation_funding_share as dbt compiled it."""
    manifest = json.loads((families.folder / "target" / "manifest.json").read_text(encoding="utf-8"))
    return str(manifest["nodes"]["model.oneledger.evaluation_funding_share"]["compiled_code"])


@pytest.fixture(scope="module")
def shared_model(compiled: str) -> Iterator[FundingModel]:
    """For the properties: each example replaces what the one before left."""
    made = FundingModel(compiled)
    yield made
    made.connection.close()


@pytest.fixture
def model(compiled: str) -> Iterator[FundingModel]:
    made = FundingModel(compiled)
    yield made
    made.connection.close()


@slow_enough
@given(found=projects, ladder=bands)
def test_payable_and_withheld_make_the_budget_and_the_share_is_one_of_the_bands(
    shared_model: FundingModel, found: list[tuple[Decimal, Any]], ladder: list[tuple[int, int]]
) -> None:
    shared_model.set_bands(ladder)
    for (budget, three), row in zip(found, shared_model.pay(found), strict=True):
        states = {state for _, _, state in three}
        if "missing" in states:
            assert (row["state"], row["payable_cny"], row["withheld_cny"]) == ("withheld", None, None)
        elif states == {"not_applicable"}:
            assert (row["state"], row["payable_cny"], row["withheld_cny"]) == ("not_applicable", None, None)
        else:
            assert row["state"] == "computed"
            assert row["payable_cny"] + row["withheld_cny"] == budget
            assert row["change_cny"] == -row["withheld_cny"]
            assert 0 <= row["payable_cny"] <= budget
            assert round(row["share"] * 10_000) in {share for _, share in ladder}


@slow_enough
@given(found=projects, ladder=bands, which=st.integers(0, 2), step=st.integers(1, 40))
def test_a_higher_rate_never_gives_less(
    shared_model: FundingModel, found: list[tuple[Decimal, Any]], ladder: list[tuple[int, int]], which: int, step: int
) -> None:
    shared_model.set_bands(ladder)
    better = []
    for budget, three in found:
        numerator, denominator, state = three[which]
        raised = (min(numerator + step, denominator), denominator, state) if state == "reported" else three[which]
        better.append((budget, (*three[:which], raised, *three[which + 1 :])))
    for before, after in zip(shared_model.pay(found), shared_model.pay(better), strict=True):
        assert before["state"] == after["state"]
        if before["state"] == "computed":
            assert after["combined_rate"] >= before["combined_rate"]
            assert after["payable_cny"] >= before["payable_cny"]


def test_the_table_of_confirmed_shares_has_just_the_columns_of_the_model(model: FundingModel) -> None:
    frozen = [tuple(row[:2]) for row in model.connection.execute("describe confirmed.funding_share").fetchall()]
    shown = [tuple(row[:2]) for row in model.connection.execute(f"describe {model.sql}").fetchall()]
    assert frozen == shown


def keep_run(model: FundingModel, folder: Path, run_id: str, day: str, supersedes: str | None = None) -> None:
    """A confirmed run as its folder holds it, with what the model gives now as its result."""
    (folder / run_id / "results").mkdir(parents=True)
    model.connection.execute(
        f"copy ({model.sql}) to '{folder / run_id / 'results' / 'funding_share.parquet'}' (format parquet)"
    )
    record = {
        "run_id": run_id, "round_id": run_id[:7], "period": run_id[:7], "version": "v", "rule_version": "2022.1",
        "rules_hash": "r", "content_hash": "c", "created_at": f"{day}T08:00:00", "created_by": "test",
        "gate": {"is_open": True},
    }  # fmt: skip
    decision = {
        "run_id": run_id,
        "decided_at": f"{day}T09:00:00",
        "name": "王敏",
        "reason": "r",
        "supersedes": supersedes,
    }
    (folder / run_id / "run.json").write_text(json.dumps(record), "utf-8")
    (folder / run_id / "confirmation.json").write_text(json.dumps(decision), "utf-8")


def test_the_first_confirmation_of_a_project_and_year_stays_through_later_rounds_and_superseding_runs(
    model: FundingModel, tmp_path: Path
) -> None:
    full, none, missing = ((1, 1, "reported"),) * 3, ((0, 1, "reported"),) * 3, ((None, None, "missing"),) * 3
    thousand, five = Decimal("1000.00"), Decimal("500.00")

    def money() -> list[tuple[Any, ...]]:
        rows = model.pay([(thousand, none), (thousand, none)])
        kept = ("payable_cny", "is_frozen", "current_payable_cny", "current_difference_cny")
        return [tuple(row[key] for key in kept) for row in rows]

    # The first project is confirmed in full; the second has no rates yet, so nothing of it is fixed.
    model.pay([(thousand, full), (thousand, missing)])
    keep_run(model, tmp_path, "2022-Q3-a", "2022-10-12")
    assert load_decided_runs(model.connection, tmp_path) == 1
    assert money() == [(thousand, True, five, -five), (five, False, five, Decimal("0.00"))]
    # The next round computes the same project and year again and confirms both.
    keep_run(model, tmp_path, "2022-Q4-b", "2023-01-12")
    for _ in range(2):
        assert load_decided_runs(model.connection, tmp_path) == 2
        assert money() == [(thousand, True, five, -five), (five, True, five, Decimal("0.00"))]
    # A run made before the money was frozen takes the first one's place in its round: money stays.
    model.connection.execute("delete from confirmed.funding_share")
    model.pay([(Decimal("7.00"), full), (Decimal("7.00"), full)])
    keep_run(model, tmp_path, "2022-Q3-c", "2023-02-01", supersedes="2022-Q3-a")
    assert load_decided_runs(model.connection, tmp_path) == 2
    assert [row[:2] for row in money()] == [(thousand, True), (five, True)]


def test_a_confirmed_share_goes_in_as_it_came_out_and_stays(model: FundingModel) -> None:
    full = ((1, 1, "reported"),) * 3
    assert model.pay([(Decimal("1000.00"), full)])[0]["payable_cny"] == Decimal("1000.00")
    model.connection.execute(f"insert into confirmed.funding_share {model.sql}")
    later = model.pay([(Decimal("2000.00"), ((0, 1, "reported"),) * 3)])[0]
    assert later["is_frozen"] is True
    assert (later["payable_cny"], later["withheld_cny"]) == (Decimal("1000.00"), Decimal("0.00"))
    assert (later["current_payable_cny"], later["current_difference_cny"]) == (Decimal("1000.00"), Decimal("0.00"))
    with pytest.raises(duckdb.ConstraintException):
        model.connection.execute(f"insert into confirmed.funding_share {model.sql}")
