"""Great Expectations' Data Docs, made from the kept results: one page a gate and run, the rows behind them, an index.

Great Expectations renders the pages; what they would fetch from the internet (styles, fonts, scripts, pictures) is
taken out and a small style sheet put in. The newest runs have pages, which are made once; older runs are lines of
the index, so that the site stays as small after a thousand runs as after sixty.
"""

from __future__ import annotations

import html
import json
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from oneledger.locks.register import DATA_DOCS
from oneledger.quality.personal_data import masked
from oneledger.quality.results import results_of_run, trends
from oneledger.quality.session import warm_up
from oneledger.settings import Settings
from oneledger.warehouse.connection import open_warehouse

RENDERED_RUNS = 60
LISTED_RUNS = 400
ROWS_A_PAGE = 200
FOLDER = "data_docs"
_ROW_HEADINGS = {
    "file_id": "文件 file", "row_number": "行 row", "column_name": "列 column", "value": "值 value",
    "rule_id": "规则 rule", "reason_zh": "原因", "reason_en": "reason", "remedy_zh": "处理", "remedy_en": "what to do",
    "held_in": "所在表 held in",
}  # fmt: skip
_UNKNOWN = {"type": "expect_column_values_to_be_in_set", "column": "is_as_expected", "value_set": [True]}


@dataclass(frozen=True)
class DataDocs:
    """Where the index lies, and how many pages there are and were made now."""

    index: Path
    pages_count: int
    made_count: int


def build_data_docs(settings: Settings, *, rendered_runs: int = RENDERED_RUNS) -> DataDocs:
    """Make the site under ``reports/data_docs`` or bring it up to date.

    Raises:
        ConfigurationError: there is no warehouse.
        BusyError: another process makes it, or writes the warehouse.
    """
    with DATA_DOCS.held(settings, run_id="data docs", step="make"):
        return _build(settings, rendered_runs)


def _build(settings: Settings, rendered_runs: int) -> DataDocs:
    folder = settings.reports_dir / FOLDER
    runs_folder = folder / "runs"
    runs_folder.mkdir(parents=True, exist_ok=True)
    made = 0
    with open_warehouse(settings, read_only=True) as connection:
        runs = _read(
            connection,
            "select run_id, gate, max(checked_at) as checked_at, count(*) as checks_count,"
            " count(*) filter (not is_passed and severity = 'fail') as failed_count,"
            " count(*) filter (not is_passed and severity <> 'fail') as warned_count"
            f" from checks.result group by run_id, gate order by checked_at desc limit {LISTED_RUNS}",
        )
        rendered = runs[: rendered_runs * 2]
        wanted = {_page(run): run for run in rendered}
        for path in runs_folder.glob("*.html"):
            if path.name not in wanted:
                path.unlink()
        linked = _write_rows(connection, folder)
        for name, run in wanted.items():
            if (runs_folder / name).exists():
                continue
            results = [one for one in results_of_run(connection, run["run_id"]) if one["gate"] == run["gate"]]
            (runs_folder / name).write_text(_run_page(run, results, linked), encoding="utf-8")
            made += 1
        index = _index_page(runs, set(wanted), trends(connection), linked)
    (folder / "index.html").write_text(index, encoding="utf-8")
    return DataDocs(folder / "index.html", len(wanted) + len(linked) + 1, made)


def _page(run: dict[str, Any]) -> str:
    return f"{run['run_id']}.{run['gate']}.html"


def _run_page(run: dict[str, Any], results: Sequence[dict[str, Any]], linked: dict[str, str]) -> str:
    warm_up()
    from great_expectations.core.expectation_validation_result import ExpectationSuiteValidationResult
    from great_expectations.render.renderer.page_renderer import ValidationResultsPageRenderer
    from great_expectations.render.view.view import DefaultJinjaPageView

    passed = sum(one["is_passed"] for one in results)
    validation = ExpectationSuiteValidationResult(
        success=passed == len(results),
        results=[_validation(one) for one in results],
        suite_name=run["gate"],
        statistics={
            "evaluated_expectations": len(results),
            "successful_expectations": passed,
            "unsuccessful_expectations": len(results) - passed,
            "success_percent": 100 * passed / len(results) if results else None,
        },
        meta={
            "run_id": {"run_name": run["run_id"], "run_time": f"{run['checked_at'].isoformat()}+00:00"},
            "validation_time": f"{run['checked_at'].isoformat()}+00:00",
            "active_batch_definition": {"datasource_name": "warehouse", "data_asset_name": run["gate"],
                                        "data_connector_name": "oneledger", "batch_identifiers": {}},
            "batch_markers": {},
        },
    )  # fmt: skip
    page = DefaultJinjaPageView().render(ValidationResultsPageRenderer(run_info_at_end=False).render(validation))
    failing = [one for one in results if not one["is_passed"]]
    return _localised(
        page, _failures(failing, linked, "../") + '<p><a href="../index.html">← 所有运行 all runs</a></p>'
    )


