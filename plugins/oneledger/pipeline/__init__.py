"""The steps of a nightly in order, once, for the command line and for Airflow."""
