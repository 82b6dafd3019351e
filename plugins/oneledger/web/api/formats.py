"""Which format an answer has: what ``format`` says, else what the header ``Accept`` prefers."""

from __future__ import annotations

import enum

from fastapi import HTTPException


class Format(enum.StrEnum):
    """The formats in which rows go out."""

    JSON = "json"
    CSV = "csv"
    PARQUET = "parquet"
    XLSX = "xlsx"

    @property
    def media_type(self) -> str:
        return {
            Format.JSON: "application/json",
            Format.CSV: "text/csv",
            Format.PARQUET: "application/vnd.apache.parquet",
            Format.XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        }[self]


def chosen_format(asked: Format | None, accept: str) -> Format:
    """The format to answer in; JSON when nothing is said.

    Raises:
        HTTPException: 406, when ``Accept`` names none of ours.
    """
    if asked is not None:
        return asked
    wishes = [_wish(part) for part in accept.split(",") if part.strip()][:50]
    if not wishes:
        return Format.JSON
    best: Format | None = None
    most = 0.0
    for one in Format:
        weight = _weight(one.media_type, wishes)
        if weight > most:
            best, most = one, weight
    if best is None:
        ours = ", ".join(one.media_type for one in Format)
        raise HTTPException(
            406, f"Accept 中没有可提供的格式；可用 {ours}，或参数 format。 "
                 f"None of the formats in Accept; there are {ours}, or say "
            "format=json, csv, parquet or xlsx.",
        )  # fmt: skip
    return best


def _wish(part: str) -> tuple[str, float]:
    media, *parameters = (one.strip().lower() for one in part.split(";"))
    weight = 1.0
    for one in parameters:
        name, _, text = one.partition("=")
        if name.strip() == "q":
            try:
                weight = min(1.0, max(0.0, float(text)))
            except ValueError:
                weight = 0.0
    return media, weight


def _weight(media: str, wishes: list[tuple[str, float]]) -> float:
    """By the most exact range that covers the type, as RFC 9110 says."""
    for accepted in (media, f"{media.partition('/')[0]}/*", "*/*"):
        found = [weight for wish, weight in wishes if wish == accepted]
        if found:
            return max(found)
    return 0.0
