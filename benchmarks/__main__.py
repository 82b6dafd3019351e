"""What the nightly costs, beside plain DuckDB SQL on the same files in the same run; ``make bench`` is ``night``.

python -m benchmarks night --only scales --scales 1,10
python -m benchmarks peers --plot peers.svg
python -m benchmarks province /srv/bench
python -m benchmarks users /srv/load --users 200 --minutes 2
"""

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.comparison import Contender, Limits, measure_comparison, to_json
from benchmarks.comparison import plot_of as peers_plot
from benchmarks.comparison import table_of as comparison_table
from benchmarks.gate import GateCost, measure_gate
from benchmarks.large import measure_large, plot_of, table_of
from benchmarks.load import History, measure_load, print_load
from benchmarks.nightly import DATA_WORK, HistoryCost, ScaleCost, measure_history, measure_scale
from benchmarks.pages import measure_pages
from benchmarks.plots import write_plot
from benchmarks.tracing import measure_tracing

console = Console(width=150, highlight=False)

_PEERS_TITLE = "OneLedger beside plain DuckDB SQL, pandas and SQLMesh"
_PARTS = ("gate", "scales", "history")
STAGES_SHOWN = ("extract", "load_raw", "admit", "gate_sources", "build_models", "gate_marts", "publish")


def main() -> None:
    arguments = _arguments()
    arguments.run(arguments)


def _night(arguments: argparse.Namespace) -> None:
    """The gate, the night at each scale, one more day on a short and a long history: what ``make bench`` prints."""
    only = arguments.only or list(_PARTS)
    report: dict[str, object] = {"memory_limit": arguments.memory_limit}
    with _data(arguments) as root:
        if "gate" in only:
            report["gate"] = _gate(arguments, root).to_json()
        if "scales" in only:
            report["scales"] = [cost.to_json() for cost in _scales(arguments, root)]
        if "history" in only:
            report["history"] = _history(arguments, root).to_json()
    _write(arguments, report)


def _gate(arguments: argparse.Namespace, root: Path) -> GateCost:
    gate = measure_gate(
        root / "gate",
        rows=arguments.gate_rows,
        pandas_rows=min(arguments.gate_rows, arguments.pandas_rows),
        memory_limit=arguments.memory_limit,
        say=console.print,
    )
    _print_gate(gate)
    _clear(arguments, root / "gate")
    return gate


def _scales(arguments: argparse.Namespace, root: Path) -> list[ScaleCost]:
    costs = []
    for scale in arguments.scales:
        cost = measure_scale(
            root / f"scale-{scale}",
            scale=scale,
            first_day=_first_day(arguments, scale),
            last_day=arguments.last_day,
            memory_limit=arguments.memory_limit,
            say=console.print,
        )
        costs.append(cost)
        _print_scales(costs)
        _clear(arguments, root / f"scale-{scale}")
    return costs


def _history(arguments: argparse.Namespace, root: Path) -> HistoryCost:
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
    return history


def _peers(arguments: argparse.Namespace) -> None:
    """All peers at the asked scales: table on standard output, plot and figures in files."""
    limits = Limits(arguments.memory_limit, arguments.pandas_gib * 1024**3)
    contenders: list[Contender] = []
    with _data(arguments) as root:
        for scale in arguments.scales:
            contenders += measure_comparison(
                root / f"comparison-{scale}",
                scale=scale,
                first_day=_first_day(arguments, scale),
                last_day=arguments.last_day,
                limits=limits,
                say=console.print,
            )
            _clear(arguments, root / f"comparison-{scale}")
            print(comparison_table(contenders))
    if arguments.plot:
        write_plot(peers_plot(contenders), arguments.plot, title=_PEERS_TITLE)
    _write(arguments, to_json(contenders))


