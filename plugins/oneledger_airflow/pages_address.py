"""Where the pages lie below Airflow's address; apart from the plugin, so that who prints it need not import Airflow."""

PREFIX = "/oneledger"
