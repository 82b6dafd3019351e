"""``python -m benchmarks night --only gate``: the source gate's cost beside the load, and beside GX on pandas.

The rows are made inside DuckDB as raw files, as landing and raw leave them; the load is admission (typing, row rules,
quarantine, identity), the gate is the product's own. The peer gets the same nine checks of usage rows from the same
table: Great Expectations on a pandas data frame, on as many rows as are asked for, because it holds them in memory.
"""

from __future__ import annotations

import datetime as dt
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import duckdb
import psutil

from oneledger.catalogue import Catalogue, load_catalogue
from oneledger.landing.manifest import LandedFile, Manifest, batch_id_of
from oneledger.quality.gates import run_gate
from oneledger.quality.session import warm_up
from oneledger.settings import Settings, load_settings
from oneledger.warehouse.admission import admit
from oneledger.warehouse.connection import open_warehouse

ROWS_A_DAY = 250_000
AIM = 1 / 3
_LAST_DAY = dt.date(2022, 10, 31)
_MODULES = 100
# The row rules of usage as a hand would write them: nine checks on the columns that the portal delivers.
_NINE: tuple[tuple[str, dict[str, Any]], ...] = (
    ("expect_column_values_to_not_be_null", {"column": "app_id"}),
    ("expect_column_values_to_not_be_null", {"column": "usage_on"}),
    ("expect_column_values_to_be_in_set", {"column": "release_end", "value_set": [
        "zheliban_app", "zheliban_wechat", "zheliban_alipay", "standalone_app"]}),
    ("expect_column_values_to_be_between", {"column": "visitors_count", "min_value": 0}),
    ("expect_column_values_to_be_between", {"column": "page_views_count", "min_value": 0}),
    ("expect_column_values_to_be_between", {"column": "starts_count", "min_value": 0}),
    ("expect_column_values_to_match_regex", {"column": "app_id", "regex": "^app-"}),
    ("expect_compound_columns_to_be_unique", {"column_list": ["app_id", "module_id", "release_end", "usage_on"]}),
    ("expect_table_row_count_to_be_between", {"min_value": 1}),
)  # fmt: skip


@dataclass(frozen=True)
class GateCost:
    """Seconds and rows; ``pandas_seconds`` is for ``pandas_rows``, which may be fewer. Peak growth in MiB."""

    rows: int
    days: int
    load_seconds: float
    gate_seconds: float
    gate_checks: int
    pushed_down_seconds: float
    pandas_rows: int
    pandas_seconds: float
    pandas_mib: float
    gate_mib: float
    slowest_checks: tuple[tuple[str, float], ...]

    @property
    def ratio(self) -> float:
        """Gate over load; the aim is a third."""
        return self.gate_seconds / self.load_seconds

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"ratio": self.ratio, "aim": AIM}


