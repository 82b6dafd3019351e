"""Publishing: read-only versions of the marts, the ``current`` link, queries, exports, the reconciliation."""
