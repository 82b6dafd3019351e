"""Identity-card and mobile numbers in text, as SQL: found by form and check digit, shown only with their middle masked.

Sources: GB 11643-1999 (18 digits: district, birth date, serial number, check digit by ISO 7064 MOD 11-2) and the
numbering plan of mobile networks (11 digits, the first two 13 to 19). Both are found only where no further digit
touches them, in half-width and full-width digits, mobile numbers also in groups of 3-4-4.
"""

from __future__ import annotations

from typing import Literal

from oneledger.catalogue import Column, Entity
from oneledger.warehouse.received_text import half_width, sql_text

Kind = Literal["identity_number", "mobile_number"]

PERSONAL_DATA_RULE_ID = "personal_data"
# A code may have eleven digits by chance; eighteen digits with a birth date and the right check digit it has not.
_CODE_ENDINGS = ("_id", "_number", "_code")
_SHORTEST = {"identity_number": 18, "mobile_number": 11}
BOTH: tuple[Kind, ...] = ("identity_number", "mobile_number")

_DIGIT = "[0-9０-９]"
_BEFORE = "(^|[^0-9０-９])"
_IDENTITY_FORM = r"[1-9]\d{5}(18|19|20)\d{2}(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])\d{3}[0-9Xx]"
_MOBILE_FORM = r"1[3-9]\d[- ]?\d{4}[- ]?\d{4}"
_WEIGHTS = "[7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2]"


def forbidden_kinds(entity: Entity, column: Column) -> tuple[Kind, ...]:
    """What may not stand in this column: free text holds neither number; a code is not mistaken for a telephone.

    Columns with a closed set of words or a form of their own, and those that say ``personal_data: allowed``,
    are not looked at.
    """
    is_free = column.type == "text" and not (column.values or column.allowed or column.pattern)
    if not is_free or column.constant is not None or column.is_field or column.personal_data == "allowed":
        return ()
    if column.name in entity.natural_key or column.name.endswith(_CODE_ENDINGS):
        return ("identity_number",)
    return BOTH


def holds_personal_data(text: str, kinds: tuple[Kind, ...]) -> str:
    """SQL: whether the text holds such a number; never null. Short texts cost a comparison of lengths."""
    found = []
    if "mobile_number" in kinds:
        form = rf"(^|[^0-9])(\+?86[- ]?)?{_MOBILE_FORM}([^0-9]|$)"
        found.append(_when_long(text, "mobile_number", f"regexp_matches({half_width(text)}, '{form}')"))
    if "identity_number" in kinds:
        found.append(_when_long(text, "identity_number", _holds_identity_number(half_width(text))))
    return f"({' or '.join(found)})"


def _when_long(text: str, kind: Kind, test: str) -> str:
    return f"case when length({text}) >= {_SHORTEST[kind]} then {test} else false end"


def _holds_identity_number(text: str) -> str:
    candidates = f"regexp_extract_all({text}, '(^|[^0-9])({_IDENTITY_FORM})([^0-9Xx]|$)', 2)"
    total = (
        f"list_sum(list_transform(range(1, 18), lambda place: "
        f"cast(substr(candidate, place, 1) as integer) * {_WEIGHTS}[place]))"
    )
    is_right = f"substr('10X98765432', cast({total} % 11 as integer) + 1, 1) = upper(substr(candidate, 18, 1))"
    return (
        f"case when regexp_matches({text}, '(^|[^0-9]){_IDENTITY_FORM}([^0-9Xx]|$)') "
        f"then len(list_filter({candidates}, lambda candidate: {is_right})) > 0 else false end"
    )


def masked(text: str, kinds: tuple[Kind, ...] = BOTH) -> str:
    """SQL of the text with the middle of every such number as stars: ``138******00``, ``330*************1X``.

    Masks by form alone, without the check digit: what is shown errs on the side of the person.
    """
    # Each twice, because one match takes the sign between two numbers that stand side by side.
    steps = []
    if "identity_number" in kinds:
        steps += [(rf"{_BEFORE}({_DIGIT}{{3}}){_DIGIT}{{13}}({_DIGIT}[0-9０-９XxＸｘ])([^0-9０-９XxＸｘ]|$)", 13)] * 2
    if "mobile_number" in kinds:
        tail = rf"[- ]?{_DIGIT}{{4}}[- ]?{_DIGIT}{{2}}({_DIGIT}{{2}})([^0-9０-９]|$)"
        steps += [(rf"{_BEFORE}((?:86[- ]?)?[1１][3-9３-９]{_DIGIT}){tail}", 6)] * 2
    shown = text
    for form, stars in steps:
        replacement = rf"\1\2{'*' * stars}\3\4"
        shown = f"regexp_replace({shown}, {sql_text(form)}, {sql_text(replacement)}, 'g')"
    return f"case when regexp_matches({text}, '{_DIGIT}{{2}}[- ]?{_DIGIT}{{4}}') then {shown} else {text} end"


def shown_kinds(entity: Entity, column: Column) -> tuple[Kind, ...]:
    """What is masked where a value of this column is shown; numbers and dates are shown as they are."""
    if column.type != "text":
        return ()
    is_code = column.name in entity.natural_key or column.name.endswith(_CODE_ENDINGS)
    return ("identity_number",) if is_code else BOTH
