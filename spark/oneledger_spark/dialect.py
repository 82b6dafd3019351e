"""DuckDB's SQL, as the models are written in, said in Spark's.

sqlglot knows both grammars: ``qualify``, ``filter``, lists and structs, regular expressions, the place of nulls in an
order. What it does not know, or knows only with the types of all columns at hand, is a rule in one of the modules
``dates``, ``numbers``, ``lists`` and ``rows``. A rule takes one node of the syntax tree and answers what stands in its
place; the innermost nodes come first. Literals are never touched: SQL that a mart holds as text stays DuckDB's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sqlglot import exp
from sqlglot.dialects.dialect import Dialect
from sqlglot.errors import SqlglotError

from oneledger_spark import dates, lists, numbers, rows

Rule = Callable[[exp.Expr], exp.Expr | None]


def _called(node: exp.Expr) -> exp.Expr | None:
    """A function that sqlglot passes on under DuckDB's name: the first rule that knows it."""
    return dates.called(node) or lists.called(node) or numbers.called(node)


RULES: Mapping[type[exp.Expr], Rule] = {
    **dates.RULES,
    **lists.RULES,
    **numbers.RULES,
    **rows.RULES,
    exp.Anonymous: _called,
}


class TranslationError(Exception):
    """SQL that cannot be said in Spark's: what it is, and what to do."""


def in_spark_sql(sql: str) -> str:
    """The query ``sql`` of DuckDB in Spark's SQL.

    Raises:
        TranslationError: the text is not one query of DuckDB, or uses something that no rule covers.
    """
    dialect = Dialect.get_or_raise("duckdb")
    try:
        tokens = dialect.tokenize(sql)
        for token in tokens:
            # DuckDB has both; the models say len of lists and length of text, and Spark must be told which it is.
            if token.text.lower() == "len":
                token.text = "array_size"
        trees = dialect.parser().parse(tokens, sql)
    except SqlglotError as error:
        raise TranslationError(f"Not SQL of DuckDB that sqlglot can read: {error}") from error
    if len(trees) != 1 or trees[0] is None:
        raise TranslationError(f"{len(trees)} statements where one query was expected.")
    tree = _ruled(trees[0])
    numbers.take_means_as_doubles(tree)
    for select in list(tree.find_all(exp.Select)):
        rows.bring_unnested_lists_beside(select)
    _refuse_what_stays(tree)
    return tree.sql(dialect="spark", comments=False)


def in_spark_type(data_type: str) -> str:
    """A type of DuckDB by its name in Spark: varchar is string, a timestamp has no zone, hugeint is decimal(38, 0)."""
    kind = exp.DataType.build(data_type, dialect="duckdb")
    if kind.this == exp.DataType.Type.INT128:
        return "decimal(38, 0)"
    return kind.sql(dialect="spark").lower()


def _ruled(tree: exp.Expr) -> exp.Expr:
    for node in reversed(list(tree.walk(bfs=True))):
        rule = RULES.get(type(node))
        if rule is None:
            continue
        instead = rule(node)
        if instead is None or instead is node:
            continue
        if node is tree:
            tree = instead
        else:
            node.replace(instead)
    return tree


def _refuse_what_stays(tree: exp.Expr) -> None:
    """A function that neither sqlglot nor a rule knows would be sent to Spark under DuckDB's name."""
    unknown = sorted(
        {node.name.lower() for node in tree.find_all(exp.Anonymous)}
        - lists.SAME_IN_SPARK
        - numbers.SAME_IN_SPARK
        - dates.SAME_IN_SPARK
    )
    if unknown:
        raise TranslationError(
            f"No rule says what {', '.join(unknown)} is in Spark's SQL. Add one beside the others in "
            "spark/oneledger_spark/ (dates, numbers, lists, rows), with a line in its test."
        )
