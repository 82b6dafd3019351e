"""`docs/marts.md`: every published table with its grain, owner and columns, written from dbt's manifest.

    python -m oneledger.warehouse.model_docs

A test fails while the file differs from what the models say.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from oneledger.settings import ConfigurationError, load_settings

PUBLISHED_SCHEMAS = ("marts", "evaluation")
_HEAD = """# Marts

Written from the dbt project by `python -m oneledger.warehouse.model_docs`; change the models, not this file.

Every table below is in `published/current/marts.duckdb`, or, for daily facts, in
`published/current/facts/<name>/`; `oneledger query` sees both. A column that ends in `_state` says whether the
value beside it is `reported`, `missing` or `not_applicable`: a missing value is null and never 0.
"""


def read_manifest(dbt_project_dir: Path) -> dict[str, Any]:
    """dbt's manifest of the project as it is now, read without a warehouse.

    Raises:
        ConfigurationError: dbt cannot read its project; the message is dbt's.
    """
    with tempfile.TemporaryDirectory(prefix="oneledger-docs-") as folder:
        finished = subprocess.run(
            [
                str(Path(sys.executable).parent / "dbt"), "--quiet", "--no-use-colors", "parse", "--no-partial-parse",
                "--project-dir", str(dbt_project_dir), "--profiles-dir", str(dbt_project_dir),
                "--target-path", folder, "--log-path", folder,
            ],
            env={
                **os.environ,
                "ONELEDGER_WAREHOUSE": str(Path(folder) / "none.duckdb"),
                "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
            },
            capture_output=True,
            text=True,
        )  # fmt: skip
        if finished.returncode:
            raise ConfigurationError(
                f"dbt cannot read {dbt_project_dir}: {finished.stdout}{finished.stderr} "
                "Correct the file that it names, then write docs/marts.md again."
            )
        manifest: dict[str, Any] = json.loads((Path(folder) / "manifest.json").read_text(encoding="utf-8"))
        return manifest


def render(manifest: dict[str, Any]) -> str:
    """The whole of `docs/marts.md`: an index by folder, then one section a table."""
    models = sorted(
        (
            node
            for node in manifest["nodes"].values()
            if node["resource_type"] == "model" and node["schema"] in PUBLISHED_SCHEMAS
        ),
        key=lambda node: (PUBLISHED_SCHEMAS.index(node["schema"]), _room(node), node["alias"]),
    )
    sections = [_HEAD, _index(models), *(_section(node) for node in models)]
    return "\n".join(sections).rstrip() + "\n"


def _room(node: dict[str, Any]) -> str:
    return Path(node["original_file_path"]).parent.name


def _meta(described: dict[str, Any]) -> dict[str, Any]:
    meta: dict[str, Any] = (described.get("config") or {}).get("meta") or described.get("meta") or {}
    return meta


def _line(text: str) -> str:
    """One line that may stand in a cell of a table."""
    return re.sub(r"\s+", " ", text).strip().replace("|", "\\|")


def _relation(node: dict[str, Any]) -> str:
    return f"{node['schema']}.{node['alias']}"


def _index(models: list[dict[str, Any]]) -> str:
    rows = ["| table | 中文 | English | grain |", "|---|---|---|---|"]
    for node in models:
        meta, relation = _meta(node), _relation(node)
        grain = re.split(r"(?<=[.:;])\s", _line(node["description"]), maxsplit=1)[0].rstrip(".:;")
        anchor = relation.replace(".", "").lower()
        rows.append(
            f"| [`{relation}`](#{anchor}) | {_line(meta.get('title_zh', ''))} | {_line(meta.get('title_en', ''))} "
            f"| {grain} |"
        )
    return "\n".join(rows) + "\n"


def _section(node: dict[str, Any]) -> str:
    meta = _meta(node)
    title = " · ".join(_line(meta[key]) for key in ("title_zh", "title_en") if meta.get(key))
    lines = [f"## {_relation(node)}", "", f"**{title}**", "", _line(node["description"]).replace("\\|", "|"), ""]
    if meta.get("owner"):
        lines += [f"Owner: {_line(meta['owner'])}", ""]
    lines += ["| column | type | 中文 | English | what it holds |", "|---|---|---|---|---|"]
    for column in node["columns"].values():
        names = _meta(column)
        lines.append(
            f"| `{column['name']}` | {column.get('data_type') or ''} | {_line(names.get('title_zh', ''))} "
            f"| {_line(names.get('title_en', ''))} | {_line(column.get('description', ''))} |"
        )
    return "\n".join(lines) + "\n"


def main() -> int:
    """Write the file; 2 when the project cannot be read."""
    settings = load_settings()
    try:
        text = render(read_manifest(settings.dbt_project_dir))
    except ConfigurationError as error:
        print(error, file=sys.stderr)
        return 2
    target = settings.project_root / "docs" / "marts.md"
    target.write_text(text, encoding="utf-8")
    print(f"wrote {target}: {text.count(chr(10) + '## ')} tables")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
