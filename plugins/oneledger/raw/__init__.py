"""Raw: one Parquet file a batch, every canonical source column as text, plus where each row came from.

Everything here can be made again from landing: ``remake(settings, catalogue, batch)``.
"""

from __future__ import annotations

from oneledger.raw.conversion import Converted, convert, raw_connection, raw_path
from oneledger.raw.remaking import missing_batches, remake

__all__ = ["Converted", "convert", "missing_batches", "raw_connection", "raw_path", "remake"]
