"""The pages in the order in which they lead from the city to the line of a file."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Place:
    """An entry of the navigation."""

    path: str
    title_zh: str
    title_en: str


NAVIGATION = (
    Place("/", "总览", "Overview"),
    Place("/apps", "应用", "Apps"),
    Place("/projects", "项目", "Projects"),
    Place("/sharing", "共享", "Sharing"),
    Place("/funding", "资金", "Funding"),
    Place("/evaluation", "评价", "Evaluation"),
    Place("/findings", "问题清单", "Findings"),
    Place("/quality", "质量", "Quality"),
    Place("/lineage", "溯源", "Lineage"),
    Place("/reports", "通报", "Reports"),
    Place("/catalogue", "目录", "Catalogue"),
)


def is_within(path: str, place: Place) -> bool:
    """Whether a page belongs to an entry of the navigation."""
    return path == place.path or (place.path != "/" and path.startswith(f"{place.path}/"))
