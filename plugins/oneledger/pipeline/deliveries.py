"""Take deliveries of one source: convert, check against what the source says, land, and leave outcome records."""

from __future__ import annotations

import datetime as dt
import json
import shutil
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import duckdb

from oneledger.catalogue import Entity, Source, remedy_of, worded
from oneledger.disk_space import is_disk_full
from oneledger.landing import PARTIAL_PREFIX, LandedFile, LandingWriter, NewBatch
from oneledger.outcomes import Outcome, is_recorded, record_outcome, utc_now
from oneledger.raw import Converted, convert, raw_path
from oneledger.raw.door_checks import check_rows
from oneledger.raw.personal_data_door import find_personal_data, mask_payload, refusal_of
from oneledger.raw.watermarks import brings_nothing_new, newest_change
from oneledger.settings import Settings
from oneledger.sources import Received, RefusalError, Waiting
from oneledger.time_left import TimeLeft

Progress = Callable[[str, str, str, int | None], None]

# So many batches are flushed to the disk together; a killed process fetches at most these again.
_BATCHES_AT_A_TIME = 100
_OUTCOMES_FLUSHED_ONE_BY_ONE = 12


@dataclass
class DeliveryTaker:
    """Carries deliveries of one source from the connector to landing and raw. Used under the source lock."""

    settings: Settings
    source: Source
    run_id: str
    writer: LandingWriter
    connection: duckdb.DuckDBPyConnection
    progress: Progress
    is_anew: bool = False
    between: tuple[dt.date, dt.date] | None = None
    outcomes: list[Outcome] = field(default_factory=list)
    _waiting_for_commit: list[Outcome] = field(default_factory=list)
    _started_at: dt.datetime = field(default_factory=utc_now)
    _rows: int = 0
    _told_at: float = -1.0
    _left: TimeLeft = field(default_factory=TimeLeft)

    @contextmanager
    def attempt(self, entity: Entity, file: str | None = None) -> Iterator[None]:
        """One attempt at an entity, or at one file of it: whatever stops it becomes an outcome; the rest goes on."""
        self._started_at = utc_now()
        what = {"file": file} if file else {}
        try:
            yield
        except RefusalError as error:
            self._fail(entity, error.message, error.remedy, {**what, **error.detail})
        except OSError as error:
            if is_disk_full(error):
                raise  # every other entity would fail as well, and no outcome could be written
            self._fail(
                entity,
                f"{file or entity.full_id}: {error}",
                "Check the disk (space, permissions) and the path, then start again.",
                what,
            )
        except Exception as error:
            if is_disk_full(error):
                raise
            # A fault of ours in one entity must not keep the others from being read; the trace is in the record.
            self._fail(
                entity, f"{file or entity.full_id}: {type(error).__name__}: {error}",
                "This is a fault in OneLedger: report it with this outcome record.",
                {**what, "traceback": traceback.format_exc(limit=12)},
            )  # fmt: skip

    def take(self, entity: Entity, received: Received) -> None:
        """Convert and stage one delivery, unless it holds what is landed already."""
        extracted_at = utc_now()
        partition = received.partition
        if self.writer.is_unchanged(entity, partition, [file.sha256 for file in received.files]):
            _, batch_id = self._newest(entity, partition)
            self._drop(entity, received, batch_id, "holds what is landed already")
            return
        revision, batch_id = self.writer.next_batch_id(entity, partition)
        final = raw_path(self.settings, self.source.id, entity.id, batch_id)
        partial = final.with_name(f"{PARTIAL_PREFIX}{final.name}")
        load = Outcome(self.run_id, "load_raw", "good", self.source.id, entity.id, batch_id,
                       business_on=received.business_on)  # fmt: skip
        names = [file.name for file in received.files]
        try:
            self._refuse_same_file(entity, received)
            converted = self._convert(entity, received, batch_id, partial)
            masked = self._without_personal_data(entity, received, partial, converted)
            if masked is not received:
                received = masked
                if self.writer.is_unchanged(entity, partition, [file.sha256 for file in received.files]):
                    partial.unlink()
                    newest = self._newest(entity, partition)[1]
                    self._drop(entity, received, newest, "holds, once masked, what is landed already")
                    return
                converted = self._convert(entity, received, batch_id, partial)
                self._without_personal_data(entity, received, partial, converted, is_masked=True)
            converted.warnings = [
                *received.warnings, *self._same_file(entity, received), *converted.warnings,
                *_check_counts(entity, received, converted),
                *check_rows(self.connection, entity, received, partial, self._delivery_before(entity, received)),
            ]  # fmt: skip
        except RefusalError as error:
            load.verdict, load.message, load.remedy = "failed", error.message, error.remedy
            load.detail = {"files": names[:20], **error.detail, "landed": False}
            load.batch_id = None
            partial.unlink(missing_ok=True)
            self._forget(received)
            self.record(load)
            return
        watermark = received.since
        if entity.updated_at and entity.delivery == "changes":
            if received.since and revision > 1 and self._is_repetition(entity, received, str(partial)):
                partial.unlink()
                self._drop(
                    entity,
                    received,
                    self._newest(entity, partition)[1],
                    "holds only rows that are landed already",
                    [text for text in converted.warnings if text.startswith(worded("since_ignored", ""))],
                )
                return
            watermark, ahead = newest_change(self.connection, entity, partial, received.watermark_cap, received.since)
            if ahead and entity.decisions.changed_in_future != "accept":
                converted.warnings.append(worded(
                    "changed_in_future",
                    f"{ahead} rows say that they were changed after {received.watermark_cap}; "
                    f"they do not move the watermark",
                ))  # fmt: skip
        self._stage(entity, received, converted, (revision, batch_id), watermark, load, extracted_at)

    def unchanged(self, entity: Entity, message: str, batch_id: str | None = None) -> None:
        """Nothing new of this entity."""
        self.record(self._outcome(entity, "unchanged", message, batch_id=batch_id))

    def nothing(self, entity: Entity, message: str) -> None:
        """The source holds nothing at all of this entity."""
        self.record(self._outcome(
            entity, "skipped", message, remedy="Check that the sender delivers to this folder under the agreed name.",
        ))  # fmt: skip

    def wait(self, entity: Entity, waiting: Waiting) -> None:
        """A delivery that is not complete yet."""
        self.record(self._outcome(
            entity, "skipped", waiting.message, remedy="Nothing to do: a later run takes it.", detail=waiting.detail,
        ))  # fmt: skip

    def fail_all(self, entities: list[Entity], error: Exception) -> None:
        """The source cannot be read: an outcome for each entity that has none yet."""
        told = {outcome.entity for outcome in self.outcomes if outcome.step == "extract"}
        message = getattr(error, "message", str(error))
        remedy = getattr(error, "remedy", "Set the variable that the message names, then start again.")
        for entity in entities:
            if entity.id not in told:
                self._fail(entity, message, remedy, getattr(error, "detail", {}))

    def counting(self, entity: Entity) -> Callable[[int, int | None], None]:
        """A progress function for the connector: rows so far, and all rows when the source says how many there are."""
        left = TimeLeft()
        return lambda rows, of: self._tell(entity, f"reading{left.words(rows, of)}", rows)

    def commit_when_full(self, entity: Entity, number: int, of: int) -> None:
        """Commit when enough batches are staged; says how far it is."""
        if self.writer.staged_count >= _BATCHES_AT_A_TIME:
            self.commit()
        if number == 1:
            self._left = TimeLeft()
        self._tell(entity, f"taken {number} of {of} deliveries{self._left.words(number, of)}", self._rows)

    def commit(self) -> None:
        """Make the staged batches complete and record their outcomes."""
        for outcome in self._waiting_for_commit:
            outcome.ended_at = outcome.ended_at or utc_now()
        self.writer.commit([json.dumps(one.to_json(), ensure_ascii=False) for one in self._waiting_for_commit])
        is_few = len(self._waiting_for_commit) <= _OUTCOMES_FLUSHED_ONE_BY_ONE
        for outcome in self._waiting_for_commit:
            # Many at once are not worth a flush each: should the machine stop now, the manifests tell the same.
            self.outcomes.append(record_outcome(outcome, self.settings.outcomes_dir, is_flushed=is_few))
        if self._waiting_for_commit:
            self.writer.index.forget_due()
        self._waiting_for_commit.clear()

    def record_due(self) -> None:
        """Write the outcomes of batches that a process completed and was killed before it could tell of them."""
        for text in (due := self.writer.index.due()):
            outcome = Outcome.from_json(json.loads(text))
            if not is_recorded(outcome, self.settings.outcomes_dir):
                record_outcome(outcome, self.settings.outcomes_dir)
        if due:
            self.writer.index.forget_due()

    def record(self, outcome: Outcome) -> None:
        """Record an outcome that does not depend on a commit."""
        self.outcomes.append(record_outcome(outcome, self.settings.outcomes_dir))
        self.progress(self.source.id, outcome.entity or "", f"{outcome.verdict}: {outcome.message}", None)

    def _stage(
        self, entity: Entity, received: Received, converted: Converted, batch: tuple[int, str],
        watermark: str | None, load: Outcome, extracted_at: dt.datetime,
    ) -> None:  # fmt: skip
        revision, batch_id = batch
        final = raw_path(self.settings, self.source.id, entity.id, batch_id)
        files = tuple(
            LandedFile(file.name, file.sha256, file.size_bytes, file.source_name, converted.rows.get(file.name, 0))
            for file in received.files
        )
        manifest = self.writer.stage(NewBatch(
            entity=entity, partition=received.partition, revision=revision, business_on=received.business_on,
            directory=received.directory, files=files, row_count=converted.row_count,
            control_total=received.control_total, watermark=watermark,
            raw_partial=final.with_name(f"{PARTIAL_PREFIX}{final.name}"), raw_final=final,
            seen=tuple(replace(file, batch_id=batch_id) for file in received.seen), tag=received.tag,
            correction=received.correction,
        ))  # fmt: skip
        extract = self._outcome(
            entity, "good", f"landed as revision {revision}", batch_id=batch_id, business_on=received.business_on,
            detail={**received.detail, "files": [file.source_name for file in received.files][:20],
                    "size_bytes": sum(file.size_bytes for file in received.files), "watermark": watermark,
                    "control_total": received.control_total,
                    **({"correction": received.correction} if received.correction else {})},
        )  # fmt: skip
        extract.received_count = sum(file.rows for file in manifest.files)
        extract.ended_at = extracted_at
        load.received_count = converted.row_count
        load.detail = converted.detail
        load.ended_at = utc_now()
        if converted.warnings:
            load.verdict, load.message = "warning", "; ".join(converted.warnings)
            load.remedy = (
                "请查看所列的列或行：更正来源目录，或请来源方更正。"
                "Look at the named columns or rows; correct the catalogue or ask the sender."
            )
        self._rows += converted.row_count
        self._waiting_for_commit += [extract, load]
        self._started_at = utc_now()

    def _tell(self, entity: Entity, message: str, rows: int) -> None:
        """Progress for people: the first at once, then one a second at most."""
        now = time.monotonic()
        if now - self._told_at >= 1:
            self._told_at = now
            self.progress(self.source.id, entity.id, message, rows)

    def _convert(self, entity: Entity, received: Received, batch_id: str, target: Path) -> Converted:
        names = [file.name for file in received.files]
        return convert(self.connection, self.settings, self.source, entity, batch_id, received.directory, names, target)

    def _without_personal_data(
        self, entity: Entity, received: Received, raw: Path, converted: Converted, *, is_masked: bool = False
    ) -> Received:
        """The delivery as it may land: as it is, or masked.

        Raises:
            RefusalError: it holds personal data, and the catalogue does not mask it or masking did not help.
        """
        found = find_personal_data(self.connection, entity, raw, converted.around)
        if not found:
            return received
        if entity.decisions.personal_data == "mask" and self.source.connector != "workbook" and not is_masked:
            masked = mask_payload(self.connection, entity, received, raw, found)
            if masked is not received:
                return masked
        why = ", for it could not be masked" if entity.decisions.personal_data == "mask" else ""
        raise refusal_of(entity, received, found, why)

    def _refuse_same_file(self, entity: Entity, received: Received) -> None:
        if entity.decisions.same_file_again != "refuse":
            return
        for text in self._same_file(entity, received):
            raise RefusalError(
                text, "The sender exports the day anew; when the other day's file is the wrong one, that one first.",
                {"file": received.files[0].source_name}, problem="same_file_again",
            )  # fmt: skip

    def _same_file(self, entity: Entity, received: Received) -> list[str]:
        """A sentence when the bytes of a file are those of another partition. Full deliveries may well be equal."""
        if not entity.files or entity.delivery != "partition" or entity.decisions.same_file_again == "accept":
            return []
        hashes = [file.sha256 for file in received.files]
        other = self.writer.same_payload(entity, received.partition, hashes)
        if other is None:
            return []
        names = ", ".join(file.source_name for file in received.files[:3])
        text = f"{names} holds byte for byte what {other} holds, under another date or name"
        return [text if entity.decisions.same_file_again == "refuse" else worded("same_file_again", text)]

    def _delivery_before(self, entity: Entity, received: Received) -> Path | None:
        """The raw rows of the delivery before a full one; None when it is the first, or of a day gone by."""
        if entity.delivery != "full" or entity.decisions.omitted_records == "accept":
            return None
        last = self.writer.index.last(entity.id)
        if last is None or last.business_on > received.business_on or last.catalogue_hash != entity.content_hash:
            return None
        path = raw_path(self.settings, self.source.id, entity.id, last.batch_id)
        return path if path.exists() else None

    def _is_repetition(self, entity: Entity, received: Received, partial: str) -> bool:
        landed = self.writer.index.with_watermark(entity.id, str(received.since))
        same_form = [batch for batch in landed if batch.catalogue_hash == entity.content_hash]
        paths = [str(raw_path(self.settings, self.source.id, entity.id, batch.batch_id)) for batch in same_form]
        return bool(paths) and brings_nothing_new(self.connection, entity, partial, paths)

    def _drop(
        self, entity: Entity, received: Received, batch_id: str, message: str, warnings: Sequence[str] = ()
    ) -> None:
        """Nothing of a delivery is new; ``warnings`` are what is to be said of its source all the same."""
        for seen in received.seen:
            self.writer.remember_unchanged(entity, replace(seen, batch_id=batch_id))
        if received.tag:
            with self.writer.index.transaction():
                self.writer.index.remember_tag(entity.id, *received.tag, batch_id)
        self._forget(received)
        names = ", ".join(file.source_name for file in received.files[:3]) if received.seen else "the answer"
        if warnings:
            self.record(self._outcome(
                entity, "warning", f"{names} {message}; {'; '.join(warnings)}", batch_id=batch_id,
                remedy=remedy_of("since_ignored", "The owner of the source mends the parameter; if it has none, set "
                                                  "http.since_parameter: null."),
            ))  # fmt: skip
            return
        self.unchanged(entity, f"{names} {message}", batch_id)

    def _forget(self, received: Received) -> None:
        shutil.rmtree(received.directory)

    def _newest(self, entity: Entity, partition: str) -> tuple[int, str]:
        revision, following = self.writer.next_batch_id(entity, partition)
        return revision - 1, f"{following.rsplit('.', 1)[0]}.r{revision - 1:03d}"

    def _fail(self, entity: Entity, message: str, remedy: str, detail: dict[str, Any]) -> None:
        self.record(self._outcome(entity, "failed", message, remedy=remedy, detail=detail))

    def _outcome(self, entity: Entity, verdict: Any, message: str, **more: Any) -> Outcome:
        return Outcome(self.run_id, "extract", verdict, self.source.id, entity.id, message=message,
                       started_at=self._started_at, **more)  # fmt: skip


def _check_counts(entity: Entity, received: Received, converted: Converted) -> list[str]:
    """The rows that were read against what the source says of them; returns what is to be said of a delivery.

    Raises:
        RefusalError: they differ, or a file holds no row and nothing says that this is right.
    """
    warnings = []
    for file in received.files:
        found = converted.rows.get(file.name, 0)
        if file.expected_rows is not None and found != file.expected_rows:
            raise RefusalError(
                f"{file.source_name} holds {found} rows; the source says {file.expected_rows}.",
                "The file was cut off or changed on its way: the sender delivers it again with its control file.",
                {"file": file.source_name, "found_rows": found, "expected_rows": file.expected_rows},
                problem="control_total_differs",
            )
        if entity.files and not found and file.expected_rows != 0:
            if entity.decisions.no_rows == "warn":
                warnings.append(worded("no_rows", f"{file.source_name} holds a header and no row"))
                continue
            raise RefusalError(
                f"{file.source_name} holds a header and no row.",
                "The sender delivers the rows; if there really are none, a control file with rows=0 says so.",
                {"file": file.source_name},
                problem="no_rows",
            )
    return warnings
