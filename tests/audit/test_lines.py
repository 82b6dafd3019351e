"""Lines of the ledger: whole or not at all, also when the disk takes only a part."""

from __future__ import annotations

import resource
import signal
from pathlib import Path

import pytest

from oneledger.audit.lines import append_line


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    path = tmp_path / "ledger.jsonl"
    append_line(path, b'{"sequence":1}\n')
    return path


def test_a_line_of_which_only_a_part_could_be_written_is_taken_back(ledger: Path) -> None:
    before = ledger.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    # The system takes five bytes more and then refuses, as a disk does that is about to be full.
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 5, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            append_line(ledger, b'{"sequence":2}\n')
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert ledger.read_bytes() == before


def test_a_line_after_one_that_was_cut_off_begins_a_line_of_its_own(ledger: Path) -> None:
    with ledger.open("ab") as stream:
        stream.write(b'{"sequ')
    append_line(ledger, b'{"sequence":2}\n')
    assert ledger.read_bytes() == b'{"sequence":1}\n{"sequ\n{"sequence":2}\n'
