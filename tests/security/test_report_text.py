"""Signs that no font of ours has: the report is made, and says which they are."""

from __future__ import annotations

import json

from oneledger.reports.pdf import with_codes


def told(sign: str) -> str:
    return f'PDF/UA-1 error: the text `"{sign}"` could not be displayed with font `"Noto Sans SC"`'


def test_a_sign_without_a_glyph_is_written_as_its_code_and_all_of_its_kind_with_it() -> None:
    content = json.dumps({"name": "公交 🚌 ★ e\u0301 👨\u200d👩 [1]"}, ensure_ascii=False)
    shown = json.loads(with_codes(content, told("🚌")))
    assert shown == {"name": "公交 [U+1F68C] ★ e[U+0301] [U+1F468][U+200D][U+1F469] [1]"}
    assert with_codes(content, told("\\u{1f68c}")) == with_codes(content, told("🚌"))


def test_what_is_wrong_otherwise_changes_nothing() -> None:
    for message in ("file not found", told("a"), told("🚲")):
        assert with_codes('{"name": "a 🚌"}', message) == '{"name": "a 🚌"}'
