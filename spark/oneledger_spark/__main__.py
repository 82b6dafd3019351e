"""The command line: ``make spark`` calls it, in the product's own environment with ``spark/`` on the path."""

from __future__ import annotations

import dataclasses
import json
import statistics
from typing import Annotated

import typer

from oneledger.cli.output import emit_json, fail, print_table, say
from oneledger.settings import ConfigurationError, load_settings
from oneledger_spark.building import Built, SparkBuildError, build_on_spark, run_dbt_on_spark
from oneledger_spark.cluster import ClusterSize

HELP = """The marts on Apache Spark, and whether they are DuckDB's (docs/spark.md). Needs Java 17.

Examples:

    make spark                                       export, cluster, build, compare

    make spark SPARK_ARGUMENTS="build --with-tests --json"

    make spark SPARK_ARGUMENTS="dbt debug"           any dbt command on the cluster; --target spark is added
"""
app = typer.Typer(help=HELP, no_args_is_help=True, rich_markup_mode="markdown", add_completion=False)
Workers = Annotated[int, typer.Option(help="Worker processes.", min=1)]
Cores = Annotated[int, typer.Option(help="Cores of each worker.", min=1)]
Memory = Annotated[int, typer.Option(help="Megabytes of the executor on each worker.", min=512)]
Driver = Annotated[int, typer.Option(help="Megabytes of the driver.", min=512)]


@app.command()
def build(
    workers: Workers = 2, cores: Cores = 1, memory: Memory = 1280, driver_memory: Driver = 1280,
    with_tests: Annotated[bool, typer.Option("--with-tests", help="dbt's data tests on Spark, too.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Answer as JSON.")] = False,
) -> None:  # fmt: skip
    """Build every mart on a cluster of this machine and compare it with DuckDB's: exit 1 when one differs."""
    size = ClusterSize(workers, cores, memory, driver_memory)
    try:
        built = build_on_spark(load_settings(), size=size, with_tests=with_tests, progress=_silent if as_json else say)
    except ConfigurationError as error:
        fail(str(error), code=2)
    except SparkBuildError as error:
        fail(str(error), code=1)
    if as_json:
        emit_json(_as_json(built))
    else:
        _print(built)
    raise typer.Exit(0 if built.is_same else 1)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def dbt(context: typer.Context) -> None:
    """Any dbt command with the target spark, on a cluster that is started for it and ends with it."""
    try:
        typer.echo(run_dbt_on_spark(load_settings(), context.args, size=ClusterSize()))
    except ConfigurationError as error:
        fail(str(error), code=2)
    except SparkBuildError as error:
        fail(str(error), code=1)


def _silent(_: str) -> None:
    """No progress beside JSON."""


def _as_json(built: Built) -> dict[str, object]:
    return {
        "ok": built.is_same, "rows_count": built.rows_count, "seconds": built.seconds,
        "used": {engine: dataclasses.asdict(used) for engine, used in built.used.items()},
        "model_seconds": built.model_seconds,
        "items": [{**dataclasses.asdict(one), "is_same": one.is_same} for one in built.comparisons],
    }  # fmt: skip


def _print(built: Built) -> None:
    print_table(
        [
            {"mart": one.mart, "rows": f"{one.rows_count:,}", "spark": f"{one.spark_rows_count:,}",
             "missing": one.missing_count, "extra": one.extra_count, "columns": json.dumps(one.differing_columns)}
            for one in built.comparisons if not one.is_same
        ],
        {"mart": "集市 mart", "rows": "DuckDB 行 rows", "spark": "Spark 行 rows", "missing": "缺 missing",
         "extra": "多 extra", "columns": "不同的列 differing columns"},
    )  # fmt: skip
    same = sum(one.is_same for one in built.comparisons)
    rows = sum(one.rows_count for one in built.comparisons)
    say(f"{same} of {len(built.comparisons)} 个集市逐行一致 marts are the same row for row ({rows:,} rows).")
    close = [one for one in built.comparisons if one.last_bits_count]
    if close:
        most = max(one.largest_difference for one in close)
        say(f"其中 of them {len(close)} 个有浮点末位差异 differ in the last bits of doubles (by at most {most:.1e}).")
    here, there = (statistics.median(pair[engine] for pair in built.model_seconds.values()) for engine in (0, 1))
    say(
        f"用时 seconds: DuckDB {built.seconds['duckdb']:.0f}, Spark {built.seconds['spark']:.0f}; "
        f"模型中位数 the median model {here:.2f} and {there:.2f}."
    )
    duckdb, spark = built.used["duckdb"], built.used["spark"]
    say(
        f"处理器秒 seconds of cores: DuckDB {duckdb.cpu_seconds:.0f}, Spark {spark.cpu_seconds:.0f}; "
        f"峰值内存 peak memory: {duckdb.peak_mib:,.0f} and {spark.peak_mib:,.0f} MiB."
    )


if __name__ == "__main__":
    app()
