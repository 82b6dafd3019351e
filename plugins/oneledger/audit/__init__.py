"""Audit: everything that is kept is sealed in one ledger, and whoever kept an anchor can tell that nothing changed."""
