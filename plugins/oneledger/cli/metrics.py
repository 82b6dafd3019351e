"""The verbs ``metrics list``, ``metrics show`` and ``metrics query``: what the semantic layer of a version answers."""

from __future__ import annotations

import csv
import datetime as dt
import sys
from typing import Annotated

import typer

from oneledger.cli.output import emit_json, errors, print_table, say
from oneledger.cli.publishing import AsOf, Json, Version, answered_by

HELP = """Metrics of the marts, defined once: the same values from here, from the API and from MetricFlow's `mf query`.

Examples:

    oneledger metrics list

    oneledger metrics show visitors

    oneledger metrics query low_use_apps low_use_rate --by low_use__portal --by metric_time --grain month

    oneledger metrics query execution_rate spent_cny --by budget__budget_year --csv
"""
LIST_HELP = """All metrics of a published version, with unit and finest grain.

Examples:

    oneledger metrics list

    oneledger metrics list --of sharing_request       of one mart

    oneledger metrics list --version 20221101T --json
"""
SHOW_HELP = """One metric: what it means, what it is computed from, what it can be grouped and filtered by.

Examples:

    oneledger metrics show zheliban_channel_share

    oneledger metrics show visitors --json
"""
QUERY_HELP = """The values of metrics: by dimensions, filtered, for a period. A missing value stays empty, never 0.

Beside each metric stands its state: reported; partial (something that it covers is missing); missing; not_applicable.
Days given with --from and --to widen to whole periods of the grain. A question that would add what must not be added
(visitors over release ends) is refused, with the way to ask it.

Examples:

    oneledger metrics query page_views --by metric_time --grain month --from 2022-08-01 --to 2022-10-31

    oneledger metrics query visitors --by app --where app_usage__release_end=zheliban_app --order -visitors --limit 5

    oneledger metrics query five_star_apps four_star_apps three_star_apps apps_without_stars --by star__run_id

    oneledger metrics query sharing_requests median_approve_to_open_minutes --where "app__level in city,county" --json

    oneledger metrics query execution_rate --by project__family --sql
"""
Names = Annotated[list[str], typer.Argument(metavar="METRIC...")]


def register(app: typer.Typer) -> None:
    """Add the verbs."""
    metrics_app = typer.Typer(help=HELP, no_args_is_help=True, rich_markup_mode="markdown")
    metrics_app.command("list", help=LIST_HELP)(list_command)
    metrics_app.command("show", help=SHOW_HELP)(show)
    metrics_app.command("query", help=QUERY_HELP)(query)
    app.add_typer(metrics_app, name="metrics")


def list_command(
    of: Annotated[str | None, typer.Option("--of", help="Only metrics that read this mart.")] = None,
    version: Version = "current",
    as_of: AsOf = None,
    as_json: Json = False,
) -> None:
    """Exit 0 with the list, 2 when the version carries no metrics or no such mart is read."""
    from oneledger.metrics import list_metrics
    from oneledger.metrics.catalogue import unknown
    from oneledger.publishing.versions import resolve
    from oneledger.settings import load_settings

    found = resolve(load_settings(), version, as_of=as_of.date() if as_of else None)
    metrics = list_metrics(found)
    if of is not None:
        marts = {relation for one in metrics for relation in one.relations}
        wanted = of if "." in of else next((one for one in marts if one.partition(".")[2] == of), of)
        if wanted not in marts:
            raise unknown("mart with metrics", of, marts, "`oneledger metrics list` shows all metrics")
        metrics = [one for one in metrics if wanted in one.relations]
    if as_json:
        emit_json({"ok": True, "version": found.version, "items": [one.as_dict() for one in metrics]})
        return
    headings = {"name": "指标 metric", "title_zh": "名称", "title_en": "title", "unit": "单位 unit",
                "grain": "粒度 grain", "mart": "集市 mart"}  # fmt: skip
    print_table([{**one.as_dict(), "mart": ", ".join(one.relations)} for one in metrics], headings)
    say(f"{len(metrics)} metrics. 指标 {len(metrics)} 项。")
    errors.print(answered_by(found))


