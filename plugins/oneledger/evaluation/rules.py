"""The rules of the evaluation: every seed of the schema ``evaluation``, read, checked, drafted, written and hashed.

rules = load_rules(settings.dbt_project_dir / "seeds")
problems = check(rules)
draft = overlay(rules, Path("draft.yml"))
"""

from __future__ import annotations

import csv
import hashlib
import json
from pathlib import Path

from oneledger.evaluation.catalogue_checks import check_catalogue
from oneledger.evaluation.drafts import overlay, read_drafts
from oneledger.evaluation.metrics import read_metrics
from oneledger.evaluation.rescaling import rescale
from oneledger.evaluation.rule_problems import RuleProblem
from oneledger.evaluation.rule_tables import SEEDS_DIR, RuleSet, read_folder, read_table, rule_shapes
from oneledger.evaluation.table_checks import check_tables
from oneledger.settings import PROJECT_ROOT, ConfigurationError

__all__ = [
    "RuleProblem",
    "RuleSet",
    "check",
    "load_frozen",
    "load_rules",
    "overlay",
    "read_drafts",
    "rescale",
    "rules_hash",
    "write",
]
_METRICS = Path("macros") / "metrics.sql"


def load_rules(folder: Path = SEEDS_DIR) -> RuleSet:
    """Read the rule tables of ``folder`` (CSV files with the seeds' names).

    The shapes come from the properties of the project's seeds, the metrics from ``../macros/metrics.sql`` beside the
    folder, or from the project when there is none. A missing file is an empty table that ``check`` complains of.

    Raises:
        ConfigurationError: the folder does not exist, or a file is not CSV in UTF-8.
    """
    if not folder.is_dir():
        raise ConfigurationError(f"{folder} is no folder. Give the folder with the rule tables as CSV files.")
    macro = folder.parent / _METRICS
    if not macro.exists():
        macro = PROJECT_ROOT / "dbt_project" / _METRICS
    tables = {name: read_table(shape, folder / f"{name}.csv") for name, shape in rule_shapes().items()}
    return RuleSet(tables, read_metrics(macro), str(macro))


def load_frozen(folder: Path) -> RuleSet:
    """Read the rules that a published version or a run was made with: just the tables that were there then.

    Raises:
        ConfigurationError: the folder or the metrics beside it are not there, or a file is not CSV in UTF-8.
    """
    macro = metrics_file(folder)
    if not folder.is_dir() or not macro.is_file():
        raise ConfigurationError(
            f"{folder} lacks the rules that were frozen, or {macro} the metrics. Restore them from a backup."
        )
    return RuleSet(read_folder(folder), read_metrics(macro), str(macro))


def metrics_file(folder: Path) -> Path:
    """Where the metrics lie that belong to the rule tables of ``folder``."""
    return folder.parent / _METRICS


def check(rules: RuleSet) -> list[RuleProblem]:
    """What is wrong with the rules, each with file, line, column, value, what is expected and how to mend it.

    Tables first: types, dates, titles, repeated and overlapping rows. Only when these are sound: weights, bands,
    metrics and what refers to what, on every day on which a rule changes.
    """
    return check_tables(rules) or check_catalogue(rules)


def rules_hash(rules: RuleSet) -> str:
    """64 hex digits that change when a rule or a metric does, not with the order of rows or the layout of files.

    A table whose file is missing does not count, so that a table which the project gets later changes no old hash.
    """
    digest = hashlib.sha256()
    for name, table in sorted(rules.tables.items()):
        if table.file is None:
            continue
        lines = sorted(
            json.dumps({column: row[column] for column in sorted(table.columns)}, ensure_ascii=False)
            for row in table.rows
        )
        digest.update(json.dumps([name, lines], ensure_ascii=False).encode())
    metrics = sorted(json.dumps(metric.definition, ensure_ascii=False, sort_keys=True) for metric in rules.metrics)
    digest.update(json.dumps(metrics, ensure_ascii=False).encode())
    return digest.hexdigest()


def write(rules: RuleSet, folder: Path) -> None:
    """Write every table as a CSV file with the seed's name into ``folder``, and the metrics beside the folder.

    What ``load_frozen`` and ``load_rules`` read from there has the same hash.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in rules.tables.items():
        if table.file is None:
            continue
        with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as target:
            writer = csv.writer(target, lineterminator="\n")
            writer.writerow(table.columns)
            writer.writerows([row[column] for column in table.columns] for row in table.rows)
    macro = metrics_file(folder)
    macro.parent.mkdir(parents=True, exist_ok=True)
    macro.write_bytes(Path(rules.metrics_file).read_bytes())
