"""The reviewed list of what may be public: ``config/open_data.yml``."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from oneledger.settings import ConfigurationError, Settings

OPEN_DATA_FILE = Path("config") / "open_data.yml"
# Counts of people: never public without the rule of suppression.
_COUNTS_PEOPLE = re.compile(r"(visitors|users|viewers)_(count|mean)$|^active_rate")
# Identities of people, of single vouchers and deliveries: never public at all.
_NEVER = re.compile(r"^_|_by$|^expert|^voucher|^received$|^summary$|_batch_id$|^record_key$|^reason$")
_Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Publisher(_Strict):
    title_zh: str
    title_en: str


class Licence(_Strict):
    name: str
    title: str
    path: str


class SuppressionRule(_Strict):
    """From which count of people on a number is published; ``source`` says whose rule it is."""

    effective_from: dt.date
    minimum_count: Annotated[int, Field(ge=2)]
    source: str


class Suppression(_Strict):
    """How small counts of a table are withheld.

    Attributes:
        count: the column that counts people.
        state: the column that says whether the count is ``reported``, ``missing`` or ``not_applicable``.
        hidden_with: columns that are hidden in the same rows.
        within: the columns of a group, whose total is published.
        totals: the resource with the totals.
    """

    count: str
    state: str
    hidden_with: tuple[str, ...] = Field(default=(), alias="with")
    within: tuple[str, ...] = Field(min_length=1)
    totals: _Name

    @property
    def measures(self) -> tuple[str, ...]:
        return (self.count, *self.hidden_with)


class PublicTable(_Strict):
    """A table, the columns of it that are public, and who decided so, when and why."""

    table: Annotated[str, Field(pattern=r"^(marts|evaluation)\.[a-z_0-9]+$")]
    resource: _Name
    columns: tuple[str, ...] = Field(min_length=1)
    suppress: Suppression | None = None
    why: str
    decided_by: str
    reviewed_on: dt.date
    since: dt.date

    @model_validator(mode="after")
    def _is_harmless(self) -> PublicTable:
        if len(set(self.columns)) < len(self.columns):
            raise ValueError("a column is listed twice")
        if never := [one for one in self.columns if _NEVER.search(one)]:
            raise ValueError(f"{', '.join(never)} may never be public: it tells of a person, a voucher or a delivery")
        guarded = self.suppress.measures if self.suppress else ()
        if open_counts := [one for one in self.columns if _COUNTS_PEOPLE.search(one) and one not in guarded]:
            raise ValueError(f"{', '.join(open_counts)} counts people: name it under suppress, or leave it out")
        if self.suppress:
            needed = (*self.suppress.measures, *self.suppress.within)
            if unlisted := [one for one in needed if one not in self.columns]:
                raise ValueError(f"suppress names {', '.join(unlisted)}, which is not among the columns")
        return self


class OpenData(_Strict):
    """The whole list."""

    publisher: Publisher
    licence: Licence
    suppression: tuple[SuppressionRule, ...] = Field(min_length=1)
    tables: tuple[PublicTable, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _names_are_unique(self) -> OpenData:
        resources = [one.resource for one in self.tables] + [one.suppress.totals for one in self.tables if one.suppress]
        repeated = sorted({one for one in resources if resources.count(one) > 1})
        if repeated:
            raise ValueError(f"the resource {', '.join(repeated)} is named twice")
        return self

    def rule_on(self, day: dt.date) -> SuppressionRule:
        """The rule of suppression in force on a day.

        Raises:
            ConfigurationError: none is: nothing may be published then.
        """
        in_force = [one for one in self.suppression if one.effective_from <= day]
        if not in_force:
            raise ConfigurationError(
                f"{OPEN_DATA_FILE} has no rule of suppression in force on {day}; add one with its effective_from."
            )
        return max(in_force, key=lambda one: one.effective_from)


def read_open_data(settings: Settings) -> OpenData:
    """The reviewed list.

    Raises:
        ConfigurationError: the file is missing or wrong; it says where.
    """
    path = settings.project_root / OPEN_DATA_FILE
    try:
        return OpenData.model_validate(yaml.safe_load(path.read_text("utf-8")))
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read ({error}). It lists what may be public.") from error
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{path} is not YAML: {error}") from error
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(str(part) for part in one['loc'])}: {one['msg']}" for one in error.errors())
        raise ConfigurationError(f"{path} is wrong: {problems}. docs/open-data.md describes each key.") from error
