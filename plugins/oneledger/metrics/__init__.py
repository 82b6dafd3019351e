"""Metrics of the marts, defined once as dbt's semantic layer and asked of any published version.

``list_metrics``, ``find_metric``, ``list_dimensions`` say what there is; ``query_metrics`` answers. No SQL comes from
outside: names are looked up, values are bound. What MetricFlow's own command line gives is what these give.
"""

from oneledger.metrics.catalogue import MetricCatalogue, find_metric, list_dimensions, list_metrics, load_metrics
from oneledger.metrics.compiling import warm_up
from oneledger.metrics.definitions import Dimension, Metric
from oneledger.metrics.filters import OPERATORS, Filter
from oneledger.metrics.querying import MetricAnswer, MetricColumn, query_metrics

__all__ = [
    "OPERATORS",
    "Dimension",
    "Filter",
    "Metric",
    "MetricAnswer",
    "MetricCatalogue",
    "MetricColumn",
    "find_metric",
    "list_dimensions",
    "list_metrics",
    "load_metrics",
    "query_metrics",
    "warm_up",
]
