"""How the memory that one command may use is parted: DuckDB's share, and a reserve for everything beside it.

DuckDB keeps its share by spilling to disk; Python, dbt and Great Expectations do not. The reserve is what they take
in a night (about 0.65 GB at every scale, measured with ``make bench``), and a part of the whole for what DuckDB itself
takes without counting it: file buffers, compressors, pieces that the allocator has not given back yet.
"""

from __future__ import annotations

import re

# Decimal and binary units as DuckDB writes them.
_UNITS = {
    "": 1, "B": 1, "BYTES": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12,
    "KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40,
}  # fmt: skip
_BESIDE_DUCKDB = 650 * 10**6
_UNCOUNTED_SHARE = 5
_LEAST_SHARE_OF_DUCKDB = 2


def bytes_of(size: str) -> int:
    """A size such as ``4GB`` or DuckDB's own ``3.7 GiB`` in bytes.

    Raises:
        ValueError: the text is no size above zero.
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-zA-Z]*)\s*", size)
    if found is None or found[2].upper() not in _UNITS or float(found[1]) <= 0:
        raise ValueError(f"{size!r} is no size: a number with one of KB, MB, GB, TB, KiB, MiB, GiB, TiB")
    return int(float(found[1]) * _UNITS[found[2].upper()])


def share_of_duckdb(whole: str) -> str:
    """What DuckDB may use of the memory that a command may use, as DuckDB reads it (``2625MB``).

    A fifth of the whole and 0.65 GB stay outside; of a small whole DuckDB gets half.

    Raises:
        ValueError: ``whole`` is no size.
    """
    total = bytes_of(whole)
    share = total - total // _UNCOUNTED_SHARE - _BESIDE_DUCKDB
    return f"{max(share, total // _LEAST_SHARE_OF_DUCKDB) // 10**6}MB"
