"""The thin Airflow layer over the package `oneledger`."""
