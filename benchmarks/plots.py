"""Plots of figures for the docs: one SVG file each, readable wherever it is shown."""

from __future__ import annotations

from pathlib import Path

from oneledger.charts.palette import PAPER
from oneledger.charts.render import FONT, Specification, svg


def write_plot(specification: Specification, path: Path, *, title: str) -> None:
    """Draw it in the colours of paper, on white also where the page around it is dark, without our font too."""
    drawn = svg(specification, title=title, palette=PAPER)
    drawn = drawn.replace('style="', 'style="background:#ffffff;', 1)
    drawn = drawn.replace(f'font-family="{FONT}"', f'font-family="{FONT}, sans-serif"')
    path.write_text(drawn + "\n", "utf-8")
