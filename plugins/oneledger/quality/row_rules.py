"""Row rules: what must hold within one row, each as SQL with a reason and a remedy in both languages.

A rule that breaks with severity ``quarantine`` holds the whole row back; with ``warn`` the row is
accepted and the finding recorded. What a column must be (type, required, allowed words, pattern,
range) comes from its contract; rules over several columns come from the catalogue. A rule whose columns
are null is not broken: null is missing, which a required column reports by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from oneledger.catalogue import Column, Entity, Reference, Rule
from oneledger.quality.personal_data import PERSONAL_DATA_RULE_ID, TITLES, forbidden_kinds, holds_personal_data
from oneledger.warehouse.column_typing import Markers, is_given
from oneledger.warehouse.contract import dated_by_file, filled_columns, missing_markers
from oneledger.warehouse.received_text import sql_text

DUPLICATE_RULE_ID = "duplicate_with_other_content"
REFERENCE_RULE_ID = "known_reference"
PROPORTION_RULE_ID = "in_proportion"
READABLE_TEXT_RULE_ID = "readable_text"
_CONTROL_SIGNS = r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x{80}-\x{9f}\x{fffe}\x{ffff}]"
# Below so many values a batch says nothing about what is usual in it.
FEWEST_VALUES_OF_A_MEDIAN = 20
MALFORMED_RULE_ID = "malformed_record"
ROW_DATE_RULE_ID = "row_of_other_date"
FUTURE_CHANGE_RULE_ID = "changed_in_future"

_KIND_WORDS = {
    "text": ("文字", "text"),
    "integer": ("整数", "a whole number"),
    "decimal": ("数字", "a number"),
    "boolean": ("是或否", "yes or no"),
    "date": ("日期", "a date"),
    "timestamp": ("日期和时间", "a date and time"),
}


@dataclass(frozen=True)
class Check:
    """One rule over one row.

    ``broken_sql`` is SQL over the typed columns (by name) and their plain texts
    (``oneledger.warehouse.column_typing``); it is true or false, never null. ``columns`` are those whose
    received values the report shows.

    ``admitted_sql`` is the same rule over an admitted row, which has no texts any more: the gate on the sources
    holds every admitted row to it, so that an error of the split shuts the gate. None where nothing is left to
    judge: a type is proven by the column's type, a median by rows that are not admitted. ``may_be_waived`` is
    False where no person may let the row through: a required value that is not there or unreadable, personal data.
    """

    rule_id: str
    columns: tuple[str, ...]
    severity: Literal["quarantine", "warn"]
    broken_sql: str
    reason_zh: str
    reason_en: str
    remedy_zh: str
    remedy_en: str
    admitted_sql: str | None = None
    may_be_waived: bool = True


def checks_of(entity: Entity) -> list[Check]:
    """Every row rule of an entity: of its columns in their order, then those of the catalogue.

    A rule over a column that this source does not deliver is left out: its columns would be null.
    """
    checks = [
        _malformed(),
        *_row_date(entity),
        *_changed_in_future(entity),
    ]
    checks += [
        check
        for column in entity.delivered_columns
        for check in _column_checks(entity, column, missing_markers(entity, column))
    ]
    checks += [
        _undelivered(column) for column in entity.columns if column.required and column not in filled_columns(entity)
    ]
    filled = {column.name for column in filled_columns(entity)}
    checks += [_rule_check(rule) for rule in entity.rules if filled.issuperset(rule.columns)]
    checks += [
        _reference_check(entity.column(reference.column), reference)
        for reference in entity.references
        if reference.severity == "quarantine" and reference.column in filled
    ]
    return checks


def other_rule_ids() -> tuple[str, ...]:
    """The rules of this module but for those of types (``is_…``); a catalogue's own rules have ids of their own."""
    return (
        "required", "known_word", "allowed", "pattern", "minimum", "maximum", "usual_maximum", PROPORTION_RULE_ID,
        PERSONAL_DATA_RULE_ID, READABLE_TEXT_RULE_ID, REFERENCE_RULE_ID, DUPLICATE_RULE_ID, MALFORMED_RULE_ID,
        ROW_DATE_RULE_ID, FUTURE_CHANGE_RULE_ID,
    )  # fmt: skip


def breaking_items(checks: Sequence[Check]) -> list[str]:
    """Select items ``_breaks_<position>``: whether the row breaks each check."""
    return [f"{check.broken_sql} as _breaks_{position}" for position, check in enumerate(checks)]


