"""The synthetic city: writes the source systems of one city, never our tables; everything in it is generated.

``docs/reference-city.md`` says what is drawn at scale 1. ``build.build_city`` writes it,
``server.serve_city`` serves its HTTP API, ``breaking.break_city`` spoils one thing for a test or a demonstration.
"""
