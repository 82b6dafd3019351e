"""Real public files load by configuration alone, and what is odd in them is reported right.

What is expected is counted from the same files with pandas, independently of the warehouse.
"""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import duckdb
import pandas as pd
import pytest

from tests.end_to_end.conftest import Installation

FOLDER = Path(os.environ["ONELEDGER_REAL_DATA"]).resolve()
REAL_SOURCES = ("usa_sites", "usa_domains", "govuk_services")


def _text(name: str) -> pd.DataFrame:
    return pd.read_csv(FOLDER / name, dtype=str, keep_default_na=False)


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """An installation without any city: the real files are all that it has."""
    installation = Installation(tmp_path_factory.mktemp("real"))
    installation.oneledger(
        "run",
        "--source", "usa_sites", "--source", "usa_domains", "--source", "govuk_services",
        AIRFLOW_CONN_ONELEDGER_REAL_DROP=FOLDER.as_uri(),
        ONELEDGER_AS_OF="2024-01-05",
    )  # fmt: skip
    return installation


@pytest.fixture(scope="module")
def marts(loaded: Installation):
    with loaded.marts() as con:
        yield con


@pytest.fixture(scope="module")
def warehouse(loaded: Installation):
    with duckdb.connect(str(loaded.home / "warehouse/warehouse.duckdb"), read_only=True) as con:
        yield con


@pytest.fixture(scope="module")
def services() -> pd.DataFrame:
    """GOV.UK services, one row a service and quarter: the two volumes as written."""
    wide = _text("govuk_services_quarterly_2012_2017.csv")
    quarters = [column[:7] for column in wide.columns if column.endswith(" Vol.")]
    return pd.concat(
        pd.DataFrame(
            {
                "slug": wide["Slug"],
                "quarter": quarter,
                "total": wide[f"{quarter} Vol."].str.strip(),
                "digital": wide[f"{quarter} Digital vol."].str.strip(),
            }
        )
        for quarter in quarters
    )


def test_every_row_received_is_accepted_quarantined_or_superseded(marts, services) -> None:
    received = dict(
        marts.execute(
            "select source, sum(received_count)::bigint from marts.run_outcome where step = 'admit' group by 1"
        ).fetchall()
    )
    assert received == {
        "usa_sites": len(_text("usa_sites_30d_2024-01-05.csv")),
        "usa_domains": len(_text("usa_domains_30d_2017a.csv")) + len(_text("usa_domains_30d_2021.csv")),
        "govuk_services": len(services),
    }
    unbalanced = marts.execute(
        "select * from marts.run_outcome where step = 'admit'"
        " and received_count <> accepted_count + quarantined_count + superseded_count"
    ).fetchall()
    assert unbalanced == []


def test_the_row_without_a_domain_is_in_quarantine_with_its_line(warehouse) -> None:
    sites = _text("usa_sites_30d_2024-01-05.csv")
    nameless = sites.index[sites["domain"] == ""]
    found = warehouse.execute(
        "select row_number, column_name, reason_zh, reason_en from quarantine.row where source = 'usa_sites'"
    ).fetchall()
    assert [row[0] for row in found] == [position + 1 for position in nameless]
    assert all(row[1] == "app_id" and row[2] and row[3] for row in found)


def test_a_dash_a_blank_and_a_zero_stay_three_things(warehouse, services) -> None:
    counted = Counter(
        "not_applicable" if text == "-" else "missing" if text == "" else "zero" if float(text.replace(",", "")) == 0
        else "number"
        for text in services["total"]
    )  # fmt: skip
    found = warehouse.execute(
        "select case when transactions_count = 0 then 'zero' when transactions_count is not null then 'number'"
        " else coalesce(json_extract_string(_missing_states, '$.transactions_count'), 'none') end, count(*)"
        " from admitted.usage where source = 'govuk_services' group by 1"
    ).fetchall()
    assert dict(found) == dict(counted)


def test_digital_above_total_is_a_finding_and_the_row_stays(warehouse, services) -> None:
    numbers = services[["total", "digital"]].apply(
        lambda column: pd.to_numeric(column.str.replace(",", ""), errors="coerce")
    )
    above = int((numbers["digital"] > numbers["total"]).sum())
    assert above > 0
    assert warehouse.execute(
        "select count(distinct (file_id, row_number, received)) from checks.row_finding"
        " where source = 'govuk_services' and rule_id = 'digital_within_total'"
    ).fetchone() == (above,)
    assert warehouse.execute(
        "select count(*) from admitted.usage where digital_transactions_count > transactions_count"
    ).fetchone() == (above,)


def test_repeated_values_are_reported_as_suspicious(loaded: Installation) -> None:
    checks = loaded.json("checks", "--all", expected_code=None)["items"]
    suspicious = [check for check in checks if "repeated" in check["check_id"] and not check["is_passed"]]
    assert {check["entity"].split(".")[0] for check in suspicious} >= {"usa_domains"}
    assert {check["severity"] for check in suspicious} == {"warn"}


def test_the_low_use_verdict_lists_the_long_tail(marts) -> None:
    visits = _text("usa_sites_30d_2024-01-05.csv")
    tail = visits[(visits["domain"] != "") & (visits["visits"].astype(int) < 300)]  # under 10 a day over 30 days
    listed = {
        row[0]
        for row in marts.execute(
            "select app_id from marts.low_use_verdict where source = 'usa_sites' and verdict in ('low_use', 'unused')"
        ).fetchall()
    }
    assert len(listed) == len(tail) > 1482
    assert all(any(app_id.endswith(domain) for app_id in listed) for domain in tail["domain"].head(20))
