"""Open data: what may be public of a published version, as a data package; small counts of people are suppressed."""

from oneledger.open_data.exporting import OpenDataExport, export_open_data
from oneledger.open_data.listing import OpenData, PublicTable, Suppression, read_open_data

__all__ = ["OpenData", "OpenDataExport", "PublicTable", "Suppression", "export_open_data", "read_open_data"]
