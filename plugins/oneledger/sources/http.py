"""Read an HTTP API page by page: changes since the watermark, resumed after a crash, checked against its total."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from oneledger.catalogue import Entity, HttpSpec
from oneledger.landing.durability import flush
from oneledger.sources.http_client import Answer, CursorExpiredError, HttpApi
from oneledger.sources.received import Received, ReceivedFile
from oneledger.sources.refusal import RefusalError

# The partial directory of an answer that is being fetched is kept, so that the next attempt goes on.
PARTIAL_NAME = "answer"
_PROGRESS_NAME = "progress.json"
# A page may be empty and still point on (a filtered one); so many in a row lead nowhere.
_MOST_EMPTY_PAGES = 10
_LONGEST_CURSOR = 4_000


@dataclass
class Progress:
    """How far one answer was fetched; lies beside the pages until the batch is staged."""

    first_url: str
    since: str | None
    next_cursor: str | None = None
    is_complete: bool = False
    etag: str | None = None
    as_of: str | None = None
    total: int | None = None
    row_count: int = 0
    empty_pages: int = 0
    pages: list[dict[str, Any]] = field(default_factory=list)
    cursors: list[str] = field(default_factory=list)

    def save(self, directory: Path) -> None:
        partial = directory / f"{_PROGRESS_NAME}.partial"
        partial.write_text(json.dumps(asdict(self)), encoding="utf-8")
        flush(partial)
        partial.rename(directory / _PROGRESS_NAME)


def receive_answer(
    entity: Entity,
    api: HttpApi,
    directory: Path,
    as_of: dt.date,
    *,
    since: str | None,
    known_tag: Callable[[str], str | None],
    progress: Callable[[int, int | None], None] = lambda rows, of: None,
) -> Received | None:
    """Fetch one entity whole (or what changed since ``since``); None when the server says that nothing changed.

    Args:
        entity: path, page limit.
        api: the client of the source.
        directory: the kept partial directory; pages that lie there from an attempt before are not asked again.
        as_of: the business date when the source does not name one.
        since: the newest ``updated_at`` that is landed (inclusive); None for everything.
        known_tag: the ETag of the last complete answer to a URL.
        progress: called with the number of rows so far, and with all of them when the source says that.

    Raises:
        RefusalError: pages repeat, never end, or do not add up to the total that the source says.
    """
    spec = api.spec
    first_url = api.url(str(entity.path), _parameters(entity, spec, since, None))
    state = _resume(directory, first_url, since)
    try:
        answer = _fetch_all(entity, api, directory, state, first_url, known_tag, progress)
    except CursorExpiredError as error:
        if not state.pages:
            raise RefusalError(
                f"{first_url.split('?')[0]} refuses the request: {error}.",
                "Check `path` and the parameters in the catalogue against the API's own documentation.",
                {"url": first_url},
                problem="no_answer",
            ) from error
        # The cursor of the attempt before is no longer known: what lies there is of an older answer.
        state = _start_again(directory, first_url, since)
        try:
            answer = _fetch_all(entity, api, directory, state, first_url, known_tag, progress)
        except CursorExpiredError as again:
            raise RefusalError(
                f"{first_url.split('?')[0]}: the server gave a cursor and then refuses it: {again}.",
                "The owner of the API mends its paging.",
                {"url": first_url},
                problem="endless_paging",
            ) from again
    if answer is None:
        return None
    _check_total(entity, state, directory)
    try:
        business_on = _business_date(entity, spec, state, as_of)
    except RefusalError:
        # A complete answer of no day is not gone on from: the next attempt asks again.
        _clear(directory)
        raise
    (directory / _PROGRESS_NAME).unlink()
    return Received(
        partition=f"{business_on:%Y%m%d}",
        business_on=business_on,
        directory=directory,
        files=tuple(ReceivedFile(page["name"], page["sha256"], page["size_bytes"], page["url"], page["rows"])
                    for page in state.pages),
        control_total=state.total,
        watermark_cap=business_on + dt.timedelta(days=1),
        since=since,
        tag=(first_url, state.etag) if state.etag else None,
        detail={"pages": len(state.pages), "retries": api.retries},
    )  # fmt: skip


def _fetch_all(
    entity: Entity, api: HttpApi, directory: Path, state: Progress, first_url: str,
    known_tag: Callable[[str], str | None], progress: Callable[[int, int | None], None],
) -> Progress | None:  # fmt: skip
    spec = api.spec
    while not state.is_complete:
        number = len(state.pages) + 1
        is_first = number == 1
        url = first_url if is_first else api.url(
            str(entity.path), _parameters(entity, spec, state.since, state.next_cursor))  # fmt: skip
        target = directory / f"page-{number:05d}.json"
        answer = api.fetch(url, target, known_tag(first_url) if is_first else None)
        if answer.content is None:
            target.unlink(missing_ok=True)
            return None
        try:
            _take_page(entity, spec, state, answer, target, url)
        except RefusalError:
            # Pages that contradict each other are no ground for the next attempt to go on from.
            _clear(directory)
            raise
        flush(target)
        state.save(directory)
        progress(state.row_count, state.total)
    return state


def _take_page(entity: Entity, spec: HttpSpec, state: Progress, answer: Answer, target: Path, url: str) -> None:
    content = answer.content
    records = look_up(content, spec.records)
    where = f"{entity.full_id}, {target.name}"
    if not isinstance(records, list):
        raise RefusalError(
            f"{where}: the answer has no list {spec.records!r}; it has {_keys(content)}.",
            "If the API changed, correct `http.records` in the catalogue; otherwise its owner mends it.",
            {"url": url},
            problem="unreadable_answer",
        )
    total = look_up(content, spec.total) if spec.total else None
    if total is not None:
        state.total = _whole_number(total, where, url)
    if spec.as_of:
        as_of = look_up(content, spec.as_of)
        if state.pages and as_of != state.as_of:
            # The source moved to another day between two pages: pages of two days do not make one answer.
            raise CursorExpiredError(f"the source answers as of {as_of}, the pages before as of {state.as_of}")
        state.as_of = as_of
    # The records alone: another cursor or time beside them does not make another page.
    content_sha256 = _content_hash(records, where, url)
    if records and any(page["content_sha256"] == content_sha256 for page in state.pages):
        raise RefusalError(
            f"{where} is the same as an earlier page: it holds the same {len(records)} records, so others are missing.",
            "The owner of the API mends its paging; nothing of this answer was landed.",
            {"url": url},
            problem="repeated_page",
        )
    state.empty_pages = 0 if records else state.empty_pages + 1
    if state.empty_pages > _MOST_EMPTY_PAGES:
        raise _endless(entity, f"{where} is the {state.empty_pages}th page in a row without a record", url)
    if len(state.pages) >= spec.most_pages:
        raise _endless(entity, f"{where}: more than {spec.most_pages:,} pages (`http.most_pages`)", url)
    size_bytes = sum(page["size_bytes"] for page in state.pages) + answer.size_bytes
    if size_bytes > spec.max_answer_bytes:
        raise RefusalError(
            f"{where}: the answer is larger than {spec.max_answer_bytes:,} bytes (`http.max_answer_bytes`).",
            "Ask for changes instead of everything, or raise `max_answer_bytes`; when the source cannot hold so much, "
            "its owner looks what it sends.",
            {"url": url, "size_bytes": size_bytes},
            problem="too_large",
        )
    state.row_count += len(records)
    if state.total is not None and state.row_count > state.total:
        raise _endless(
            entity, f"{where}: {state.row_count} rows received, and the source says that there are {state.total}", url
        )
    cursor = look_up(content, spec.cursor)
    if cursor is not None and str(cursor) in state.cursors:
        raise _endless(entity, f"{where} points back to the cursor {cursor!r} of an earlier page", url)
    if not state.pages:
        state.etag = answer.etag
    state.pages.append(
        {"name": target.name, "sha256": answer.sha256, "size_bytes": answer.size_bytes, "url": url,
         "rows": len(records), "content_sha256": content_sha256}
    )  # fmt: skip
    if isinstance(cursor, dict | list) or len(str(cursor)) > _LONGEST_CURSOR or not _is_writable(str(cursor)):
        raise RefusalError(
            f"{where}: the cursor to the next page is no short text: {str(cursor)[:80]!a}.",
            "The owner of the API mends its cursor; nothing of this answer was landed.",
            {"url": url},
            problem="unreadable_answer",
        )
    state.next_cursor = None if cursor in (None, "") else str(cursor)
    state.is_complete = state.next_cursor is None
    if state.next_cursor is not None:
        state.cursors.append(state.next_cursor)


def _content_hash(records: list[Any], where: str, url: str) -> str:
    try:
        return hashlib.sha256(json.dumps(records, sort_keys=True).encode()).hexdigest()
    except RecursionError as error:
        raise RefusalError(
            f"{where} is nested too deep to be read.",
            "The owner of the API looks how the answer came about; a record of data is a few levels deep.",
            {"url": url},
            problem="too_large",
        ) from error


def _whole_number(value: Any, where: str, url: str) -> int:
    try:
        return int(value) if isinstance(value, float) and value.is_integer() else int(str(value))
    except ValueError as error:
        raise RefusalError(
            f"{where}: the total that the source says is {str(value)[:80]!a}; that is no whole number.",
            "The owner of the API mends it, or `http.total` in the catalogue names another key.",
            {"url": url},
            problem="unreadable_answer",
        ) from error


def _is_writable(text: str) -> bool:
    """Whether it is text at all: JSON may spell half a character."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _check_total(entity: Entity, state: Progress, directory: Path) -> None:
    if state.total is None or state.total == state.row_count:
        return
    _clear(directory)
    raise RefusalError(
        f"{entity.full_id}: {state.row_count} rows received in {len(state.pages)} pages, "
        f"and the source says that there are {state.total}.",
        "Start again: rows that changed while the pages were read can cause it. If it stays, the owner of the API "
        "checks its paging.",
        {"received": state.row_count, "total": state.total, "pages": len(state.pages)},
        problem="control_total_differs",
    )


