"""OneLedger (一本账): the metrics warehouse of a city's digital-government applications."""
