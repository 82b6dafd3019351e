"""Lineage events in the OpenLineage format: written to files, or sent where the standard settings say.

Nothing here is imported before something is to be told: the client takes half a second.
"""
