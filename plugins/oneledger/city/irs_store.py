"""The IRS's own store: Parquet files of record versions, one a period, written by the generator, read by the API.

Rows lie in the order of ``updatedAt`` and key, in which the API pages through them, so that a page reads a
few row groups however long the history is.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import duckdb

from oneledger.city.calendar import month_end
from oneledger.city.population import Population
from oneledger.city.registry import ENTITIES, RegistryEntity, interface_pairs, registry_rows
from oneledger.city.work_progress import WorkProgress
from oneledger.city.workspace import load_rows

LABEL = "合成数据 synthetic data: generated, describes no real person, department or app"
ROW_GROUP_ROWS = 20_000
# A call that is reported late is known up to this many days after its day.
LATEST_REPORT_DAYS = 9


def store_dir(city_dir: Path) -> Path:
    return city_dir / "irs"


def write_store(
    con: duckdb.DuckDBPyConnection, city_dir: Path, population: Population, seed: int,
    first: dt.date, new_from: dt.date | None, last: dt.date, progress: WorkProgress,
) -> dict[str, int]:  # fmt: skip
    """Write every period that has a version known by ``last``.

    Args:
        first: the city's first day; interface calls before it are not written.
        new_from: the first day that is not yet in the store; None writes everything.
        last: the city's last day; nothing that becomes known later is written.

    Returns: versions in the whole store, by API path.
    """
    for path, rows in registry_rows(population).items():
        _load_versions(con, ENTITIES[path], rows)
    _load_pairs(con, population)
    progress.begin("irs registry", len(ENTITIES))
    counts = {}
    for path, entity in ENTITIES.items():
        written = 0
        if entity.period == "month":
            written = _write_calls(con, store_dir(city_dir), entity, seed, first, new_from, last)
        else:
            written = _write_versions(con, store_dir(city_dir), entity, new_from, last)
        counts[path] = count_versions(con, city_dir, entity)
        progress.advance(1, written)
    return counts


def count_versions(con: duckdb.DuckDBPyConnection, city_dir: Path, entity: RegistryEntity) -> int:
    folder = store_dir(city_dir) / entity.path
    if not any(folder.glob("*.parquet")):
        return 0
    found = con.execute(f"select count(*) from read_parquet('{folder}/*.parquet')").fetchone()
    return int(found[0]) if found else 0


def table_of(entity: RegistryEntity) -> str:
    return "versions_" + entity.path.replace("-", "_")


def _load_versions(con: duckdb.DuckDBPyConnection, entity: RegistryEntity, rows: list[dict[str, object]]) -> None:
    load_rows(con, table_of(entity), {**entity.fields, "updatedAt": "varchar", "superseded_at": "varchar"}, rows)


def _load_pairs(con: duckdb.DuckDBPyConnection, population: Population) -> None:
    columns = {"resourceId": "varchar", "appId": "varchar", "called_from": "date"}
    load_rows(con, "interface_pair", columns, interface_pairs(population))


def _copied(entity: RegistryEntity) -> str:
    """The fields of a copy of the city: identifiers and names with its suffix."""
    changed = []
    for name in entity.ids:
        if name == "appIds":
            value = f"""case when copy_number = 0 then "{name}" else
                regexp_replace("{name}", '([^;]+)', '\\1' || id_suffix, 'g') end"""
        else:
            value = f'"{name}" || id_suffix'
        changed.append(f'{value} as "{name}"')
    changed += [f'"{name}" || name_suffix as "{name}"' for name in entity.names]
    return ", ".join(changed)


def _write_versions(
    con: duckdb.DuckDBPyConnection, store: Path, entity: RegistryEntity, new_from: dt.date | None, last: dt.date
) -> int:
    """One file a year; versions from before 2021 lie in the first."""
    first_year = 2020
    start = first_year if new_from is None else max(new_from.year, first_year)
    written = 0
    for year in range(start, last.year + 1):
        low = "" if year == first_year else f"{year}-01-01T00:00:00"
        high = min(dt.date(year, 12, 31), last).isoformat() + "T99"
        rows = f"""
            select versions.* replace ({_copied(entity)}), "{entity.key}" || id_suffix as _key
            from {table_of(entity)} as versions cross join copy_of_city
            where "updatedAt" >= '{low}' and "updatedAt" < '{high}'
            order by "updatedAt", _key
        """
        written += _write_parquet(con, rows, store / entity.path / f"{year}.parquet")
    return written


def _write_calls(
    con: duckdb.DuckDBPyConnection, store: Path, entity: RegistryEntity, seed: int,
    first: dt.date, new_from: dt.date | None, last: dt.date,
) -> int:  # fmt: skip
    """One file a month; each call count is drawn from its day and pair, a few are reported days later."""
    month = (new_from or first).replace(day=1)
    written = 0
    while month <= last:
        end = min(month_end(month), last)
        drawn_from = max(first, month - dt.timedelta(days=LATEST_REPORT_DAYS))
        rows = f"""
            with called as (
                select
                    strftime(day.called_on, '%Y-%m-%d') as "date",
                    pair."resourceId" || id_suffix as "resourceId", pair."appId" || id_suffix as "appId",
                    hash({seed}, 7, pair."resourceId" || id_suffix, pair."appId" || id_suffix) as pair_hash,
                    hash({seed}, 8, pair."resourceId" || id_suffix, pair."appId" || id_suffix,
                        (day.called_on - date '2000-01-01')::integer) as day_hash,
                    day.called_on
                from interface_pair as pair
                cross join copy_of_city
                inner join (
                    select unnest(generate_series(date '{drawn_from}', date '{end}', interval 1 day))::date as called_on
                ) as day on day.called_on >= pair.called_from
            ),

            counted as (
                select
                    "date", "resourceId", "appId", day_hash,
                    floor(exp(1.5 + 5.5 * (pair_hash & 65535) / 65536.0)
                        * case when isodow(called_on) >= 6 then 0.35 else 1.25 end
                        * (0.75 + 0.5 * (day_hash & 65535) / 65536.0))::integer as calls,
                    case when ((day_hash >> 48) & 1023) < 4
                        then strftime(called_on + (1 + ((day_hash >> 58) & 63) % {LATEST_REPORT_DAYS})::integer,
                            '%Y-%m-%dT08:00:00')
                        else strftime(called_on, '%Y-%m-%dT23:50:00')
                    end as "updatedAt"
                from called
            )

            select
                "date", "resourceId", "appId", calls,
                floor(calls * 0.03 * ((day_hash >> 16) & 65535) / 65536.0)::integer as failed,
                "updatedAt", cast(null as varchar) as superseded_at,
                "date" || '|' || "resourceId" || '|' || "appId" as _key
            from counted
            where "updatedAt" >= '{month}' and "updatedAt" < '{end}T99'
            order by "updatedAt", _key
        """
        written += _write_parquet(con, rows, store / entity.path / f"{month:%Y-%m}.parquet")
        month = month_end(month) + dt.timedelta(days=1)
    return written


def _write_parquet(con: duckdb.DuckDBPyConnection, rows: str, target: Path) -> int:
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.partial")
    found = con.execute(
        f"""
        copy ({rows}) to '{partial}'
        (format parquet, compression zstd, row_group_size {ROW_GROUP_ROWS}, kv_metadata {{synthetic: '{LABEL}'}})
        """
    ).fetchone()
    partial.replace(target)
    return int(found[0]) if found else 0
