"""The catalogue: everything that is published is in it, in both languages, with numbers of the version itself."""

from __future__ import annotations

import hashlib
import html
import re

import pytest

from oneledger.catalogue import load_catalogue
from oneledger.catalogue.descriptions import chinese_of, without_chinese
from oneledger.catalogue.words import words
from oneledger.lineage.ground import Relation, read_models
from oneledger.publishing.versions import resolve
from oneledger.settings import Settings
from oneledger.web.reading import VersionPool

from .conftest import ClientOf

PAGES = (
    "/catalogue",
    "/catalogue?q=visitors",
    "/catalogue?q=%E8%AE%BF%E5%AE%A2&kind=column",
    "/catalogue/tables/marts.low_use_verdict",
    "/catalogue/tables/marts.fct_app_usage_day",
    "/catalogue/metrics",
    "/catalogue/rules",
    "/catalogue/rules/indicator",
    "/catalogue/sources",
    "/catalogue/sources/irs",
    "/catalogue/words",
)


@pytest.fixture(scope="module")
def published(published_home: Settings) -> dict[str, Relation]:
    """The published tables and the tables of rules."""
    relations = read_models(resolve(published_home)).relations.values()
    return {one.name: one for one in relations if one.schema in ("marts", "evaluation") or one.kind == "seed"}


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("language", ["zh", "en"])
def test_each_page_answers_a_viewer_in_both_languages(client: ClientOf, path: str, language: str) -> None:
    answer = client("viewer").get(path + ("&" if "?" in path else "?") + f"lang={language}")
    assert answer.status_code == 200
    assert "<h1>" in answer.text


def test_every_published_table_has_a_page_that_names_all_its_columns(
    client: ClientOf, published: dict[str, Relation]
) -> None:
    index = client("viewer").get("/catalogue").text
    for name, relation in published.items():
        if relation.kind == "seed":
            continue
        assert f"/catalogue/tables/{name}" in index
        text = client("viewer").get(f"/catalogue/tables/{name}").text
        assert [column for column in relation.columns if f'<tr id="{column}">' not in text] == []


def test_every_description_of_what_is_published_is_there_in_chinese(published: dict[str, Relation]) -> None:
    english = [one.description for one in published.values()]
    english += [str(column.get("description") or "") for one in published.values() for column in one.columns.values()]
    missing = without_chinese(english)
    assert not missing, (
        "Write their Chinese into plugins/oneledger/catalogue/descriptions_zh.csv "
        f"(`python -m oneledger.catalogue.descriptions` prints the lines): {missing}"
    )


def test_chinese_pages_show_the_chinese_description_and_english_pages_the_english(
    client: ClientOf, published: dict[str, Relation]
) -> None:
    english = " ".join(published["marts.low_use_verdict"].description.split())
    chinese = chinese_of(english)
    assert chinese is not None
    path = "/catalogue/tables/marts.low_use_verdict"
    assert f"<dd>{chinese}" in html.unescape(client("viewer").get(f"{path}?lang=zh").text)
    assert f"<dd>{english}" in html.unescape(client("viewer").get(f"{path}?lang=en").text)


def test_the_row_count_and_the_sample_are_those_of_the_version(client: ClientOf, published_home: Settings) -> None:
    pool = VersionPool(published_home)
    with pool.reading() as reading:
        counted = reading.rows("select count(*) as rows_count from marts.low_use_verdict")[0]["rows_count"]
    pool.close()
    text = client("viewer").get("/catalogue/tables/marts.low_use_verdict?lang=en").text
    assert f'<span class="value">{counted:,}<span class="unit"> rows</span></span>' in text
    assert "the first 20 rows" in text


def test_a_sample_does_not_name_who_confirmed_an_evaluation(client: ClientOf) -> None:
    text = client("viewer").get("/catalogue/tables/evaluation.evaluation_run?lang=en").text
    sample = text[text.index('id="sample-title"') : text.index('id="ask-title"')]
    assert "<code>run_id</code>" in sample
    assert "confirmed_by" not in sample


