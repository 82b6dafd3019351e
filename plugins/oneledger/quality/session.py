"""Great Expectations on the warehouse: opened once a gate, read-only, nothing written, nothing reported home."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from oneledger.quality.duckdb_dialect import use_for, warehouse_url
from oneledger.settings import Settings


@dataclass(frozen=True)
class Judgement:
    """What Great Expectations found for one expectation: how many values are unexpected, and some of them."""

    is_met: bool
    unexpected_count: int
    sample: tuple[Any, ...]
    unexpected_rows: tuple[dict[str, Any], ...]


class ExpectationError(Exception):
    """Great Expectations could not evaluate an expectation: the suite or the evidence is wrong, not the data."""


def warm_up() -> None:
    """Import Great Expectations, which takes seconds; worth doing while the sources are still being read."""
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    import great_expectations  # noqa: F401


class CheckSession:
    """One read-only connection on which evidence is made and judged."""

    def __init__(self, settings: Settings) -> None:
        warm_up()
        import great_expectations as gx

        # Its notes about temporary folders are no news to whoever reads the run's progress.
        logging.getLogger("great_expectations").propagate = False
        self._context = gx.get_context(mode="ephemeral")
        quiet: Any = {"globally": False, "metric_calculations": False}
        self._context.variables.progress_bars = quiet
        self._source = self._context.data_sources.add_sql(
            "warehouse", connection_string=warehouse_url(settings), create_temp_table=False
        )
        self._engine = self._source.get_execution_engine()
        use_for(self._engine)
        self._assets = 0

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run SQL on the connection of the checks: make a temporary table, or read."""
        with self._engine.engine.connect() as connection:
            cursor = connection.connection.cursor()
            cursor.execute(sql, list(parameters))
            return list(cursor.fetchall()) if cursor.description else []

    def judge(
        self, query: str, expectations: Sequence[dict[str, Any]], *, index_columns: Sequence[str] = ()
    ) -> list[Judgement]:
        """Hold the rows of ``query`` to expectations, all in as few statements as Great Expectations can.

        Args:
            query: SQL; the checks run inside the database on it.
            expectations: ``{type, column …, arguments …}`` each.
            index_columns: columns that name an unexpected row; when given, all unexpected rows are returned.

        Raises:
            ExpectationError: an expectation cannot be evaluated.
        """
        import great_expectations as gx
        from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

        self._assets += 1
        name = f"asset_{self._assets}"
        batch = self._source.add_query_asset(name, query=query).add_batch_definition_whole_table("all").get_batch()
        suite = gx.ExpectationSuite(
            name,
            expectations=[
                ExpectationConfiguration(
                    type=one["type"],
                    kwargs={key: value for key, value in one.items() if key != "type"},
                    meta={"position": position},
                ).to_domain_obj()
                for position, one in enumerate(expectations)
            ],
        )
        result_format: dict[Any, Any] = {"result_format": "SUMMARY"}
        if index_columns:
            result_format = {"result_format": "COMPLETE", "unexpected_index_column_names": list(index_columns)}
        found = batch.validate(suite, result_format=result_format)
        judgements: dict[int, Judgement] = {}
        for result in found.results:
            configuration = result.expectation_config
            if configuration is None:
                raise ExpectationError(f"Great Expectations gave a result without its expectation: {result}")
            if result.exception_info.get("raised_exception") or _raised(result.exception_info):
                raise ExpectationError(
                    f"{configuration.type} {configuration.kwargs}: {_message(result.exception_info)}"
                )
            judgements[(configuration.meta or {})["position"]] = _judgement(result)
        return [judgements[position] for position in range(len(expectations))]

    def close(self) -> None:
        """Give the warehouse file back."""
        self._engine.close()
        # The data source keeps an engine of its own beside that of the checks.
        for engine in (self._engine.engine, self._source.get_engine()):
            engine.dispose()


@contextmanager
def open_session(settings: Settings) -> Iterator[CheckSession]:
    """A session that is closed at the end, so that the next step may write the warehouse."""
    session = CheckSession(settings)
    try:
        yield session
    finally:
        session.close()


def _judgement(result: Any) -> Judgement:
    details = result.result
    count = details.get("unexpected_count")
    if count is None:
        count = 0 if result.success else 1
    return Judgement(
        is_met=bool(result.success),
        unexpected_count=int(count),
        sample=tuple(details.get("partial_unexpected_list") or ()),
        unexpected_rows=tuple(details.get("unexpected_index_list") or ()),
    )


def _raised(info: dict[str, Any]) -> bool:
    return any(isinstance(one, dict) and one.get("raised_exception") for one in info.values())


def _message(info: dict[str, Any]) -> str:
    if "exception_message" in info:
        return str(info["exception_message"])
    return "; ".join(str(one.get("exception_message")) for one in info.values() if isinstance(one, dict))
