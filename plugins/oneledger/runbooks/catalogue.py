"""Which failure leads to which page: the one place that says it.

A failure has a code, ``<kind>:<name>``, which stays the same for good:

=============  =========================================================================================
kind           names
=============  =========================================================================================
``door``       what is decided at the door (``oneledger.catalogue.door_problems``)
``row``        rules that hold rows back (``quality.row_rules``), those of the source catalogue included
``check``      checks of the gates (``expectations/*.yml``)
``withheld``   kinds of ``marts.withheld_part``
``step``       steps of a run that failed without a narrower reason (``outcomes.STEPS``)
``verdict``    verdicts of a run that are not good (``pipeline.verdict``)
``finding``    states of a finding that people are told of
``figure``     published figures that do not come out (``oneledger reconcile``)
``verify``     areas of ``oneledger verify`` in which a link is broken
``refusal``    errors that a command or a page ends with, by their class
``doctor``     what ``oneledger doctor`` examines
``page``       statuses that a page or the API answers with
``dag``        Airflow's DAGs, when a task of theirs is red
``situation``  what happens to the machine or is done to the installation; ``SITUATIONS`` lists them
=============  =========================================================================================

``tests/runbooks`` enumerates the codes from the places named above and fails when one of them leads nowhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# Situations have no other place in the code that lists them: (what one sees is on the page).
SITUATIONS: dict[str, str] = {
    "killed": "a run was killed, or the machine stopped",
    "task_killed": "a scheduler, worker or task of Airflow was killed, or hangs",
    "disk_full": "the disk is full, or may not be written",
    "out_of_memory": "DuckDB or the system ran out of memory",
    "source_away": "a source does not answer",
    "source_late": "a source has not delivered yet",
    "wrong_password": "a token or password is not right any more",
    "clock_wrong": "the clock of this machine is wrong",
    "port_taken": "a port is taken by another process",
    "browser_missing": "the browser tests find no Chromium",
    "token_forgotten": "nobody knows the token of the pages",
    "version_withdrawn": "a published version must not be read any more",
    "version_damaged": "the folder of a published version is damaged or gone",
    "landing_corrupted": "a landed file is not as it was received",
    "confirmed_run_edited": "somebody edited a confirmed evaluation run",
    "warehouse_damaged": "the warehouse is gone, damaged, or of another version of DuckDB",
    "schema_changed": "a source delivers other columns than agreed",
    "restated": "a new version shows other numbers for days that were published",
    "moved": "the installation moves to another machine, or comes back from a backup",
}

# fmt: off
_NOT_TAKEN: dict[str, tuple[str, ...]] = {
    "control-file-missing": ("door:control_file_missing",),
    "source-late": (
        "situation:source_late", "check:freshness", "check:missing_days", "check:never_delivered",
        "check:not_delivered_yet", "withheld:stale", "withheld:never_delivered", "withheld:missing_day",
    ),
    "delivery-cut-off": (
        "door:truncated_file", "door:empty_file", "door:no_rows", "door:not_compressed",
        "door:control_file_unreadable", "door:control_total_differs", "check:control_total",
    ),
    "web-page-instead-of-data": ("door:web_page",),
    "delivery-does-harm": ("door:too_large", "door:unsafe_content"),
    "file-of-a-wrong-day": (
        "door:date_in_name_unreadable", "door:future_business_date", "door:other_business_date",
        "door:row_of_other_date", "row:row_of_other_date", "door:same_file_again",
    ),
    "text-file-written-otherwise": (
        "door:other_encoding", "door:undecodable_bytes", "door:other_delimiter", "door:unclosed_quote",
        "door:ragged_rows", "door:nul_bytes", "row:malformed_record",
    ),
    "columns-changed": (
        "situation:schema_changed", "door:missing_column", "door:new_column", "door:repeated_heading",
        "door:changed_type",
    ),
    "workbook-not-readable": (
        "door:not_a_workbook", "door:password_protected", "door:other_sheet", "door:formula_without_value",
        "door:merged_cells", "door:total_row_differs",
    ),
    "interface-does-not-answer": (
        "situation:source_away", "door:no_answer", "refusal:PassingTroubleError", "refusal:CursorExpiredError",
        "step:extract", "withheld:delivery_failed", "refusal:RefusalError", "dag:ingest",
    ),
    "interface-answers-wrongly": (
        "door:unreadable_answer", "door:repeated_page", "door:endless_paging", "door:overlapping_pages",
        "door:since_ignored", "door:nested_value",
    ),
    "database-does-not-answer": ("door:unreachable_database", "door:missing_table"),
    "wrong-password": ("situation:wrong_password",),
    "source-not-connected": ("doctor:connections",),
    "records-left-out": ("door:omitted_records", "check:full_delivery_shrank"),
}
_HELD_BACK: dict[str, tuple[str, ...]] = {
    "rows-held-back": (
        "door:unreadable_value", "row:required", "row:is_integer", "row:is_decimal", "row:is_date",
        "row:is_timestamp", "row:is_boolean", "row:known_word", "row:allowed", "row:pattern", "row:minimum",
        "row:maximum", "row:readable_text", "row:of_the_catalogue", "check:quarantined_rows", "check:quarantined_share",
        "withheld:rows_quarantined",
    ),
    "unit-changed": ("door:changed_unit", "row:usual_maximum", "row:in_proportion", "check:unit_of_batch"),
    "records-contradict": ("door:repeated_record", "row:duplicate_with_other_content"),
    "code-not-registered": ("row:known_reference", "check:reference"),
    "personal-data": ("door:personal_data", "row:personal_data"),
    "clock-of-a-source": ("door:changed_in_future", "row:changed_in_future"),
}
_CHECKS: dict[str, tuple[str, ...]] = {
    "volume-unusual": ("check:volume", "check:shrinks", "check:is_empty"),
    "values-suspicious": (
        "check:repeated_values_of_apps", "check:repeated_values_over_time", "check:completeness_of_apps",
        "check:completeness_of_measures", "check:distribution", "check:calls_and_visitors",
        "check:budget_and_library", "check:ledger_and_releases",
    ),
    "rows-not-accounted-for": (
        "check:counts_reconcile", "check:natural_key", "check:row_rules", "refusal:CountsDoNotReconcileError",
    ),
    "marts-contradict": (
        "check:month_equals_days", "check:totals_agree", "check:registry_is_whole", "check:mart_keys",
        "check:impossible", "check:impossible_decisions", "step:gate_marts",
    ),
    "check-cannot-be-made": ("refusal:ExpectationError", "step:gate_sources"),
    "evaluation-gate-shut": (
        "check:somebody_in_scope", "check:every_app_has_a_result", "check:indicator_coverage",
        "check:indicator_coverage_low", "check:withheld_share", "check:withheld_share_high",
        "check:distribution_movement", "check:distribution_movement_seen", "refusal:EngineError", "dag:evaluate",
    ),
    "decision-refused": ("refusal:DecisionRefusedError",),
}
_RUNS: dict[str, tuple[str, ...]] = {
    "published-with-parts-withheld": (
        "verdict:published_with_parts_withheld", "verdict:ingest_failed", "step:load_raw",
    ),
    "not-published": (
        "verdict:not_published", "refusal:PublishRefusedError", "step:publish", "dag:build", "dag:publish",
        "dag:morning_check",
    ),
    "warnings-only": ("verdict:good_with_warnings",),
    "run-was-killed": ("situation:killed",),
    "somebody-else-writes": (
        "refusal:WriterBusyError", "refusal:SourceBusyError", "refusal:BusyError", "refusal:WarehouseOpenError",
        "doctor:lock",
    ),
    "models-do-not-build": ("step:build_models", "doctor:dbt"),
    "disk-full": ("situation:disk_full", "doctor:disk"),
    "out-of-memory": ("situation:out_of_memory",),
    "clock-of-this-machine": ("situation:clock_wrong", "doctor:clock"),
    "warehouse-damaged": ("situation:warehouse_damaged", "step:admit", "refusal:UnusableBatchError"),
}
_PUBLISHED: dict[str, tuple[str, ...]] = {
    "figures-do-not-come-out": ("figure:differs",),
    "restated": ("situation:restated",),
    "version-withdrawn": ("situation:version_withdrawn",),
    "version-damaged": ("situation:version_damaged", "verify:published", "doctor:published"),
    "landed-file-changed": ("situation:landing_corrupted", "verify:landing"),
    "confirmed-run-edited": (
        "situation:confirmed_run_edited", "verify:evaluations", "verify:decisions", "verify:reports",
    ),
    "rules-edited": ("verify:rules",),
    "ledger-broken": ("verify:ledger",),
    "finding-reopened": ("finding:reopened",),
    "backfill-refused": ("refusal:CorrectionRefusedError",),
    "restore-from-backup": ("situation:moved",),
}
_MACHINE: dict[str, tuple[str, ...]] = {
    "airflow-does-not-start": ("refusal:StartError",),
    "airflow-task-stuck": ("situation:task_killed",),
    "port-taken": ("situation:port_taken", "doctor:port"),
    "way-in-lost": (
        "situation:token_forgotten", "refusal:NotLoggedInError", "page:401", "page:403",
    ),
    "page-says-no": (
        "page:400", "page:404", "page:405", "page:406", "page:409", "page:413", "page:422", "page:429",
        "page:500", "page:503", "refusal:BadQuestionError", "refusal:QueryRefusedError", "refusal:LineageError",
        "refusal:AmbiguousNameError",
    ),
    "notice-not-sent": ("refusal:NotSentError",),
    "configuration-wrong": ("refusal:ConfigurationError", "doctor:catalogue"),
    "installation-unfit": ("doctor:python", "doctor:packages", "doctor:extensions", "situation:browser_missing"),
}
# fmt: on

# The pages by what one sees first: title zh, title en, pages with the failures that each covers.
GROUPS: tuple[tuple[str, str, dict[str, tuple[str, ...]]], ...] = (
    ("来源没有报送，或报送没有被收下", "A delivery was not taken, or has not come", _NOT_TAKEN),
    ("有行被隔离", "Rows were kept out", _HELD_BACK),
    ("检查有提示，或闸门关闭", "A check speaks, or a gate is shut", _CHECKS),
    ("运行没有正常结束", "A run ended otherwise than it should", _RUNS),
    ("对账、核验、重述或决定不通过", "reconcile, verify, restatement or a decision says no", _PUBLISHED),
    ("调度、页面或本机有问题", "Airflow, the pages or this machine say no", _MACHINE),
)
PAGES: dict[str, tuple[str, ...]] = {page: codes for _, _, pages in GROUPS for page, codes in pages.items()}

_PAGE_OF = {code: page for page, codes in PAGES.items() for code in codes}
# What a code of this kind leads to when it has no page of its own: a rule or check that a city added, or what an older
# version or record tells of.
_PAGE_OF_KIND = {
    "row": "rows-held-back", "door": "published-with-parts-withheld", "check": "not-published", "page": "page-says-no",
    "withheld": "published-with-parts-withheld", "step": "not-published", "refusal": "configuration-wrong",
}  # fmt: skip


def page_of(code: str) -> str:
    """The page of a failure.

    Raises:
        KeyError: no page knows the code, nor its kind.
    """
    return _PAGE_OF.get(code) or _PAGE_OF_KIND[code.partition(":")[0]]


def runbook_command(code: str) -> str:
    """What to type to read the page of a failure."""
    return f"oneledger runbook {page_of(code)}"


def code_of_outcome(record: Mapping[str, Any]) -> str:
    """The failure that an outcome record tells of: the narrowest that it names."""
    detail = record.get("detail") or {}
    if failure := detail.get("failure"):
        return str(failure)
    if problem := detail.get("problem"):
        return f"door:{problem}"
    return f"step:{record['step']}"


def code_of_check(check_id: str) -> str:
    """The failure that a failed check is."""
    return f"check:{check_id}"


def code_of_row_rule(rule_id: str) -> str:
    """The failure that a row is held back for; rules of the catalogue have one code together."""
    code = f"row:{rule_id}"
    return code if code in _PAGE_OF else "row:of_the_catalogue"