def _province(arguments: argparse.Namespace) -> None:
    cost = measure_large(
        arguments.home.resolve(),
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
        write_plot(plot_of(cost), arguments.plot, title=title)
    _write(arguments, cost.to_json())


def _users(arguments: argparse.Namespace) -> None:
    history = History(arguments.scale, arguments.first_day, arguments.last_day - dt.timedelta(days=1))
    load = measure_load(
        arguments.home, history, users=arguments.users, minutes=arguments.minutes,
        memory_limit=arguments.memory_limit, say=console.print,
    )  # fmt: skip
    print_load(load, print)
    _write(arguments, load.to_json())


def _traces(arguments: argparse.Namespace) -> None:
    traces = measure_tracing(arguments.home, memory_limit=arguments.memory_limit, say=console.print)
    _write(arguments, [one.to_json() for one in traces])


def _pages(arguments: argparse.Namespace) -> None:
    pages = measure_pages(arguments.home, memory_limit=arguments.memory_limit, say=console.print)
    _write(arguments, [one.to_json() for one in pages])


def _first_day(arguments: argparse.Namespace, scale: int) -> dt.date:
    return arguments.first_day if scale < arguments.long_history_below else arguments.short_first_day


@contextlib.contextmanager
def _data(arguments: argparse.Namespace) -> Iterator[Path]:
    """The folder of the cities that are made for measuring; a temporary one is removed."""
    root = Path(arguments.home or tempfile.mkdtemp(prefix="oneledger-bench-"))
    console.print(f"data under {root}; memory limit {arguments.memory_limit}")
    try:
        yield root
    finally:
        if not arguments.keep and not arguments.home:
            shutil.rmtree(root, ignore_errors=True)


def _clear(arguments: argparse.Namespace, folder: Path) -> None:
    if not arguments.keep:
        shutil.rmtree(folder)


def _write(arguments: argparse.Namespace, figures: object) -> None:
    if arguments.output:
        arguments.output.write_text(json.dumps(figures, ensure_ascii=False, indent=1) + "\n", "utf-8")
        console.print(f"written: {arguments.output}")


def _arguments() -> argparse.Namespace:
    everywhere = argparse.ArgumentParser(add_help=False)
    everywhere.add_argument("--memory-limit", default="4GB", help="of the command as a whole (default 4GB)")
    everywhere.add_argument("--output", type=Path, help="write the figures as JSON to this file as well")

    days = argparse.ArgumentParser(add_help=False)
    days.add_argument("--first-day", type=dt.date.fromisoformat, default=dt.date(2021, 1, 1))
    days.add_argument("--last-day", type=dt.date.fromisoformat, default=dt.date(2022, 10, 31))

    made = argparse.ArgumentParser(add_help=False, parents=[days])
    made.add_argument("--scales", type=_numbers, default=[1, 10, 100], help="comma-separated (default 1,10,100)")
    made.add_argument("--long-history-below", type=int, default=100,
                      help="scales from here on start on --short-first-day, for the time that it takes")  # fmt: skip
    made.add_argument("--short-first-day", type=dt.date.fromisoformat, default=dt.date(2022, 9, 1))
    made.add_argument("--home", help="where to put the data; default: a temporary folder, removed")
    made.add_argument("--keep", action="store_true", help="keep the data")

    there = argparse.ArgumentParser(add_help=False)
    there.add_argument("home", type=Path, help="the installation to measure (its ONELEDGER_HOME)")

    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    verbs = parser.add_subparsers(required=True, metavar="WHAT")

    night = verbs.add_parser("night", parents=[everywhere, made], help="the night: gate, scales, length of history")
    night.add_argument("--only", nargs="+", choices=_PARTS, help="only these parts of it")
    night.add_argument("--history-scale", type=int, default=10, help="scale at which history is varied")
    night.add_argument("--gate-rows", type=int, default=50_000_000, help="usage rows that the source gate judges")
    night.add_argument("--pandas-rows", type=int, default=5_000_000, help="rows of it that pandas is given")
    night.set_defaults(run=_night)

    peers = verbs.add_parser("peers", parents=[everywhere, made], help="beside plain SQL, pandas and SQLMesh")
    peers.add_argument("--plot", type=Path, help="draw the figures into this SVG file")
    peers.add_argument("--pandas-gib", type=int, default=16, help="what pandas may allocate (default 16)")
    peers.set_defaults(run=_peers)

    province = verbs.add_parser("province", parents=[everywhere], help="one more day on a long history, which is kept")
    province.add_argument("home", type=Path, help="where the history is, or is built")
    province.add_argument("--scale", type=int, default=1000)
    province.add_argument("--history-days", type=int, default=72, help="days of usage before the day (default 72)")
    province.add_argument("--last-day", type=dt.date.fromisoformat, default=dt.date(2022, 10, 31))
    province.add_argument("--no-plain", action="store_true", help="without the plain script over all files")
    province.add_argument("--plot", type=Path, help="draw the figures into this SVG file")
    province.set_defaults(run=_province)

    users = verbs.add_parser("users", parents=[everywhere, days, there],
                             help="many users on the pages beside nights; builds a city if there is none")  # fmt: skip
    users.add_argument("--scale", type=int, default=1, help="scale of that city")
    users.add_argument("--users", type=int, default=200, help="how many at once (default 200)")
    users.add_argument("--minutes", type=float, default=2.0, help="how long they stay each time (default 2)")
    users.set_defaults(run=_users)

    verbs.add_parser("traces", parents=[everywhere, there], help="traces of every kind").set_defaults(run=_traces)
    verbs.add_parser("pages", parents=[everywhere, there], help="every kind of page").set_defaults(run=_pages)
    return parser.parse_args()


def _numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",") if part]


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


if __name__ == "__main__":
    main()
