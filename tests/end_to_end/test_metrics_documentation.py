"""docs/metrics.md lists every metric as the published version has it."""

from __future__ import annotations

from oneledger.metrics import list_metrics
from oneledger.publishing.versions import resolve
from oneledger.settings import PROJECT_ROOT, Settings

from .conftest import Installation


def test_the_page_has_a_row_for_every_metric_and_no_other(reference_city: Installation) -> None:
    page = (PROJECT_ROOT / "docs" / "metrics.md").read_text("utf-8")
    _, _, table = page.partition("## The metrics\n")
    rows = [line for line in table.splitlines() if line.startswith("| `")]
    expected = []
    for one in list_metrics(resolve(Settings(home=reference_city.home))):
        marts = ", ".join(f"`{relation}`" for relation in one.relations)
        over = ", ".join(f"`{name}`" for name in one.not_additive_over)
        last = ", last" if one.is_state_at_end else ""
        expected.append(
            f"| `{one.name}` | {one.title_zh} | {one.title_en} | {one.unit} | {marts} | {one.grain}{last} | {over} |"
        )
    assert rows == expected, "\n".join(expected)
