"""``make bench``: what the nightly costs, beside plain DuckDB SQL on the same files in the same run."""

from __future__ import annotations

import argparse
import datetime as dt
import json
import shutil
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.comparison import Contender, Limits, measure_comparison, to_json, write_plot
from benchmarks.comparison import table_of as comparison_table
from benchmarks.gate import GateCost, measure_gate
from benchmarks.large import measure_large, plot_of, table_of
from benchmarks.load import History, measure_load, print_load
from benchmarks.nightly import DATA_WORK, HistoryCost, ScaleCost, measure_history, measure_scale
from benchmarks.pages import measure_pages
from benchmarks.tracing import measure_tracing
from oneledger.charts.palette import PAPER
from oneledger.charts.render import svg

console = Console(width=150, highlight=False)


def main() -> None:
    arguments = _arguments()
    if arguments.tracing:
        traces = measure_tracing(arguments.tracing, memory_limit=arguments.memory_limit, say=console.print)
        if arguments.output:
            Path(arguments.output).write_text(json.dumps([one.to_json() for one in traces], indent=1) + "\n", "utf-8")
        return
    if arguments.pages:
        pages = measure_pages(arguments.pages, memory_limit=arguments.memory_limit, say=console.print)
        if arguments.output:
            Path(arguments.output).write_text(json.dumps([one.to_json() for one in pages], indent=1) + "\n", "utf-8")
        return
    if arguments.load:
        history = History(arguments.load_scale, arguments.first_day, arguments.last_day - dt.timedelta(days=1))
        load = measure_load(
            arguments.load, history, users=arguments.users, minutes=arguments.minutes,
            memory_limit=arguments.memory_limit, say=console.print,
        )  # fmt: skip
        print_load(load, print)
        if arguments.output:
            Path(arguments.output).write_text(json.dumps(load.to_json(), indent=1) + "\n", "utf-8")
        return
    if arguments.scale:
        _measure_large(arguments)
        return
    if arguments.comparison:
        _compare(arguments)
        return
    root = Path(arguments.home or tempfile.mkdtemp(prefix="oneledger-bench-"))
    console.print(f"data under {root}; memory limit {arguments.memory_limit}")
    report: dict[str, object] = {"memory_limit": arguments.memory_limit}
    try:
        if arguments.gate or not arguments.no_gate:
            gate = measure_gate(
                root / "gate",
                rows=arguments.gate_rows,
                pandas_rows=min(arguments.gate_rows, arguments.pandas_rows),
                memory_limit=arguments.memory_limit,
                say=console.print,
            )
            _print_gate(gate)
            report["gate"] = gate.to_json()
            if not arguments.keep:
                shutil.rmtree(root / "gate")
        costs = []
        if arguments.gate:
            arguments.scales, arguments.no_history = [], True
        for scale in arguments.scales:
            cost = measure_scale(
                root / f"scale-{scale}",
                scale=scale,
                first_day=arguments.first_day if scale < arguments.long_history_below else arguments.short_first_day,
                last_day=arguments.last_day,
                memory_limit=arguments.memory_limit,
                say=console.print,
            )
            costs.append(cost)
            _print_scales(costs)
            if not arguments.keep:
                shutil.rmtree(root / f"scale-{scale}")
        report["scales"] = [cost.to_json() for cost in costs]
        if not arguments.no_history:
            history = measure_history(
                root / "history",
                scale=arguments.history_scale,
                # The workbook of a month comes with its last day: the short history must hold one.
                last_day=arguments.last_day + dt.timedelta(days=3),
                short_days=6,
                long_days=600,
                memory_limit=arguments.memory_limit,
                say=console.print,
            )
            _print_history(history)
            report["history"] = history.to_json()
    finally:
        if not arguments.keep and not arguments.home:
            shutil.rmtree(root, ignore_errors=True)
    if arguments.output:
        Path(arguments.output).write_text(json.dumps(report, ensure_ascii=False, indent=2), encoding="utf-8")
        console.print(f"written: {arguments.output}")