def test_the_search_finds_by_either_language_and_puts_names_first(client: ClientOf) -> None:
    for words_of_it in ("低频 判定", "whether it is used"):
        assert "/catalogue/tables/marts.low_use_verdict" in client("viewer").get(f"/catalogue?q={words_of_it}").text
    text = client("viewer").get("/catalogue?q=low_use_verdict&kind=table&lang=en").text
    assert re.search(r"/catalogue/tables/([\w.]+)", text[text.index("found-table") :])[1] == "marts.low_use_verdict"  # type: ignore[index]


def test_a_search_that_finds_nothing_says_what_to_do(client: ClientOf) -> None:
    assert "Try fewer or other words" in client("viewer").get("/catalogue?q=zzzz&lang=en").text


def test_the_rules_are_those_of_the_version_with_its_hash(client: ClientOf, published_home: Settings) -> None:
    version = resolve(published_home)
    content = (version.path / "lineage" / "seeds" / "star_band.csv").read_bytes()
    assert hashlib.sha256(content).hexdigest() in client("viewer").get("/catalogue/rules/star_band").text
    assert client("viewer").get("/catalogue/rules/star_band/download.csv").content == content


def test_a_rule_that_is_not_in_force_on_the_data_day_is_marked(client: ClientOf, published_home: Settings) -> None:
    text = client("viewer").get("/catalogue/rules/star_band?lang=en").text
    assert text.count("in force</span>") == 3


def test_the_metrics_of_the_evaluation_and_of_the_semantic_layer_are_all_there(
    client: ClientOf, published_home: Settings
) -> None:
    from oneledger.metrics import list_metrics

    text = client("viewer").get("/catalogue/metrics").text
    pool = VersionPool(published_home)
    with pool.reading() as reading:
        names = [row["metric_id"] for row in reading.rows("select metric_id from evaluation.metric")]
    pool.close()
    names += [one.name for one in list_metrics(resolve(published_home))]
    assert [name for name in names if f'<tr id="{name}">' not in text] == []


def test_every_source_of_the_catalogue_has_its_entities_and_headings(
    client: ClientOf, published_home: Settings
) -> None:
    for source in load_catalogue(published_home).sources.values():
        text = html.unescape(client("viewer").get(f"/catalogue/sources/{source.id}").text)
        for entity in source.entities.values():
            assert f'id="{entity.id}"' in text
            headings = [column.source_name for column in entity.delivered_columns if column.source_name]
            assert [one for one in headings if one not in text] == []


def test_words_lead_to_tables_that_exist(published: dict[str, Relation]) -> None:
    assert {one.seen_in for one in words() if one.seen_in} <= set(published)
    assert len({one.id for one in words()}) == len(words())
    assert all(one.zh and one.en and one.meaning_zh and one.meaning_en for one in words())


@pytest.mark.parametrize(
    ("path", "status", "says"),
    [
        ("/catalogue/tables/marts.low_use_verdit", 404, "marts.low_use_verdict"),
        ("/catalogue/tables/staging.stg_irs__app", 404, "/lineage/tables/staging.stg_irs__app"),
        ("/catalogue/tables/x", 422, "name"),
        ("/catalogue/rules/star_bands", 404, "star_band"),
        ("/catalogue/sources/iris", 404, "irs"),
        ("/catalogue?kind=cellar", 422, "cellar"),
        ("/catalogue?q=" + "x" * 81, 422, "q"),
    ],
)
def test_what_does_not_exist_is_answered_with_what_is_meant(
    client: ClientOf, path: str, status: int, says: str
) -> None:
    answer = client("viewer").get(path)
    assert answer.status_code == status
    assert says in answer.text
    assert "Traceback" not in answer.text


def test_nobody_sees_the_catalogue_without_a_login(client: ClientOf) -> None:
    for path in PAGES:
        assert client(None).get(path).status_code == 303
