"""Charts for pages and reports: Vega-Lite specifications in, SVG or PNG out, in this process and without a network.

A module a subject (``stars``, ``usage`` …) holds functions that take rows as they are published and return a
specification; ``render`` draws it in the palette of a page or of paper.
"""