def _validation(result: dict[str, Any]) -> Any:
    from great_expectations.core.expectation_validation_result import ExpectationValidationResult
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

    # Results that were kept before their expectation was have none.
    expectation: dict[str, Any] = json.loads(result["expectation"] or "{}") or dict(_UNKNOWN)
    kind, column = expectation.pop("type"), expectation.pop("column")
    title = f"{result['title_zh']} {result['title_en']}"
    judged, unexpected = result["judged_count"] or 0, result["unexpected_count"] or 0
    return ExpectationValidationResult(
        success=result["is_passed"],
        expectation_config=ExpectationConfiguration(
            type=kind,
            kwargs={
                # The section of a page is named after the column; the check and its data say more.
                "column": f"{title} ({result['check_id']}.{column}): {result['entity']}",
                **expectation,
            },
        ),
        result={
            "element_count": judged,
            "unexpected_count": unexpected,
            "unexpected_percent": 100 * unexpected / judged if judged else 0.0,
            "partial_unexpected_list": [] if result["is_passed"] else [result["observed"]],
        },
        exception_info={"raised_exception": False, "exception_message": None, "exception_traceback": None},
    )


def _failures(failing: Sequence[dict[str, Any]], linked: dict[str, str], up: str) -> str:
    """What did not pass, in our words, with the rows behind it."""
    if not failing:
        return '<p class="good">全部通过 all checks passed</p>'
    rows = "".join(
        f'<tr class="{one["severity"]}"><td>{_text(one["title_zh"])} {_text(one["title_en"])}<br>'
        f"<code>{_text(one['check_id'])}</code></td><td>{_text(one['entity'])}</td><td>{_text(one['observed'])}</td>"
        f"<td>{_text(one['expected'])}</td><td>{_text(str(one['since'])[:16])}</td><td>{_text(one['owner'])}</td>"
        f"<td>{_text(one['remedy_zh'])} {_text(one['remedy_en'])}</td>"
        f"<td>{_link(str(one['entity']), linked, up)}<code>oneledger checks --history {_text(one['check_id'])}</code>"
        "</td></tr>"
        for one in failing
    )
    headings = ("检查 check", "数据 data", "实际 found", "应为 expected", "自 since (UTC)", "责任 who",
                "处理 what to do", "查看 look")  # fmt: skip
    return f"<h2>未通过 not passed</h2><table><tr>{''.join(f'<th>{one}</th>' for one in headings)}</tr>{rows}</table>"


def _link(entity: str, linked: dict[str, str], up: str) -> str:
    page = linked.get(entity)
    return f'<a href="{up}{page}">行 rows</a> ' if page else ""


def _write_rows(connection: Any, folder: Path) -> dict[str, str]:
    """A page for each entity with quarantined rows or findings; entity → its page, relative to the index."""
    target = folder / "rows"
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    linked: dict[str, str] = {}
    columns = "batch_id, file_id, row_number, column_name, value, rule_id, reason_zh, reason_en, remedy_zh, remedy_en"
    found = _read(
        connection,
        f"with report as (select 'quarantine.row' as held_in, source || '.' || entity as entity, {columns}, found_at"
        f" from quarantine.row union all select 'checks.row_finding', source || '.' || entity, {columns}, found_at"
        f" from checks.row_finding) select * replace ({masked('value')} as value) from report"
        f" qualify row_number() over (partition by entity order by found_at desc, file_id, row_number) <= {ROWS_A_PAGE}"
        " order by entity, found_at desc, file_id, row_number",
    )
    for entity in dict.fromkeys(row["entity"] for row in found):
        rows = "".join(
            f"<tr>{''.join(f'<td>{_text(row[name])}</td>' for name in _ROW_HEADINGS)}</tr>"
            for row in found
            if row["entity"] == entity
        )
        source, _, name = entity.partition(".")
        body = (
            f'<h1>{_text(entity)}: 行 rows</h1><p><a href="../index.html">← 所有运行 all runs</a></p>'
            f"<p>最近 {ROWS_A_PAGE} 条，全部见 the newest {ROWS_A_PAGE}; all of them: "
            f"<code>oneledger quarantine show --source {_text(source)} --entity {_text(name)}</code></p>"
            f"<table><tr>{''.join(f'<th>{one}</th>' for one in _ROW_HEADINGS.values())}</tr>{rows}</table>"
        )
        (target / f"{entity}.html").write_text(_document(entity, body), encoding="utf-8")
        linked[entity] = f"rows/{entity}.html"
    return linked