def broken_checks(checks: Sequence[Check], severity: str) -> str:
    """SQL of the positions (``usmallint[]``) of the broken checks of one severity, over ``breaking_items``.

    Null when none is broken.
    """
    chosen = [position for position, check in enumerate(checks) if check.severity == severity]
    if not chosen:
        return "cast(null as usmallint[])"
    any_broken = " or ".join(f"_breaks_{position}" for position in chosen)
    positions = ", ".join(f"case when _breaks_{position} then cast({position} as usmallint) end" for position in chosen)
    whole = next((p for p in chosen if checks[p].rule_id == MALFORMED_RULE_ID), None)
    # Of a record that could not be read every column is null: that it could not be read says all.
    first = f"when _breaks_{whole} then [cast({whole} as usmallint)] " if whole is not None else ""
    return f"case {first}when {any_broken} then list_filter([{positions}], lambda position: position is not null) end"


CHECK_COLUMNS = "position, rule_id, column_name, reason_zh, reason_en, remedy_zh, remedy_en"


def checks_relation(checks: Sequence[Check]) -> str:
    """The checks as an SQL relation with ``CHECK_COLUMNS``, to join to broken positions. There must be one."""
    rows = ", ".join(
        f"(cast({position} as usmallint), "
        + ", ".join(
            map(
                sql_text,
                (
                    check.rule_id,
                    ", ".join(check.columns),
                    check.reason_zh,
                    check.reason_en,
                    check.remedy_zh,
                    check.remedy_en,
                ),
            )
        )
        + ")"
        for position, check in enumerate(checks)
    )
    return f"(select * from (values {rows}) as rule ({CHECK_COLUMNS}))"


def received_value(check: Check, text: Callable[[str], str]) -> str:
    """SQL of the value in a report: the received text; of several columns ``first=text, second=text``."""
    if len(check.columns) == 1:
        return text(check.columns[0])
    return " || ', ' || ".join(f"{sql_text(name + '=')} || coalesce({text(name)}, '')" for name in check.columns)


def _titles(column: Column) -> tuple[str, str]:
    return f"「{column.title_zh or column.name}」", column.name


def _column_checks(entity: Entity, column: Column, markers: Markers) -> list[Check]:
    zh, en = _titles(column)
    name = column.name
    given = is_given(markers, name)
    checks: list[Check] = []

    def add(
        rule_id: str,
        broken_sql: str,
        reason: tuple[str, str],
        remedy: tuple[str, str],
        admitted_sql: str | None = None,
        may_be_waived: bool = True,
    ) -> None:
        checks.append(Check(rule_id, (name,), "quarantine", broken_sql, *reason, *remedy, admitted_sql, may_be_waived))

    if column.required and column.default is None:
        add(
            "required",
            f"case when {name} is null then not ({given}) else false end",
            (f"{zh}为空", f"{en} is empty"),
            (f"请补填{zh}后重新报送", f"fill in {en} and deliver again"),
            f"{name} is null",
            may_be_waived=False,
        )
    if column.values:
        words = "、".join(column.values)
        add(
            "known_word",
            f"case when {name} is null then {given} else false end",
            (f"{zh}的取值不在约定的用词之内", f"{en} is none of the agreed words"),
            (
                f"请改用以下用词之一:{words};如有新用词,请在数据源目录中登记",
                f"use one of: {words}; or register the new word in the source catalogue (values of {en})",
            ),
            f"coalesce(cast({name} as varchar) not in "
            f"({', '.join(map(sql_text, dict.fromkeys(_meant(column))))}), false)",
            not column.required,
        )
    elif column.type != "text":
        kind_zh, kind_en = _KIND_WORDS[column.type]
        forms = f"({'、'.join(column.formats)})" if column.formats else ""
        add(
            f"is_{column.type}",
            f"case when {name} is null then {given} else false end",
            (f"{zh}不是{kind_zh}{forms}", f"{en} is not {kind_en} {forms}".strip()),
            (f"请将{zh}更正为{kind_zh}后重新报送", f"correct {en} to {kind_en} and deliver again"),
            may_be_waived=not column.required,
        )
    if column.allowed:
        listed = ", ".join(column.allowed)
        is_other = f"coalesce(cast({name} as varchar) not in ({', '.join(map(sql_text, column.allowed))}), false)"
        add(
            "allowed",
            is_other,
            (f"{zh}的取值不在允许范围之内", f"{en} is not an allowed value"),
            (f"请改为以下取值之一:{listed}", f"use one of: {listed}"),
            is_other,
        )
    if column.pattern is not None:
        is_other = f"coalesce(not regexp_full_match(cast({name} as varchar), {sql_text(column.pattern)}), false)"
        add(
            "pattern",
            is_other,
            (f"{zh}的格式不符(应为 {column.pattern})", f"{en} does not have the form {column.pattern}"),
            (
                f"请按格式 {column.pattern} 更正{zh}后重新报送",
                f"correct {en} to the form {column.pattern} and deliver again",
            ),
            is_other,
        )
    for bound, sign, rule_id, (than_zh, than_en) in (
        (column.minimum, "<", "minimum", ("小于", "less than")),
        (column.maximum, ">", "maximum", ("大于", "more than")),
    ):
        if bound is not None:
            limit = f"{bound:f}"
            is_outside = f"coalesce({name} {sign} {limit}, false)"
            add(
                rule_id,
                is_outside,
                (f"{zh}{than_zh}{limit}", f"{en} is {than_en} {limit}"),
                (f"请核对{zh}后重新报送", f"check {en} and deliver again"),
                is_outside,
            )
    return checks + _proportion_checks(column) + _readable_text_checks(column) + _personal_data_checks(entity, column)


