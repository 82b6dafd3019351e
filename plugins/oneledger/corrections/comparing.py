"""What a trial changed: the version before and the version after, table by table, with figures and stars by name.

The only place that compares versions for a backfill: a fuller report of restatements can take its place here.
"""

from __future__ import annotations

from typing import Any

import duckdb

from oneledger.publishing.content import PROVENANCE_COLUMNS, RUN_TABLES, quote, value_text
from oneledger.publishing.query import open_version
from oneledger.publishing.versions import FACTS_DIR, PublishedVersion
from oneledger.settings import Settings

Row = dict[str, Any]
_STARS = "evaluation.app_stars"
_FIGURES = "marts.published_figure"


def compare_versions(settings: Settings, old: PublishedVersion, new: PublishedVersion) -> Row:
    """What differs between two versions; tables whose content hash is the same are not read.

    Returns:
        ``same_content``; ``tables``: ``{table, rows_before, rows_after, rows_gone, rows_new}`` for each mart, table of
        the evaluation and month of a daily fact that differs (a changed row is one gone and one new); ``figures``:
        ``{figure_id, title_zh, title_en, before, after}``; ``stars``: ``{run_id, app_id, before, after, score_before,
        score_after}`` of the apps whose stars or status change.
    """
    changed = _changed(old, new)
    with open_version(settings, old) as connection, open_version(settings, new) as other:
        # One connection can see one version only: what is compared is taken over from the other.
        tables = []
        for name in changed:
            if "/" in name:
                tables.append(_fact_counts(old, new, name))
                continue
            columns = _columns(connection, name), _columns(other, name)
            tables.append(_counts(connection, other, name, columns))
        figures = _figures(connection, other) if _FIGURES in changed else []
        stars = _stars(connection, other) if _STARS in changed else []
    return {"same_content": old.content_hash == new.content_hash, "tables": tables, "figures": figures, "stars": stars}


def _changed(old: PublishedVersion, new: PublishedVersion) -> list[str]:
    before, after = _hashes(old), _hashes(new)
    return sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))


def _hashes(version: PublishedVersion) -> dict[str, str]:
    tables = {one["name"]: one["content_hash"] for one in version.manifest["tables"] if one["name"] not in RUN_TABLES}
    facts = {f"{one['fact']}/{one['month']}": one["content_hash"] for one in version.manifest["facts"]}
    return {**tables, **facts}


def _columns(connection: duckdb.DuckDBPyConnection, name: str) -> dict[str, str]:
    """Name and type of each column that says something; none for a table that is not there."""
    try:
        described = connection.execute(f"describe from {name}").fetchall()
    except duckdb.CatalogException:
        return {}
    return {row[0]: row[1] for row in sorted(described) if row[0] not in PROVENANCE_COLUMNS}


def _counts(
    connection: duckdb.DuckDBPyConnection, other: duckdb.DuckDBPyConnection, name: str,
    columns: tuple[dict[str, str], dict[str, str]],
) -> Row:  # fmt: skip
    if columns[0] != columns[1]:
        # A table that only one version has, or that has another form: nothing of it is the same row.
        return _row(name, _count(connection, name, columns[0]), _count(other, name, columns[1]))
    # Rows as hashes: the versions lie in files of their own, and only what differs is of interest.
    parts = " || chr(31) || ".join(f"coalesce({value_text(*column)}, chr(1))" for column in columns[0].items())
    with duckdb.connect() as scratch:
        for side, source in (("before", connection), ("after", other)):
            frame = source.execute(f"select md5({parts}) as digest, count(*) as copies from {name} group by 1").arrow()
            scratch.register(f"{side}_rows", frame)
            scratch.execute(f"create table {side} as from {side}_rows")
        gone, came = scratch.execute(
            "select coalesce(sum(greatest(coalesce(b.copies, 0) - coalesce(a.copies, 0), 0)), 0)::bigint,"
            " coalesce(sum(greatest(coalesce(a.copies, 0) - coalesce(b.copies, 0), 0)), 0)::bigint"
            " from before as b full join after as a on b.digest = a.digest"
        ).fetchall()[0]
    before, after = _count(connection, name, columns[0]), _count(other, name, columns[1])
    return {"table": name, "rows_before": before, "rows_after": after, "rows_gone": gone, "rows_new": came}


def _fact_counts(old: PublishedVersion, new: PublishedVersion, name: str) -> Row:
    fact, month = name.split("/")
    paths = [version.path / FACTS_DIR / fact / f"{month}.parquet" for version in (old, new)]
    with duckdb.connect() as connection:
        for side, path in zip(("before", "after"), paths, strict=True):
            if path.exists():
                connection.execute(f"create view {side} as from read_parquet('{path}')")
        present = [side for side, path in zip(("before", "after"), paths, strict=True) if path.exists()]
        counts = {side: _count(connection, side, _columns(connection, side)) for side in present}
        if len(present) < len(paths):
            return _row(f"marts.{name}", counts.get("before", 0), counts.get("after", 0))
        columns = ", ".join(quote(one) for one in _columns(connection, "before"))
        gone, came = (
            connection.execute(
                f"select count(*) from (select {columns} from {one} except all select {columns} from {two})"
            ).fetchall()[0][0]
            for one, two in (("before", "after"), ("after", "before"))
        )
    return {
        "table": f"marts.{name}", "rows_before": counts["before"], "rows_after": counts["after"], "rows_gone": gone,
        "rows_new": came,
    }  # fmt: skip


def _row(name: str, before: int, after: int) -> Row:
    """Everything before is gone, everything after is new."""
    return {"table": name, "rows_before": before, "rows_after": after, "rows_gone": before, "rows_new": after}


def _count(connection: duckdb.DuckDBPyConnection, name: str, columns: dict[str, str]) -> int:
    return int(connection.execute(f"select count(*) from {name}").fetchall()[0][0]) if columns else 0


def _figures(connection: duckdb.DuckDBPyConnection, other: duckdb.DuckDBPyConnection) -> list[Row]:
    sql = f"select figure_id, title_zh, title_en, computed_value from {_FIGURES} order by figure_id"
    after = {row[0]: row for row in other.execute(sql).fetchall()}
    return [
        {"figure_id": row[0], "title_zh": row[1], "title_en": row[2], "before": row[3], "after": after[row[0]][3]}
        for row in connection.execute(sql).fetchall()
        if row[0] in after and after[row[0]][3] != row[3]
    ]


def _stars(connection: duckdb.DuckDBPyConnection, other: duckdb.DuckDBPyConnection) -> list[Row]:
    sql = f"select run_id, app_id, stars, status, score from {_STARS} order by run_id, app_id"
    before = {row[:2]: row[2:] for row in connection.execute(sql).fetchall()}
    after = {row[:2]: row[2:] for row in other.execute(sql).fetchall()}
    return changed_stars(before, after)


def changed_stars(before: dict[tuple[str, str], Any], after: dict[tuple[str, str], Any]) -> list[Row]:
    """Apps whose stars or status differ. Both map (round, app) to (stars, status, score)."""
    none = (None, "not_evaluated", None)
    return [
        {
            "run_id": key[0],
            "app_id": key[1],
            "before": _star(before.get(key, none)),
            "after": _star(after.get(key, none)),
            "score_before": before.get(key, none)[2],
            "score_after": after.get(key, none)[2],
        }
        for key in sorted(before.keys() | after.keys())
        if before.get(key, none)[:2] != after.get(key, none)[:2]
    ]


def _star(row: tuple[Any, ...]) -> str:
    stars, status, _ = row
    return str(stars) if stars is not None else ("none" if status == "scored" else str(status))
