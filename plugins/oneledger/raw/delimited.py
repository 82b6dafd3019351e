"""Delimited files as DuckDB relations: every source column as text, with its record number."""

from __future__ import annotations

import csv
import json
import re
from dataclasses import dataclass, field, replace
from pathlib import Path

from oneledger.catalogue import Entity, FormatSpec
from oneledger.raw.contract import ColumnPlan, name_headers, plan_columns, repeated_headings
from oneledger.raw.decoding import records_of
from oneledger.raw.reading_text import ReadText, read_text
from oneledger.raw.sql_text import identifier, literal, text_types
from oneledger.sources.refusal import RefusalError

_MALFORMED = "_malformed"


@dataclass
class Relation:
    """Rows of one payload file as SQL.

    Attributes:
        sql: a query with the columns of ``plan.mapping`` and ``plan.extra`` under their source names, the
            ``$fields`` under theirs (with the dollar sign), ``_row_number`` and, when there are
            ``malformed_records``, ``_malformed`` (JSON text of a record that does not fit the header, else null).
    """

    sql: str
    plan: ColumnPlan
    fields: dict[str, str]
    row_fields: tuple[str, ...] = ()
    malformed_records: list[int] = field(default_factory=list)


def delimited_relation(
    entity: Entity, path: Path, scratch: Path, fields: dict[str, str], *, is_tolerant: bool = False
) -> Relation:
    """Decode one file and describe its rows.

    Args:
        entity: format, columns and unpivoting.
        path: the payload.
        scratch: a directory for the decoded text; the caller removes it.
        fields: named groups of the file name.
        is_tolerant: read record by record, so that lines of another width do not stop the others; slow, for
            files that DuckDB refuses.

    Raises:
        RefusalError: gzip, encoding, header or too many lines are wrong.
    """
    text = read_text(entity, path, scratch / f"{path.name}.utf8")
    decoded, spec = text.decoded, text.spec
    names = name_headers(decoded.header, path.name)
    plan = _plan(entity, names, repeated_headings(decoded.header), path, spec)
    plan = replace(plan, warnings=(*text.warnings, *plan.warnings))
    reading = _read_csv(decoded.body, names, spec)
    relation = Relation("", plan, fields)
    if decoded.has_rows and (is_tolerant or text.has_replaced or decoded.has_nul):
        reading, relation.malformed_records = _rewrite_malformed(entity, text, names, path)
    numbered = f"select *, row_number() over () as _row_number from {reading}"
    if not decoded.has_rows:
        numbered = f"select *, 0 as _row_number from {reading} where false"
    if entity.unpivot:
        relation.sql = _unpivot(entity, names, plan, numbered, bool(relation.malformed_records))
        relation.row_fields = entity.unpivot.groups
    else:
        relation.sql = numbered
    return relation


def _plan(entity: Entity, names: list[str], repeated: list[str], path: Path, spec: FormatSpec) -> ColumnPlan:
    if not entity.unpivot:
        return plan_columns(entity, names, path.name, repeated)
    pattern = re.compile(entity.unpivot.columns)
    measures = dict.fromkeys(match["measure"] for name in names if (match := pattern.fullmatch(name)))
    if not measures:
        raise RefusalError(
            f"{path.name}: no header matches `unpivot.columns` {entity.unpivot.columns!r}.",
            "Correct the expression in the catalogue, or the sender delivers the wide columns again.",
            {"file": path.name},
            problem="missing_column",
        )
    return plan_columns(entity, [name for name in names if not pattern.fullmatch(name)] + list(measures), path.name)


def _read_csv(body: Path, names: list[str], spec: FormatSpec) -> str:
    return (
        f"read_csv({literal(str(body))}, columns = {text_types(names)}, header = false, auto_detect = false, "
        f"delim = {literal(spec.delimiter)}, quote = {literal(spec.quote)}, escape = {literal(spec.quote)}, "
        f"nullstr = '', max_line_size = 16777216)"
    )


