"""Rows of a relation as an answer: read from the address, asked, and written in the format that was chosen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import duckdb
from fastapi import HTTPException, Query
from starlette.responses import Response, StreamingResponse

from oneledger.web.api.asking import Question, going_on, read_select, read_sort
from oneledger.web.api.calls import Call
from oneledger.web.api.caps import CAPS, PAGE_ROWS, Caps
from oneledger.web.api.files import batches, csv_bytes, parquet_bytes, parts_of, workbook
from oneledger.web.api.filters import read_filters
from oneledger.web.api.formats import Format, chosen_format
from oneledger.web.api.plain import plain_rows
from oneledger.web.api.problems import BadParameter, BadQuestionError
from oneledger.web.api.relations import Relation


@dataclass(frozen=True)
class RowsAsked:
    """The parameters that all lists of rows share; a dependency of their routes."""

    select: Annotated[str | None, Query(max_length=10_000, description="Columns of the answer, joined by commas.")] = (
        None
    )
    sort: Annotated[
        str | None,
        Query(max_length=2_000, description="Columns joined by commas, `-` before one for descending; ties by key."),
    ] = None
    limit: Annotated[
        int | None,
        Query(ge=1, le=CAPS.page, description=f"Rows of a page; {PAGE_ROWS} in JSON, all in files, unless said."),
    ] = None
    page: Annotated[int | None, Query(ge=1, le=CAPS.offset, description="Page by number; or use links.next.")] = None
    format: Annotated[Format | None, Query(description="Instead of the header Accept.")] = None
    excel: Annotated[
        bool,
        Query(description="CSV for Excel: a mark for UTF-8, and ' before text that Excel would run as a formula."),
    ] = False


def rows_answer(call: Call, relation: Relation, asked: RowsAsked, *, caps: Caps = CAPS) -> Response:
    """The rows of a relation that the address asks for.

    Raises:
        BadQuestionError: a parameter cannot be used.
        HTTPException: 406, no format of ours is wanted; 413, the answer has too many rows.
    """
    chosen = chosen_format(asked.format, call.request.headers.get("accept", ""))
    question = _question(call, relation, asked, chosen)
    _check_month(relation, question, caps)
    etag = call.etag(chosen.value)
    unchanged = call.not_modified(etag)
    if unchanged is not None:
        return unchanged
    counted = question.count_sql()
    key = ("api.count", counted, tuple(sorted((name, str(one)) for name, one in question.values.items())))
    total = int(call.reading.remembered(key, lambda: _one(call, counted, question.values)))
    try:
        if chosen is Format.JSON:
            return call.remembered(etag, lambda: _json(call, question, asked, etag, total))
        return _file(call, question, asked, chosen, etag, total, caps)
    except (duckdb.ConversionException, duckdb.InvalidInputException) as error:
        if question.after is None:
            raise
        raise BadQuestionError([_not_of_this(call)]) from error


def _question(call: Call, relation: Relation, asked: RowsAsked, chosen: Format) -> Question:
    limit = asked.limit or (PAGE_ROWS if chosen is Format.JSON or asked.page or call.cursor else None)
    page = asked.page or 1
    offset = (page - 1) * (limit or 0)
    problems = []
    if offset > CAPS.offset:
        problems.append(
            BadParameter("page", str(page), f"按页码最多到第 {CAPS.offset:,} 行，再往后用 links.next。 "
                                            f"Paging by number ends at row "
                         f"{CAPS.offset:,}; follow links.next instead.")
        )  # fmt: skip
    if asked.page and call.cursor:
        problems.append(BadParameter("page", str(page), "page 与 cursor 只能给一个。 Give either page or cursor."))
    if problems:
        raise BadQuestionError(problems)
    question = Question(
        relation,
        read_select(asked.select, relation),
        tuple(read_filters(call.filters, relation, call.reserved)),
        read_sort(asked.sort, relation),
        limit,
        offset,
        call.cursor,
    )
    cursor = call.cursor
    if cursor and (cursor.question != question.digest or len(cursor.after) != len(question.order)):
        raise BadQuestionError([_not_of_this(call)])
    return question


def _not_of_this(call: Call) -> BadParameter:
    return BadParameter(
        "cursor", call.request.query_params.get("cursor", ""),
        "游标属于另一个问题：表、筛选和排序须与取得它时相同。 "
        "The cursor is of another question: keep table, filters and sort as they "
        "were when it was given.",
    )  # fmt: skip


def _check_month(relation: Relation, question: Question, caps: Caps) -> None:
    """A daily fact that has grown large is read by month: one month's file is opened, not all of them."""
    if relation.date_column is None or (relation.rows_count or 0) <= caps.fact_without_month:
        return
    if not any(relation.date_column in one.columns and one.values for one in question.conditions):
        raise BadQuestionError(
            [BadParameter("month", "", f"{relation.name} 有 {relation.rows_count:,} 行，请给出 month=yyyy-mm 或 "
                          f"{relation.date_column}。 "
                          f"{relation.name} has {relation.rows_count:,} rows: say month=yyyy-mm, or "
                          f"{relation.date_column}=….")]
        )  # fmt: skip


