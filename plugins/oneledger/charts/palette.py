"""The colours of charts: names of the page's own colours on a screen, fixed ones on paper."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Palette:
    """Colours by what they mean.

    Attributes:
        ink: text and axes that must be read.
        muted: text beside it.
        line: grids and rules.
        surface: what lies behind.
        accent: the one thing that a chart is about.
        good, warn, bad: met, to be watched, missed; never the only sign of it.
        series: distinguishable lines and bars, in the order of use.
    """

    ink: str
    muted: str
    line: str
    surface: str
    accent: str
    good: str
    warn: str
    bad: str
    series: tuple[str, ...]


# The page's style sheet defines these for light and dark; an SVG inside the page takes them over as they change.
SCREEN = Palette(
    ink="var(--ink)", muted="var(--muted)", line="var(--line)", surface="var(--surface)", accent="var(--accent)",
    good="var(--good)", warn="var(--warn)", bad="var(--bad)",
    series=tuple(f"var(--series-{number})" for number in range(1, 7)),
)  # fmt: skip
PAPER = Palette(
    ink="#1c2430", muted="#5b6675", line="#dde2e8", surface="#ffffff", accent="#17508c",
    good="#1f7a4d", warn="#a86400", bad="#b3261e",
    series=("#17508c", "#c2571a", "#2e7d6b", "#7a4f9e", "#8a6d1d", "#5b6675"),
)  # fmt: skip
