"""Whether the warehouse that was just made again published what was published before."""

from __future__ import annotations

from typing import Any

from oneledger.audit.comparing import differing
from oneledger.publishing.versions import PublishedVersion

_SHOWN = 10


def equals_what_was_published(before: PublishedVersion | None, after: PublishedVersion | None) -> dict[str, Any] | None:
    """Compare the version from before a rebuild with the one that it published.

    Returns:
        ``is_equal``, ``before`` and ``after`` (versions), ``tables`` that differ, and ``told`` in a sentence; None when
        there was no version before, or nothing was published.
    """
    if before is None or after is None:
        return None
    tables = list(differing(before, after)) if before.content_hash != after.content_hash else []
    is_equal = before.content_hash == after.content_hash
    more = f" and {len(tables) - _SHOWN} more" if len(tables) > _SHOWN else ""
    told = (
        f"重建与已公布版本一致。 Rebuilt from landing, equal to version {before.version}: {after.content_hash}"
        if is_equal
        else f"重建与已公布版本 {before.version} 不一致。 Not equal to version {before.version}: "
        f"{', '.join(tables[:_SHOWN])}{more}. What and why: oneledger restatement {before.version} {after.version}"
    )
    return {
        "is_equal": is_equal, "before": before.version, "after": after.version, "tables": tables, "told": told
    }  # fmt: skip
