"""Answers of the API that are wrong on purpose: whole answers, pages, and records."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any

from fastapi import Response
from fastapi.responses import StreamingResponse

from oneledger.city.asking import Page, Question, Store
from oneledger.city.faults.api_faults import Fault

# Header values are Latin-1: the Chinese label stands in the body.
HEADERS = {"X-Data-Label": "synthetic", "Cache-Control": "private, no-cache"}
_MAINTENANCE_PAGE = (
    "<!DOCTYPE html><html><head><title>系统维护</title></head><body><h1>系统维护中，请稍后再试</h1></body></html>"
)
_STATUS = {"server_error": 503, "forbidden": 403, "not_found": 404, "too_many_requests": 429, "unauthorized": 401}
_SPOILED_RECORDS = 3
_SLOW_SECONDS = 45
PAGES = ("page_repeated", "overlapping_pages", "pages_out_of_order", "endless_cursor")
# Paging can only go wrong where there is more than one page.
ROWS_A_SPOILED_PAGE = 100
ENDLESS = "end-"
# A server that does not know `updated_since` does not know larger pages either.
ROWS_OF_OLD_SERVER = 25


def json_answer(value: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    body = json.dumps(value, ensure_ascii=False).encode("utf-8")
    return Response(body, status, media_type="application/json", headers={**HEADERS, **(headers or {})})


def whole_answer(faults: Sequence[Fault]) -> Response | None:
    """What is answered whatever was asked; None when no fault is of this kind."""
    for fault in faults:
        if fault.kind == "html_error_page":
            return Response(_MAINTENANCE_PAGE, media_type="text/html; charset=utf-8", headers=HEADERS)
        if fault.kind in _STATUS:
            retry = {"Retry-After": "1"} if fault.kind == "too_many_requests" else None
            return json_answer({"message": fault.kind, "synthetic": True}, _STATUS[fault.kind], retry)
        if fault.kind == "broken_json":
            return Response(b'{"items":[{"', media_type="application/json", headers=HEADERS)
        if fault.kind == "connection_cut":
            return _half_a_body(b'{"items":[', 0)
        if fault.kind == "slow_body":
            return _half_a_body(b'{"items":[', _SLOW_SECONDS)
    return None


def _half_a_body(beginning: bytes, seconds: float) -> StreamingResponse:
    """Promises more bytes than it sends; the server then cuts the connection."""

    async def body() -> AsyncIterator[bytes]:
        yield beginning
        await asyncio.sleep(seconds)

    return StreamingResponse(
        body(), media_type="application/json", headers={**HEADERS, "Content-Length": str(len(beginning) + 1000)}
    )


def spoiled_page(store: Store, question: Question, faults: Sequence[Fault]) -> Page:
    """One page, with pages that repeat, overlap, change places or never end."""
    if any(fault.kind == "since_ignored" for fault in faults):
        question = replace(question, limit=min(question.limit, ROWS_OF_OLD_SERVER))
    kinds = {fault.kind for fault in faults} & set(PAGES)
    if not kinds:
        return store.page(question)
    question = replace(question, limit=min(question.limit, ROWS_A_SPOILED_PAGE))
    page = store.page(question)
    first = store.page(replace(question, after=("", ""), total=None))
    is_first = question.after == ("", "")
    is_second = not is_first and first.next_cursor is not None and first.items != page.items and (
        _after_of(store, question, first) == page.items)  # fmt: skip
    if "page_repeated" in kinds and is_second:
        return Page(first.items, page.next_cursor, page.total)
    if "overlapping_pages" in kinds and is_second:
        return Page([*first.items[-3:], *page.items[:-3]], page.next_cursor, page.total)
    if "pages_out_of_order" in kinds and first.next_cursor is not None:
        if is_first:
            second = _after_of(store, question, first)
            return Page(second, first.next_cursor, first.total)
        if is_second:
            return Page(first.items, page.next_cursor, page.total)
    if "endless_cursor" in kinds and page.next_cursor is None:
        return Page(page.items, f"{ENDLESS}1", page.total)
    return page


def _after_of(store: Store, question: Question, first: Page) -> list[str]:
    """The items of the second page."""
    from oneledger.city.asking import question_of_cursor

    assert first.next_cursor is not None
    return store.page(question_of_cursor(first.next_cursor, question.entity, question.limit)).items


def endless_page(cursor: str, as_of: dt.date) -> Response:
    """An empty page that points to the next empty page."""
    number = int(cursor.removeprefix(ENDLESS)) + 1
    return json_answer({"items": [], "nextCursor": f"{ENDLESS}{number}", "asOf": as_of.isoformat(), "synthetic": True})


def body_of(page: Page, question: Question, faults: Sequence[Fault]) -> bytes:
    """The body of a page, with fields and records that are wrong."""
    total, items, as_of, list_name = page.total, page.items, question.as_of.isoformat(), "items"
    is_first = question.after == ("", "")
    for fault in faults:
        if fault.kind == "wrong_total":
            total += 7
        elif fault.kind == "as_of_garbled":
            as_of = "latest"
        elif fault.kind == "records_moved":
            list_name = "data"
        elif fault.kind in _OF_RECORDS:
            items = [_spoiled_record(item, fault, is_first and place < _SPOILED_RECORDS, question.as_of)
                     for place, item in enumerate(items)]  # fmt: skip
    rest = json.dumps(
        {"nextCursor": page.next_cursor, "total": total, "asOf": as_of, "synthetic": True, "label": "合成数据"},
        ensure_ascii=False,
    )
    return f'{{"{list_name}":[{",".join(items)}],{rest[1:]}'.encode()


_OF_RECORDS = ("renamed_field", "removed_field", "new_field", "other_zone", "value", "null", "nested", "clock_ahead")


def _spoiled_record(item: str, fault: Fault, is_chosen: bool, as_of: dt.date) -> str:
    record: dict[str, Any] = json.loads(item)
    if fault.kind == "renamed_field":
        record = {fault.value if name == fault.field else name: value for name, value in record.items()}
    elif fault.kind == "removed_field":
        record.pop(fault.field, None)
    elif fault.kind == "new_field":
        record[fault.field] = fault.value
    elif fault.kind == "other_zone":
        moment = dt.datetime.fromisoformat(record[fault.field]) - dt.timedelta(hours=8)
        record[fault.field] = moment.isoformat(timespec="seconds") + "Z"
    elif is_chosen and fault.kind == "value":
        record[fault.field] = fault.value
    elif is_chosen and fault.kind == "null":
        record[fault.field] = None
    elif is_chosen and fault.kind == "nested":
        record[fault.field] = {"value": record[fault.field]}
    elif is_chosen and fault.kind == "clock_ahead":
        record[fault.field] = f"{as_of + dt.timedelta(days=3)}T08:00:00"
    else:
        return item
    return json.dumps(record, ensure_ascii=False, separators=(",", ":"))
