"""Numbers of the reference city followed back through what its published version carries."""

from __future__ import annotations

from oneledger.lineage.ground import VersionModels, open_ground, quoted, read_models
from oneledger.publishing.versions import resolve
from oneledger.settings import Settings
from tests.end_to_end.conftest import Installation


def ground_of(city: Installation) -> tuple[Settings, VersionModels]:
    settings = Settings(home=city.home)
    return settings, read_models(resolve(settings))


def test_every_published_table_comes_again_out_of_the_rows_that_its_version_carries(
    reference_city: Installation,
) -> None:
    settings, models = ground_of(reference_city)
    tables = [one for one in models.in_order if one.schema in ("marts", "evaluation") and one.kind == "model"]
    assert len(tables) > 60
    with open_ground(settings, models.version, models) as connection:
        for one in tables:
            if one.name == "marts.run_outcome":
                continue  # about the runs themselves: the run that publishes it goes on writing it
            columns = ", ".join(
                # The last bits of a sum of doubles depend on the order in which a parallel query adds them.
                f'round("{name}", 9)' if column["type"] == "DOUBLE" else f'"{name}"'
                for name, column in one.columns.items()
            )
            published, again = f"select {columns} from {quoted(one.name)}", f"select {columns} from ({one.sql})"
            different = connection.execute(
                f"(({published}) except all ({again})) union all (({again}) except all ({published})) limit 3"
            ).fetchall()
            assert not different, f"{one.name}: {different}"
