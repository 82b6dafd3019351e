"""OneLedger's pages in Airflow's navigation: what Airflow finds when it looks through its plugins folder."""

from oneledger_airflow.pages import OneLedgerPages

__all__ = ["OneLedgerPages"]
