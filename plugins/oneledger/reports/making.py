"""Make the report of a run: which run, what it is made from, every file, and the record and seal of them."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from oneledger.audit.anchors import Anchor, anchor_of_version
from oneledger.audit.ledger import last_entry
from oneledger.audit.lines import canonical, write_whole
from oneledger.audit.seals import seal_report
from oneledger.evaluation.runs import evaluation_runs, find_run, last_confirmed, verify_run
from oneledger.locks.register import REPORT
from oneledger.publishing.facts import file_sha256
from oneledger.publishing.versions import PublishedVersion, resolve
from oneledger.reports.circular import compose, decided_at, title_of
from oneledger.reports.content import LANGUAGES, Language, Seal
from oneledger.reports.facts import Facts, read_facts
from oneledger.reports.listing import RECORD_FILE, read_record
from oneledger.reports.wording import Wording
from oneledger.settings import ConfigurationError, Settings
from oneledger.warehouse.evaluation_runs import RUN_FILE, EvaluationRun

Format = Literal["html", "pdf", "docx", "xlsx"]
FORMATS: tuple[Format, ...] = ("html", "pdf", "docx", "xlsx")
CONFIRMED = "confirmed"
# Counts up when what is written or how it looks changes, so that older files are known for what they are.
LAYOUT = 1
_LOCK_FILE = ".lock"

Progress = Callable[[str], None]


@dataclass(frozen=True)
class ReportFile:
    """One file. ``language`` is ``both`` for the workbook."""

    path: Path
    format: str
    language: str
    sha256: str
    size_bytes: int


@dataclass(frozen=True)
class Report:
    """What was made.

    Attributes:
        run: of which run.
        folder: where the files and ``report.json`` lie.
        files: those made now.
        record: what ``report.json`` says.
        is_sealed: whether the ledger of seals has this report.
        is_unchanged: the same bytes lay there already.
    """

    run: EvaluationRun
    folder: Path
    files: tuple[ReportFile, ...]
    record: dict[str, Any]
    is_sealed: bool
    is_unchanged: bool


def make_report(
    settings: Settings,
    run_name: str = CONFIRMED,
    *,
    languages: Sequence[Language] = LANGUAGES,
    formats: Sequence[Format] = FORMATS,
    out: Path | None = None,
    is_draft_allowed: bool = False,
    progress: Progress = lambda _: None,
) -> Report:
    """Make the circular and the workbook of an evaluation run.

    The same run, version and program give the same bytes, so that making a report again changes nothing.

    Args:
        run_name: a run's id, the start of it, ``newest``, or ``confirmed``: the confirmed run of the newest round.
        languages, formats: of these, each circular; the workbook is in both languages and is made once.
        out: the folder; default ``reports/<run_id>/`` of the state directory. Only a report there is sealed.
        is_draft_allowed: make one of a draft as well, with a watermark on each page; it is never sealed.

    Raises:
        ConfigurationError: there is no such run, nothing is confirmed, the run is a draft or was rejected, was changed
            after it was made, or its version is no longer kept.
    """
    run = _chosen(settings, run_name, is_draft_allowed=is_draft_allowed)
    folder = _usable(out or settings.reports_dir / run.run_id)
    if problems := verify_run(run):
        raise ConfigurationError(
            f"Run {run.run_id} is not what was sealed: {problems[0].file} {problems[0].problem}. {problems[0].remedy} "
            "`oneledger evaluate verify` names every file. Nothing is reported of it before that."
        )
    version = resolve(settings, run.record["version"])
    previous = compared_run(settings, run)
    progress(f"{run.run_id}: reading version {version.version}")
    facts = read_facts(run, version, previous)
    seal = _seal(settings, run, version, previous)
    made: dict[str, bytes] = {}
    about: dict[str, tuple[str, str]] = {}
    for name, file_format, language, content in _files(settings, facts, seal, languages, formats, progress):
        made[name], about[name] = content, (file_format, language)
    with REPORT.held(settings, run_id=run.run_id, step="report", path=folder / _LOCK_FILE):
        return _keep(settings, facts, seal, folder, made, about, is_own=out is None)


def compared_run(settings: Settings, run: EvaluationRun) -> EvaluationRun | None:
    """The run that movers are told against: the one that this run corrects, else the one that its gate looked at.

    Both stand in the record of the run, so that a later decision changes no older circular.
    """
    wanted = run.decision.get("supersedes") or run.record["compared_with"]
    return next((one for one in evaluation_runs(settings) if one.run_id == wanted), None)


def _chosen(settings: Settings, name: str, *, is_draft_allowed: bool) -> EvaluationRun:
    if name == CONFIRMED and last_confirmed(settings) is None:
        drafts = [one for one in evaluation_runs(settings) if one.state == "draft"]
        how = (
            f"The newest draft is {drafts[-1].run_id}. Confirm it: oneledger evaluate confirm {drafts[-1].run_id} "
            "--name … "
            f"--reason …; or look at it as a draft: oneledger report --run {drafts[-1].run_id} --draft"
            if drafts
            else "There is no draft either. Make one: oneledger evaluate; then oneledger evaluate confirm newest "
            "--name … --reason …"
        )
        raise ConfigurationError(f"No evaluation is confirmed yet, so there is nothing to report. {how}")
    run = find_run(settings, name)
    if run.state in ("confirmed", "superseded"):
        return run
    if run.state == "draft":
        if is_draft_allowed:
            return run
        raise ConfigurationError(
            f"Run {run.run_id} is a draft: nobody has confirmed it, and drafts are not circulated. Confirm it: "
            "oneledger "
            f"evaluate confirm {run.run_id} --name … --reason …; or add --draft to look at it with a watermark on "
            "each page."
        )
    why = (
        f"was rejected by {run.decision['name']}: {run.decision['reason']}"
        if run.state == "rejected"
        else "was stopped by its gate"
    )
    raise ConfigurationError(
        f"Run {run.run_id} {why}. It is nobody's result and gets no report. `oneledger evaluate list` shows the others."
    )


def _seal(settings: Settings, run: EvaluationRun, version: PublishedVersion, previous: EvaluationRun | None) -> Seal:
    """What ties the report to the system. The anchor is that of the entry that sealed the run, and never another."""
    entry = last_entry(settings, ("evaluation",), run.run_id)
    of_version: Anchor | None = None if entry else anchor_of_version(settings, version.version)
    anchor = entry.anchor if entry else of_version.anchor if of_version else None
    sequence = entry.sequence if entry else of_version.sequence if of_version else None
    inputs = {
        "layout": LAYOUT,
        "run_id": run.run_id,
        "run_sha256": file_sha256(run.path / RUN_FILE),
        "state": run.state,
        "decision": run.decision.get("seal"),
        "version": version.version,
        "content_hash": version.content_hash,
        "compared_with": previous.record["seal"] if previous else None,
        "anchor": anchor,
    }
    return Seal(
        run_id=run.run_id,
        version=version.version,
        content_hash=version.content_hash,
        rules_hash=run.record["rules_hash"],
        anchor=anchor,
        sequence=sequence,
        inputs_hash=hashlib.sha256(canonical(inputs)).hexdigest(),
    )


def _files(
    settings: Settings,
    facts: Facts,
    seal: Seal,
    languages: Sequence[Language],
    formats: Sequence[Format],
    progress: Progress,
) -> Iterator[tuple[str, str, str, bytes]]:
    """Name, format, language and bytes of each file."""
    made_at = decided_at(facts)
    stem = file_stem(facts.run)
    for language in [one for one in LANGUAGES if one in languages]:
        circular = compose(facts, language, seal)
        if "html" in formats:
            from oneledger.reports.html import render_html

            progress(f"circular, {language}, HTML")
            yield f"{stem}.{language}.html", "html", language, render_html(circular).encode()
        if "pdf" in formats:
            from oneledger.reports.pdf import render_pdf

            progress(f"circular, {language}, PDF")
            yield f"{stem}.{language}.pdf", "pdf", language, render_pdf(circular, made_at)
        if "docx" in formats:
            from oneledger.reports.word import render_docx

            progress(f"circular, {language}, Word")
            yield f"{stem}.{language}.docx", "docx", language, render_docx(circular, made_at)
    if "xlsx" in formats:
        from oneledger.reports.workbook import render_workbook

        progress("workbook")
        content = render_workbook(settings, facts, seal, made_at)
        yield f"{stem.replace('circular', 'workbook')}.xlsx", "xlsx", "both", content


def file_stem(run: EvaluationRun) -> str:
    """``circular-2022-Q3``: in ASCII, for every mail, archive and share; the Chinese title stands inside each file."""
    prefix = "" if run.state in ("confirmed", "superseded") else "draft-"
    period = "".join(
        letter if letter.isascii() and (letter.isalnum() or letter in "-_") else "-" for letter in run.period
    )
    return f"{prefix}circular-{period}"


def _keep(
    settings: Settings,
    facts: Facts,
    seal: Seal,
    folder: Path,
    made: dict[str, bytes],
    about: dict[str, tuple[str, str]],
    *,
    is_own: bool,
) -> Report:
    """Write what is new, keep what was made from the same inputs, remove what was made from others; then the record."""
    known = read_record(folder)
    kept: list[dict[str, Any]] = []
    for one in (known or {}).get("files", ()):
        is_of_these = known is not None and known["inputs_hash"] == seal.inputs_hash
        path = folder / one["name"]
        if one["name"] in made or not path.is_file():
            continue
        if is_of_these and file_sha256(path) == one["sha256"]:
            kept.append(one)
        else:
            path.unlink()
    is_unchanged = True
    for name, content in made.items():
        path = folder / name
        if not path.is_file() or path.read_bytes() != content:
            write_whole(path, content)
            is_unchanged = False
    entries: list[dict[str, Any]] = [
        {
            "name": name,
            "format": about[name][0],
            "language": about[name][1],
            "sha256": hashlib.sha256(content).hexdigest(),
            "size_bytes": len(content),
        }
        for name, content in made.items()
    ]
    record = _record(facts, seal, sorted([*kept, *entries], key=lambda one: str(one["name"])))
    content = (json.dumps(record, ensure_ascii=False, indent=1) + "\n").encode()
    record_path = folder / RECORD_FILE
    if not record_path.is_file() or record_path.read_bytes() != content:
        write_whole(record_path, content)
        is_unchanged = False
    is_sealed = is_own and not record["is_draft"]
    if is_sealed:
        seal_report(settings, folder, facts.run, seal.version)
    files = tuple(
        ReportFile(folder / one["name"], one["format"], one["language"], one["sha256"], one["size_bytes"])
        for one in sorted(entries, key=lambda one: str(one["name"]))
    )
    return Report(facts.run, folder, files, record, is_sealed, is_unchanged)


def _record(facts: Facts, seal: Seal, files: list[dict[str, Any]]) -> dict[str, Any]:
    run = facts.run
    return {
        "run_id": run.run_id,
        "period": run.period,
        "is_draft": run.state not in ("confirmed", "superseded"),
        "is_synthetic": facts.is_synthetic,
        "title_zh": title_of(facts, Wording("zh")),
        "title_en": title_of(facts, Wording("en")),
        "confirmed_by": run.decision.get("name"),
        "confirmed_at": run.decision.get("decided_at"),
        "compared_with": facts.previous.run_id if facts.previous else None,
        "as_of_on": facts.as_of_on.isoformat(),
        "version": seal.version,
        "content_hash": seal.content_hash,
        "rule_version": run.record["rule_version"],
        "rules_hash": seal.rules_hash,
        "anchor": seal.anchor,
        "sequence": seal.sequence,
        "inputs_hash": seal.inputs_hash,
        "population": facts.population,
        "distribution": facts.distribution,
        "files": files,
    }


def _usable(folder: Path) -> Path:
    """The folder, once it is sure that files can be written there; before anything is computed.

    Raises:
        ConfigurationError: it is a file, or nothing may be written there.
    """
    existing = next(one for one in (folder, *folder.absolute().parents) if one.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK):
        what = "is no folder" if not existing.is_dir() else "cannot be written to"
        raise ConfigurationError(
            f"The report cannot be written to {folder}: {existing} {what}. Choose another with --out."
        )
    return folder
