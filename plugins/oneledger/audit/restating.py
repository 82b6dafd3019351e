"""The restatement report: which published figures are not what they were, by how much, and because of which batch."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from oneledger.audit.between import causes_between
from oneledger.audit.causes import Because, Causes
from oneledger.audit.comparing import Pair, Sides, TableChange, compare, differing, open_pair
from oneledger.catalogue import load_catalogue
from oneledger.publishing.versions import PublishedVersion, current_version, list_versions, resolve
from oneledger.settings import ConfigurationError, Settings

FIGURES, STARS, USAGE = "marts.published_figure", "evaluation.app_stars", "marts.fct_app_usage_day"
_ALL = 1_000_000_000
# Of the batches behind one change so many are named; how many there are is said.
_TOLD_BATCHES = 50
_ABOUT_FIGURE = ("title_zh", "title_en", "mart", "filter")


def restatement(
    settings: Settings,
    old: str | None = None,
    new: str = "current",
    *,
    mart: str | None = None,
    figure: str | None = None,
    limit: int = 20,
) -> dict[str, Any]:
    """What changed from one published version to another, and why.

    Args:
        old: the earlier version; default the one before ``new``.
        new: the later version.
        mart: only this table, with or without its schema.
        figure: only this published figure.
        limit: how many cells and keys a table are given; the counts are of all. Figures and stars come all.

    Returns:
        ``ok`` (nothing was restated); ``old``, ``new`` (version, created_at, as_of_on, content_hash);
        ``has_differences``; ``came_between`` (batches, contracts, models, rules, decisions, as_of, is_code_unknown);
        ``figures`` and ``stars`` (what was published and what is now, each with ``because``); ``items``: one a table
        that differs, with counts, ``columns``, ``cells``, ``added_keys``, ``removed_keys`` and ``because``. A
        ``because`` names batches, models, rules, decisions, contracts; ``is_growth`` says that only days after the
        older version's day came in.

    Raises:
        ConfigurationError: there is no such version, table or figure, or no version before ``new``.
    """
    after = resolve(settings, new)
    before = resolve(settings, old) if old else _before(settings, after)
    catalogue = load_catalogue(settings)
    with open_pair(settings, before, after) as pair:
        causes = causes_between(pair, catalogue)
        chosen = _chosen(pair, mart, figure)
        _keep_usage(pair, causes, before, after)
        # Figures and stars are what people have read: all of them, not only the first.
        changes = [
            compare(pair, *chosen[name], limit=limit if _rank(name)[0] == _OTHERS else _ALL)
            for name in sorted(chosen, key=_rank)
        ]
        figures = _figures(pair, causes, changes, figure)
        stars = _stars(pair, causes, changes)
        items = [_item(pair, causes, change, limit) for change in changes]
    return {
        # Days that came in since make tables grow; everything else restates what was published.
        "ok": all(item["because"]["is_growth"] for item in items),
        "old": _about(before),
        "new": _about(after),
        "has_differences": bool(items),
        "same_content": before.content_hash == after.content_hash,
        "came_between": {
            "batches": [_plain_batch(one) for one in causes.batches],
            "contracts": causes.contracts,
            "models": sorted(causes.changed_models),
            "rules": sorted(causes.changed_rules),
            "decisions": causes.decisions,
            "as_of": [before.as_of_on, after.as_of_on] if causes.is_as_of_changed else None,
            "is_code_unknown": causes.is_code_unknown,
            "models_hash": [before.manifest["models_hash"], after.manifest["models_hash"]],
        },
        "figures": figures,
        "stars": stars,
        "items": items,
    }


_OTHERS = 2


def _rank(relation: str) -> tuple[int, str]:
    """Published figures first, stars next, then the other tables by name."""
    return ({FIGURES: 0, STARS: 1}.get(relation, _OTHERS), relation)


def _before(settings: Settings, version: PublishedVersion) -> PublishedVersion:
    """The version that was replaced by this one, or the newest one before it that is kept."""
    earlier = [one for one in list_versions(settings) if one.version < version.version]
    named = [one for one in earlier if one.version == version.manifest["previous_version"]]
    if not earlier:
        current = current_version(settings)
        raise ConfigurationError(
            f"{version.version} is the oldest version that is kept, so there is none to compare it with."
            + (" Publish another with `oneledger run`." if current and current.version == version.version else "")
            + " `oneledger versions` lists them."
        )
    return (named or earlier)[-1]


def _chosen(pair: Pair, mart: str | None, figure: str | None) -> dict[str, Sides]:
    found = differing(pair.old, pair.new)
    wanted = FIGURES if figure else mart
    if figure:
        known = [
            one["figure_id"]
            for one in pair.rows("select distinct figure_id from new.marts.published_figure order by figure_id")
        ]
        if figure not in known:
            raise ConfigurationError(f"There is no published figure {figure!r}. There are: {', '.join(known)}.")
    if wanted is None:
        return found
    names = {one["name"] for one in pair.new.manifest["tables"]} | {
        f"marts.{one['fact']}" for one in pair.new.manifest["facts"]
    }
    named = {name for name in names if wanted in (name, name.partition(".")[2])}
    if not named:
        raise ConfigurationError(f"There is no published table {wanted!r}. There are: {', '.join(sorted(names))}.")
    return {name: sides for name, sides in found.items() if name in named}


def _keep_usage(pair: Pair, causes: Causes, before: PublishedVersion, after: PublishedVersion) -> None:
    """Which rows of daily usage changed tells the batches of every table that is computed from them."""
    sides = differing(before, after).get(USAGE)
    if sides and causes.batches and compare(pair, *sides, limit=0).key_columns:
        causes.keep_fact_rows(pair)


def _figures(pair: Pair, causes: Causes, changes: Sequence[TableChange], figure: str | None) -> list[dict[str, Any]]:
    found = []
    for change in changes:
        if change.relation != FIGURES:
            continue
        about = {one["figure_id"]: one for one in pair.rows("from new.marts.published_figure")}
        for cell in change.cells:
            figure_id = cell.key.get("figure_id")
            if cell.column != "computed_value" or (figure and figure_id != figure):
                continue
            one = about.get(figure_id, {})
            # A figure is counted on one mart: what changed that mart changed the figure.
            because = causes.of_table(pair, str(one.get("mart")))
            found.append(
                {
                    "figure_id": figure_id, **{name: one.get(name) for name in _ABOUT_FIGURE}, "old": cell.old,
                    "new": cell.new, "difference": cell.difference, "published_value": one.get("published_value"),
                    "because": _told(causes, because),
                }
            )  # fmt: skip
    return found


def _stars(pair: Pair, causes: Causes, changes: Sequence[TableChange]) -> list[dict[str, Any]]:
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    for change in changes:
        if change.relation != STARS:
            continue
        keys = [*(cell.key for cell in change.cells), *change.added_keys, *change.removed_keys]
        reasons = causes.of_rows(pair, STARS, keys)
        for cell, because in zip(change.cells, reasons, strict=False):
            if cell.column in ("stars", "score", "status"):
                one = found.setdefault(
                    tuple(cell.key.values()), {**cell.key, "before": {}, "after": {}, "because": _told(causes, because)}
                )
                one["before"][cell.column] = cell.old
                one["after"][cell.column] = cell.new
        for kind, rows in (("entered", change.added_keys), ("left", change.removed_keys)):
            for key in rows:
                found[tuple(key.values())] = {
                    **key, "movement": kind, "before": {}, "after": {},
                    "because": _told(causes, causes.of_rows(pair, STARS, [key])[0]),
                }  # fmt: skip
    return list(found.values())


def _item(pair: Pair, causes: Causes, change: TableChange, limit: int) -> dict[str, Any]:
    cells = change.cells[:limit]
    reasons = causes.of_rows(pair, change.relation, [cell.key for cell in cells])
    item = {
        "table": change.relation,
        "key_columns": list(change.key_columns),
        "changed_count": change.changed_count,
        "added_count": change.added_count,
        "removed_count": change.removed_count,
        "columns": change.columns,
        "columns_added": list(change.columns_added),
        "columns_removed": list(change.columns_removed),
        "because": _told(causes, causes.of_table(pair, change.relation)),
        "cells": [
            {**dataclasses.asdict(cell), "because": _told(causes, because)}
            for cell, because in zip(cells, reasons, strict=True)
        ],
        "added_keys": list(change.added_keys[:limit]),
        "removed_keys": list(change.removed_keys[:limit]),
    }
    return item | ({"months": list(change.months)} if change.months else {})


def _told(causes: Causes, because: Because) -> dict[str, Any]:
    kinds = {causes.kind_of(one) for one in because.batches}
    others = because.models or because.rules or because.decisions or because.contracts or because.is_code_unknown
    is_growth = not others and kinds <= {"new_day"} and bool(kinds or because.is_as_of_changed)
    told = {"batches": list(because.batches[:_TOLD_BATCHES]), "batches_count": len(because.batches)}
    return {**dataclasses.asdict(because), **told, "is_growth": is_growth}


def _plain_batch(batch: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in batch.items() if key != "admitted_table"}


def _about(version: PublishedVersion) -> dict[str, Any]:
    return {
        "version": version.version, "created_at": version.created_at, "as_of_on": version.as_of_on,
        "content_hash": version.content_hash, "code_version": version.manifest["code_version"],
    }  # fmt: skip
