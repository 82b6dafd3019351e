"""Landing: the bytes as received, one directory a batch, with a manifest; the record of truth."""

from __future__ import annotations

from oneledger.landing.index import LandedBatch, LandingIndex
from oneledger.landing.lock import SourceBusyError, source_lock
from oneledger.landing.manifest import LandedFile, Manifest, batch_id_of, read_manifest
from oneledger.landing.reading import ChainProblem, landed_sources, list_batches, verify_chain
from oneledger.landing.writing import PARTIAL_PREFIX, LandingWriter, NewBatch

__all__ = [
    "PARTIAL_PREFIX", "ChainProblem", "LandedBatch", "LandedFile", "LandingIndex", "LandingWriter", "Manifest",
    "NewBatch", "SourceBusyError", "batch_id_of", "landed_sources", "list_batches", "read_manifest",
    "source_lock", "verify_chain",
]  # fmt: skip
