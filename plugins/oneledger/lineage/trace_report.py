"""A trace as one document: the published thing, each step down, the rules, the landed lines, what vouches for it."""

from __future__ import annotations

import time
from typing import Any

import duckdb

from oneledger.catalogue import load_catalogue
from oneledger.lineage.found_lines import is_landed, landed, rule_lines
from oneledger.lineage.ground import read_models
from oneledger.lineage.provenance import provenance
from oneledger.lineage.subjects import Subject, find_relation, name_of, row_of, where_of
from oneledger.lineage.tracing import Step, Tracer, open_tracer
from oneledger.publishing.versions import CURRENT, resolve
from oneledger.settings import ConfigurationError, Settings
from oneledger.warehouse.evaluation_runs import EvaluationRun

SHOWN_LINES = 10
_SHOWN_ROWS = 12
# Of a quotient its parts are shown also where only the result was used above.
_ALWAYS_SHOWN = ("numerator", "denominator", "value")


def trace(
    settings: Settings,
    subject: Subject,
    *,
    version: str = CURRENT,
    run: EvaluationRun | None = None,
    lines: int | None = SHOWN_LINES,
    recompute: bool = True,
) -> dict[str, Any]:
    """Follow a published thing back to the landed lines.

    Args:
        version: of which published version; of an evaluation run, that on which it was made.
        run: an evaluation run whose results are traced in place of the live tables.
        lines: how many landed lines of each entity are shown; None for all.
        recompute: run each model again over nothing but the rows that were found, and compare.

    Returns:
        ``ok`` (every step gave its rows again, every file is as received), ``subject``, ``published`` (the row),
        ``steps`` from the top down, ``rules``, ``landed``, ``notes``, ``provenance``, ``verdict`` and ``problems``.

    Raises:
        ConfigurationError: nothing or more than one row has this key, or the version carries no lineage.
    """
    started = time.monotonic()
    published = resolve(settings, run.record["version"] if run is not None else version)
    models = read_models(published)
    catalogue = load_catalogue(settings)
    with open_tracer(settings, models, recompute=recompute, run=run) as tracer:
        relation = find_relation(models, subject.relation)
        where = where_of(tracer.ground, subject)
        row = row_of(tracer.connection, relation.name, where)
        name = name_of(tracer.ground, row)
        tracer.start(relation.name, where, subject.columns)
        try:
            tracer.follow()
        except duckdb.OutOfMemoryException as error:
            raise ConfigurationError(
                f"So many rows stand behind this that they do not fit into {settings.memory_limit}. Trace something "
                "narrower (a single column with --column), or raise ONELEDGER_MEMORY_LIMIT."
            ) from error
        order = {one.name: place for place, one in enumerate(models.in_order)}
        steps = sorted(tracer.steps.values(), key=lambda one: -order.get(one.relation.name, -1))
        ends = [landed(tracer, settings, catalogue, one, lines=lines) for one in steps if is_landed(tracer, one)]
        rules = [rule_lines(tracer, one) for one in steps if one.relation.kind == "seed"]
        notes = [
            {"relation": one.relation.name, "rows_count": one.rows_count, "rows": _rows(tracer, one)}
            for one in steps
            if one.relation.kind == "input" and not is_landed(tracer, one)
        ]
        described = [_described(tracer, one) for one in steps if one.relation.kind == "model"]
        batches = sorted({file["batch_id"] for end in ends for file in end["files"]})
        passed_through = [*tracer.steps, *(str(end["entity"]) for end in ends if end["entity"])]
        about = provenance(tracer.connection, settings, published, batches, run, passed_through)
    unequal = [one["relation"] for one in described if one["is_equal"] is False]
    problems = [f"{name} does not come again out of the rows that were found" for name in unequal]
    problems += [problem for end in ends for problem in end["problems"]]
    lines_count = sum(end["lines_count"] for end in ends)
    return {
        "ok": not problems,
        "subject": {
            "kind": subject.kind,
            "relation": relation.name,
            "key": subject.key,
            "columns": list(subject.columns) if subject.columns else None,
            "title_zh": relation.meta.get("title_zh", ""),
            "title_en": relation.meta.get("title_en", ""),
            "name": name,
        },
        "published": row,
        "provenance": about,
        "verdict": _verdict(recompute, unequal, lines_count, sum(end["files_count"] for end in ends)),
        "lines_count": lines_count,
        "files_count": sum(end["files_count"] for end in ends),
        "steps": described,
        "rules": rules,
        "landed": ends,
        "notes": notes,
        "problems": problems,
        "seconds": round(time.monotonic() - started, 3),
    }


def _verdict(recompute: bool, unequal: list[str], lines: int, files: int) -> dict[str, Any]:
    if not recompute:
        return {"is_equal": None, "zh": "未重算", "en": "not recomputed"}
    if unequal:
        return {
            "is_equal": False,
            "zh": f"仅用这 {lines:,} 行重算，{'、'.join(unequal)} 与公布的不同",
            "en": f"recomputed from these {lines:,} lines alone: {', '.join(unequal)} differ from what was published",
        }
    return {
        "is_equal": True,
        "zh": f"仅用 {files:,} 个文件中的这 {lines:,} 行逐级重算，与公布的相等",
        "en": f"recomputed step by step from just these {lines:,} lines of {files:,} files: equal to the published",
    }


def _described(tracer: Tracer, step: Step) -> dict[str, Any]:
    relation = step.relation
    return {
        "relation": relation.name,
        "title_zh": relation.meta.get("title_zh", ""),
        "title_en": relation.meta.get("title_en", ""),
        "grain": relation.description.split(". ")[0].strip(),
        "file": relation.file,
        "rows_count": step.rows_count,
        "columns": [one for one in relation.columns if one in step.columns],
        "reads": dict(sorted(step.reads.items())),
        "width": step.width,
        "is_equal": step.is_equal,
        "differing_rows_count": step.differing_rows_count,
        "rows": _rows(tracer, step),
    }


def _rows(tracer: Tracer, step: Step) -> list[dict[str, Any]]:
    """The first found rows, with the columns that counted and those that tell the rows apart."""
    columns = list(step.relation.columns) or list(tracer.types.get(step.relation.name, {}))
    shown = {*step.columns, *_ALWAYS_SHOWN, *tracer.keys.key_of(step.relation.name)}
    counted = [one for one in columns if one in shown] or columns
    names = ", ".join(f'"{one}"' for one in counted)
    cursor = tracer.connection.execute(
        f"select {names} from {tracer.table_of(step.relation.name)} order by all limit {_SHOWN_ROWS}"
    )
    return [dict(zip(counted, row, strict=True)) for row in cursor.fetchall()]
