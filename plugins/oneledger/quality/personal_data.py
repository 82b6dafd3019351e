"""Personal data in text, as SQL: found by form and check digit, shown only with its middle masked.

Sources: GB 11643-1999 (identity cards: 18 digits: district, birth date, serial number, check digit by ISO 7064
MOD 11-2), the numbering plan of mobile networks (11 digits, the first two 13 to 19), ISO/IEC 7812 (bank cards: 16 to
19 digits of UnionPay, Visa or Mastercard with the Luhn check digit), RFC 5321 (e-mail addresses). Numbers are found
only where no further digit touches them, in half-width and full-width digits, and in the groups in which people write
them: 6-8-4, 3-4-4, 4-4-4-4.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from oneledger.catalogue import Column, Entity
from oneledger.warehouse.received_text import half_width, sql_text

Kind = Literal["identity_number", "mobile_number", "bank_card", "e_mail"]

PERSONAL_DATA_RULE_ID = "personal_data"
KINDS: tuple[Kind, ...] = ("identity_number", "mobile_number", "bank_card", "e_mail")
TITLES: dict[Kind, tuple[str, str]] = {
    "identity_number": ("身份证号码", "an identity-card number"),
    "mobile_number": ("手机号码", "a mobile number"),
    "bank_card": ("银行卡号", "a bank-card number"),
    "e_mail": ("电子邮箱", "an e-mail address"),
}
# A code may have eleven digits by chance; eighteen digits with a birth date and the right check digit it has not.
_CODE_ENDINGS = ("_id", "_number", "_code")
_CODE_KINDS: tuple[Kind, ...] = ("identity_number",)
_SHORTEST: dict[Kind, int] = {"identity_number": 18, "mobile_number": 11, "bank_card": 16, "e_mail": 6}

_DIGIT = "[0-9０-９]"
_BEFORE = "(^|[^0-9０-９])"
# Between the groups of a number; a sign is doubled where one sign may part two numbers, see `_candidates`.
_GAP = "[- ]{0,2}"
_IDENTITY_FORM = rf"[1-9]\d{{5}}{_GAP}(?:18|19|20)\d{{2}}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01]){_GAP}\d{{3}}[0-9Xx]"
_MOBILE_FORM = r"1[3-9]\d[- ]?\d{4}[- ]?\d{4}"
_CARD_FORM = rf"(?:62|4\d|5[1-5]|2[2-7])\d{{2}}{_GAP}\d{{4}}{_GAP}\d{{4}}{_GAP}\d{{4}}(?:{_GAP}\d{{1,3}})?"
_E_MAIL_FORM = r"[A-Za-z0-9._%+\-]+[@＠][A-Za-z0-9\-]+(\.[A-Za-z0-9\-]+)*\.[A-Za-z]{2,}"
_WEIGHTS = "[7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2]"


def forbidden_kinds(entity: Entity, column: Column) -> tuple[Kind, ...]:
    """What may not stand in this column: free text holds none of it; a code is not mistaken for a telephone.

    Columns with a closed set of words or a form of their own, and those that say ``personal_data: allowed``,
    are not looked at.
    """
    is_free = column.type == "text" and not (column.values or column.allowed or column.pattern)
    if not is_free or column.constant is not None or column.is_field or column.personal_data == "allowed":
        return ()
    return _CODE_KINDS if is_code(entity, column) else KINDS


def is_code(entity: Entity, column: Column) -> bool:
    """Whether the values are codes of things: keys, and what is named so."""
    return column.name in entity.natural_key or column.name.endswith(_CODE_ENDINGS)


def holds_personal_data(text: str, kinds: tuple[Kind, ...]) -> str:
    """SQL: whether the text holds such data; null for null. Short texts cost a comparison of lengths."""
    return f"({' or '.join(holds(text, kind) for kind in kinds)})"


def without_decimals(text: str) -> str:
    """SQL: a text, or the JSON of many, without the values that are one decimal number as a whole.

    ``1.6637006415739795`` pages a session is no card, though its fraction has sixteen digits and may have the right
    check digit. For columns of which the catalogue says nothing; a column that it calls text is looked at as it is.
    """
    return rf"""regexp_replace({text}, '(^|")[-+]?[0-9]+\.[0-9]+([eE][-+]?[0-9]+)?("|$)', '\1\3', 'g')"""


def holds(text: str, kind: Kind) -> str:
    """SQL: whether the text holds data of one kind."""
    tests: dict[Kind, Callable[[], str]] = {
        "identity_number": lambda: _holds_checked(half_width(text), _IDENTITY_FORM, "[^0-9Xx]", _is_identity_number),
        "mobile_number": lambda: (
            rf"regexp_matches({half_width(text)}, '(^|[^0-9])(\+?86[- ]?)?{_MOBILE_FORM}([^0-9]|$)')"
        ),
        "bank_card": lambda: _holds_checked(half_width(text), _CARD_FORM, "[^0-9]", _is_card),
        "e_mail": lambda: (
            f"case when contains({text}, '@') or contains({text}, '＠') "
            f"then regexp_matches({text}, '{_E_MAIL_FORM}') else false end"
        ),
    }
    return f"case when length({text}) >= {_SHORTEST[kind]} then {tests[kind]()} else false end"


def _holds_checked(text: str, form: str, after: str, is_right: Callable[[str], str]) -> str:
    """Whether a number of this form stands in the text whose check digit is right."""
    # One sign may part two numbers, and a match takes the sign on both of its sides: written twice, each has its own.
    doubled = rf"regexp_replace({text}, '([^0-9Xx])', '\1\1', 'g')"
    found = f"regexp_extract_all({doubled}, '(^|[^0-9])({form})({after}|$)', 2)"
    candidates = f"list_transform({found}, lambda one: upper(regexp_replace(one, '[- ]', '', 'g')))"
    return (
        f"case when regexp_matches({text}, '(^|[^0-9]){form}({after}|$)') "
        f"then len(list_filter({candidates}, lambda candidate: {is_right('candidate')})) > 0 else false end"
    )


def _is_identity_number(candidate: str) -> str:
    total = (
        f"list_sum(list_transform(range(1, 18), lambda place: "
        f"cast(substr({candidate}, place, 1) as integer) * {_WEIGHTS}[place]))"
    )
    return f"substr('10X98765432', cast({total} % 11 as integer) + 1, 1) = substr({candidate}, 18, 1)"


def _is_card(candidate: str) -> str:
    digit = f"cast(substr({candidate}, cast(length({candidate}) - place + 1 as bigint), 1) as integer)"
    total = (
        f"list_sum(list_transform(range(1, length({candidate}) + 1), lambda place: "
        f"case when place % 2 = 1 then {digit} when {digit} > 4 then {digit} * 2 - 9 else {digit} * 2 end))"
    )
    return f"{total} % 10 = 0"


def masked(text: str, kinds: tuple[Kind, ...] = KINDS) -> str:
    """SQL of the text with the middle of all such data as stars: ``138******00``, ``330*************1X``.

    Masks by form alone, without the check digit: what is shown errs on the side of the person.
    """
    # Each twice, because one match takes the sign between two numbers that stand side by side.
    steps: list[tuple[str, str]] = []
    ends = r"\1\2{}\3\4"
    if "identity_number" in kinds:
        form = (
            rf"{_BEFORE}({_DIGIT}{{3}}){_DIGIT}{{3}}[- ]?{_DIGIT}{{8}}[- ]?{_DIGIT}{{2}}({_DIGIT}[0-9０-９XxＸｘ])"
            rf"([^0-9０-９XxＸｘ]|$)"
        )
        steps += [(form, ends.format("*" * 13))] * 2
    if "bank_card" in kinds:
        form = (
            rf"{_BEFORE}([2456２４５６]{_DIGIT}{{3}})[- ]?{_DIGIT}{{4}}[- ]?{_DIGIT}{{4}}[- ]?{_DIGIT}{{2}}"
            rf"({_DIGIT}{{2}})[- ]?{_DIGIT}{{0,3}}([^0-9０-９]|$)"
        )
        steps += [(form, ends.format("*" * 10))] * 2
    if "mobile_number" in kinds:
        tail = rf"[- ]?{_DIGIT}{{4}}[- ]?{_DIGIT}{{2}}({_DIGIT}{{2}})([^0-9０-９]|$)"
        steps += [(rf"{_BEFORE}((?:86[- ]?)?[1１][3-9３-９]{_DIGIT}){tail}", ends.format("*" * 6))] * 2
    shown = text
    for form, replacement in steps:
        shown = f"regexp_replace({shown}, {sql_text(form)}, {sql_text(replacement)}, 'g')"
    guard = f"regexp_matches({text}, '{_DIGIT}{{2}}[- ]?{_DIGIT}{{4}}')"
    shown = f"case when {guard} then {shown} else {text} end"
    if "e_mail" not in kinds:
        return shown
    mail = sql_text(r"([A-Za-z0-9])[A-Za-z0-9._%+\-]*([@＠][A-Za-z0-9\-]+(?:\.[A-Za-z0-9\-]+)*\.[A-Za-z]{2,})")
    return rf"regexp_replace({shown}, {mail}, '\1***\2', 'g')"


def shown_kinds(entity: Entity, column: Column) -> tuple[Kind, ...]:
    """What is masked where a value of this column is shown; numbers and dates are shown as they are."""
    if column.type != "text":
        return ()
    return _CODE_KINDS if is_code(entity, column) else KINDS


def examples(text: str, kind: Kind) -> str:
    """SQL: the list of the substrings that have the form of a kind, as they are written."""
    forms = {
        "identity_number": rf"[1-9１-９]{_DIGIT}{{5}}[- ]?{_DIGIT}{{8}}[- ]?{_DIGIT}{{3}}[0-9０-９XxＸｘ]",
        "mobile_number": rf"[1１][3-9３-９]{_DIGIT}[- ]?{_DIGIT}{{4}}[- ]?{_DIGIT}{{4}}",
        "bank_card": rf"[2456２４５６]{_DIGIT}{{3}}[- ]?{_DIGIT}{{4}}[- ]?{_DIGIT}{{4}}[- ]?{_DIGIT}{{4}}"
        rf"(?:[- ]?{_DIGIT}{{1,3}})?",
        "e_mail": _E_MAIL_FORM,
    }
    return f"regexp_extract_all({text}, {sql_text(forms[kind])})"
