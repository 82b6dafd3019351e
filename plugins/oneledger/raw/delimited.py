"""Delimited files as DuckDB relations: every source column as text, with its record number."""

from __future__ import annotations

import csv
import json
import re
from dataclasses import dataclass, field
from pathlib import Path

from oneledger.catalogue import Entity, FormatSpec
from oneledger.raw.contract import ColumnPlan, name_headers, plan_columns
from oneledger.raw.decoding import DecodedFile, decode_file, records_of
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
    spec = entity.format
    decoded = decode_file(path, scratch / f"{path.name}.utf8", spec)
    names = name_headers(decoded.header)
    plan = _plan(entity, names, path, spec)
    reading = _read_csv(decoded.body, names, spec)
    relation = Relation("", plan, fields)
    if decoded.has_rows and is_tolerant:
        reading, relation.malformed_records = _rewrite_malformed(decoded, names, spec, path)
    numbered = f"select *, row_number() over () as _row_number from {reading}"
    if not decoded.has_rows:
        numbered = f"select *, 0 as _row_number from {reading} where false"
    if entity.unpivot:
        relation.sql = _unpivot(entity, names, plan, numbered, bool(relation.malformed_records))
        relation.row_fields = entity.unpivot.groups
    else:
        relation.sql = numbered
    return relation


def _plan(entity: Entity, names: list[str], path: Path, spec: FormatSpec) -> ColumnPlan:
    if len(names) == 1 and len([column for column in entity.delivered_columns if not column.is_field]) > 1:
        other = next((mark for mark in (",", ";", "\t", "|") if mark != spec.delimiter and mark in names[0]), None)
        if other:
            raise RefusalError(
                f"{path.name}: the header is one field, {names[0][:120]!r}; it seems to be parted by {other!r}, "
                f"and the catalogue says {spec.delimiter!r}.",
                "The sender writes the agreed delimiter; if it was changed for good, set `format.delimiter`.",
                {"file": path.name},
            )
    if not entity.unpivot:
        return plan_columns(entity, names, path.name)
    pattern = re.compile(entity.unpivot.columns)
    measures = dict.fromkeys(match["measure"] for name in names if (match := pattern.fullmatch(name)))
    if not measures:
        raise RefusalError(
            f"{path.name}: no header matches `unpivot.columns` {entity.unpivot.columns!r}.",
            "Correct the expression in the catalogue, or the sender delivers the wide columns again.",
            {"file": path.name},
        )
    return plan_columns(entity, [name for name in names if not pattern.fullmatch(name)] + list(measures), path.name)


def _read_csv(body: Path, names: list[str], spec: FormatSpec) -> str:
    return (
        f"read_csv({literal(str(body))}, columns = {text_types(names)}, header = false, auto_detect = false, "
        f"delim = {literal(spec.delimiter)}, quote = {literal(spec.quote)}, escape = {literal(spec.quote)}, "
        f"nullstr = '', max_line_size = 16777216)"
    )


def _rewrite_malformed(decoded: DecodedFile, names: list[str], spec: FormatSpec, path: Path) -> tuple[str, list[int]]:
    """Write the records again with their number; those of another width go whole into ``_malformed``.

    Raises:
        RefusalError: more records are malformed than the catalogue tolerates.
    """
    target = decoded.body.with_suffix(".rewritten")
    malformed: list[int] = []
    total = 0
    with target.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, quoting=csv.QUOTE_ALL, lineterminator="\n")
        for number, record in enumerate(records_of(decoded.body, spec), start=1):
            total = number
            if len(record) == len(names):
                writer.writerow([*(cell.replace("\x00", "\ufffd") for cell in record), ""])
            else:
                malformed.append(number)
                received = json.dumps({_MALFORMED: record, "expected_fields": len(names)}, ensure_ascii=False)
                writer.writerow([*([""] * len(names)), received])
    if not total or len(malformed) / total > spec.max_malformed_share:
        raise RefusalError(
            f"{path.name}: {len(malformed)} of {total} records do not have the {len(names)} fields of the header "
            f"(the first is record {malformed[0] if malformed else 0}).",
            "The sender checks delimiter and quotation marks and delivers the file again.",
            {"file": path.name, "malformed_records": malformed[:20], "records": total},
        )
    plain = FormatSpec()
    return _read_csv(target, [*names, _MALFORMED], plain), malformed


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