def _business_date(entity: Entity, spec: HttpSpec, state: Progress, as_of: dt.date) -> dt.date:
    if not spec.as_of or state.as_of is None:
        return as_of
    try:
        return dt.date.fromisoformat(str(state.as_of)[:10])
    except ValueError as error:
        raise RefusalError(
            f"{entity.full_id}: the source says that it answers as of {state.as_of!r}; that is no date.",
            "The owner of the API mends it, or `http.as_of` in the catalogue names another key.",
            {"as_of": str(state.as_of)},
            problem="unreadable_answer",
        ) from error


def look_up(content: Any, path: str | None) -> Any:
    """The value under a dotted path (``data.items``) of a JSON value; the value itself for an empty path."""
    for part in path.split(".") if path else []:
        if not isinstance(content, dict):
            return None
        content = content.get(part)
    return content


def _parameters(entity: Entity, spec: HttpSpec, since: str | None, cursor: str | None) -> dict[str, str]:
    parameters = dict(spec.parameters)
    parameters[spec.limit_parameter] = str(entity.limit or spec.limit)
    if since is not None and spec.since_parameter:
        parameters[spec.since_parameter] = since
    if cursor is not None:
        parameters[spec.cursor_parameter] = cursor
    return parameters


def _resume(directory: Path, first_url: str, since: str | None) -> Progress:
    """What an attempt before left, when it asked the same and its pages are whole; else a new start."""
    file = directory / _PROGRESS_NAME
    if not file.exists():
        return _start_again(directory, first_url, since)
    try:
        state = Progress(**json.loads(file.read_text(encoding="utf-8")))
    except (TypeError, ValueError):
        return _start_again(directory, first_url, since)
    is_same = state.first_url == first_url
    return state if is_same and _are_whole(directory, state) else _start_again(directory, first_url, since)


def _are_whole(directory: Path, state: Progress) -> bool:
    for page in state.pages:
        path = directory / page["name"]
        if not path.exists() or hashlib.sha256(path.read_bytes()).hexdigest() != page["sha256"]:
            return False
    return True


def _start_again(directory: Path, first_url: str, since: str | None) -> Progress:
    _clear(directory)
    return Progress(first_url=first_url, since=since)


def _clear(directory: Path) -> None:
    for path in directory.iterdir():
        path.unlink()


def _endless(entity: Entity, problem: str, url: str) -> RefusalError:
    return RefusalError(
        f"{problem}: the paging of {entity.path} does not end.",
        "The owner of the API mends its cursor; nothing of this answer was landed.",
        {"url": url},
        problem="endless_paging",
    )


def _keys(content: Any) -> str:
    return ", ".join(map(str, list(content)[:10])) if isinstance(content, dict) else type(content).__name__