def _rewrite_malformed(entity: Entity, text: ReadText, names: list[str], path: Path) -> tuple[str, list[int]]:
    """Write the records again with their number; those that cannot be read rightly go whole into ``_malformed``.

    Raises:
        RefusalError: the catalogue refuses such records, or more are malformed than it tolerates.
    """
    spec = text.spec
    target = text.decoded.body.with_suffix(".rewritten")
    malformed: list[int] = []
    total = 0
    last = 0
    with target.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, quoting=csv.QUOTE_ALL, lineterminator="\n")
        for number, (line, record) in enumerate(records_of(text.decoded.body, spec, path.name), start=1):
            total, last = number, line
            why, problem = _why_malformed(record, len(names), text)
            if not why:
                writer.writerow([*record, ""])
                continue
            if problem and getattr(entity.decisions, problem) == "refuse":
                raise RefusalError(
                    f"{path.name}, line {line}: {why}: {spec.delimiter.join(record)[:120]!r}.",
                    "The sender corrects the line and delivers the file again.",
                    {"file": path.name, "line": line},
                    problem=problem,
                )
            malformed.append(number)
            received = json.dumps(
                {_MALFORMED: [cell.replace("\x00", "\u2400") for cell in record], "expected_fields": len(names),
                 "line": line, "why": why}, ensure_ascii=False,
            )  # fmt: skip
            writer.writerow([*([""] * len(names)), received])
    if spec.quote and _has_open_quote(text.decoded.body, spec.quote):
        raise RefusalError(
            f"{path.name}: a quotation mark in the record that begins on line {last} is never closed.",
            "The sender corrects that line and delivers the file again.",
            {"file": path.name, "line": last},
            problem="unclosed_quote",
        )
    if not total or len(malformed) / total > spec.max_malformed_share:
        raise RefusalError(
            f"{path.name}: {len(malformed)} of {total} records do not have the {len(names)} fields of the header "
            f"(the first is record {malformed[0] if malformed else 0}); at most "
            f"{spec.max_malformed_share:.0%} may.",
            "The sender checks delimiter and quotation marks and delivers the file again.",
            {"file": path.name, "malformed_records": malformed[:20], "records": total},
            problem="ragged_rows",
        )
    plain = FormatSpec()
    return _read_csv(target, [*names, _MALFORMED], plain), malformed


def _why_malformed(record: list[str], width: int, text: ReadText) -> tuple[str, str]:
    """What is wrong with a record, and which decision speaks of it; empty for a good one."""
    if len(record) != width:
        return f"{len(record)} fields instead of {width}", "ragged_rows"
    if any("\x00" in cell for cell in record):
        return "a NUL byte stands in it", "nul_bytes"
    if text.has_replaced and any("\ufffd" in cell for cell in record):
        return f"bytes that are not {text.spec.encoding} stand in it", "undecodable_bytes"
    return "", ""


def _has_open_quote(body: Path, quote: str) -> bool:
    """Whether the quotation marks of a text do not come in pairs."""
    count = 0
    with body.open("rb") as stream:
        while chunk := stream.read(1024 * 1024):
            count += chunk.count(quote.encode())
    return count % 2 == 1


def _unpivot(entity: Entity, names: list[str], plan: ColumnPlan, numbered: str, has_malformed: bool) -> str:
    if entity.unpivot is None:
        raise ValueError("the entity has no unpivot")
    pattern = re.compile(entity.unpivot.columns)
    groups = entity.unpivot.groups
    cells: dict[tuple[str, ...], dict[str, str]] = {}
    kept = []
    for name in names:
        match = pattern.fullmatch(name)
        if match:
            cells.setdefault(tuple(match[group] for group in groups), {})[match["measure"]] = name
        else:
            kept.append(name)
    measures = dict.fromkeys(measure for columns in cells.values() for measure in columns)
    wanted = [name for name in kept if name in plan.mapping.values() or name in plan.extra]
    selects = []
    for values, columns in cells.items():
        parts = [identifier(name) for name in wanted]
        parts += [
            f"{identifier(columns[measure]) if measure in columns else 'null::varchar'} as {identifier(measure)}"
            for measure in measures
        ]
        parts += [f"{literal(value)} as {identifier('$' + group)}"
                  for group, value in zip(groups, values, strict=True)]  # fmt: skip
        parts += ["_row_number", *([_MALFORMED] if has_malformed else [])]
        selects.append(f"select {', '.join(parts)} from wide")
    return f"with wide as materialized ({numbered}) " + " union all ".join(selects)
