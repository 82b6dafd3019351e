"""The list of runbooks, ``docs/runbooks/README.md``, and the line of failures in each page.

Written by ``python -m oneledger.runbooks.index``; a test keeps them up to date.
"""

from __future__ import annotations

from oneledger.runbooks.catalogue import PAGES
from oneledger.runbooks.pages import _CODES, FOLDER, codes_line, grouped_pages, read_page

LIST = FOLDER / "README.md"
_HEAD = """# Runbooks · 运维手册

Written by `python -m oneledger.runbooks.index`; a test keeps it up to date.

中文摘要：每一种故障一页：看到什么、是什么意思、怎么办、怎样知道已恢复。按“先看到什么”排列；产品里的提示、通知、质量页和隔离页都直接指到相应的一页。

One page for each failure that the code can tell of: what you see, what it means, what to do, how to know it's mended.
The product leads here by itself: the end of a run, `oneledger status`, `doctor`, `verify`, notices, and the pages
Quality, Check and Quarantine name the page. `oneledger runbook` lists them, `oneledger runbook NAME` prints one,
`/runbooks` shows them in the browser, without internet.

The examples are of the reference city ([reference-city.md](../reference-city.md)): put your own source, day and name
instead. Where another department acts, the synthetic city does it with `oneledger city mend NAME`. Commands in blocks
marked `bash` are executed by `make soak` on an installation in which just that failure was caused, and the lines under
them are what must be seen; those marked `sh` belong to other machines or cannot be tried in a test, and are checked
for verbs and options only. Of five pages the failure itself is not caused, because it takes months of data, a disk, a
clock or an Airflow of its own, or would break the environment of the test; their commands are executed all the same:
[airflow-task-stuck](airflow-task-stuck.md), [clock-of-this-machine](clock-of-this-machine.md),
[disk-full](disk-full.md), [finding-reopened](finding-reopened.md), [installation-unfit](installation-unfit.md).

Which failure leads to which page stands in one place, `plugins/oneledger/runbooks/catalogue.py`; a test lists every
failure from the code and fails when one has no page.
"""


def render() -> str:
    """The whole list."""
    parts = [_HEAD]
    for zh, en, pages in grouped_pages():
        parts.append(f"\n## {en} · {zh}\n\n| what you see | page | 中文 |\n|---|---|---|\n")
        parts += [f"| {one.seen} | [{one.title_en}]({one.name}.md) | {one.title_zh} |\n" for one in pages]
    return "".join(parts)


def with_codes(name: str) -> str:
    """A page with the line of its failures as the catalogue says them."""
    lines = (FOLDER / f"{name}.md").read_text("utf-8").splitlines(keepends=True)
    return "".join(f"{codes_line(name)}\n" if line.startswith(_CODES) else line for line in lines)


def write() -> None:
    """Write the list and the lines of failures."""
    for name in PAGES:
        (FOLDER / f"{name}.md").write_text(with_codes(name), "utf-8")
    read_page.cache_clear()
    LIST.write_text(render(), "utf-8")


if __name__ == "__main__":
    write()
