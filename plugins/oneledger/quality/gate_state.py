"""What a gate last said, and about which state of the warehouse."""

from __future__ import annotations

import datetime as dt
from typing import Literal

import duckdb

from oneledger.warehouse.control import utc_timestamp

# An evaluation has a gate of its own; a version is published through the other two.
Gate = Literal["sources", "marts", "evaluation"]
GATES: tuple[Gate, ...] = ("sources", "marts")


def create_gate_table(connection: duckdb.DuckDBPyConnection) -> None:
    """``checks.gate``: the latest answer of each gate and the state of the warehouse that it was given for."""
    connection.execute("create schema if not exists checks")
    connection.execute(
        "create table if not exists checks.gate (gate varchar primary key, run_id varchar not null,"
        " is_open boolean not null, state varchar not null, as_of_on date, checked_at timestamp not null)"
    )


def warehouse_state(connection: duckdb.DuckDBPyConnection) -> str:
    """A token of what is admitted; it differs as soon as one batch was added, replaced or admitted anew."""
    row = connection.execute(
        "select count(*) || '-' || coalesce(sum(md5_number_lower("
        "batch_id || '|' || contract_hash || '|' || accepted_count || '|' || admitted_at)), 0)"
        " from control.admitted_batch"
    ).fetchone()
    return str(row[0]) if row else "0-0"


def record_gate(
    connection: duckdb.DuckDBPyConnection, gate: Gate, *, run_id: str, is_open: bool, as_of: dt.date | None
) -> None:
    """Keep the gate's answer for the present state."""
    create_gate_table(connection)
    connection.execute(
        "insert or replace into checks.gate values (?, ?, ?, ?, ?, ?)",
        [gate, run_id, is_open, warehouse_state(connection), as_of, utc_timestamp()],
    )


def closed_gates(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Why the present state may not be published, one sentence a gate; empty when both gates are open for it."""
    create_gate_table(connection)
    answers = {
        gate: (is_open, state, run_id)
        for gate, is_open, state, run_id in connection.execute(
            "select gate, is_open, state, run_id from checks.gate"
        ).fetchall()
    }
    state = warehouse_state(connection)
    reasons = []
    for gate in GATES:
        if gate not in answers:
            reasons.append(f"gate {gate} has never run")
            continue
        is_open, checked_state, run_id = answers[gate]
        if checked_state != state:
            reasons.append(f"gate {gate} last ran on other data (run {run_id})")
        elif not is_open:
            reasons.append(f"gate {gate} is closed since its checks in run {run_id} failed")
    return reasons
