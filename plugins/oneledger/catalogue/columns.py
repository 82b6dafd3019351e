"""What the catalogue says about one column and one row rule."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

ColumnType = Literal["text", "integer", "decimal", "date", "timestamp", "boolean"]
MissingState = Literal["missing", "not_applicable"]

# A measure is stored in the base unit of its column name: money in yuan, shares from 0 to 1, time in minutes.
UNIT_FACTORS: dict[str, Decimal] = {
    "元": Decimal(1),
    "千元": Decimal(1_000),
    "万元": Decimal(10_000),
    "亿元": Decimal(100_000_000),
    "千": Decimal(1_000),
    "万": Decimal(10_000),
    "percent": Decimal("0.01"),
    "per_mille": Decimal("0.001"),
    "seconds_to_minutes": Decimal(1) / Decimal(60),
    "hours_to_minutes": Decimal(60),
}


class Strict(BaseModel):
    """Refuses keys that it does not know; cannot be changed once read."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


def text_of_scalar(value: Any) -> Any:
    """Numbers of the YAML file as text; a bare yes, no, true, false is refused: its spelling is lost."""
    if isinstance(value, bool):
        raise ValueError(
            f"YAML reads this word as a truth value ({str(value).lower()}); put it in quotation marks "
            'as it stands in the source, for instance "yes" or "true"'
        )
    if value is None:
        raise ValueError('this is empty; write "" for an empty text')
    return str(value) if isinstance(value, int | float) else value


class NumberFormat(Strict):
    """How a source writes numbers; admission takes these marks away before it reads the number.

    Attributes:
        thousands: mark between groups of digits (``,``), taken away.
        decimal: decimal mark.
        strip: texts taken away wherever they stand (``£``, ``元``).
        percent: a trailing ``%`` means hundredths (``83.1%`` is 0.831); without ``%`` the number stands as it is.
        parentheses_negative: ``(12)`` is -12.
    """

    thousands: str | None = None
    decimal: str = "."
    strip: tuple[str, ...] = ()
    percent: bool = False
    parentheses_negative: bool = False

    @model_validator(mode="after")
    def _marks_differ(self) -> NumberFormat:
        if self.thousands == self.decimal:
            raise ValueError(f"thousands and decimal are both {self.decimal!r}; they must differ")
        return self


