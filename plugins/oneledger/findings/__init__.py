"""The findings of the audit as live objects: read from a published version, with what proves their state."""

from oneledger.findings.reading import evidence_versions, list_findings, show_finding, state_changes, told

__all__ = ["evidence_versions", "list_findings", "show_finding", "state_changes", "told"]
