"""One changed byte anywhere is found and named, also when whoever changed it computed the hashes again."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from oneledger.audit.anchors import current_anchor
from oneledger.audit.ledger import head_content
from oneledger.audit.seals import rule_files, seal_landing, seal_version
from oneledger.audit.verifying import verify
from oneledger.landing import LandingIndex, landed_sources
from oneledger.publishing.versions import list_versions
from oneledger.settings import Settings
from tests.end_to_end.conftest import Installation

from .conftest import SealedCity

ROUNDS, CHANGES_A_ROUND, CHANGES_OF_SEALS, CHANGES_ALONE = 8, 20, 40, 8


def broken(answer: dict[str, Any]) -> set[str]:
    return {item["file"] for item in answer["items"] if not item["ok"]}


def covered_files(settings: Settings) -> dict[str, dict[str, Path]]:
    """Every covered file by kind, under the name by which it is told."""
    home = settings.home
    landed = [path for path in (home / "landing").rglob("r???/*") if path.is_file()]
    published = [path for path in (home / "published").rglob("*") if path.is_file() and "current" not in path.parts]
    decided = {file.parent for file in (home / "evaluations").glob("*/confirmation.json")}
    runs = [path for path in (home / "evaluations").glob("*/**/*") if path.is_file()]
    kinds = {
        "landing payloads": [path for path in landed if path.name != "manifest.json"],
        "landing manifests": [path for path in landed if path.name == "manifest.json"],
        "published versions": published,
        "confirmed runs": [path for path in runs if decided & set(path.parents)],
        "drafts": [path for path in runs if not decided & set(path.parents)],
        "releases": list((home / "releases").rglob("*.json")),
    }
    found = {kind: {str(path.relative_to(home)): path for path in paths} for kind, paths in kinds.items()}
    return {**found, "rule files": rule_files(settings)}


@contextmanager
def changed_byte(path: Path, draw: random.Random) -> Iterator[None]:
    """One byte of a file is another one, at a random place."""
    content = path.read_bytes()
    place = draw.randrange(len(content))
    path.chmod(0o644)
    path.write_bytes(content[:place] + bytes([content[place] ^ draw.randint(1, 255)]) + content[place + 1 :])
    try:
        yield
    finally:
        path.write_bytes(content)


def draw_files(kinds: dict[str, dict[str, Path]], draw: random.Random, count: int) -> dict[str, Path]:
    """So many files, at least one of each kind, every hard-linked file by one of its names only."""
    chosen: dict[str, Path] = {}
    inodes: set[int] = set()
    names = list(kinds)
    while len(chosen) < count:
        kind = names[len(chosen)] if len(chosen) < len(names) else draw.choice(names)
        name = draw.choice(sorted(kinds[kind]))
        path = kinds[kind][name]
        if name not in chosen and path.stat().st_size and path.stat().st_ino not in inodes:
            chosen[name] = path
            inodes.add(path.stat().st_ino)
        elif kind == "releases" and len(chosen) < len(names):
            raise AssertionError("there is a release to change")
        elif kind == "releases":
            names.remove(kind)
    return chosen


def test_what_nobody_changed_is_as_it_was_sealed(city: SealedCity) -> None:
    answer = verify(city.settings)
    assert answer["ok"], [item for item in answer["items"] if not item["ok"]]
    states = {item["name"]: item["state"] for item in answer["items"]}
    assert {states[f"published/{one.version}"] for one in list_versions(city.settings)} == {"sealed"}
    assert states[f"evaluations/{city.story.confirmed}"] == "sealed"
    assert states[f"evaluations/{city.story.ruled}"] == "draft"
    assert {states[f"landing/{source}"] for source in landed_sources(city.settings)} == {"sealed"}


@pytest.mark.parametrize("number", range(ROUNDS))
def test_twenty_bytes_changed_in_twenty_files_are_twenty_named_files(city: SealedCity, number: int) -> None:
    draw = random.Random(number)
    kinds = covered_files(city.settings)
    # Nothing but its own record proves a draft: of a draft with two changes one can hide the other.
    del kinds["drafts"]
    chosen = draw_files(kinds, draw, CHANGES_A_ROUND)
    assert len(chosen) == CHANGES_A_ROUND
    changes = [changed_byte(path, draw) for path in chosen.values()]
    for change in changes:
        change.__enter__()
    try:
        answer = verify(city.settings)
    finally:
        for change in changes:
            change.__exit__(None, None, None)
    assert set(chosen) - broken(answer) == set()
    assert not answer["ok"]
    for item in answer["items"]:
        assert item["ok"] or (item["problem"] and item["expected"] and item["remedy"])
    # What shares its bytes with a changed file is named too; nothing else is.
    inodes = {path.stat().st_ino for path in chosen.values()}
    named = {city.home / name for name in broken(answer)} | {city.settings.project_root / one for one in broken(answer)}
    for path in named:
        if path.is_file() and "landing" not in path.parts:
            assert path.stat().st_ino in inodes, path


def test_forty_bytes_changed_one_by_one_in_the_ledger_its_documents_and_signatures_are_each_named(
    city: SealedCity,
) -> None:
    draw = random.Random(40)
    files = sorted(path for path in city.settings.seals_dir.rglob("*") if path.is_file() and path.name != ".lock")
    own = [path for path in files if "documents" not in path.parts]
    assert {path.name for path in own} >= {"ledger.jsonl", "head.json", "signatures.jsonl"}
    for number in range(CHANGES_OF_SEALS):
        path = draw.choice(own if number % 2 else files)
        with changed_byte(path, draw):
            answer = verify(city.settings, "ledger")
        assert str(path.relative_to(city.home)) in broken(answer), answer["items"]


@pytest.mark.parametrize("kind", ["landing payloads", "landing manifests", "published versions", "confirmed runs",
                                  "drafts", "releases", "rule files"])  # fmt: skip
def test_a_single_byte_is_the_first_broken_link_and_the_only_broken_thing(city: SealedCity, kind: str) -> None:
    draw = random.Random(kind)
    files = {name: path for name, path in covered_files(city.settings)[kind].items() if path.stat().st_size}
    for _ in range(CHANGES_ALONE):
        name = draw.choice(sorted(files))
        with changed_byte(files[name], draw):
            answer = verify(city.settings)
        failures = [item for item in answer["items"] if not item["ok"]]
        assert name in {item["file"] for item in failures if item["is_first_broken_link"]}
        # A month that two versions share is broken in both.
        assert {item["file"].rpartition("/")[2] for item in failures} == {files[name].name}
        if kind.startswith("landing"):
            assert failures[0]["batch_id"].startswith(name.split("/")[1])


def test_missing_files_and_files_that_do_not_belong_are_named(city: SealedCity) -> None:
    version = city.home / "published" / city.story.second_version
    batch = next((city.home / "landing" / "zheliban").glob("usage/*/r001"))
    strangers = [version / "lineage" / "extra.json", batch / "more.csv", city.home / "landing" / "irs" / "note.txt",
                 city.settings.project_root / "dbt_project" / "seeds" / "added.csv"]  # fmt: skip
    gone = [version / "batches.parquet", batch]
    for path in strangers:
        path.parent.mkdir(exist_ok=True)
        path.write_text("x")
    for path in gone:
        path.rename(city.home / path.name)
    try:
        named = broken(verify(city.settings))
    finally:
        for path in gone:
            (city.home / path.name).rename(path)
        for path in strangers:
            path.unlink(missing_ok=True)
    assert {str(path.relative_to(city.home)) for path in (*gone, strangers[0], strangers[2])} <= named
    assert "dbt_project/seeds/added.csv" in named
    assert verify(city.settings)["ok"]


def test_edited_rules_may_be_told_as_a_warning(city: SealedCity) -> None:
    path = city.settings.project_root / "dbt_project" / "seeds" / "star_band.csv"
    assert path.is_file()
    with changed_byte(path, random.Random(1)):
        assert broken(verify(city.settings, "rules")) == {"dbt_project/seeds/star_band.csv"}
        lenient = verify(city.settings, "rules", may_rules_be_edited=True)
    assert lenient["ok"]
    assert any("star_band.csv has SHA-256" in item.get("problem", "") for item in lenient["items"])


def forge_payload(settings: Settings) -> str:
    """Change a payload, then compute every hash of landing again, as somebody who knows the house would."""
    folder = settings.landing_dir / "zheliban"
    manifests = {}
    for file in folder.glob("*/*/r*/manifest.json"):
        content = file.read_bytes()
        manifests[json.loads(content)["previous_manifest_sha256"]] = (file, hashlib.sha256(content).hexdigest())
    order: list[Path] = []
    key = None
    while key in manifests:
        file, key = manifests[key]
        order.append(file)
    victim = order[5]
    previous = None
    for file in order:
        record = json.loads(file.read_text("utf-8"))
        if file == victim:
            payload = file.parent / record["files"][0]["name"]
            payload.write_bytes(payload.read_bytes() + b"\n")
            record["files"][0]["sha256"] = hashlib.sha256(payload.read_bytes()).hexdigest()
        record["previous_manifest_sha256"] = previous
        file.write_text(json.dumps(record, ensure_ascii=False, indent=1) + "\n", "utf-8")
        previous = hashlib.sha256(file.read_bytes()).hexdigest()
    (folder / ".index.db").unlink()
    return str(victim.parent.relative_to(settings.home))


def seal_anew(settings: Settings) -> None:
    """A ledger made from nothing over what lies there now."""
    shutil.rmtree(settings.seals_dir)
    for source in landed_sources(settings):
        index = LandingIndex(settings, source)
        seal_landing(settings, index)
        index.close()
    previous = None
    for version in list_versions(settings):
        seal_version(settings, version, previous)
        previous = version


def test_whoever_computes_the_hashes_again_is_found_by_the_ledger_and_with_a_new_ledger_by_the_kept_anchor(
    city: SealedCity, tmp_path: Path
) -> None:
    settings = Settings(home=city.story.copy(tmp_path / "home").home, project_root=city.settings.project_root,
                        catalogue_paths=city.settings.catalogue_paths)  # fmt: skip
    kept = current_anchor(settings)
    assert kept is not None
    victim = forge_payload(settings)
    answer = verify(settings)
    first = next(item for item in answer["items"] if item.get("is_first_broken_link"))
    assert first["file"] == f"{victim}/manifest.json"
    assert f"{victim}/" in {name.rpartition("/")[0] + "/" for name in broken(answer)}

    seal_anew(settings)
    # The versions still know what had been sealed when they were built.
    problems = [item["problem"] for item in verify(settings)["items"] if not item["ok"]]
    assert len(problems) == 2
    assert all("never had the anchor that stood when published/" in problem for problem in problems)
    run = next(item for item in verify(settings)["items"] if item["name"] == f"evaluations/{city.story.confirmed}")
    assert "sealed later than it was decided" in run["note"]
    told = verify(settings, "ledger", anchor=kept.anchor)
    assert not told["ok"]
    assert f"never had the anchor {kept.anchor}" in told["items"][0]["problem"]


def test_a_ledger_cut_at_its_end_is_found_and_a_kept_anchor_says_what_came_after_it(city: SealedCity) -> None:
    ledger, head = city.settings.seals_dir / "ledger.jsonl", city.settings.seals_dir / "head.json"
    before = (ledger.read_bytes(), head.read_bytes())
    kept = current_anchor(city.settings)
    assert kept is not None
    lines = before[0].splitlines(keepends=True)
    older = hashlib.sha256(lines[-3]).hexdigest()
    told = verify(city.settings, "ledger", anchor=older[:16])
    assert told["ok"]
    assert told["kept_anchor"]["since_count"] == 2
    assert told["kept_anchor"]["since"][-1]["kind"] == "decision"
    try:
        ledger.write_bytes(b"".join(lines[:-1]))
        cut = verify(city.settings)
        # With the head file cut as well, only what lies outside knows better.
        head.write_bytes(head_content(len(lines) - 1, hashlib.sha256(lines[-2]).hexdigest()))
        silent = verify(city.settings, "landing")
        with_anchor = verify(city.settings, "landing", anchor=kept.anchor)
        whole = verify(city.settings)
    finally:
        ledger.write_bytes(before[0])
        head.write_bytes(before[1])
    assert "seals/ledger.jsonl" in broken(cut)
    assert "seals/signatures.jsonl" in broken(silent)
    assert not with_anchor["ok"]
    assert any(name.startswith("releases/") for name in broken(whole))


def test_the_command_names_the_file_and_ends_with_one_and_with_json(city: SealedCity) -> None:
    shell = Installation(city.home)
    name, path = next(iter(sorted(covered_files(city.settings)["landing payloads"].items())))
    with changed_byte(path, random.Random(7)):
        done = shell.oneledger("verify", "landing", "--workers", "2", expected_code=1)
        answer = shell.json("verify", "landing", expected_code=1)
    assert f"首个断点 first broken link {name}" in done.stdout
    failure = next(item for item in answer["items"] if not item["ok"])
    assert failure["file"] == name
    assert failure["problem"] and failure["expected"].startswith("SHA-256 ") and failure["remedy"]
    assert "everything is as it was sealed" in shell.oneledger("verify", "landing").stdout
    assert "areas are landing, published" in shell.oneledger("verify", "everything", expected_code=2).stderr


def test_runs_status_versions_and_reconcile_print_the_anchor_that_verify_knows(city: SealedCity) -> None:
    shell = Installation(city.home)
    anchor = current_anchor(city.settings)
    assert anchor is not None
    shown: dict[str, Callable[[], str]] = {
        "status": lambda: shell.oneledger("status", expected_code=None).stdout,
        "versions": lambda: shell.oneledger("versions").stdout,
        "reconcile": lambda: shell.oneledger("reconcile", expected_code=None).stdout,
    }
    for command, text in shown.items():
        assert f"anchor: {anchor.anchor}" in text(), command
    listed = shell.json("verify", "anchors")["items"]
    assert listed[0]["anchor"] == anchor.anchor
    assert {one["kind"] for one in listed} >= {"version", "evaluation", "decision"}
