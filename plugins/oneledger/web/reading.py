"""The published version that a request reads: opened once, shared by all requests, let go when a newer one is there."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

import duckdb

from oneledger.publishing.query import open_version
from oneledger.publishing.versions import CURRENT, PublishedVersion, resolve
from oneledger.settings import Settings

Row = dict[str, Any]
Result = TypeVar("Result")
# What is kept of each open version: results of questions that many requests ask, in order of last use.
_REMEMBERED = 512
# After an internal error of its own DuckDB answers nothing more; another connection to the same version does.
LOST = (duckdb.FatalException, duckdb.InternalException, duckdb.ConnectionException)

log = logging.getLogger(__name__)


class Reading:
    """One request's sight of one published version; every statement of it sees the same rows."""

    def __init__(self, held: _Held) -> None:
        self._held = held
        self._connection = held.working()
        self._cursor = self._connection.cursor()

    @property
    def version(self) -> PublishedVersion:
        return self._held.version

    def rows(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[Row]:
        """The rows of a statement of ours as dictionaries; relations by their full names (``marts.app_usage_month``).

        Values of a visitor go in ``parameters`` (``$name``), never into the text.
        """
        try:
            return self._asked(sql, parameters)
        except LOST as error:
            self._connection = self._held.renewed(self._connection, error)
            self._cursor = self._connection.cursor()
            return self._asked(sql, parameters)

    def one(self, sql: str, parameters: Mapping[str, Any] | None = None) -> Row | None:
        """The only row, or None."""
        found = self.rows(sql, parameters)
        return found[0] if found else None

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """DuckDB's own cursor, for answers that are streamed."""
        return self._cursor

    def remembered(self, key: tuple[Any, ...], make: Callable[[], Result]) -> Result:
        """What ``make`` returns, made once for each version and ``key``; it must not depend on the visitor."""
        return self._held.remembered(key, make)

    def close(self) -> None:
        self._cursor.close()

    def _asked(self, sql: str, parameters: Mapping[str, Any] | None) -> list[Row]:
        answer = self._cursor.execute(sql, dict(parameters)) if parameters else self._cursor.execute(sql)
        names = [column[0] for column in answer.description]
        return [dict(zip(names, row, strict=True)) for row in answer.fetchall()]


class VersionPool:
    """Holds open the versions that are being read: the current one, and few others that somebody asked for by name.

    A version stays open (and so is passed over by retention) while a request reads it, and while it is among the
    newest ``most`` that were asked for.
    """

    def __init__(self, settings: Settings, *, most: int = 3) -> None:
        self._settings = settings
        self._most = most
        self._lock = threading.Lock()
        self._held: OrderedDict[str, _Held] = OrderedDict()

    @contextlib.contextmanager
    def reading(self, version: str = CURRENT) -> Iterator[Reading]:
        """A sight of the version, until the block ends.

        Raises:
            ConfigurationError: there is no such version, or nothing was published yet.
        """
        held = self._hold(resolve(self._settings, version))
        reading = Reading(held)
        try:
            yield reading
        finally:
            reading.close()
            with self._lock:
                held.readers -= 1
                self._let_go()

    def close(self) -> None:
        with self._lock:
            self._most = 0
            self._let_go()

    def _hold(self, version: PublishedVersion) -> _Held:
        with self._lock:
            held = self._held.get(version.version)
            if held is None:
                held = self._held[version.version] = _Held(self._settings, version)
            self._held.move_to_end(version.version)
            held.readers += 1
            return held

    def _let_go(self) -> None:
        for name in list(self._held)[: max(0, len(self._held) - self._most)]:
            if not self._held[name].readers:
                self._held.pop(name).close()


class _Held:
    """An open version, how many requests read it, and what is remembered of it."""

    def __init__(self, settings: Settings, version: PublishedVersion) -> None:
        self.version = version
        self.readers = 0
        self._settings = settings
        self._stack = contextlib.ExitStack()
        self._connection = self._stack.enter_context(open_version(settings, version))
        self._lock = threading.Lock()
        self._opening = threading.Lock()
        self._results: OrderedDict[tuple[Any, ...], Any] = OrderedDict()

    def working(self) -> duckdb.DuckDBPyConnection:
        """The connection; another one when DuckDB gave it up."""
        connection = self._connection
        try:
            with contextlib.closing(connection.cursor()) as cursor:
                cursor.execute("select 1")
        except LOST as error:
            return self.renewed(connection, error)
        return connection

    def renewed(self, lost: duckdb.DuckDBPyConnection, error: duckdb.Error) -> duckdb.DuckDBPyConnection:
        """A connection in place of one that answers no more; requests that lost the same one share the new one.

        The lost one is closed with the version: other requests may still hold cursors of it.
        """
        with self._opening:
            if self._connection is lost:
                log.error("DuckDB gave up version %s, it is opened again: %s", self.version.version, error)
                self._connection = self._stack.enter_context(open_version(self._settings, self.version))
            return self._connection

    def remembered(self, key: tuple[Any, ...], make: Callable[[], Result]) -> Result:
        with self._lock:
            if key in self._results:
                self._results.move_to_end(key)
                result: Result = self._results[key]
                return result
        made = make()
        with self._lock:
            self._results[key] = made
            while len(self._results) > _REMEMBERED:
                self._results.popitem(last=False)
        return made

    def close(self) -> None:
        self._stack.close()
