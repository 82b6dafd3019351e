"""Idea 3 of the design: any order, repeats, late data and kills give what one full rebuild gives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oneledger.warehouse import entity_admission
from oneledger.warehouse.entity_admission import EntityAdmission
from tests.warehouse.conftest import Installation, Row

DAYS = ("20220601", "20220602", "20220603")
ENTITIES = (("portal", "usage"), ("library", "project"), ("irs", "app"))

usage_rows = st.fixed_dictionaries(
    {
        "app_id": st.sampled_from(["A", "B", ""]),
        "module_id": st.sampled_from(["", "M"]),
        "usage_on": st.sampled_from(["2022-06-01", "2022-06-02", "2022年5月31日", "?"]),
        "visitors_count": st.sampled_from(["1", "2", "-", "", "x"]),
        "starts_count": st.sampled_from(["1", "3"]),
        "completions_count": st.sampled_from(["1", "2"]),
    }
)
project_rows = st.fixed_dictionaries(
    {
        "project_id": st.sampled_from(["P1", "P2", "P3", "X"]),
        "level": st.sampled_from(["市本级", "县区", "?"]),
        "budget_cny": st.sampled_from(["1", "2", None]),
    }
)
app_rows = st.fixed_dictionaries(
    {
        "app_id": st.sampled_from(["a", "b", "c"]),
        "side": st.sampled_from(["service", "governance", "?"]),
        "updated_at": st.sampled_from(["2022-06-01", "2022-06-02", "2022-06-03", None]),
    }
)
ROWS = {("portal", "usage"): usage_rows, ("library", "project"): project_rows, ("irs", "app"): app_rows}


@dataclass(frozen=True)
class Delivery:
    """One batch as landing numbers it: revisions of a partition count up in the order of arrival."""

    source: str
    entity: str
    day: str
    revision: int
    rows: tuple[Row, ...]


@st.composite
def histories(draw: st.DrawFn) -> list[Any]:
    """A history: deliveries in any order of days, with redeliveries, and between them admissions and kills.

    ``admit`` admits what arrived; ``kill n`` admits and dies before the n-th entity has committed.
    """
    steps: list[Any] = []
    revisions: dict[tuple[str, str, str], int] = {}
    for _ in range(draw(st.integers(2, 8))):
        source, entity = draw(st.sampled_from(ENTITIES))
        day = draw(st.sampled_from(DAYS))
        revision = revisions.get((source, entity, day), 0) + 1
        revisions[source, entity, day] = revision
        rows = tuple(draw(st.lists(ROWS[source, entity], max_size=5)))
        steps.append(Delivery(source, entity, day, revision, rows))
        after = draw(st.sampled_from(["nothing", "admit", "admit", "admit twice", "kill 1", "kill 2"]))
        if after == "admit twice":
            steps += ["admit", "admit"]
        elif after != "nothing":
            steps.append(after)
    return [*steps, "admit"]


class KilledError(BaseException):
    """Stands for the end of the process at this point."""


def kill_at_entity(number: int) -> Callable[[pytest.MonkeyPatch], None]:
    """Let the n-th entity that has something to admit die after its rows were written, before it commits."""

    def patch(monkeypatch: pytest.MonkeyPatch) -> None:
        seen = 0
        whole = EntityAdmission._note_source_state

        def die(self: EntityAdmission) -> None:
            nonlocal seen
            seen += 1
            whole(self)
            if seen == number:
                raise KilledError

        monkeypatch.setattr(EntityAdmission, "_note_source_state", die)

    return patch


# What admission made, without the names of runs and the times at which they happened.
CONTENT = {
    "usage": "select * from admitted.usage order by all",
    "project": "select * from admitted.library__project order by all",
    "app": "select * from admitted.irs__app order by all",
    "quarantine": "select * exclude (run_id, found_at) from quarantine.row order by all",
    "findings": "select * exclude (run_id, found_at) from checks.row_finding order by all",
    "counts": "select * exclude (run_id, admitted_at) from control.admitted_batch order by all",
    "current": "select batch_id, is_current from control.batch order by all",
}


def content(installation: Installation) -> dict[str, list[tuple[Any, ...]]]:
    return {name: installation.rows(query) for name, query in CONTENT.items()}


def play(installation: Installation, history: list[Any]) -> None:
    for step in history:
        if isinstance(step, Delivery):
            installation.deliver(step.source, step.entity, step.day, step.rows, step.revision)
        elif step.startswith("kill"):
            with pytest.MonkeyPatch.context() as monkeypatch:
                kill_at_entity(int(step[-1]))(monkeypatch)
                try:
                    installation.admit()
                except KilledError:
                    continue
        else:
            installation.admit()


@pytest.mark.parametrize("rows_a_chunk", [1, 1_000])
@settings(
    max_examples=8,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(history=histories())
def test_any_history_of_deliveries_gives_what_one_rebuild_gives(
    make_installation: Callable[[], Installation], rows_a_chunk: int, history: list[Any]
) -> None:
    lived, rebuilt = make_installation(), make_installation()
    with pytest.MonkeyPatch.context() as monkeypatch:
        # The rebuild takes all batches in one chunk; the history is played batch by batch, or not.
        monkeypatch.setattr(entity_admission, "_FEWEST_ROWS_A_CHUNK", rows_a_chunk)
        monkeypatch.setattr(entity_admission, "_MOST_ROWS_A_CHUNK", rows_a_chunk)
        play(lived, history)
    for step in history:
        if isinstance(step, Delivery):
            rebuilt.deliver(step.source, step.entity, step.day, step.rows, step.revision)
    rebuilt.admit()
    assert content(lived) == content(rebuilt)
    for received, accepted, quarantined, superseded in lived.rows(
        "select received_count, accepted_count, quarantined_count, superseded_count from control.admitted_batch"
    ):
        assert received == accepted + quarantined + superseded


@settings(
    max_examples=8,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(history=histories())
def test_every_date_whose_rows_changed_since_publication_is_pending(
    make_installation: Callable[[], Installation], history: list[Any]
) -> None:
    lived = make_installation()
    by_date = "select usage_on, list(columns(*) order by all) from admitted.usage group by usage_on"
    published: dict[Any, Any] = {}
    for step in history:
        play(lived, [step])
        if step != "admit":
            continue
        standing = {row[0]: row[1:] for row in lived.rows(by_date)}
        pending = {day for (day,) in lived.rows("select usage_on from control.pending_date")}
        changed = {day for day in standing.keys() | published.keys() if standing.get(day) != published.get(day)}
        assert changed <= pending
        lived.write("delete from control.pending_date")
        published = standing


def test_an_admission_dies_where_the_property_kills_it(installation: Installation) -> None:
    """The kills above prove nothing if they never happen."""
    installation.deliver("portal", "usage", "20220601", [{"app_id": "A", "usage_on": "2022-06-01"}])
    with pytest.MonkeyPatch.context() as monkeypatch:
        kill_at_entity(1)(monkeypatch)
        with pytest.raises(KilledError):
            installation.admit()
    assert installation.rows("select count(*) from admitted.usage") == [(0,)]