def _measure_large(arguments: argparse.Namespace) -> None:
    if not arguments.home:
        raise SystemExit("--scale needs --home: the history takes long to build and is kept for the next time.")
    cost = measure_large(
        Path(arguments.home).resolve(),
        scale=arguments.scale,
        last_day=arguments.last_day,
        history_days=arguments.history_days,
        memory_limit=arguments.memory_limit,
        with_plain=not arguments.no_plain,
        say=console.print,
    )
    console.print(table_of(cost), soft_wrap=True)
    console.print(
        f"version: {cost.linked_files} files ({cost.linked_mib:,.0f} MiB) shared with the one before, "
        f"{cost.written_mib:,.0f} MiB written; plain SQL that knows the new day: {cost.plain_day_seconds or 0:.1f} s; "
        f"{cost.months_compared:,} rows of the monthly mart equal"
    )
    if arguments.plot:
        title = f"One more day at scale {cost.scale} on {cost.history_rows:,} usage rows, in seconds"
        arguments.plot.write_text(svg(plot_of(cost), title=title, palette=PAPER) + "\n", "utf-8")
    if arguments.output:
        Path(arguments.output).write_text(json.dumps(cost.to_json(), indent=1) + "\n", "utf-8")


def _compare(arguments: argparse.Namespace) -> None:
    """All peers at the asked scales: table on standard output, plot and figures in files."""
    root = Path(arguments.home or tempfile.mkdtemp(prefix="oneledger-bench-"))
    limits = Limits(arguments.memory_limit, arguments.pandas_gib * 1024**3)
    contenders: list[Contender] = []
    try:
        for scale in arguments.scales:
            contenders += measure_comparison(
                root / f"comparison-{scale}",
                scale=scale,
                first_day=arguments.first_day if scale < arguments.long_history_below else arguments.short_first_day,
                last_day=arguments.last_day,
                limits=limits,
                say=console.print,
            )
            if not arguments.keep:
                shutil.rmtree(root / f"comparison-{scale}")
            print(comparison_table(contenders))
    finally:
        if not arguments.keep and not arguments.home:
            shutil.rmtree(root, ignore_errors=True)
    if arguments.plot:
        write_plot(contenders, arguments.plot)
    if arguments.output:
        Path(arguments.output).write_text(json.dumps(to_json(contenders), indent=1) + "\n", "utf-8")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--scales", type=lambda text: [int(part) for part in text.split(",") if part], default=[1, 10, 100]
    )
    parser.add_argument(
        "--scale", type=int, help="only one more day at this scale, on a history that is built in --home and kept"
    )
    parser.add_argument("--history-days", type=int, default=72, help="with --scale: days of usage before the day")
    parser.add_argument("--no-plain", action="store_true", help="with --scale: leave the plain script out")
    parser.add_argument("--first-day", type=dt.date.fromisoformat, default=dt.date(2021, 1, 1))
    parser.add_argument("--last-day", type=dt.date.fromisoformat, default=dt.date(2022, 10, 31))
    parser.add_argument(
        "--long-history-below",
        type=int,
        default=100,
        help="scales from here on start on --short-first-day, so that the whole bench ends in about half an hour",
    )
    parser.add_argument("--short-first-day", type=dt.date.fromisoformat, default=dt.date(2022, 9, 1))
    parser.add_argument("--history-scale", type=int, default=10, help="scale at which history is varied")
    parser.add_argument("--no-history", action="store_true", help="leave the history comparison out")
    parser.add_argument("--gate", action="store_true", help="only the source gate against the load")
    parser.add_argument("--no-gate", action="store_true", help="leave the source gate out")
    parser.add_argument("--gate-rows", type=int, default=50_000_000, help="usage rows that the source gate judges")
    parser.add_argument("--pandas-rows", type=int, default=5_000_000, help="rows of it that pandas is given")
    parser.add_argument("--tracing", type=Path, help="only traces, in this installation (its ONELEDGER_HOME)")
    parser.add_argument("--pages", type=Path, help="only the pages, over this installation (its ONELEDGER_HOME)")
    parser.add_argument("--comparison", action="store_true", help="only the peers: plain SQL, pandas, SQLMesh")
    parser.add_argument("--plot", type=Path, help="with --comparison or --scale: draw it into this SVG file")
    parser.add_argument("--pandas-gib", type=int, default=16, help="with --comparison: what pandas may allocate")
    parser.add_argument("--load", type=Path, help="only users on the pages beside nights, in this installation; "
                        "built there when there is none")  # fmt: skip
    parser.add_argument("--load-scale", type=int, default=1, help="scale of that city")
    parser.add_argument("--users", type=int, default=200, help="how many users at once")
    parser.add_argument("--minutes", type=float, default=2.0, help="how long they stay each time")
    parser.add_argument("--memory-limit", default="4GB")
    parser.add_argument("--home", help="where to put the data (kept); default: a temporary folder, removed")
    parser.add_argument("--keep", action="store_true", help="keep the data")
    parser.add_argument("--output", help="write the figures as JSON to this file as well")
    return parser.parse_args()


