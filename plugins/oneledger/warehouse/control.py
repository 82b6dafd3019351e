"""The warehouse's own tables: batches, what is admitted, what is still to be published, outcomes, findings."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import duckdb

SCHEMAS = ("admitted", "quarantine", "control", "checks", "staging", "intermediate", "marts", "evaluation", "confirmed")

# quarantine.row and checks.row_finding have the same columns: one says why a row was held back, the
# other why it was let through with a warning. A row that breaks two rules stands here twice.
_ROW_REPORT_COLUMNS = """
    run_id varchar not null,
    source varchar not null,
    entity varchar not null,
    batch_id varchar not null,
    file_id varchar not null,
    row_number bigint not null,
    column_name varchar,
    value varchar,
    rule_id varchar not null,
    reason_zh varchar not null,
    reason_en varchar not null,
    remedy_zh varchar not null,
    remedy_en varchar not null,
    received json not null,
    found_at timestamp not null,
    -- JSON array of the natural key as far as it could be read; a later delivery of the same key settles the row
    record_key varchar
"""

CORRECTION_COLUMNS = ("correction_reason", "correction_reference", "correction_name")
_OUTCOME_FILES_A_STATEMENT = 5_000

OUTCOME_COLUMNS = {
    "outcome_id": "varchar",
    "run_id": "varchar",
    "step": "varchar",
    "source": "varchar",
    "entity": "varchar",
    "batch_id": "varchar",
    "business_on": "date",
    "received_count": "bigint",
    "accepted_count": "bigint",
    "quarantined_count": "bigint",
    "superseded_count": "bigint",
    "verdict": "varchar",
    "message": "varchar",
    "remedy": "varchar",
    "detail": "json",
    "started_at": "timestamp",
    "ended_at": "timestamp",
}

_TABLES = {
    "quarantine.row": _ROW_REPORT_COLUMNS,
    "checks.row_finding": _ROW_REPORT_COLUMNS,
    # Every batch that the warehouse knows; is_current by the table "Batches" of docs/architecture.md.
    "control.batch": """
        batch_id varchar primary key,
        source varchar not null,
        entity varchar not null,
        partition varchar not null,
        revision integer not null,
        business_on date not null,
        delivery varchar not null,
        row_count bigint,
        control_total bigint,
        watermark varchar,
        extracted_at timestamp,
        code_version varchar,
        catalogue_hash varchar,
        is_current boolean not null,
        registered_at timestamp not null,
        -- why a batch corrects an earlier one, the number of the appeal, and who says so; null for most
        correction_reason varchar,
        correction_reference varchar,
        correction_name varchar
    """,
    # What stands in admitted.*: received = accepted + quarantined + superseded.
    "control.admitted_batch": """
        batch_id varchar primary key,
        source varchar not null,
        entity varchar not null,
        partition varchar not null,
        revision integer not null,
        business_on date not null,
        contract_hash varchar not null,
        received_count bigint not null,
        accepted_count bigint not null,
        quarantined_count bigint not null,
        superseded_count bigint not null,
        finding_count bigint not null,
        run_id varchar not null,
        admitted_at timestamp not null
    """,
    "control.pending_date": "shape varchar, usage_on date, primary key (shape, usage_on)",
    "control.outcome": ", ".join(
        f"{name} {kind}{' primary key' if name == 'outcome_id' else ''}" for name, kind in OUTCOME_COLUMNS.items()
    ),
    # Outcomes whose rows are committed and whose files are not yet written: a kill between loses none.
    "control.outcome_due": ", ".join(f"{name} {kind}" for name, kind in OUTCOME_COLUMNS.items()),
    "control.source_state": """
        source varchar,
        entity varchar,
        newest_business_on date,
        newest_batch_id varchar,
        batches_count bigint,
        rows_count bigint,
        changed_at timestamp,
        max_age_hours double,
        primary key (source, entity)
    """,
    # What the source catalogue expects, as of the newest admission: who acts, and what is late.
    "control.expected_entity": """
        source varchar,
        entity varchar,
        title_zh varchar,
        title_en varchar,
        owner varchar,
        is_daily boolean not null,
        is_expected boolean not null,
        primary key (source, entity)
    """,
    # What people decided about quarantined rows; the files under releases/ are the record, this is read from them.
    "control.release": """
        release_id varchar primary key,
        name varchar not null,
        reason varchar not null,
        is_anyway boolean not null,
        released_at timestamp not null
    """,
    "control.released_row": """
        release_id varchar not null,
        source varchar not null,
        entity varchar not null,
        batch_id varchar not null,
        file_id varchar not null,
        row_number bigint not null,
        rule_id varchar not null,
        column_name varchar not null,
        is_anyway boolean not null
    """,
    # The seeds that stand in the warehouse, so that a night loads them only when they changed.
    "control.seed_state": "id integer primary key, content_hash varchar not null",
    # The models that the warehouse was built with: other ones are built from nothing.
    "control.model_state": "id integer primary key, content_hash varchar not null",
    # The metrics as the last build read them (warehouse/semantic_manifest.py).
    "control.semantic_manifest": "id integer primary key, content varchar not null",
    # What confirmed evaluations fixed: the columns of the model evaluation.funding_share, one row a project and
    # year for good: the first confirmation. Each build takes it over from the runs' folders; the model reads it.
    "confirmed.funding_share": """
        project_id varchar not null,
        budget_year bigint not null,
        project_name varchar,
        department_id varchar,
        level varchar,
        measured_to_on date,
        linked_apps_count bigint,
        online_numerator bigint,
        online_denominator bigint,
        online_rate double,
        online_state varchar,
        usage_numerator bigint,
        usage_denominator bigint,
        usage_rate double,
        usage_state varchar,
        satisfaction_numerator bigint,
        satisfaction_denominator bigint,
        satisfaction_rate double,
        satisfaction_state varchar,
        not_applicable_rates varchar,
        combined_rate double,
        state varchar,
        reason varchar,
        share double,
        budget_cny decimal(18, 2),
        budget_state varchar,
        payable_cny decimal(18, 2),
        withheld_cny decimal(18, 2),
        change_cny decimal(18, 2),
        is_frozen boolean,
        current_share double,
        current_payable_cny decimal(18, 2),
        current_difference_cny decimal(18, 2),
        current_state varchar,
        rule_version varchar,
        primary key (project_id, budget_year)
    """,
    # The last successful dbt build: SQL, rules and descriptions as they were run (warehouse/built_models.py).
    "control.built_model": """
        relation varchar primary key,
        is_seed boolean not null,
        compiled_sql varchar,
        reads varchar[] not null,
        file_name varchar,
        content blob,
        materialized varchar,
        described json
    """,
    # Key, ancestors and code of each model of that build (warehouse/model_grains.py).
    "control.model_grain": """
        relation varchar primary key,
        is_seed boolean not null,
        key_columns varchar[] not null,
        reads varchar[] not null,
        code_hash varchar not null
    """,
    # Decided evaluation runs, taken over from their folders (warehouse/evaluation_runs.py).
    "control.evaluation_run": """
        run_id varchar primary key,
        round_id varchar not null,
        period varchar not null,
        state varchar not null,
        version varchar not null,
        rule_version varchar,
        rules_hash varchar not null,
        content_hash varchar not null,
        created_at timestamp not null,
        created_by varchar not null,
        decided_at timestamp not null,
        decided_by varchar not null,
        reason varchar not null,
        supersedes varchar,
        run_sha256 varchar
    """,
    "checks.result": """
        run_id varchar not null,
        gate varchar not null,
        check_id varchar not null,
        entity varchar,
        severity varchar not null,
        is_passed boolean not null,
        observed varchar,
        expected varchar,
        since timestamp,
        owner varchar,
        remedy_zh varchar,
        remedy_en varchar,
        title_zh varchar,
        title_en varchar,
        checked_at timestamp not null,
        unexpected_count bigint,
        judged_count bigint,
        expectation varchar
    """,
}

# Columns that came later, for warehouses that were made before them.
_ADDED_COLUMNS = {
    "checks.result": {"unexpected_count": "bigint", "judged_count": "bigint", "expectation": "varchar"},
    "control.batch": dict.fromkeys(CORRECTION_COLUMNS, "varchar"),
    "control.built_model": {"materialized": "varchar", "described": "json"},
}


def create_control_tables(connection: duckdb.DuckDBPyConnection) -> None:
    """Create the schemas and tables of docs/architecture.md that do not exist yet."""
    for schema in SCHEMAS:
        connection.execute(f"create schema if not exists {schema}")
    for table, columns in _TABLES.items():
        connection.execute(f"create table if not exists {table} ({columns})")
    for table, added in _ADDED_COLUMNS.items():
        for name, kind in added.items():
            connection.execute(f"alter table {table} add column if not exists {name} {kind}")


def load_outcomes(connection: duckdb.DuckDBPyConnection, outcomes_dir: Path) -> int:
    """Load outcome files that ``control.outcome`` does not hold yet.

    A record lies in the folder of the month in which its step began. Steps end within a month, so
    only the folders from the month before the newest loaded record on are listed.

    Returns:
        How many records were new.
    """
    row = connection.execute("select max(started_at) from control.outcome").fetchone()
    newest: dt.datetime | None = row[0] if row else None
    oldest_folder = f"{newest.replace(day=1) - dt.timedelta(days=1):%Y-%m}" if newest else ""
    files = {
        path.stem: str(path)
        for folder in sorted(outcomes_dir.glob("????-??"))
        if folder.name >= oldest_folder
        for path in folder.glob("*.json")
        if not path.name.startswith(".")
    }
    if not files:
        return 0
    known = connection.execute(
        "select outcome_id from control.outcome where list_contains(?, strftime(started_at, '%Y-%m'))",
        [sorted({Path(path).parent.name for path in files.values()})],
    ).fetchall()
    new_files = sorted(files[name] for name in files.keys() - {outcome_id for (outcome_id,) in known})
    if not new_files:
        return 0
    # Opening thousands of small files costs DuckDB a millisecond each, so their text goes in as parameters.
    structure = json.dumps({name: kind.upper() for name, kind in OUTCOME_COLUMNS.items()})
    values = ", ".join(f"record.{name}" for name in OUTCOME_COLUMNS)
    for first in range(0, len(new_files), _OUTCOME_FILES_A_STATEMENT):
        chunk = new_files[first : first + _OUTCOME_FILES_A_STATEMENT]
        connection.execute(
            f"insert or ignore into control.outcome "
            f"select {values} from (select from_json(text, '{structure}') as record from unnest(?) as files (text))",
            [[Path(name).read_text(encoding="utf-8") for name in chunk]],
        )
    return len(new_files)


def utc_timestamp() -> dt.datetime:
    """Now in UTC without an offset, as the ``*_at`` columns hold it."""
    return dt.datetime.now(dt.UTC).replace(tzinfo=None)
