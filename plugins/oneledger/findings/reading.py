"""The findings of a published version: state, metrics, history, and the rows behind each value with how to trace them.

Everything is computed by dbt (``marts.finding``, ``marts.finding_metric``, ``marts.finding_history``); this only reads.
"""

from __future__ import annotations

import shlex
from typing import Any

import duckdb

from oneledger.publishing.query import QueryRefusedError, open_version, run_query
from oneledger.publishing.versions import CURRENT, PublishedVersion, current_version, list_versions, resolve
from oneledger.settings import ConfigurationError, Settings

EVIDENCE_ROWS = 20

Row = dict[str, Any]


def list_findings(settings: Settings, version: str = CURRENT, *, only_open: bool = False) -> Row:
    """The findings of a version, as ``marts.finding`` has them.

    Args:
        version: a version's name, its first letters, or ``current``.
        only_open: leave out those that are closed.

    Returns:
        ``{ok, version, as_of_on, counts, items}``. ``ok`` is False when a finding is overdue or reopened; such an item
        has ``problem``, ``expected`` and ``remedy`` besides its columns. ``counts`` gives findings by state.

    Raises:
        ConfigurationError: nothing is published, or the version is from before the findings were judged.
    """
    found = resolve(settings, version)
    with open_version(settings, found) as connection:
        items = _rows(connection, found, "select * from marts.finding order by list_year, finding_number")
        remedies = _rows(
            connection, found,
            "select list_year, finding_number, string_agg(remedy_zh || ' ' || remedy_en, ' | ' order by metric_order)"
            " as remedy from marts.finding_metric where state in ('missed', 'cannot_determine')"
            " group by list_year, finding_number",
        )  # fmt: skip
    to_do = {(row["list_year"], row["finding_number"]): row["remedy"] for row in remedies}
    counts: dict[str, int] = {}
    for item in items:
        counts[item["state"]] = counts.get(item["state"], 0) + 1
        if item["is_overdue"] or item["state"] == "reopened":
            item.update(_failure(item, to_do.get((item["list_year"], item["finding_number"]))))
    return {
        "ok": not any("problem" in item for item in items),
        "version": found.version,
        "as_of_on": found.as_of_on,
        "counts": counts,
        "items": [item for item in items if not (only_open and item["state"] == "closed")],
    }


def show_finding(
    settings: Settings, number: int, version: str = CURRENT, *, list_year: int | None = None, rows: int = EVIDENCE_ROWS
) -> Row:
    """One finding with its metrics, its history and the evidence.

    Args:
        number: the finding's number on the list.
        list_year: of which year's list; the newest that has the number unless said.
        rows: how many rows of evidence a metric shows.

    Returns:
        ``{ok, version, as_of_on, finding, metrics, history}``. A metric has the columns of ``marts.finding_metric``,
        ``trace`` (the command that traces its value), ``evidence_count`` and ``evidence``: rows of
        ``{key…, trace}``. ``history`` has the rows of ``marts.finding_history`` with ``metrics``, the value and state
        of each metric in that month.

    Raises:
        ConfigurationError: nothing is published, or the version has no such finding.
    """
    found = resolve(settings, version)
    with open_version(settings, found) as connection:
        every = _rows(connection, found, "select * from marts.finding order by list_year desc, finding_number")
        chosen = [
            row for row in every if row["finding_number"] == number and list_year in (None, row["list_year"])
        ]  # fmt: skip
        if not chosen:
            known = ", ".join(sorted({f"{row['list_year']}/{row['finding_number']}" for row in every})) or "none"
            wanted = f"{list_year}/{number}" if list_year else str(number)
            raise ConfigurationError(
                f"Version {found.version} has no finding {wanted}. It has (year/number): {known}. "
                "`oneledger findings` lists them."
            )
        finding = chosen[0]
        of_it = f"list_year = {finding['list_year']} and finding_number = {number}"
        metrics = _rows(connection, found, f"select * from marts.finding_metric where {of_it} order by metric_order")
        history = _rows(connection, found, f"select * from marts.finding_history where {of_it} order by month")
        by_month = _rows(
            connection, found,
            "select month, metric_id, value, upper_value, target, state, reason from marts.finding_metric_month"
            f" where {of_it} order by month, metric_order",
        )  # fmt: skip
        for metric in metrics:
            _add_evidence(connection, metric, rows)
    for month in history:
        month["metrics"] = [row for row in by_month if row["month"] == month["month"]]
    if finding["is_overdue"] or finding["state"] == "reopened":
        finding.update(_failure(finding, _remedies(metrics)))
    return {
        "ok": "problem" not in finding, "version": found.version, "as_of_on": found.as_of_on, "finding": finding,
        "metrics": metrics, "history": history,
    }  # fmt: skip


