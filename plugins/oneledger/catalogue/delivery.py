"""What the catalogue says about how data is delivered: HTTP answers, files, text formats, workbooks."""

from __future__ import annotations

import codecs
import re
from typing import Any, Literal

from pydantic import Field, field_validator

from oneledger.catalogue.columns import Strict, checked_regex

Delivery = Literal["partition", "full", "changes"]


class HttpSpec(Strict):
    """How an HTTP API pages its answers. Limits are per request or page; times in seconds."""

    records: str = "items"
    cursor: str = "nextCursor"
    cursor_parameter: str = "cursor"
    limit_parameter: str = "limit"
    limit: int = Field(default=1000, ge=1)
    since_parameter: str | None = "updated_since"
    as_of: str | None = None
    total: str | None = None
    timeout_seconds: float = Field(default=30, gt=0)
    attempts: int = Field(default=5, ge=1)
    first_wait_seconds: float = Field(default=0.5, gt=0)
    longest_wait_seconds: float = Field(default=60, gt=0)
    most_pages: int = Field(default=100_000, ge=1)
    trust_etag: Literal["same_day", "always", "never"] = "same_day"
    max_page_bytes: int = Field(default=64 * 1024 * 1024, ge=1024)
    max_answer_bytes: int = Field(default=8 * 1024**3, ge=1024)
    longest_page_seconds: float = Field(default=600, gt=0)
    parameters: dict[str, str] = Field(default_factory=dict)


class SqlSpec(Strict):
    """How a database is read. ``timeout_seconds`` is the wait for a connection, and for a lock of somebody else."""

    timeout_seconds: int = Field(default=15, ge=1)


class FilesSpec(Strict):
    """Which files of the folder belong to an entity.

    Attributes:
        pattern: regular expression for the whole file name. Named groups give ``$fields``; ``business_date``
            (yyyymmdd or yyyy-mm-dd) gives the business date; ``part`` marks files that together make one batch.
        control_suffix: the file is complete when ``<name><suffix>`` lies beside it (lines ``rows=`` and ``sha256=``).
        settle_seconds: a file changed less than this long ago waits for the next run.
        max_file_bytes: a larger file is refused before it is copied.
    """

    pattern: str
    control_suffix: str | None = None
    settle_seconds: float = Field(default=0, ge=0)
    max_file_bytes: int = Field(default=4 * 1024**3, ge=1)

    @field_validator("pattern")
    @classmethod
    def _regex(cls, value: str) -> str:
        return checked_regex(value)

    @property
    def groups(self) -> tuple[str, ...]:
        return tuple(re.compile(self.pattern).groupindex)


class FormatSpec(Strict):
    """How a delimited text file is written."""

    encoding: str = "utf-8"
    delimiter: str = Field(default=",", min_length=1, max_length=4)
    quote: str = Field(default='"', max_length=1)
    compression: Literal["none", "gzip"] = "none"
    skip_lines: int = Field(default=0, ge=0)
    max_malformed_share: float = Field(default=0.1, ge=0, le=1)
    max_unpacked_bytes: int = Field(default=16 * 1024**3, ge=1)

    @field_validator("encoding")
    @classmethod
    def _known_encoding(cls, value: str) -> str:
        try:
            return codecs.lookup(value).name
        except LookupError as error:
            raise ValueError(f"encoding {value!r} is unknown; try utf-8, gb18030, utf-16 or latin-1") from error


class UnpivotSpec(Strict):
    """Wide columns that become rows.

    Attributes:
        columns: regular expression for the whole header (white space collapsed). The group ``measure`` names the
            column that the cell goes to (``from:`` refers to it); every other group becomes a ``$field`` of the row.
    """

    columns: str

    @field_validator("columns")
    @classmethod
    def _regex(cls, value: str) -> str:
        groups = re.compile(checked_regex(value)).groupindex
        if "measure" not in groups or len(groups) < 2:
            raise ValueError(
                f"{value!r} must have the named group 'measure' and at least one more, "
                r"for instance '(?P<quarter>\d{4}-Q\d) (?P<measure>.+)'"
            )
        return value

    @property
    def groups(self) -> tuple[str, ...]:
        return tuple(name for name in re.compile(self.columns).groupindex if name != "measure")


class WorkbookSpec(Strict):
    """Where the table stands in a sheet."""

    sheet: int | str = 0
    header_contains: tuple[str, ...] = Field(min_length=1)
    header_rows: Literal[1, 2] = 1
    stop_at: tuple[str, ...] = ()
    total_row: str | None = None
    skip_rows: tuple[str, ...] = ()
    fill_down: tuple[str, ...] = ()
    title_fields: dict[str, str] = Field(default_factory=dict)
    max_unpacked_bytes: int = Field(default=512 * 1024**2, ge=1)

    @field_validator("stop_at", "skip_rows")
    @classmethod
    def _regexes(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(checked_regex(item) for item in value)

    @field_validator("total_row")
    @classmethod
    def _one_regex(cls, value: str | None) -> str | None:
        return None if value is None else checked_regex(value)

    @field_validator("title_fields")
    @classmethod
    def _one_group_each(cls, value: dict[str, str]) -> dict[str, str]:
        for name, pattern in value.items():
            if re.compile(checked_regex(pattern)).groups != 1:
                raise ValueError(f"{name}: {pattern!r} must have exactly one group, the part that is the value")
        return value

    @field_validator("header_contains", "fill_down", mode="before")
    @classmethod
    def _list(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value