def measure_gate(home: Path, *, rows: int, pandas_rows: int, memory_limit: str, say: Callable[[str], None]) -> GateCost:
    """Make ``rows`` usage rows, load them, run the source gate, and judge ``pandas_rows`` of them with pandas."""
    root = load_settings().project_root
    settings = replace(Settings(home=home, project_root=root, catalogue_paths=(root / "config" / "sources.yml",)),
                       memory_limit=memory_limit)  # fmt: skip
    os.environ["AIRFLOW_CONN_ONELEDGER_ZHELIBAN_DROP"] = home.as_uri()
    catalogue = load_catalogue(settings)
    days = max(rows // ROWS_A_DAY, 1)
    say(f"making {rows:,} rows of {days} days")
    _make_raw(settings, catalogue, rows, days)
    warm_up()
    begun = time.perf_counter()
    outcomes = admit(settings, catalogue, run_id="bench")
    load_seconds = time.perf_counter() - begun
    accepted = sum(outcome.accepted_count or 0 for outcome in outcomes)
    if accepted != rows:
        raise RuntimeError(f"{accepted:,} of {rows:,} rows were accepted: the rows of the bench break a rule")
    say(f"loaded in {load_seconds:.1f} s")
    with _peak() as gate_peak:
        begun = time.perf_counter()
        report = run_gate("sources", settings, catalogue, run_id="bench", sources=["zheliban"])
        gate_seconds = time.perf_counter() - begun
    if not report.is_open:
        raise RuntimeError(f"the gate is shut: {[one.observed for one in report.failed if one.blocks]}")
    say(f"gate in {gate_seconds:.1f} s, {len(report.results)} results")
    slowest = _seconds_by_check(settings, catalogue)
    pushed_down = _pushed_down(settings)
    pandas_seconds, pandas_mib = _on_pandas(settings, pandas_rows)
    return GateCost(
        rows, days, load_seconds, gate_seconds, len(report.results), pushed_down, pandas_rows, pandas_seconds,
        pandas_mib, gate_peak[0], slowest,
    )  # fmt: skip


def _make_raw(settings: Settings, catalogue: Catalogue, rows: int, days: int) -> None:
    """One raw file and manifest a day; every value as text, as the portal's files give it."""
    entity = catalogue.entity("zheliban", "usage")
    folder = settings.raw_dir / "zheliban" / "usage"
    folder.mkdir(parents=True)
    counts = [rows // days + (1 if number < rows % days else 0) for number in range(days)]
    names = [column.name for column in entity.delivered_columns]
    values = {
        "app_id": f"'app-' || (i // {_MODULES * 4})",
        "app_name": f"'应用' || (i // {_MODULES * 4})",
        "module_id": f"'module-' || (i // {_MODULES * 4}) || '-' || (i % {_MODULES})",
        "release_end": f"['浙里办APP', '微信小程序', '支付宝小程序', '独立APP'][(i // {_MODULES}) % 4 + 1]",
        "page_views_count": "hash(i, {day}) % 9000",
        "visitors_count": "50 + hash(i, {day}) % 3000",
        "starts_count": "500 + hash(i, {day}, 1) % 400",
        "completions_count": "hash(i, {day}, 2) % 400",
        "impressions_count": "9000 + hash(i) % 99",
        "clicks_count": "hash(i, {day}, 3) % 900",
    }
    with duckdb.connect() as connection:
        for number, count in enumerate(counts):
            day = _LAST_DAY - dt.timedelta(days=days - 1 - number)
            partition = f"{day:%Y%m%d}"
            batch_id = batch_id_of("zheliban", "usage", partition, 1)
            given = values | {"usage_on": f"'{day}'"}
            listed = ", ".join(
                f'({given.get(name, "hash(i, 7) % 50").format(day=number)})::varchar as "{name}"' for name in names
            )
            connection.execute(
                f"copy (select {listed}, null::varchar as _extra, '{batch_id}' as _batch_id,"
                f" '{batch_id}/data.csv' as _file_id, i + 1 as _row_number from range({count}) as t (i))"
                f" to '{folder / batch_id}.parquet' (format parquet, compression zstd)"
            )
            manifest = Manifest(
                batch_id=batch_id, source="zheliban", entity="usage", partition=partition, revision=1,
                business_on=day, delivery="partition",
                files=(LandedFile("data.csv", "0" * 64, 0, "data.csv", count),), row_count=count,
                control_total=count, watermark=None, extracted_at="2022-11-01T00:00:00+00:00", code_version="bench",
                catalogue_hash="bench", previous_manifest_sha256=None,
            )  # fmt: skip
            landed = settings.landing_dir / "zheliban" / "usage" / partition / "r001"
            landed.mkdir(parents=True)
            (landed / "manifest.json").write_bytes(manifest.to_bytes())


def _seconds_by_check(settings: Settings, catalogue: Catalogue) -> tuple[tuple[str, float], ...]:
    """The three checks of the gate that take longest, to see where the time goes."""
    from oneledger.quality.checks import load_checks
    from oneledger.quality.evidence import changed_rows, prepare
    from oneledger.quality.gates import Judge
    from oneledger.quality.session import open_session

    taken = []
    with open_session(settings) as session:
        prepare(session, settings, catalogue, None, ["zheliban"])
        judge = Judge("sources", session, catalogue, changed_rows(session, catalogue))
        for check in load_checks(settings.project_root / "expectations", "sources"):
            begun = time.perf_counter()
            judge.results([check])
            taken.append((check.check_id, round(time.perf_counter() - begun, 2)))
    return tuple(sorted(taken, key=lambda one: -one[1])[:3])


def _pushed_down(settings: Settings) -> float:
    """The same nine checks on all rows, inside DuckDB."""
    from oneledger.quality.session import open_session

    with open_session(settings) as session:
        begun = time.perf_counter()
        judged = session.judge("select * from admitted.usage", [{"type": kind, **given} for kind, given in _NINE])
        seconds = time.perf_counter() - begun
    if not all(one.is_met for one in judged):
        raise RuntimeError("the nine checks do not hold on the rows of the bench")
    return seconds


def _on_pandas(settings: Settings, rows: int) -> tuple[float, float]:
    """Seconds and MiB of the nine checks on a data frame, the reading of the rows included."""
    import great_expectations as gx
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

    with _peak() as peak:
        begun = time.perf_counter()
        with open_warehouse(settings, read_only=True) as connection:
            frame = connection.execute(f"select * from admitted.usage limit {rows}").df()
        context = gx.get_context(mode="ephemeral")
        quiet: Any = {"globally": False, "metric_calculations": False}
        context.variables.progress_bars = quiet
        batch = (
            context.data_sources.add_pandas("frame")
            .add_dataframe_asset("usage")
            .add_batch_definition_whole_dataframe("all")
            .get_batch({"dataframe": frame})
        )
        suite = gx.ExpectationSuite(
            "nine", expectations=[ExpectationConfiguration(type=kind, kwargs=given).to_domain_obj()
                                  for kind, given in _NINE],
        )  # fmt: skip
        found = batch.validate(suite, result_format={"result_format": "SUMMARY"})
        seconds = time.perf_counter() - begun
    if not found.success:
        raise RuntimeError("the nine checks do not hold on the data frame of the bench")
    return seconds, peak[0]


@contextmanager
def _peak() -> Iterator[list[float]]:
    """How many MiB this process grew by at most, looked at twenty times a second."""
    import threading

    process = psutil.Process()
    start = process.memory_info().rss
    grown = [0.0]
    is_over = threading.Event()

    def watch() -> None:
        while not is_over.wait(0.05):
            grown[0] = max(grown[0], (process.memory_info().rss - start) / 2**20)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield grown
    finally:
        is_over.set()
        thread.join()