class ColumnSpec(Strict):
    """One column as the YAML file gives it; ``docs/sources.md`` explains each key."""

    source_name: str | None = Field(default=None, alias="from")
    constant: str | None = None
    type: ColumnType | None = None
    required: bool | None = None
    optional: bool | None = None
    default: str | None = None
    minimum: Decimal | None = None
    maximum: Decimal | None = None
    allowed: tuple[str, ...] | None = None
    values: dict[str, str] | None = None
    pattern: str | None = None
    unit: str | None = None
    formats: tuple[str, ...] | None = None
    period_day: Literal["first", "last"] | None = None
    number_format: NumberFormat | None = None
    missing_markers: dict[str, MissingState] | None = None
    prefix: str | None = None
    usual_maximum: Decimal | None = None
    at_most_times_median: Decimal | None = Field(default=None, gt=1)
    personal_data: Literal["forbidden", "allowed"] | None = None
    title_zh: str | None = None
    title_en: str | None = None

    @field_validator("source_name", "constant", "default", "prefix", mode="before")
    @classmethod
    def _scalar(cls, value: Any) -> Any:
        return value if value is None else text_of_scalar(value)

    @field_validator("allowed", mode="before")
    @classmethod
    def _scalars(cls, value: Any) -> Any:
        return [text_of_scalar(item) for item in value] if isinstance(value, list | tuple) else value

    @field_validator("values", "missing_markers", mode="before")
    @classmethod
    def _scalar_map(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {text_of_scalar(key): text_of_scalar(item) for key, item in value.items()}

    @field_validator("pattern")
    @classmethod
    def _regex(cls, value: str | None) -> str | None:
        return value if value is None else checked_regex(value)

    @field_validator("unit")
    @classmethod
    def _known_unit(cls, value: str | None) -> str | None:
        if value is not None and value not in UNIT_FACTORS:
            raise ValueError(f"unit {value!r} is unknown; it must be one of {', '.join(UNIT_FACTORS)}")
        return value


class Column(Strict):
    """One canonical column of an entity, with the shape's keys and the entity's overrides merged.

    Attributes:
        name: the canonical name.
        source_name: header, JSON key, database column, or ``$field``; None when the source does not deliver it.
        constant: the value of every row (filled at admission).
        optional: a delivery without the column is taken as it is; its values are then missing.
        default: the value where the source gives none (filled at admission).
        values: source value to canonical value; a value that is no key of it is wrong.
        formats: strptime formats to try in order; besides the usual ones ``%q`` is the quarter, 1 to 4.
        period_day: the value names a year, quarter or month, and the date is its first or last day.
        prefix: put before the value (after ``values``), so that keys of several sources cannot meet.
        usual_maximum: in the base unit; a larger value is out of all proportion (yuan written as 万元).
        at_most_times_median: a value of more than so many medians of its column in the same batch is so too.
        personal_data: ``allowed`` where identity-card and mobile numbers may stand; else they hold the row back.
    """

    name: str
    source_name: str | None = None
    constant: str | None = None
    type: ColumnType
    required: bool = False
    optional: bool = False
    default: str | None = None
    minimum: Decimal | None = None
    maximum: Decimal | None = None
    allowed: tuple[str, ...] | None = None
    values: dict[str, str] | None = None
    pattern: str | None = None
    unit: str | None = None
    formats: tuple[str, ...] = ()
    period_day: Literal["first", "last"] | None = None
    number_format: NumberFormat | None = None
    missing_markers: dict[str, MissingState] | None = None
    prefix: str | None = None
    usual_maximum: Decimal | None = None
    at_most_times_median: Decimal | None = None
    personal_data: Literal["forbidden", "allowed"] | None = None
    title_zh: str = ""
    title_en: str = ""

    @property
    def is_delivered(self) -> bool:
        """Whether raw has this column: the source writes it, or a ``$field`` of the delivery gives it."""
        return self.source_name is not None

    @property
    def is_field(self) -> bool:
        """Whether it comes from the file name, the title rows or an unpivoted header, not from a column."""
        return self.source_name is not None and self.source_name.startswith("$")

    @property
    def unit_factor(self) -> Decimal | None:
        """What the delivered number is multiplied by to stand in the column's base unit; None without a unit."""
        return UNIT_FACTORS[self.unit] if self.unit else None


class Rule(Strict):
    """A row rule: SQL over canonical columns that must not be false (null passes)."""

    id: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    expect: str
    severity: Literal["quarantine", "warn"]
    columns: tuple[str, ...] = Field(min_length=1)
    reason_zh: str
    reason_en: str
    remedy_zh: str
    remedy_en: str


class Reference(Strict):
    """A code of one entity that another entity registers.

    Attributes:
        column: the column that holds the code.
        to: ``<source>.<entity>.<column>`` of the registry; its entity stands earlier in the catalogue.
        severity: ``quarantine`` holds a row with an unknown code back until it is registered; ``warn`` accepts it,
            and the gate on the sources says which codes are unknown.
    """

    column: str
    to: str = Field(pattern=r"^[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*$")
    severity: Literal["quarantine", "warn"]

    @property
    def entity(self) -> str:
        """``<source>.<entity>`` of the registry."""
        return self.to.rpartition(".")[0]

    @property
    def table(self) -> str:
        """The admitted table of the registry."""
        return f"admitted.{self.entity.replace('.', '__')}"

    @property
    def target(self) -> str:
        """The column of the registry."""
        return self.to.rpartition(".")[2]


def checked_regex(text: str) -> str:
    """The regular expression itself, when Python can compile it."""
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"{text!r} is no regular expression: {error}") from error
    return text