def _meant(column: Column) -> list[str]:
    prefix = column.prefix if column.prefix and column.type == "text" else ""
    return [f"{prefix}{meant}" for meant in (column.values or {}).values()]


def _proportion_checks(column: Column) -> list[Check]:
    """A unit mixed up (yuan in a column of 万元): beyond what is usual, or beyond all other rows of the batch."""
    zh, en = _titles(column)
    unit_zh = f"(应为 {column.unit})" if column.unit else ""
    unit_en = f" (the column is in {column.unit})" if column.unit else ""
    remedy = (
        f"请核对{zh}的计量单位{unit_zh},更正后重新报送;数值属实的,由数据仓库运维放行并注明原因",
        f"check the unit of {en}{unit_en} and deliver again; if the value is right the operators release the row",
    )
    checks = []
    if column.usual_maximum is not None:
        limit = f"{column.usual_maximum:f}"
        is_beyond = f"coalesce(abs({column.name}) > {limit}, false)"
        reason = (f"{zh}大得反常(超过 {limit}),疑为单位填错", f"{en} is out of all proportion: more than {limit}")
        checks.append(Check("usual_maximum", (column.name,), "quarantine", is_beyond, *reason, *remedy, is_beyond))
    if column.at_most_times_median is not None:
        times = f"{column.at_most_times_median:f}"
        is_beyond = f"coalesce(abs({column.name}) > {times} * {median_of(column.name)}, false)"
        reason = (
            f"{zh}超过同批中位数的 {times} 倍,疑为单位填错",
            f"{en} is more than {times} times the median of its batch, as if its unit were another",
        )
        checks.append(Check(PROPORTION_RULE_ID, (column.name,), "quarantine", is_beyond, *reason, *remedy))
    return checks


def median_of(name: str) -> str:
    """The SQL name of the median of a column in its batch; null when the batch has too few values."""
    return f'"_median_{name}"'


def median_items(entity: Entity) -> list[str]:
    """Select items ``_median_x`` for the columns that say ``at_most_times_median``; of the batch's rows alone, so
    that it does not matter in which order batches arrive."""
    return [
        f"case when count(nullif({column.name}, 0)) over (partition by _ordinal) >= {FEWEST_VALUES_OF_A_MEDIAN} "
        f"then median(abs(nullif({column.name}, 0))) over (partition by _ordinal) end as {median_of(column.name)}"
        for column in entity.delivered_columns
        if column.at_most_times_median is not None
    ]


def _readable_text_checks(column: Column) -> list[Check]:
    """Control signs in a name: no page, document or workbook can show them, and a terminal obeys them."""
    if column.type != "text" or column.constant is not None or column.values or column.allowed or column.pattern:
        return []
    zh, en = _titles(column)
    holds = f"coalesce(regexp_matches({column.name}, '{_CONTROL_SIGNS}'), false)"
    return [
        Check(
            READABLE_TEXT_RULE_ID,
            (column.name,),
            "quarantine",
            holds,
            f"{zh}中有控制字符,无法显示",
            f"{en} holds control characters, which cannot be shown",
            f"请去掉{zh}中的控制字符后重新报送",
            f"remove the control characters from {en} and deliver again",
            holds,
            may_be_waived=False,
        )
    ]