def _json(call: Call, question: Question, asked: RowsAsked, etag: str, total: int) -> Response:
    assert question.limit is not None
    sql, values = question.rows_sql(more=1, has_places=True)
    rows = call.reading.cursor().execute(sql, values).fetchall()
    links = _links(call, question, asked, total)
    shown, width = rows[: question.limit], len(question.select)
    if len(rows) > question.limit and not asked.page:
        following = going_on(question, shown[-1][width:], call.reading.version.version)
        links["next"] = call.here(cursor=following.encoded(), version=None)
    columns = [question.relation.columns[name] for name in question.select]
    body = {
        "relation": question.relation.name,
        "title_zh": question.relation.title_zh,
        "title_en": question.relation.title_en,
        "columns": list(question.select),
        "total": total,
        "limit": question.limit,
        "page": None if question.after else asked.page or 1,
        "items": plain_rows(shown, columns),
    }
    return call.json(body, etag, links)


def _links(call: Call, question: Question, asked: RowsAsked, total: int) -> dict[str, str]:
    """What does not need the rows: the first page, those beside a page of a number, and what the columns mean."""
    version = call.reading.version.version
    links = {"first": call.here(cursor=None, page=None, version=version)}
    if asked.page and question.limit:
        if asked.page > 1:
            links["prev"] = call.here(page=asked.page - 1, version=version)
        if asked.page * question.limit < total:
            links["next"] = call.here(page=asked.page + 1, version=version)
    if question.relation.kind != "view":
        links["describedby"] = call.address(f"/tables/{question.relation.name}/columns", {"version": version})
    return links


def _file(
    call: Call, question: Question, asked: RowsAsked, chosen: Format, etag: str, total: int, caps: Caps
) -> Response:  # fmt: skip
    most = caps.sheet if chosen is Format.XLSX else caps.file
    if question.limit is None and total > most:
        raise HTTPException(
            413,
            f"共 {total:,} 行，{chosen.value} 最多 {most:,} 行：请用筛选缩小，或用 limit 和 links.next 分页。 "
            f"The answer has {total:,} rows; "
            f"{chosen.value} takes at most {most:,}: narrow it with filters, or page with limit and links.next.",
        )
    links = _links(call, question, asked, total)
    if question.limit is not None and not asked.page:
        last = _last_place(call, question)
        if last is not None:
            following = going_on(question, last, call.reading.version.version)
            links["next"] = call.here(cursor=following.encoded(), version=None)
    version = call.reading.version.version
    name = f"{question.relation.name.replace('/', '_')}_{version}.{chosen.value}"
    headers = {
        **call.headers(etag, {"self": call.here(), **links}),
        "Content-Disposition": f'attachment; filename="{name}"',
        "OneLedger-Rows": str(min(total, question.limit) if question.limit else total),
    }
    media = f"{chosen.media_type}; charset=utf-8" if chosen is Format.CSV else chosen.media_type
    if call.is_head:
        answer = Response(media_type=media, headers=headers)
        # How long the file is nobody knows before it is made; it would not be the nothing that is sent here.
        del answer.headers["content-length"]
        return answer
    sql, values = question.rows_sql()
    columns = [question.relation.columns[one] for one in question.select]
    return StreamingResponse(_content(call, question, asked, chosen, sql, values, columns), media_type=media,
                             headers=headers)  # fmt: skip


def _content(
    call: Call, question: Question, asked: RowsAsked, chosen: Format, sql: str, values: Mapping[str, Any], columns: Any
) -> Iterator[bytes]:
    reader = batches(call.reading.cursor(), sql, values)
    told = call.provenance
    if chosen is Format.CSV:
        return csv_bytes(reader, columns, for_excel=asked.excel)
    if chosen is Format.PARQUET:
        about = {f"oneledger_{name}": str(one) for name, one in told.items() if one is not None}
        return parquet_bytes(reader, {**about, "oneledger_query": call.here()})
    labels = (
        ("表 table", f"{question.relation.name} {question.relation.title_zh} {question.relation.title_en}"),
        ("含义 meaning", question.relation.description),
        ("版本 version", told["version"]),
        ("数据截至 as of", told["as_of_on"] or ""),
        ("内容哈希 content hash", told["content_hash"]),
        ("存证锚 anchor", told["anchor"] or ""),
        ("查询 query", call.here()),
    )
    return parts_of(workbook(reader, columns, labels))


def _last_place(call: Call, question: Question) -> tuple[str | None, ...] | None:
    """The order's values of the last row of a page; None when no page follows."""
    sql, values = question.rows_sql(more=1, has_places=True)
    width, limit = len(question.select), question.limit or 0
    rows = call.reading.cursor().execute(sql, values).fetchall()
    return tuple(rows[limit - 1][width:]) if len(rows) > limit else None


def _one(call: Call, sql: str, values: Mapping[str, Any]) -> int:
    found = call.reading.one(sql, values)
    return found["n"] if found else 0
