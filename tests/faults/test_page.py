"""docs/faults.md says what the faults say."""

from __future__ import annotations

from oneledger.city.faults.page import PAGE, render


def test_the_matrix_of_faults_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == render(), "run: python -m oneledger.city.faults.page"
