"""docs/openlineage.md names every setting, job and option, and its example is an event."""

from __future__ import annotations

import json
import re

from oneledger.lineage.openlineage import configuration, runs
from oneledger.lineage.openlineage.validation import SPEC, EventChecker
from oneledger.settings import PROJECT_ROOT

PAGE = (PROJECT_ROOT / "docs" / "openlineage.md").read_text(encoding="utf-8")


def test_every_setting_that_says_where_events_go_is_explained() -> None:
    read = {*configuration._SETTINGS, *configuration._SWITCHES, runs.PARENT_VARIABLE, runs.ROOT_VARIABLE}
    assert [name for name in sorted(read) if f"`{name}" not in PAGE] == []
    assert configuration.FILE_TRANSPORT in PAGE


def test_every_option_of_the_command_is_shown() -> None:
    for option in ("--run", "--check", "--resend", "--json"):
        assert option in PAGE


def test_the_example_is_an_event_once_each_facet_names_its_producer_and_schema() -> None:
    block = re.search(r"```json\n(.*?)```", PAGE, re.DOTALL)
    assert block
    event = json.loads(block[1])
    schemas = {}
    for path in (SPEC / "facets").glob("*.json"):
        content = json.loads(path.read_text(encoding="utf-8"))
        schemas |= {
            name: content["$id"] + one["$ref"] for name, one in content.get("properties", {}).items() if "$ref" in one
        }
    for place in (event["run"], event["job"], *event["inputs"], *event["outputs"]):
        for kind in ("facets", "inputFacets", "outputFacets"):
            for name, facet in place.get(kind, {}).items():
                facet |= {"_producer": event["producer"], "_schemaURL": schemas[name]}
    assert EventChecker().check(event).problems == []