def _index_page(
    runs: Sequence[dict[str, Any]], pages: set[str], kept: Sequence[dict[str, Any]], linked: dict[str, str]
) -> str:
    lines = []
    for run in runs:
        page = _page(run)
        name = f'<a href="runs/{page}">{_text(run["run_id"])}</a>' if page in pages else _text(run["run_id"])
        state = "fail" if run["failed_count"] else "warn" if run["warned_count"] else "good"
        lines.append(
            f'<tr class="{state}"><td>{name}</td><td>{run["gate"]}</td><td>{str(run["checked_at"])[:19]}</td>'
            f"<td>{run['checks_count']}</td><td>{run['failed_count']}</td><td>{run['warned_count']}</td></tr>"
        )
    rows = "".join(
        f'<tr class="{"good" if one["is_passed"] else one["severity"]}"><td>{_text(one["title_zh"])} '
        f"{_text(one['title_en'])} <code>{_text(one['check_id'])}</code></td><td>{_text(one['entity'])}</td>"
        f'<td class="trend">{one["trend"]}</td><td>{one["failed_runs_count"]} / {one["runs_count"]}</td>'
        f"<td>{_text(str(one['first_failed_at'] or '')[:16])}</td><td>{_link(str(one['entity']), linked, '')}</td></tr>"
        for one in kept
    )
    body = (
        "<h1>OneLedger 一本账: 数据质量 Data Docs</h1>"
        f"<h2>运行 runs</h2><p>最近 {RENDERED_RUNS} 次运行有页面 the newest {RENDERED_RUNS} runs have pages</p>"
        "<table><tr><th>运行 run</th><th>闸门 gate</th><th>时间 at (UTC)</th><th>检查 checks</th>"
        f"<th>失败 failed</th><th>警告 warned</th></tr>{''.join(lines)}</table>"
        "<h2>检查走势 checks over time</h2><table><tr><th>检查 check</th><th>数据 data</th><th>走势 trend</th>"
        f"<th>未通过/运行 failed/runs</th><th>首次未通过 first failed (UTC)</th><th>行 rows</th></tr>{rows}</table>"
    )
    return _document("OneLedger Data Docs", body)


_STYLE = """<style>
body{font:14px/1.45 system-ui,"Noto Sans CJK SC","Microsoft YaHei",sans-serif;margin:1.5rem;color:#222}
table{border-collapse:collapse;margin:.5rem 0 1.5rem;max-width:100%}td,th{border:1px solid #ccc;padding:.25rem .5rem;
text-align:left;vertical-align:top;overflow-wrap:break-word}th{background:#eef2f8}tr.fail td:first-child{border-left:5px
solid #b00020}tr.warn td:first-child{border-left:5px solid #c77700}tr.good td:first-child,p.good{border-left:5px solid
#1b7a3d}p.good{padding-left:.5rem}.trend{font-family:monospace;white-space:pre}code{background:#f3f3f3}
.row{display:flex;flex-wrap:wrap;gap:1rem}.col-lg-2,.col-md-2{flex:0 0 15rem}
.col-lg-8,.col-md-8,.col-md-10{flex:1 1 40rem}
.fa-check-circle::before{content:"✓ passed";color:#1b7a3d}.fa-times::before{content:"✗ not passed";color:#b00020}
.fa-exclamation-triangle::before{content:"! not evaluated";color:#c77700}
.modal,.navbar,.alert-dismissible{display:none}.badge{padding:0 .3rem;background:#ddd}
</style>"""


def _localised(page: str, own: str) -> str:
    """The page without anything that would be fetched from elsewhere, with our style and our part on top."""
    page = re.sub(r"<script\b.*?</script>", "", page, flags=re.DOTALL)
    page = re.sub(r"<link\b[^>]*>", "", page)
    page = re.sub(r"<img\b[^>]*>", "", page)
    page = re.sub(r"<style\b.*?</style>", "", page, flags=re.DOTALL)
    page = re.sub(r"<form\b.*?</form>", "", page, flags=re.DOTALL)
    page = re.sub(r"<a\b[^>]*href=\"https?://[^>]*>(.*?)</a>", r"\1", page, flags=re.DOTALL)
    page = page.replace("</head>", f'<meta charset="utf-8">{_STYLE}</head>', 1)
    return re.sub(r"(<body[^>]*>)", lambda found: found.group(1) + own, page, count=1)


def _document(title: str, body: str) -> str:
    return (
        f'<!doctype html><html lang="zh"><head><meta charset="utf-8"><title>{_text(title)}</title>{_STYLE}</head>'
        f"<body>{body}</body></html>"
    )


def _text(value: Any) -> str:
    return html.escape("" if value is None else str(value))


def _read(connection: Any, sql: str) -> list[dict[str, Any]]:
    cursor = connection.execute(sql)
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
