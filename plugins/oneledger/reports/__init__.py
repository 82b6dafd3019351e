"""Reports: the periodic circular of an evaluation (HTML, PDF, Word) and the workbook for departments and auditors.

``making.make_report`` makes them, ``listing.list_reports`` says which there are. ``facts`` reads a published version
and an evaluation run, ``circular`` says it in one language, ``html``, ``pdf`` and ``word`` lay it out, ``workbook``
writes the rows.
"""

from oneledger.reports.listing import list_reports
from oneledger.reports.making import Report, make_report

__all__ = ["Report", "list_reports", "make_report"]
