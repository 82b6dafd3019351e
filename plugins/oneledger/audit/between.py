"""What two versions were made of, compared: batches, contracts of the catalogue, models and rules, decisions."""

from __future__ import annotations

from typing import Any

import duckdb

from oneledger.audit.causes import Causes
from oneledger.audit.comparing import Pair
from oneledger.catalogue import Catalogue
from oneledger.publishing.content import quote
from oneledger.publishing.versions import BATCHES_FILE, PublishedVersion

_COUNTS = ("received_count", "accepted_count", "quarantined_count", "superseded_count")
_CORRECTION = ("correction_reason", "correction_reference", "correction_name")


def causes_between(pair: Pair, catalogue: Catalogue) -> Causes:
    """Compare what two versions were made of."""
    tables = {entity.full_id: f"admitted.{entity.admitted_table}" for entity in catalogue.all_entities}
    batches, contracts = _batches(pair, tables)
    models, rules, is_unknown = _code(pair)
    return Causes(
        batches=batches,
        contracts=contracts,
        decisions=_decisions(pair),
        changed_models=models,
        changed_rules=rules,
        is_as_of_changed=pair.old.as_of_on != pair.new.as_of_on,
        is_code_unknown=is_unknown,
        tables=tables,
    )


def _batches(pair: Pair, tables: dict[str, str]) -> tuple[list[dict[str, Any]], list[str]]:
    for name, version in (("old", pair.old), ("new", pair.new)):
        _read_batches(pair.connection, name, version)
    counts_differ = " or ".join(f"o.{one} is distinct from n.{one}" for one in _COUNTS)
    # A release leaves its mark behind the contract's hash.
    contract = "split_part({0}.contract_hash, '+', 1)"
    rows = pair.rows(
        f"""
        with gone as (from old_batch anti join new_batch using (batch_id)),
        come as (from new_batch anti join old_batch using (batch_id)),
        moved as (
            select
                coalesce(come.batch_id, gone.batch_id) as batch_id,
                case when come.batch_id is null then 'withdrawn' when gone.batch_id is not null then 'redelivered'
                    when come.business_on > ? then 'new_day' else 'late' end as kind,
                case when come.batch_id is not null then gone.batch_id end as replaces,
                coalesce(come.source, gone.source) as source, coalesce(come.entity, gone.entity) as entity,
                coalesce(come.business_on, gone.business_on) as business_on,
                gone.accepted_count as accepted_before, come.accepted_count as accepted_after,
                come.correction_reason, come.correction_reference, come.correction_name
            from come full join gone on come.source = gone.source and come.entity = gone.entity
                and come.partition = gone.partition
        ),
        judged as (
            select n.batch_id, 'judged_again' as kind, cast(null as varchar) as replaces, n.source, n.entity,
                n.business_on, o.accepted_count as accepted_before, n.accepted_count as accepted_after,
                n.correction_reason, n.correction_reference, n.correction_name
            from new_batch as n inner join old_batch as o using (batch_id)
            where {counts_differ} or (n.contract_hash <> o.contract_hash
                and {contract.format("n")} = {contract.format("o")})
        )
        from moved union all by name from judged order by batch_id
        """,
        [pair.old.as_of_on],
    )
    changed = pair.connection.execute(
        "select distinct n.source || '.' || n.entity from new_batch as n inner join old_batch as o using (batch_id)"
        f" where {contract.format('n')} <> {contract.format('o')} order by 1"
    ).fetchall()
    for row in rows:
        name = f"{row['source']}.{row['entity']}"
        row["admitted_table"] = tables.get(name, f"admitted.{row['source']}__{row['entity']}")
        tables.setdefault(name, row["admitted_table"])
    contracts = [name for (name,) in changed]
    for name in contracts:
        tables.setdefault(name, f"admitted.{name.replace('.', '__')}")
    return rows, contracts


def _read_batches(connection: duckdb.DuckDBPyConnection, name: str, version: PublishedVersion) -> None:
    path = str(version.path / BATCHES_FILE).replace("'", "''")
    given = {row[0] for row in connection.execute(f"describe from read_parquet('{path}')").fetchall()}
    # Versions that did not know corrections have no such columns.
    missing = "".join(f", null::varchar as {quote(column)}" for column in _CORRECTION if column not in given)
    connection.execute(f"create temp table {name}_batch as select *{missing} from read_parquet('{path}')")


def _code(pair: Pair) -> tuple[set[str], set[str], bool]:
    if pair.old.manifest["models_hash"] == pair.new.manifest["models_hash"]:
        return set(), set(), False
    before, after = pair.old_relations.by_name, pair.new_relations.by_name
    if not before or not after:
        return set(), set(), True
    changed = {
        name
        for name in before.keys() | after.keys()
        if name not in before or name not in after or before[name].code_hash != after[name].code_hash
    }
    rules = {name for name in changed if (after.get(name) or before[name]).is_seed}
    return changed - rules, rules, False


def _decisions(pair: Pair) -> list[dict[str, str]]:
    known = {
        name
        for (name,) in pair.connection.execute(
            "select database_name from duckdb_tables() where schema_name = 'evaluation' and table_name ="
            " 'evaluation_run' and database_name in ('old', 'new')"
        ).fetchall()
    }
    if "new" not in known:
        return []
    without = "anti join old.evaluation.evaluation_run using (run_id, state)" if "old" in known else ""
    return pair.rows(f"select run_id, state from new.evaluation.evaluation_run {without} order by run_id")