def _personal_data_checks(entity: Entity, column: Column) -> list[Check]:
    kinds = forbidden_kinds(entity, column)
    if not kinds:
        return []
    zh, en = _titles(column)
    holds = holds_personal_data(column.name, kinds)
    what_zh = "或".join(TITLES[kind][0] for kind in kinds)
    what_en = " or ".join(TITLES[kind][1] for kind in kinds)
    return [
        Check(
            PERSONAL_DATA_RULE_ID,
            (column.name,),
            "quarantine",
            f"coalesce({holds}, false)",
            f"{zh}中有{what_zh},此处不得出现个人信息",
            f"{en} holds {what_en}, where no personal data belongs",
            f"请从{zh}中删除个人信息后重新报送;原始文件按规定清理",
            f"remove the personal data from {en} and deliver again; clear the file as received as the rules say",
            f"coalesce({holds}, false)",
            may_be_waived=False,
        )
    ]


def _reference_check(column: Column, reference: Reference) -> Check:
    zh, en = _titles(column)
    name, table, target = column.name, reference.table, reference.target
    # An empty registry says that it was not delivered, which the gate reports by itself.
    is_unknown = (
        f"coalesce({name} not in (select {target} from {table} where {target} is not null) "
        f"and exists (select 1 from {table}), false)"
    )
    return Check(
        REFERENCE_RULE_ID,
        (name,),
        "quarantine",
        is_unknown,
        f"{zh}未在 {reference.entity} 中登记",
        f"{en} is not registered in {reference.entity}",
        f"请在 {reference.entity} 中登记该编码(登记后自动放行),或更正{zh}后重新报送",
        f"register the code in {reference.entity} (the row then comes in by itself), or correct {en} and deliver again",
        is_unknown,
    )


def _malformed() -> Check:
    """A record that raw could not part into its columns; raw keeps it whole in ``_extra``."""
    return Check(
        MALFORMED_RULE_ID,
        ("_extra",),
        "quarantine",
        """coalesce(starts_with(_extra, '{"_malformed"'), false)""",
        "该行无法按约定的列读取（字段数、字符或嵌套结构不符）",
        "the record cannot be parted into the agreed columns (number of fields, bytes, or nested values)",
        "请按所示原文检查该行的分隔符、引号与字符后重新报送",
        "check delimiter, quotation marks and bytes of the record as shown, and deliver it again",
        may_be_waived=False,
    )


def _row_date(entity: Entity) -> list[Check]:
    """A row that carries another day than its file: it belongs into the file of that day."""
    column = dated_by_file(entity)
    if column is None or entity.decisions.row_of_other_date != "quarantine":
        return []
    zh, en = _titles(column)
    is_broken = f"coalesce({column.name} <> _business_on, false)"
    return [
        Check(
            ROW_DATE_RULE_ID,
            (column.name,),
            "quarantine",
            is_broken,
            f"{zh}不是该文件的日期",
            f"{en} is not the day of the file",
            "请将该行报送到其所属日期的文件中",
            "deliver the row in the file of its own day",
            is_broken,
        )
    ]


def _changed_in_future(entity: Entity) -> list[Check]:
    """A record changed after the day as of which its source answers: it would hide every later change of it.

    One day is left for a source that answers as of yesterday while it is being written.
    """
    name = entity.updated_at
    if entity.delivery != "changes" or name is None or entity.decisions.changed_in_future != "quarantine":
        return []
    zh, en = _titles(entity.column(name))
    is_broken = f"coalesce({name} >= cast(_business_on as timestamp) + interval 2 day, false)"
    return [
        Check(
            FUTURE_CHANGE_RULE_ID,
            (name,),
            "quarantine",
            is_broken,
            f"{zh}晚于来源的基准日（时钟或时区不对）",
            f"{en} is after the day as of which the source answers (its clock or time zone is wrong)",
            "请核对来源系统的时钟与时区,更正后运行 oneledger ingest --anew",
            "correct the clock or time zone of the source, then run `oneledger ingest --anew`",
            is_broken,
        )
    ]


def _undelivered(column: Column) -> Check:
    """A required column that the catalogue maps from nowhere: every row breaks it."""
    zh, en = _titles(column)
    return Check(
        "required",
        (column.name,),
        "quarantine",
        "true",
        f"数据源未提供{zh}",
        f"the source does not deliver {en}",
        f"请在数据源目录中为{zh}指定来源列、常量或默认值",
        f"give {en} a source column, a constant or a default in the source catalogue",
        f"{column.name} is null",
        may_be_waived=False,
    )


def _rule_check(rule: Rule) -> Check:
    return Check(
        rule.id,
        rule.columns,
        rule.severity,
        f"not coalesce(({rule.expect}), true)",
        rule.reason_zh,
        rule.reason_en,
        rule.remedy_zh,
        rule.remedy_en,
        f"not coalesce(({rule.expect}), true)",
    )
