"""The shipped catalogue is valid; a wrong one is refused with file, line, path and what to do."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from oneledger.catalogue import Catalogue, load_catalogue
from oneledger.settings import PROJECT_ROOT, ConfigurationError, Settings

GOOD = """\
version: 1
shapes:
  usage:
    natural_key: [app_id, usage_on]
    columns:
      app_id: {type: text, required: true}
      usage_on: {type: date, required: true}
      period_grain: {type: text, default: day}
      starts_count: {type: integer, minimum: 0}
      completions_count: {type: integer, minimum: 0}
    rules:
      - {id: within, expect: completions_count <= starts_count, severity: quarantine, columns: [completions_count],
         reason_zh: 错, reason_en: wrong, remedy_zh: 改, remedy_en: mend}
sources:
  portal:
    connector: delimited
    connection: portal_drop
    defaults: {delivery: partition}
    entities:
      usage:
        conforms_to: usage
        files: {pattern: 'u_(?P<business_date>\\d{8})\\.csv'}
        columns:
          app_id: {from: 应用}
          usage_on: {from: $business_date, formats: ['%Y%m%d']}
          starts_count: {from: 发起数, maximum: 5}
"""


def read(tmp_path: Path, *texts: str) -> Catalogue:
    paths = []
    for number, text in enumerate(texts):
        path = tmp_path / f"catalogue_{number}.yml"
        path.write_text(text, encoding="utf-8")
        paths.append(path)
    return load_catalogue(Settings(home=tmp_path, catalogue_paths=tuple(paths)))


def refusal(tmp_path: Path, *texts: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        read(tmp_path, *texts)
    return str(caught.value)


def test_the_shipped_catalogue_is_valid_and_holds_the_four_source_systems() -> None:
    paths = (PROJECT_ROOT / "config" / "sources.yml", *sorted((PROJECT_ROOT / "config/sources.d").glob("*.yml")))
    catalogue = load_catalogue(Settings(home=Path("unused"), catalogue_paths=paths))
    assert {"irs", "project_library", "zheliban", "zhezhengding", "finance"} <= set(catalogue.sources)
    assert {source.connector for source in catalogue.sources.values()} == {"http", "sql", "delimited", "workbook"}
    usage = catalogue.entity("zhezhengding", "usage")
    assert usage.admitted_table == "usage"
    assert usage.raw_table == "zhezhengding__usage"
    assert usage.natural_key == ("app_id", "module_id", "release_end", "period_grain", "usage_on")
    assert usage.column("release_end").constant == "zhezhengding"
    assert catalogue.entity("irs", "app").admitted_table == "irs__app"
    assert catalogue.entity("project_library", "project").column("budget_cny").unit_factor == Decimal(10_000)


def test_a_shapes_columns_are_merged_under_the_entitys_overrides_in_the_shapes_order(tmp_path: Path) -> None:
    usage = read(tmp_path, GOOD).entity("portal", "usage")
    assert [column.name for column in usage.columns] == [
        "app_id", "usage_on", "period_grain", "starts_count", "completions_count"
    ]  # fmt: skip
    starts = usage.column("starts_count")
    assert (starts.source_name, starts.type, starts.minimum, starts.maximum) == ("发起数", "integer", 0, 5)
    assert usage.column("app_id").required
    assert usage.column("usage_on").is_field
    assert [column.name for column in usage.delivered_columns] == ["app_id", "usage_on", "starts_count"]
    assert usage.column("period_grain").default == "day"
    assert [rule.id for rule in usage.rules] == ["within"]


def test_a_column_that_names_no_source_takes_its_own_name(tmp_path: Path) -> None:
    usage = read(tmp_path, GOOD.replace("app_id: {from: 应用}", "app_id:")).entity("portal", "usage")
    assert usage.column("app_id").source_name == "app_id"


def test_a_later_file_adds_sources_and_overrides_what_an_earlier_one_says(tmp_path: Path) -> None:
    later = "version: 1\nsources:\n  portal: {connection: another_drop, optional: true}\n"
    catalogue = read(tmp_path, GOOD, later)
    assert catalogue.sources["portal"].connection == "another_drop"
    assert catalogue.sources["portal"].optional
    assert "usage" in catalogue.sources["portal"].entities


def test_the_content_hash_of_an_entity_changes_with_what_the_catalogue_says_of_it(tmp_path: Path) -> None:
    before = read(tmp_path, GOOD).entity("portal", "usage").content_hash
    assert read(tmp_path, GOOD).entity("portal", "usage").content_hash == before
    changed = GOOD.replace("maximum: 5", "maximum: 6")
    assert read(tmp_path, changed).entity("portal", "usage").content_hash != before


@pytest.mark.parametrize(
    ("wrong", "right", "expected"),
    [
        ("{from: 应用}", "{form: 应用}", ["line 24", "columns.app_id.form", "did you mean 'from'", "docs/sources.md"]),
        ("type: integer, minimum: 0}\n      comp", "type: number}\n      comp", ["line 9", "starts_count.type"]),
        ("conforms_to: usage", "conforms_to: usagee", ["line 21", "no shape 'usagee'", "the shapes are usage"]),
        ("$business_date", "$busines_date", ["usage_on.from", "did you mean 'business_date'"]),
        ("expect: completions_count", "expect: completion_count", ["rule within", "completion_count"]),
        ("natural_key: [app_id, usage_on]", "natural_key: [app, usage_on]", ["natural_key", "did you mean 'app_id'"]),
        ("delivery: partition", "delivery: sometimes", ["line 18", "defaults.delivery", "'partition'"]),
        ("{delivery: partition}", "{}", ["usage.delivery", "partition, full or changes"]),
        (r"(?P<business_date>\\d{8})", r"(?P<business_date>\\d{8}", ["files.pattern", "no regular expression"]),
        ("conforms_to: usage", "conforms_to: usage\n        path: /v1", ["usage.path", "connector delimited"]),
        ("maximum: 5", "maximum: many", ["line 26", "starts_count.maximum", "given: 'many'"]),
        ("default: day", "default: yes", ["period_grain.default", "quotation marks"]),
        ("  portal:", "  Portal Two:", ["'Portal Two' is no name"]),
        ("connection: portal_drop", "", ["sources.portal.connection", "is missing"]),
        ("maximum: 5", "unit: 万圆", ["unit '万圆' is unknown", "万元"]),
    ],
)
def test_a_wrong_catalogue_is_refused_naming_the_place_and_what_to_do(
    tmp_path: Path, wrong: str, right: str, expected: list[str]
) -> None:
    wrong, right = wrong.replace("\\\\", "\\"), right.replace("\\\\", "\\")
    assert wrong in GOOD
    message = refusal(tmp_path, GOOD.replace(wrong, right))
    assert "catalogue_0.yml" in message
    for part in expected:
        assert part in message, message


def test_a_repeated_key_is_refused_with_both_lines(tmp_path: Path) -> None:
    message = refusal(tmp_path, GOOD + "          starts_count: {from: 再来}\n")
    assert "line 27" in message
    assert "stands already in line 26" in message


def test_all_wrong_places_are_named_at_once(tmp_path: Path) -> None:
    message = refusal(tmp_path, GOOD.replace("{from: 应用}", "{form: 应用}").replace("maximum: 5", "maximum: many"))
    assert "in 2 places" in message
    assert "columns.app_id.form" in message
    assert "columns.starts_count.maximum" in message


def test_a_file_that_is_missing_or_no_yaml_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"absent\.yml cannot be read"):
        load_catalogue(Settings(home=tmp_path, catalogue_paths=(tmp_path / "absent.yml",)))
    assert "is no valid YAML" in refusal(tmp_path, "version: [1\n")


def test_asking_for_an_unknown_source_names_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"no source 'portall'; it has portal"):
        read(tmp_path, GOOD).entity("portall", "usage")
