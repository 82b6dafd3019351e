"""What is sealed when, by whom it is signed, and how an interrupted verification goes on."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from oneledger.audit import ledger, signing
from oneledger.audit.acknowledging import acknowledge
from oneledger.audit.anchors import current_anchor, export_anchor, list_anchors
from oneledger.audit.hashing import state_path
from oneledger.audit.seals import seal_before_removal, seal_file
from oneledger.audit.verifying import verify
from oneledger.publishing.publish import publish, recover
from oneledger.publishing.versions import NOT_YET_CURRENT, PublishedVersion
from oneledger.settings import ConfigurationError, Settings
from oneledger.warehouse.connection import open_warehouse
from tests.publishing.conftest import add_usage, open_gates

from .conftest import key_pair


@dataclass(frozen=True)
class Removal:
    """What retention hands over."""

    kind: str
    subject: str


KILLED_WHILE_VERIFYING = """
import os, signal, sys
from pathlib import Path
from oneledger.audit.verifying import verify
from oneledger.settings import Settings

verify(Settings(home=Path(sys.argv[1]), project_root=Path(sys.argv[2])), "published", workers=1,
       show=lambda progress: os.kill(os.getpid(), signal.SIGKILL))
"""


def publish_day(settings: Settings, day: str, visitors: int) -> PublishedVersion:
    with open_warehouse(settings) as connection:
        add_usage(connection, day, visitors)
        open_gates(connection)
    return publish(settings, run_id=f"run-{day}-{visitors}")


def broken(answer: dict[str, Any]) -> list[str]:
    return [item["file"] for item in answer["items"] if not item["ok"]]


def items_of(answer: dict[str, Any], name: str) -> list[dict[str, Any]]:
    return [item for item in answer["items"] if item["name"] == name]


def test_the_anchor_is_what_a_shell_computes_from_the_last_line(small_settings: Settings) -> None:
    publish(small_settings, run_id="one")
    anchor = current_anchor(small_settings)
    command = "tail -n 1 ledger.jsonl | sha256sum"
    done = subprocess.run(command, shell=True, cwd=small_settings.seals_dir, capture_output=True, text=True, check=True)
    assert anchor is not None
    assert done.stdout.split()[0] == anchor.anchor


def test_a_version_links_to_the_version_before_and_linked_files_keep_the_hash_that_was_sealed_first(
    small_settings: Settings,
) -> None:
    first = publish(small_settings, run_id="one")
    september = first.path / "facts" / "fct_app_usage_day" / "2022-09.parquet"
    september.write_bytes(september.read_bytes()[:-1] + b"x")
    second = publish_day(small_settings, "2022-10-30", 50)
    shared = second.path / "facts" / "fct_app_usage_day" / "2022-09.parquet"
    assert shared.samefile(september)
    entry = ledger.last_entry(small_settings, ("version",))
    assert entry is not None and entry.subject == second.version
    document = ledger.read_document(small_settings, entry.document)
    assert document["previous_version"] == first.version
    assert document["previous_version_anchor"] in {one.anchor for one in list_anchors(small_settings)}
    assert set(broken(verify(small_settings))) == {
        str(path.relative_to(small_settings.home)) for path in (september, shared)
    }


def test_every_file_of_a_version_is_sealed_whoever_wrote_it(small_settings: Settings) -> None:
    version = publish(small_settings, run_id="one")
    entry = ledger.last_entry(small_settings, ("version",))
    assert entry is not None
    files = set(ledger.read_document(small_settings, entry.document)["files"])
    assert files == {str(path.relative_to(version.path)) for path in version.path.rglob("*") if path.is_file()}
    assert {"marts.duckdb", "manifest.json", "batches.parquet"} <= files


def test_a_version_from_before_there_were_seals_is_told_as_unsealed(small_settings: Settings) -> None:
    version = publish(small_settings, run_id="one")
    manifest = version.path / "manifest.json"
    content = json.loads(manifest.read_text("utf-8"))
    del content["anchor_before"]
    manifest.write_text(json.dumps(content), "utf-8")
    shutil.rmtree(small_settings.seals_dir)
    answer = verify(small_settings)
    assert answer["ok"] and answer["anchor"] is None
    item = items_of(answer, f"published/{version.version}")[-1]
    assert item["state"] == "unsealed" and item["is_warning"] and "is not sealed" in item["problem"]
    assert not verify(small_settings, is_strict=True)["ok"]
    # What its manifest lists is compared all the same.
    path = version.path / "batches.parquet"
    path.write_bytes(path.read_bytes() + b"x")
    assert broken(verify(small_settings)) == [f"published/{version.version}/batches.parquet"]
    # The next version begins the ledger, and the old one stays what it is.
    publish_day(small_settings, "2022-10-30", 50)
    assert items_of(verify(small_settings), f"published/{version.version}")[-1]["state"] == "unsealed"


def test_a_version_whose_seal_is_gone_is_not_taken_for_an_old_one(small_settings: Settings) -> None:
    version = publish(small_settings, run_id="one")
    shutil.rmtree(small_settings.seals_dir)
    assert broken(verify(small_settings)) == [f"published/{version.version}"]


def test_a_publication_that_was_killed_before_its_seal_is_sealed_by_the_next_start(small_settings: Settings) -> None:
    first = publish(small_settings, run_id="one")
    second = publish_day(small_settings, "2022-10-30", 50)
    seals = small_settings.seals_dir
    lines = (seals / "ledger.jsonl").read_bytes().splitlines(keepends=True)
    (seals / "ledger.jsonl").write_bytes(b"".join(lines[:-1]))
    last = ledger.newest_entry(small_settings)
    assert last is not None
    (seals / "head.json").write_bytes(ledger.head_content(last.sequence, last.anchor))
    (second.path / NOT_YET_CURRENT).touch()
    waiting = items_of(verify(small_settings), f"published/{second.version}")[-1]
    assert waiting["ok"] and "the next run does both" in waiting["problem"]
    assert recover(small_settings) is not None
    answer = verify(small_settings)
    assert answer["ok"], broken(answer)
    assert items_of(answer, f"published/{second.version}")[0]["state"] == "sealed"
    assert items_of(answer, f"published/{first.version}")[0]["state"] == "sealed"


def test_what_retention_removes_keeps_its_seal_and_what_vanishes_is_missing(small_settings: Settings) -> None:
    first = publish(small_settings, run_id="one")
    publish_day(small_settings, "2022-10-30", 50)
    shutil.move(first.path, small_settings.home / "aside")
    assert broken(verify(small_settings)) == [f"published/{first.version}"]
    removal = Removal("version", first.version)
    seal_before_removal(small_settings, removal, "保留规则", "older than the rule keeps")
    answer = verify(small_settings)
    assert answer["ok"]
    item = items_of(answer, f"published/{first.version}")[0]
    assert item["state"] == "removed" and "保留规则" in item["note"]


def test_rules_edited_without_effect_on_the_data_are_sealed_by_the_next_publication(small_settings: Settings) -> None:
    version = publish(small_settings, run_id="one")
    model = small_settings.dbt_project_dir / "models" / "a.sql"
    model.write_text("select 2", encoding="utf-8")
    assert broken(verify(small_settings)) == ["dbt_project/models/a.sql"]
    assert publish(small_settings, run_id="two").version == version.version
    assert verify(small_settings)["ok"]
    entry = ledger.newest_entry(small_settings)
    assert entry is not None and (entry.kind, entry.subject) == ("rules", version.version)
    assert publish(small_settings, run_id="three").version == version.version
    assert ledger.newest_entry(small_settings) == entry


def test_a_set_back_current_link_is_told(small_settings: Settings) -> None:
    first = publish(small_settings, run_id="one")
    second = publish_day(small_settings, "2022-10-30", 50)
    link = small_settings.published_dir / "current"
    link.unlink()
    link.symlink_to(first.version)
    answer = verify(small_settings, "published")
    told = [item for item in answer["items"] if item.get("file") == "published/current"]
    assert told and told[0]["is_warning"] and told[0]["expected"] == second.version


def test_a_cut_ledger_that_is_appended_to_keeps_the_word_of_the_break(small_settings: Settings) -> None:
    publish(small_settings, run_id="one")
    publish_day(small_settings, "2022-10-30", 50)
    path = ledger.ledger_path(small_settings)
    path.write_bytes(path.read_bytes().splitlines(keepends=True)[0])
    publish_day(small_settings, "2022-10-30", 60)
    assert [one.kind for one in list_anchors(small_settings)] == ["version", "break", "version"]
    problems = [item["problem"] for item in verify(small_settings, "ledger")["items"] if not item["ok"]]
    assert any("was found cut or changed" in problem for problem in problems)


def test_a_line_that_a_killed_process_did_not_finish_is_no_entry(small_settings: Settings) -> None:
    publish(small_settings, run_id="one")
    path = ledger.ledger_path(small_settings)
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"document":"4f')
    assert "seals/ledger.jsonl" in broken(verify(small_settings, "ledger"))
    publish_day(small_settings, "2022-10-30", 50)
    assert path.read_bytes().startswith(whole)
    assert verify(small_settings)["ok"]


def test_processes_that_seal_at_once_make_one_chain(small_settings: Settings) -> None:
    folder = small_settings.releases_dir / "2022-11"
    folder.mkdir(parents=True)
    script = (
        "import sys; from pathlib import Path; from oneledger.settings import Settings\n"
        "from oneledger.audit.seals import seal_file\n"
        "[seal_file(Settings(home=Path(sys.argv[1])), Path(one)) for one in sys.argv[2:]]"
    )
    files = [folder / f"{number:02d}.json" for number in range(24)]
    for number, file in enumerate(files):
        file.write_text(json.dumps({"number": number}), encoding="utf-8")
    processes = [
        subprocess.Popen([sys.executable, "-c", script, str(small_settings.home), *map(str, files[part::3])])
        for part in range(3)
    ]
    assert [process.wait(timeout=120) for process in processes] == [0, 0, 0]
    answer = verify(small_settings)
    assert answer["ok"], broken(answer)
    assert answer["sequence"] == len(files)


def test_a_verification_that_was_killed_goes_on_and_one_that_ended_begins_anew(small_settings: Settings) -> None:
    version = publish(small_settings, run_id="one")
    folder = small_settings.published_dir / version.version
    shutil.rmtree(small_settings.seals_dir)
    (folder / NOT_YET_CURRENT).touch()
    for number in range(60):
        with (folder / f"part-{number:02d}.bin").open("wb") as stream:
            stream.truncate(2_000_000)
            stream.write(f"{number}".encode())
    recover(small_settings)
    done = subprocess.run(
        [sys.executable, "-c", KILLED_WHILE_VERIFYING, str(small_settings.home), str(small_settings.project_root)],
        check=False,
    )
    assert done.returncode == -signal.SIGKILL
    noted = len(state_path(small_settings).read_bytes().splitlines())
    assert noted > 0
    # Half a line, as a kill in the middle of a write leaves it.
    with state_path(small_settings).open("ab") as stream:
        stream.write(b"[1, 2")
    # What changed since the kill is read again.
    victim = folder / "part-07.bin"
    victim.write_bytes(b"y" + victim.read_bytes()[1:])
    answer = verify(small_settings, "published")
    assert 0 < answer["taken_over_count"] <= noted
    assert broken(answer) == [f"published/{version.version}/part-07.bin"]
    assert not state_path(small_settings).exists()
    assert verify(small_settings, "published")["taken_over_count"] == 0


def test_signatures_verify_with_the_public_key_and_what_is_written_out_verifies_without_us(
    small_settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    keys = key_pair()
    monkeypatch.setenv(signing.SIGNING_KEY, keys.private_pem)
    publish(small_settings, run_id="one")
    public = tmp_path / "public.pem"
    public.write_text(keys.public_pem)
    assert verify(small_settings, "ledger", public_key_file=str(public))["ok"]
    assert current_anchor(small_settings).fingerprint  # type: ignore[union-attr]

    exported = {path.name: path.read_bytes() for path in export_anchor(small_settings, tmp_path / "out")}
    assert exported["public.pem"].decode() == keys.public_pem
    key = signing.read_public_key(exported["public.pem"])
    assert key is not None
    key.key.verify(exported["anchor.sig"], exported["anchor.txt"])
    assert exported["anchor.txt"].decode() == current_anchor(small_settings).anchor  # type: ignore[union-attr]

    other = tmp_path / "other.pem"
    other.write_text(key_pair().public_pem)
    told = verify(small_settings, "ledger", public_key_file=str(other))
    assert broken(told) == ["seals/signatures.jsonl"]
    # A later entry that nobody signed is told.
    monkeypatch.delenv(signing.SIGNING_KEY)
    publish_day(small_settings, "2022-10-30", 50)
    warnings = [item["problem"] for item in verify(small_settings, "ledger")["items"] if item.get("is_warning")]
    assert any("entries after 1 are not signed" in problem for problem in warnings)
    with pytest.raises(ConfigurationError, match="is not set"):
        ledger.sign_newest(small_settings)
    # A key that the nightly never sees signs now and then: one signature covers all before it.
    monkeypatch.setenv(signing.SIGNING_KEY, keys.private_pem)
    assert ledger.sign_newest(small_settings) == ledger.sign_newest(small_settings)
    answer = verify(small_settings, "ledger", public_key_file=str(public), is_strict=True)
    assert answer["ok"], broken(answer)
    assert len(signing.read_signatures(small_settings.seals_dir)) == 2


def test_a_signature_by_a_key_of_ones_own_over_a_forged_ledger_fails_with_the_true_key(
    small_settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    keys, forger = key_pair(), key_pair()
    monkeypatch.setenv(signing.SIGNING_KEY, keys.private_pem)
    publish(small_settings, run_id="one")
    shutil.rmtree(small_settings.seals_dir)
    monkeypatch.setenv(signing.SIGNING_KEY, forger.private_pem)
    publish_day(small_settings, "2022-10-30", 50)
    public = tmp_path / "public.pem"
    public.write_text(keys.public_pem)
    assert "seals/signatures.jsonl" in broken(verify(small_settings, "ledger", public_key_file=str(public)))


def test_a_rotated_key_vouches_for_all_before_it_and_the_old_key_only_for_what_it_signed(
    small_settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    old, new = key_pair(), key_pair()
    monkeypatch.setenv(signing.SIGNING_KEY, old.private_pem)
    publish(small_settings, run_id="one")
    monkeypatch.setenv(signing.SIGNING_KEY, new.private_pem)
    publish_day(small_settings, "2022-10-30", 50)
    files = {}
    for name, keys in (("old", old), ("new", new)):
        files[name] = tmp_path / f"{name}.pem"
        files[name].write_text(keys.public_pem)
    assert verify(small_settings, "ledger", public_key_file=str(files["new"]), is_strict=True)["ok"]
    told = verify(small_settings, "ledger", public_key_file=str(files["old"]))
    assert any("entries after 1 are not signed" in item["problem"] for item in told["items"] if item.get("is_warning"))
    assert not verify(small_settings, "ledger", public_key_file=str(files["old"]), is_strict=True)["ok"]
    assert {path.stem for path in (small_settings.seals_dir / signing.KEYS_DIR).iterdir()} == {
        key.fingerprint for key in (signing.public_key(str(file)) for file in files.values()) if key
    }
    # What the old key signed can be checked for as long as its public key is kept.
    for path in (small_settings.seals_dir / signing.KEYS_DIR).iterdir():
        if path.read_text() == old.public_pem:
            path.unlink()
    assert broken(verify(small_settings, "ledger", public_key_file=str(files["new"]))) == ["seals/signatures.jsonl"]


def test_signatures_that_are_gone_or_a_key_that_signed_nothing_fail_a_verification_that_demands_them(
    small_settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    keys = key_pair()
    public = tmp_path / "public.pem"
    public.write_text(keys.public_pem)
    publish(small_settings, run_id="one")
    assert "seals/signatures.jsonl" in broken(verify(small_settings, "ledger", public_key_file=str(public)))
    monkeypatch.setenv(signing.SIGNING_KEY, keys.private_pem)
    ledger.sign_newest(small_settings)
    assert verify(small_settings, "ledger", public_key_file=str(public))["ok"]
    (small_settings.seals_dir / "signatures.jsonl").unlink()
    assert "seals/signatures.jsonl" in broken(verify(small_settings, "ledger", public_key_file=str(public)))
    monkeypatch.setenv(signing.PUBLIC_KEY, keys.public_pem)
    assert "seals/signatures.jsonl" in broken(verify(small_settings, "ledger"))


@pytest.mark.parametrize(
    "spoil",
    [lambda pem: "no key at all", lambda pem: pem.replace("A", "B"), lambda pem: pem[:60], lambda pem: "/nowhere.pem"],
)
def test_a_signing_key_that_cannot_be_used_stops_before_anything_is_published_and_is_not_shown(
    small_settings: Settings, monkeypatch: pytest.MonkeyPatch, spoil: Callable[[str], str]
) -> None:
    given = spoil(key_pair().private_pem)
    monkeypatch.setenv(signing.SIGNING_KEY, given)
    with pytest.raises(ConfigurationError, match="openssl genpkey") as refused:
        publish(small_settings, run_id="one")
    assert given not in str(refused.value)
    assert refused.value.__cause__ is None
    assert not small_settings.published_dir.exists()


def test_the_private_key_is_nowhere_in_what_is_kept(
    small_settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    keys = key_pair()
    path = tmp_path / "key.pem"
    path.write_text(keys.private_pem)
    monkeypatch.setenv(signing.SIGNING_KEY, str(path))
    publish(small_settings, run_id="one")
    secret = keys.private_pem.splitlines()[1].encode()
    kept = [one for one in small_settings.home.rglob("*") if one.is_file()]
    assert any(one.name == "signatures.jsonl" for one in kept)
    assert [one for one in kept if secret in one.read_bytes()] == []
    assert secret.decode() not in repr(signing.signing_key())


def test_a_decision_that_nobody_sealed_is_told(small_settings: Settings) -> None:
    publish(small_settings, run_id="one")
    path = small_settings.releases_dir / "2022-11" / "forged.json"
    path.parent.mkdir(parents=True)
    path.write_text("{}", encoding="utf-8")
    assert broken(verify(small_settings)) == ["releases/2022-11/forged.json"]
    seal_file(small_settings, path)
    assert verify(small_settings)["ok"]


def test_what_cannot_be_restored_is_answered_for_by_name_and_only_as_it_is_now(small_settings: Settings) -> None:
    version = publish(small_settings, run_id="one")
    path = version.path / "batches.parquet"
    name = str(path.relative_to(small_settings.home))
    with pytest.raises(ConfigurationError, match="is not broken"):
        acknowledge(small_settings, name, name="王敏", reason="磁盘损坏，无备份")
    path.write_bytes(b"lost")
    with pytest.raises(ConfigurationError, match="--name"):
        acknowledge(small_settings, name, name=" ", reason="磁盘损坏，无备份")
    acknowledge(small_settings, name, name="王敏", reason="磁盘损坏，无备份")
    answer = verify(small_settings)
    assert answer["ok"]
    told = next(item for item in answer["items"] if item.get("file") == name)
    assert told["is_warning"] and "王敏" in told["remedy"] and "磁盘损坏" in told["remedy"]
    assert broken(verify(small_settings, is_strict=True)) == [name]
    path.write_bytes(b"changed once more")
    assert broken(verify(small_settings)) == [name]


def test_an_anchor_that_is_none_is_refused(small_settings: Settings) -> None:
    publish(small_settings, run_id="one")
    for given in ("abc", "x" * 64, "0" * 65):
        with pytest.raises(ConfigurationError, match="64 hexadecimal digits"):
            verify(small_settings, anchor=given)
    unknown = hashlib.sha256(os.urandom(8)).hexdigest()
    assert not verify(small_settings, anchor=unknown)["ok"]
