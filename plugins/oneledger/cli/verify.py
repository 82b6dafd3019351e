"""The verb ``verify``: nobody changed what was sealed, or here is what is broken first."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from oneledger.cli.output import emit_json, errors, fail, finish, say
from oneledger.cli.runbook import say_runbooks

VERIFY_HELP = """Compute every hash again: landing, versions, evaluations, decisions, reports, rules and the ledger of seals.

AREA is one of landing, published, evaluations, decisions, reports, rules, ledger; everything without it. `anchors`
lists the anchors. An interrupted verification goes on where it ended; one that ended begins anew.

Examples:

    oneledger verify                              everything; names the first broken link of each chain

    oneledger verify landing --workers 4

    oneledger verify published --version current

    oneledger verify --anchor 3f2a9c51e0b7        is what I kept still in the chain, and what came after it?

    oneledger verify ledger --public-key public.pem

    oneledger verify --acknowledge landing/irs/app/20221031/r001/app.json --name 王敏 --reason "disk failed, no backup"

    oneledger verify anchors                      every anchor, the newest first

    oneledger verify anchors --sign               the newest one, with the key of ONELEDGER_SIGNING_KEY

    oneledger verify anchors --out /tmp/anchor    the newest one with its signature, for `openssl`
"""  # noqa: E501
_MEGABYTE = 1_000_000
_STATES = {
    "sealed": "已存证 sealed", "unsealed": "未存证 unsealed", "draft": "草案 draft", "removed": "已清理 removed",
    "unproven": "无法证明 unproven", "kept": "留存的锚 kept anchor",
}  # fmt: skip


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("verify", help=VERIFY_HELP)(verify)


def verify(
    area: Annotated[str | None, typer.Argument(metavar="[AREA]")] = None,
    version: Annotated[str | None, typer.Option(help="Only this published version.")] = None,
    anchor: Annotated[str | None, typer.Option(metavar="HASH", help="An anchor that you kept.")] = None,
    public_key: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Signatures must verify with this key (ONELEDGER_PUBLIC_KEY).")
    ] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Files read at once; default one a core.")] = None,
    anew: Annotated[bool, typer.Option("--anew", help="Take nothing over from an interrupted verification.")] = False,
    allow_edited_rules: Annotated[
        bool, typer.Option("--allow-edited-rules", help="Rule files edited since the version are a warning.")
    ] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings count: what is not sealed is wrong.")] = False,
    acknowledge: Annotated[
        str | None, typer.Option(metavar="FILE", help="Answer for a broken file that cannot be restored.")
    ] = None,
    name: Annotated[str, typer.Option(help="With --acknowledge: who.")] = "",
    reason: Annotated[str, typer.Option(help="With --acknowledge: why it stays as it is.")] = "",
    out: Annotated[Path | None, typer.Option(metavar="FOLDER", help="With anchors: write the newest one.")] = None,
    sign: Annotated[bool, typer.Option("--sign", help="With anchors: sign the newest one.")] = False,
    limit: Annotated[int, typer.Option(help="With anchors: how many are shown.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="Answer as JSON.")] = False,
) -> None:
    """Exit 0 when everything is as it was sealed, 1 when something is not, 2 when the question is wrong."""
    if area in ("anchor", "anchors"):
        _anchors(out, limit, is_to_be_signed=sign, as_json=as_json)
        return
    if out is not None or sign:
        fail("--out and --sign belong to `oneledger verify anchors`", "oneledger verify anchors --sign --out FOLDER")
    if acknowledge is not None:
        _acknowledge(acknowledge, name, reason, as_json=as_json)
        return
    from oneledger.audit.last_verification import keep_verification
    from oneledger.audit.verifying import verify as verify_all
    from oneledger.settings import load_settings

    progress = _Live()
    settings = load_settings()
    answer = verify_all(
        settings, area, version=version, anchor=anchor,
        public_key_file=str(public_key) if public_key else None, may_rules_be_edited=allow_edited_rules,
        is_strict=strict, workers=workers, is_anew=anew, show=_silent if as_json else progress.show,
    )  # fmt: skip
    progress.clear()
    if area is None and version is None and anchor is None:
        keep_verification(settings, answer)
    emit_json(answer) if as_json else _print(answer)
    finish(answer["ok"])


def print_anchor(anchor: Any) -> None:
    """The anchor as of now, at the end of what a command prints; nothing while nothing is sealed."""
    if anchor is not None:
        say(anchor.line)


def say_anchor() -> None:
    """Read the anchor of the installation and print it."""
    from oneledger.audit.anchors import current_anchor
    from oneledger.settings import load_settings

    print_anchor(current_anchor(load_settings()))


def _acknowledge(file: str, name: str, reason: str, *, as_json: bool) -> None:
    from oneledger.audit.acknowledging import acknowledge
    from oneledger.settings import load_settings

    entry = acknowledge(load_settings(), file, name=name, reason=reason)
    if as_json:
        emit_json({"ok": True, "items": [entry.__dict__]})
        return
    say(f"已记录 recorded: entry {entry.sequence}, {_plain(file)}, {_plain(name)}: {_plain(reason)}")
    say_anchor()


def _anchors(out: Path | None, limit: int, *, is_to_be_signed: bool, as_json: bool) -> None:
    from oneledger.audit.anchors import export_anchor, list_anchors
    from oneledger.audit.ledger import sign_newest
    from oneledger.settings import load_settings

    settings = load_settings()
    if is_to_be_signed:
        sign_newest(settings)
    files = export_anchor(settings, out) if out else []
    items = [one.__dict__ for one in reversed(list_anchors(settings))][:limit]
    if as_json:
        emit_json({"ok": True, "items": items, "files": files})
        return
    for one in items:
        signed = f", signed 已签名 {one['fingerprint'][:16]}" if one["fingerprint"] else ""
        what = f"{one['kind']} {_plain(one['subject'])}{signed}"
        say(f"{one['sequence']:>6}  {one['anchor']}  {one['sealed_at'][:19]}  {what}")
    for file in files:
        say(f"已写出 written: {file}")
    if not items:
        say("尚无存证 nothing is sealed yet: oneledger run")


def _print(answer: dict[str, Any]) -> None:
    warned = {item["name"] for item in answer["items"] if item.get("is_warning")}
    for item in answer["items"]:
        if item["ok"] and not item.get("is_warning"):
            if item["state"] in ("unsealed", "unproven") and item["name"] in warned:
                continue
            length = f", {item['length']} links" if item.get("length", 0) > 1 else ""
            note = f" — {_plain(item['note'])}" if item.get("note") else ""
            say(f"[green]✓[/green] {item['name']}: {_STATES[item['state']]}{length}{note}")
            continue
        mark = "[yellow]![/yellow]" if item["ok"] else "[red]✗[/red]"
        first = " [bold]首个断点 first broken link[/bold]" if item.get("is_first_broken_link") else ""
        batch = f" (batch {item['batch_id']})" if item.get("batch_id") else ""
        say(f"{mark}{first} {_plain(item['problem'])}{batch}")
        say(f"    应为 expected: {_plain(item['expected'])}")
        say(f"    处理 remedy: {_plain(item['remedy'])}")
    for one in (answer["kept_anchor"] or {}).get("since", ()):
        say(f"    其后 since: {one['sequence']} {one['sealed_at']} {one['kind']} {_plain(one['subject'])}")
    say_runbooks(item["runbook"] for item in answer["items"] if "runbook" in item)
    rate = answer["bytes_count"] / _MEGABYTE / answer["seconds"] if answer["seconds"] else 0
    taken_over = answer["taken_over_count"]
    taken = f", {taken_over:,} taken over from the interrupted one" if taken_over else ""
    say(f"{answer['files_count']:,} files, {answer['bytes_count'] / _MEGABYTE:,.1f} MB in {answer['seconds']:.1f} s "
        f"({rate:,.0f} MB/s){taken}")  # fmt: skip
    broken = sum(not item["ok"] for item in answer["items"])
    warnings = sum(bool(item.get("is_warning")) for item in answer["items"])
    say_anchor()
    told = f"; {warnings} warnings" if warnings else ""
    unproven = sum(item["state"] in ("unsealed", "unproven") and "note" in item for item in answer["items"])
    if answer["ok"] and unproven:
        say(f"[yellow]![/yellow] 已存证者一致，{unproven} 项未存证、无从证明 "
            f"what is sealed is as it was; nobody can tell of {unproven} things that are not sealed{told}")  # fmt: skip
    elif answer["ok"]:
        say(f"[green]✓[/green] 与存证一致 everything is as it was sealed{told}")
    else:
        say(f"[red]✗[/red] 发现 {broken} 处不一致 {broken} broken{told}")


class _Live:
    """One line that is rewritten on a terminal, one line every ten seconds in a file."""

    _EVERY_SECONDS = 10.0

    def __init__(self) -> None:
        self._is_terminal = sys.stderr.isatty()
        self._next = self._EVERY_SECONDS
        self._spent = 0.0

    def show(self, progress: Any) -> None:
        left = f", {progress.seconds_left:.0f} s left" if progress.seconds_left is not None else ""
        line = (
            f"{progress.files_done:,} of {progress.files_count:,} files, {progress.bytes_done / _MEGABYTE:,.0f} of "
            f"{progress.bytes_count / _MEGABYTE:,.0f} MB, {progress.bytes_per_second / _MEGABYTE:,.0f} MB/s{left}"
        )
        if self._is_terminal:
            sys.stderr.write(f"\r\x1b[2K{line[:120]}")
            sys.stderr.flush()
            return
        rate = progress.bytes_per_second
        self._spent = progress.bytes_done / rate if rate else 0.0
        if self._spent >= self._next:
            self._next = self._spent + self._EVERY_SECONDS
            errors.print(line)

    def clear(self) -> None:
        if self._is_terminal:
            sys.stderr.write("\r\x1b[2K")


def _silent(_: Any) -> None:
    """JSON answers have no progress."""


def _plain(text: object) -> str:
    """Text as it is: square brackets in data are no markup."""
    return str(text).replace("[", r"\[")
