"""Answer the API's questions from the IRS's store: one page of the records known as of a day."""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import json
import threading
from dataclasses import dataclass
from pathlib import Path

import duckdb

from oneledger.city.irs_store import store_dir
from oneledger.city.registry import RegistryEntity


class BadQuestionError(ValueError):
    """The request cannot be answered: the message says which parameter is wrong and what it must be."""


@dataclass(frozen=True)
class Question:
    """One page asked for.

    Attributes:
        as_of: the last day of which the answer may know.
        since: only records updated at or after this time (``yyyy-mm-ddThh:mm:ss``); empty for all.
        after: update time and key of the last record of the page before; empty for the first page.
        total: records of the whole answer, carried in the cursor; None on the first page.
    """

    entity: RegistryEntity
    limit: int
    as_of: dt.date
    since: str = ""
    after: tuple[str, str] = ("", "")
    total: int | None = None


@dataclass(frozen=True)
class Page:
    """Records as JSON texts, the cursor of the next page (None on the last), records of the whole answer."""

    items: list[str]
    next_cursor: str | None
    total: int


def cursor_of(question: Question, last: tuple[str, str], total: int) -> str:
    """All that a following page needs, so that every page answers the same question."""
    text = json.dumps([question.entity.path, question.as_of.isoformat(), question.since, *last, total])
    return base64.urlsafe_b64encode(text.encode("utf-8")).decode("ascii").rstrip("=")


def question_of_cursor(cursor: str, entity: RegistryEntity, limit: int) -> Question:
    """The question that a cursor continues; raises BadQuestionError for one that this API did not give."""
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        path, as_of, since, after, key, total = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        question = Question(entity, limit, dt.date.fromisoformat(as_of), str(since), (str(after), str(key)), int(total))
    except (binascii.Error, ValueError, TypeError) as error:
        raise BadQuestionError("cursor is not one that this API gave; start again without it") from error
    if path != entity.path:
        raise BadQuestionError(f"cursor belongs to /v1/{path}, not to /v1/{entity.path}; start again without it")
    return question


class Store:
    """Reads the Parquet files of the store; safe to use from several threads."""

    def __init__(self, city_dir: Path, memory_limit: str) -> None:
        self._store = store_dir(city_dir)
        self._con = duckdb.connect(config={"memory_limit": memory_limit, "threads": 2})
        self._con.execute("set parquet_metadata_cache = true")
        self._local = threading.local()

    def close(self) -> None:
        self._con.close()

    def page(self, question: Question) -> Page:
        """One page, in the order of update time and key."""
        if not any((self._store / question.entity.path).glob("*.parquet")):
            return Page([], None, 0)
        con = self._cursor()
        parameters = {
            "until": f"{question.as_of.isoformat()}T99",
            "since": question.since,
        }
        total = self._total(con, question, parameters) if question.total is None else question.total
        # The records lie in the order of the answer: most pages are found within a day of the one before, without
        # looking at the years that follow.
        for before in (*_day_after(question.after[0]), parameters["until"]):
            rows = self._rows(con, question, {**parameters, "before": before})
            if len(rows) > question.limit:
                break
        page, more = rows[: question.limit], rows[question.limit :]
        following = cursor_of(question, (page[-1][1], page[-1][2]), total) if more else None
        return Page([row[0] for row in page], following, total)

    def _rows(
        self, con: duckdb.DuckDBPyConnection, question: Question, parameters: dict[str, str]
    ) -> list[tuple[str, str, str]]:
        """One record more than the page holds, updated before ``before``: JSON text, update time, key."""
        names = (*question.entity.fields, "updatedAt")
        columns = ", ".join(f'"{name}"' for name in names)
        fields = ", ".join(f'"{name}" := "{name}"' for name in names)
        # A record becomes JSON after the page is cut: before it, every page would write all that follow as well.
        return con.execute(
            f"""
            with page_of_records as (
                select {columns}, _key
                from {self._records(question)}
                where {self._known()} and "updatedAt" < $before
                    and "updatedAt" >= $after and ("updatedAt" > $after or _key > $after_key)
                order by "updatedAt", _key
                limit {question.limit + 1}
            )

            select to_json(struct_pack({fields}))::varchar, "updatedAt", _key
            from page_of_records
            order by "updatedAt", _key
            """,
            {**parameters, "after": question.after[0], "after_key": question.after[1]},
        ).fetchall()

    def _total(self, con: duckdb.DuckDBPyConnection, question: Question, parameters: dict[str, str]) -> int:
        found = con.execute(
            f"select count(*) from {self._records(question)} where {self._known()}", parameters
        ).fetchone()
        return int(found[0]) if found else 0

    def _records(self, question: Question) -> str:
        return f"read_parquet('{self._store / question.entity.path}/*.parquet')"

    @staticmethod
    def _known() -> str:
        return (
            """"updatedAt" >= $since and "updatedAt" < $until and (superseded_at is null or superseded_at >= $until)"""
        )

    def _cursor(self) -> duckdb.DuckDBPyConnection:
        if not hasattr(self._local, "con"):
            self._local.con = self._con.cursor()
        con: duckdb.DuckDBPyConnection = self._local.con
        return con


def _day_after(moment: str) -> tuple[str, ...]:
    """The end of the day of an update time; nothing when there is no such time."""
    if not moment:
        return ()
    return ((dt.date.fromisoformat(moment[:10]) + dt.timedelta(days=1)).isoformat() + "T99",)