def state_changes(settings: Settings, version: PublishedVersion | None = None) -> list[Row]:
    """Findings whose state differs between a version and the one before it: ``{list_year, finding_number, title_zh,
    title_en, office, before, now, reason_zh, reason_en}``; empty when there is no version before.

    A version from before the findings were judged knows none and gives no change.
    """
    versions = list_versions(settings)
    now = version or current_version(settings)
    earlier = [one for one in versions if now is not None and one.version < now.version]
    if now is None or not earlier:
        return []
    before = finding_states(settings, earlier[-1])
    changed = []
    for key, row in finding_states(settings, now).items():
        if key in before and before[key]["state"] != row["state"]:
            changed.append({**row, "before": before[key]["state"], "now": row["state"]})
    return changed


def told(changes: list[Row]) -> list[str]:
    """A line for each change of ``state_changes``, as the nightly prints it."""
    return [
        f"问题 finding {one['list_year']}/{one['finding_number']} {one['title_zh']}: {one['before']} → {one['now']}. "
        f"{one['reason_zh']} {one['reason_en']} ({one['office']})"
        for one in changes
    ]


def evidence_versions(settings: Settings) -> dict[str, str]:
    """The published versions that findings which are not closed need, with the reason: for retention.

    Of each such finding these are the version that first showed it, and the one from which on it has been in its
    present state (when it fell back, the last one that called it closed as well).
    """
    needed: dict[str, list[str]] = {}
    current = current_version(settings)
    if current is None:
        return {}
    shown = [
        (one.version, finding_states(settings, one))
        for one in list_versions(settings)
        if one.version <= current.version
    ]
    for key, row in (shown[-1][1] if shown else {}).items():
        if row["state"] == "closed":
            continue
        states = [(name, states[key]["state"]) for name, states in shown if key in states]
        wanted = {states[0][0]: "first shows it", _since(states): f"first shows it {row['state']}"}
        closed = [name for name, state in states if state == "closed"]
        if closed:
            wanted[closed[-1]] = "is the last that shows it closed"
        for name, why in wanted.items():
            needed.setdefault(name, []).append(f"finding {key[0]}/{key[1]} ({row['state']}): {why}")
    return {name: "; ".join(reasons) for name, reasons in needed.items()}


def _since(states: list[tuple[str, str]]) -> str:
    """The version from which on the state has been what it is in the last one."""
    name, state = states[-1]
    for earlier, before in reversed(states):
        if before != state:
            break
        name = earlier
    return name


def finding_states(settings: Settings, version: PublishedVersion) -> dict[tuple[int, int], Row]:
    """State, office and reason of each finding of a version, by year and number; none in a version that judges none."""
    columns = "list_year, finding_number, title_zh, title_en, office, state, reopened_on, reason_zh, reason_en"
    with open_version(settings, version) as connection:
        try:
            cursor = connection.execute(f"select {columns} from marts.finding order by 1, 2")
        except (duckdb.CatalogException, duckdb.BinderException):
            return {}
        names = [description[0] for description in cursor.description]
        rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    return {(row["list_year"], row["finding_number"]): row for row in rows}


def _rows(connection: duckdb.DuckDBPyConnection, version: PublishedVersion, sql: str) -> list[Row]:
    try:
        columns, cursor = run_query(connection, sql)
    except QueryRefusedError as error:
        raise ConfigurationError(
            f"Version {version.version} does not hold the findings ({error}). Publish again with `oneledger run`, or "
            "choose a newer version: `oneledger versions`."
        ) from error
    return [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]


def _add_evidence(connection: duckdb.DuckDBPyConnection, metric: Row, limit: int) -> None:
    metric["trace"] = _trace(
        "marts.finding_metric",
        {name: metric[name] for name in ("list_year", "finding_number", "metric_id")}, "value_now",
    )  # fmt: skip
    query = f"select * from ({metric['evidence_query']}) order by all"
    metric["evidence_count"] = connection.execute(f"select count(*) from ({query})").fetchall()[0][0]
    cursor = connection.execute(f"{query} limit {limit}")
    names = [description[0] for description in cursor.description]
    found = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    metric["evidence"] = [{**row, "trace": _trace(metric["mart"], row)} for row in found]


def _trace(relation: str, key: Row, column: str | None = None) -> str:
    words = [shlex.quote(f"{name}={'' if value is None else value}") for name, value in key.items()]
    return " ".join(["oneledger trace", relation, *words, *(["--column", column] if column else [])])


def _remedies(metrics: list[Row]) -> str:
    return " | ".join(
        f"{metric['remedy_zh']} {metric['remedy_en']}"
        for metric in metrics
        if metric["state"] in ("missed", "cannot_determine")
    )


def _failure(item: Row, remedy: str | None) -> Row:
    late = f"超期{item['overdue_days']}天 {item['overdue_days']} days overdue. " if item["is_overdue"] else ""
    return {
        "problem": f"{item['title_zh']} {item['title_en'] or ''}: {item['state']}. {late}"
        f"{item['reason_zh']}。 {item['reason_en']}.",
        "expected": f"{item['second_due_on']}前数据达到目标 data from after the remedy meet the targets by then",
        "remedy": f"{item['office']}: {remedy or '报告整改完成情况 report the remedy done'}. "
        f"oneledger findings show {item['finding_number']}",
    }