def _print_scales(costs: list[ScaleCost]) -> None:
    table = Table(title="Seconds per stage (first: whole history; day: one more day on top of it)")
    for heading in ("scale", "load", "usage rows", *STAGES_SHOWN, "all", "peak MiB", "plain SQL s", "ratio"):
        table.add_column(heading, justify="right")
    for cost in costs:
        for name, run, plain in (("first", cost.first, cost.plain_first), ("day", cost.day, cost.plain_all_again)):
            table.add_row(
                str(cost.scale),
                name,
                f"{run.usage_rows:,}",
                *(f"{run.stages.get(stage, 0.0):.1f}" for stage in STAGES_SHOWN),
                f"{run.seconds:.1f}",
                f"{run.peak_mib:,.0f}",
                f"{plain:.1f}",
                f"{run.data_work_seconds / plain:.2f}",
            )
    console.print(table)
    console.print(
        f"ratio = ({' + '.join(DATA_WORK)}) / plain DuckDB script over the same files. For the day, the plain script "
        "reads all files again, as such scripts do; one that knows which day is new takes: "
        + ", ".join(f"scale {cost.scale}: {cost.plain_day:.2f} s" for cost in costs)
        + ". Both give the same monthly mart: "
        + ", ".join(f"scale {cost.scale}: {cost.months_compared:,} rows equal" for cost in costs)
    )


def _print_gate(cost: GateCost) -> None:
    console.print(
        f"source gate: {cost.rows:,} rows of {cost.days} days loaded in {cost.load_seconds:.1f} s, judged in "
        f"{cost.gate_seconds:.1f} s ({cost.gate_checks} results); gate / load {cost.ratio:.2f} (aim: at most a third); "
        f"slowest: {', '.join(f'{name} {seconds:.1f} s' for name, seconds in cost.slowest_checks)}"
    )
    console.print(
        f"the same nine checks: pushed down on all {cost.rows:,} rows {cost.pushed_down_seconds:.1f} s; Great "
        f"Expectations on pandas on {cost.pandas_rows:,} rows {cost.pandas_seconds:.1f} s, {cost.pandas_mib:,.0f} MiB "
        f"({cost.pandas_seconds / cost.pandas_rows * cost.rows:.0f} s for all of them at that rate); the gate took "
        f"{cost.gate_mib:,.0f} MiB"
    )


def _print_history(cost: HistoryCost) -> None:
    console.print(
        f"one more day at scale {cost.scale}: {cost.short.data_work_seconds:.1f} s data work on {cost.short_days} days "
        f"of history, {cost.long.data_work_seconds:.1f} s on {cost.long_days} days; ratio {cost.ratio:.2f} "
        f"(aim: at most 1.3)"
    )


STAGES_SHOWN = ("extract", "load_raw", "admit", "gate_sources", "build_models", "gate_marts", "publish")

if __name__ == "__main__":
    main()