def show(
    name: Annotated[str, typer.Argument(metavar="METRIC")],
    version: Version = "current",
    as_of: AsOf = None,
    as_json: Json = False,
) -> None:
    """Exit 0 with the metric, 2 when there is none of this name."""
    from oneledger.metrics import find_metric, list_dimensions
    from oneledger.publishing.versions import resolve
    from oneledger.settings import load_settings

    found = resolve(load_settings(), version, as_of=as_of.date() if as_of else None)
    metric = find_metric(found, name)
    dimensions = list_dimensions(found, [name])
    if as_json:
        shown = {**metric.as_dict(), "dimensions": [one.as_dict() for one in dimensions]}
        emit_json({"ok": True, "version": found.version, "items": [shown]})
        return
    say(f"[bold]{metric.name}[/bold]  {metric.title_zh} · {metric.title_en}  ({metric.unit})")
    say(metric.description_zh)
    say(metric.description_en)
    for label, text in (
        ("由 computed from", ", ".join(metric.inputs)), ("集市 marts", ", ".join(metric.relations)),
        ("缺失计于 missing counted in", metric.missing_in or ""),
        ("不可相加 not to be added over", ", ".join(metric.not_additive_over)),
        ("期末值 state at the end", "of several months, the value of the last" if metric.is_state_at_end else ""),
    ):  # fmt: skip
        if text:
            say(f"{label}: {text}")
    headings = {"name": "维度 dimension", "title_zh": "名称", "title_en": "title", "data_type": "类型 type",
                "by": "粒度 grains"}  # fmt: skip
    print_table([{**one.as_dict(), "by": ", ".join(one.grains)} for one in dimensions], headings)


def query(
    names: Names,
    by: Annotated[list[str] | None, typer.Option("--by", help="Group by a dimension; may be repeated.")] = None,
    where: Annotated[
        list[str] | None, typer.Option(help="A filter such as app__side=service; may be repeated, all hold.")
    ] = None,
    grain: Annotated[str | None, typer.Option(help="Of metric_time: day, week, month, quarter or year.")] = None,
    start_on: Annotated[dt.datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="First day.")] = None,
    end_on: Annotated[dt.datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="Last day.")] = None,
    order: Annotated[
        list[str] | None, typer.Option(help="Order by a column, -column for the largest first; may be repeated.")
    ] = None,
    limit: Annotated[int | None, typer.Option(help="At most so many rows.")] = None,
    version: Version = "current",
    as_of: AsOf = None,
    as_json: Json = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Answer as CSV.")] = False,
    with_sql: Annotated[bool, typer.Option("--sql", help="Also print the SQL that was run.")] = False,
) -> None:
    """Exit 0 with the answer, 2 when a name is unknown or the question would add what must not be added."""
    from oneledger.metrics import Filter, query_metrics
    from oneledger.publishing.versions import resolve
    from oneledger.settings import load_settings

    settings = load_settings()
    found = resolve(settings, version, as_of=as_of.date() if as_of else None)
    answer = query_metrics(
        settings,
        found,
        metrics=names,
        group_by=by or [],
        filters=[Filter.parse(one) for one in where or []],
        grain=grain,
        start_on=start_on.date() if start_on else None,
        end_on=end_on.date() if end_on else None,
        order_by=order or [],
        limit=limit,
    )
    if as_json:
        emit_json({"ok": True, **answer.as_dict()})
        return
    if as_csv:
        writer = csv.DictWriter(sys.stdout, [one.name for one in answer.columns], lineterminator="\n")
        writer.writeheader()
        writer.writerows(answer.rows)
    else:
        headings = {one.name: _heading(one.title_zh, one.name, one.unit) for one in answer.columns}
        print_table(answer.rows, headings)
        say(f"{len(answer.rows):,} rows")
    if with_sql:
        errors.print(answer.sql, markup=False)
        if answer.parameters:
            errors.print(", ".join(f"${key} = {value!r}" for key, value in answer.parameters.items()), markup=False)
    errors.print(answered_by(found))


def _heading(title: str, name: str, unit: str | None) -> str:
    return f"{title}\n{name}" + (f" ({unit})" if unit else "")
