"""A night that brought nothing: what is published already is neither checked, built nor published again."""

from __future__ import annotations

from oneledger.audit.seals import present_anchor, seal_rules
from oneledger.outcomes import Outcome, record_outcome
from oneledger.publishing.published_state import is_all_published
from oneledger.publishing.versions import PublishedVersion, current_version
from oneledger.settings import Settings


def published_already(settings: Settings, run_id: str, step: str) -> PublishedVersion | None:
    """The current version when it was made of just what the warehouse holds; the step's outcome then says so.

    None when the step has work to do. The caller holds the warehouse: what is looked at here is what it builds upon.
    """
    if not settings.warehouse_path.exists() or not is_all_published(settings):
        return None
    version = current_version(settings)
    if version is None:
        return None
    outcome = Outcome(run_id=run_id, step=step, verdict="skipped", business_on=version.as_of_on)
    outcome.message = "nothing was admitted since the published version"
    if step == "publish":
        outcome.verdict = "unchanged"
        outcome.message = f"nothing differs from version {version.version}"
        seal_rules(settings, version)
        outcome.detail = {
            "version": version.version, "content_hash": version.content_hash, "anchor": present_anchor(settings)
        }  # fmt: skip
    record_outcome(outcome, settings.outcomes_dir)
    return version
