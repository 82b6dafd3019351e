"""The published figures of the audit reply beside the figures that the marts give."""

from __future__ import annotations

import datetime as dt
from typing import Any

import duckdb

from oneledger.audit.anchors import current_anchor
from oneledger.publishing.query import open_version
from oneledger.publishing.versions import CURRENT, resolve
from oneledger.settings import ConfigurationError, Settings

_COLUMNS = (
    "figure_id", "title_zh", "title_en", "published_value", "computed_value", "difference", "comparison", "mart",
    "filter", "is_matched", "source_reference",
)  # fmt: skip


def reconcile(settings: Settings, version: str = CURRENT, *, as_of: dt.date | None = None) -> dict[str, Any]:
    """Read ``marts.published_figure`` of a version, named or as of the end of a day.

    Returns:
        ``{ok, version, as_of_on, anchor, items}``; an item has the columns of ``marts.published_figure`` and, when the
        figures do not match, ``problem``, ``expected`` and ``remedy`` (Chinese and English in one text each).

    Raises:
        ConfigurationError: nothing is published, or the version has no such table.
    """
    found = resolve(settings, version, as_of=as_of)
    with open_version(settings, found) as connection:
        try:
            cursor = connection.execute(f"select {', '.join(_COLUMNS)} from marts.published_figure order by figure_id")
        except (duckdb.CatalogException, duckdb.BinderException) as error:
            raise ConfigurationError(
                f"Version {found.version} has no usable marts.published_figure ({error}). Publish again with "
                "`oneledger run`, or choose another version."
            ) from error
        items = [dict(zip(_COLUMNS, row, strict=True)) for row in cursor.fetchall()]
    for item in items:
        if item["is_matched"] is not True:
            item.update(_failure(item))
    anchor = current_anchor(settings)
    return {
        "ok": bool(items) and all(item["is_matched"] is True for item in items),
        "version": found.version,
        "as_of_on": found.as_of_on,
        "anchor": anchor.anchor if anchor else None,
        "items": items,
    }


def _failure(item: dict[str, Any]) -> dict[str, str]:
    where = item["mart"] + (f" where {item['filter']}" if item["filter"] else "")
    computed = "no value" if item["computed_value"] is None else item["computed_value"]
    return {
        "problem": f"{item['title_zh']}：计算值 {computed}，公布值 {item['published_value']}。 "
        f"{item['title_en']}: computed {computed}, published {item['published_value']}.",
        "expected": f"{item['comparison'] or 'equal'} {item['published_value']} ({item['source_reference']})",
        "remedy": f"用 `oneledger trace figure {item['figure_id']}` 追到来源文件的行，在来源更正后重新运行。 "
        f"Follow it down to the lines that it comes from: `oneledger trace figure {item['figure_id']}`; the rows of "
        f'the mart: `oneledger query "from {where}"`. Correct it at the source and run again.',
    }
