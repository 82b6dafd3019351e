"""The verbs ``evaluate``, ``explain``, ``diff``, ``simulate`` and ``replay``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from oneledger.cli.evaluation_text import (
    print_diff,
    print_explanation,
    print_replay,
    print_run,
    print_runs,
    print_simulation,
    print_verification,
)
from oneledger.cli.output import emit_json, errors, fail, finish, say
from oneledger.cli.verify import say_anchor

EVALUATE_HELP = """Evaluate a period on a published version: the result is a draft that somebody confirms or rejects.

Examples:

    oneledger evaluate                                      the newest round whose data are in

    oneledger evaluate --period 2022-Q3

    oneledger evaluate --period 2022-Q3 --rules draft.yml   with rules that differ from the published ones

    oneledger evaluate list

    oneledger evaluate show 2022-Q3-2026

    oneledger evaluate confirm 2022-Q3-2026 --name 王敏 --reason "reviewed with the departments on 12 October"

    oneledger evaluate verify                               every run is what was sealed
"""
CONFIRM_HELP = """Seal a draft as the result of its round; from then on it never changes.

Examples:

    oneledger evaluate confirm 2022-Q3-20261125T133301Z --name 王敏 --reason "reviewed with the departments"

    oneledger evaluate confirm 2022-Q3-20261201 --name 王敏 --reason "appeal 2022-17" --supersedes 2022-Q3-20261125
"""
REJECT_HELP = """Say that a draft is not to be the result of its round; it stays as it is.

Example:

    oneledger evaluate reject 2022-Q3-20261125T133301Z --name 王敏 --reason "zheliban delivers September again"
"""
EXPLAIN_HELP = """Why an app has its score: inputs, rules and points of each indicator, and the star bands.

Examples:

    oneledger explain 湖州交警

    oneledger explain A33050000012 --run 2022-Q3-20261125T133301Z

    oneledger explain A33050000012 --json
"""
DIFF_HELP = """Whose stars, score or status differ between two runs, which indicators moved, and whether data or rules did it.

Examples:

    oneledger diff 2022-Q3-20261125 2022-Q3-20261201

    oneledger diff confirmed newest --json
"""  # noqa: E501
SIMULATE_HELP = """Who would gain or lose under draft rules; nothing is written.

The file is a draft: rule tables and the rows that change, as `oneledger rules check --rules` takes it; or a list of
drafts, each with `name` and `rules`. A folder holds whole rule tables as CSV.

Examples:

    oneledger simulate --rules draft.yml

    oneledger simulate --rules twenty_drafts.yml --rescale

    oneledger simulate --rules rules_of_2023/ --period 2022-Q3 --json
"""
REPLAY_HELP = """Compute a run again from the bytes that were received, and say whether every result is identical.

Later deliveries do not matter: only the batches of the run's version are read.

Example:

    oneledger replay 2022-Q3-20261125T133301Z
"""
_CANDIDATE = ("app_id", "app_name", "side", "department_id", "scope_reason")
Json = Annotated[bool, typer.Option("--json", help="Answer as JSON.")]
Run = Annotated[str, typer.Argument(metavar="RUN", help="A run's id, the start of it, `newest` or `confirmed`.")]
Name = Annotated[str, typer.Option(help="Who decides: a person's name.")]
Reason = Annotated[str, typer.Option(help="Why, in a sentence.")]
Period = Annotated[str | None, typer.Option(help="A quarter as 2022-Q3; default the newest round whose data are in.")]
Version = Annotated[str, typer.Option(help="current, or the start of a version's name or content hash.")]


def register(app: typer.Typer) -> None:
    """Add the verbs."""
    evaluations = typer.Typer(help=EVALUATE_HELP, invoke_without_command=True, rich_markup_mode="markdown")
    evaluations.callback(help=EVALUATE_HELP)(evaluate)
    evaluations.command("list", help="Every run, newest first.")(list_all)
    evaluations.command("show", help="One run: what it was made of, its distribution, its gate, its decision.")(show)
    evaluations.command("confirm", help=CONFIRM_HELP)(confirm)
    evaluations.command("reject", help=REJECT_HELP)(reject)
    evaluations.command("verify", help="Compare every byte of a run, or of all runs, with its seal.")(verify)
    app.add_typer(evaluations, name="evaluate")
    app.command("explain", help=EXPLAIN_HELP)(explain)
    app.command("diff", help=DIFF_HELP)(diff)
    app.command("simulate", help=SIMULATE_HELP)(simulate)
    app.command("replay", help=REPLAY_HELP)(replay)


def evaluate(
    context: typer.Context,
    period: Period = None,
    version: Version = "current",
    rules: Annotated[Path | None, typer.Option(help="Rules that differ: a YAML draft, or a folder of CSV.")] = None,
    as_json: Json = False,
) -> None:
    """Exit 0 with a draft, 1 when the gate of the evaluation stopped it, 2 when it cannot be evaluated."""
    if context.invoked_subcommand:
        return
    from oneledger.evaluation.drafting import make_draft
    from oneledger.evaluation.runs import describe
    from oneledger.settings import load_settings

    run = make_draft(
        load_settings(), period=period, version=version, rules_path=rules, progress=_silent if as_json else _progress
    )
    _answer_run(describe(run), as_json=as_json, is_good=run.state == "draft")


def list_all(as_json: Json = False) -> None:
    """List the runs, newest first."""
    from oneledger.evaluation.runs import describe, evaluation_runs
    from oneledger.settings import load_settings

    found = [describe(run) for run in reversed(evaluation_runs(load_settings()))]
    if as_json:
        emit_json({"ok": True, "items": found})
        return
    print_runs(found)


def show(run: Run, as_json: Json = False) -> None:
    """Show one run."""
    from oneledger.evaluation.runs import describe, find_run
    from oneledger.settings import load_settings

    _answer_run(describe(find_run(load_settings(), run)), as_json=as_json)


def confirm(
    run: Run,
    name: Name,
    reason: Reason,
    supersedes: Annotated[str | None, typer.Option(metavar="RUN", help="The confirmed run that it replaces.")] = None,
    as_json: Json = False,
) -> None:
    """Exit 0 when it is sealed, 1 when it cannot be confirmed, 2 when there is no such run."""
    from oneledger.evaluation.deciding import DecisionRefusedError
    from oneledger.evaluation.deciding import confirm as seal
    from oneledger.evaluation.runs import describe
    from oneledger.settings import load_settings

    try:
        done = seal(load_settings(), run, name=name, reason=reason, supersedes=supersedes)
    except DecisionRefusedError as error:
        _refused(error, as_json=as_json)
    _answer_run({**describe(done), "anchor": _anchor()}, as_json=as_json)


def reject(run: Run, name: Name, reason: Reason, as_json: Json = False) -> None:
    """Exit 0 when it is rejected, 1 when it is decided already, 2 when there is no such run."""
    from oneledger.evaluation.deciding import DecisionRefusedError
    from oneledger.evaluation.deciding import reject as send_back
    from oneledger.evaluation.runs import describe
    from oneledger.settings import load_settings

    try:
        done = send_back(load_settings(), run, name=name, reason=reason)
    except DecisionRefusedError as error:
        _refused(error, as_json=as_json)
    _answer_run({**describe(done), "anchor": _anchor()}, as_json=as_json)


def verify(run: Annotated[str | None, typer.Argument(metavar="[RUN]")] = None, as_json: Json = False) -> None:
    """Exit 0 when every byte is as it was sealed, 1 when one is not."""
    from oneledger.evaluation.runs import verify as check_seals
    from oneledger.settings import load_settings

    answer = check_seals(load_settings(), run)
    emit_json(answer) if as_json else print_verification(answer)
    finish(answer["ok"])


def explain(
    app: Annotated[str, typer.Argument(metavar="APP", help="An app's id or name.")],
    run: Annotated[
        str | None, typer.Option(metavar="RUN", help="Default: the newest round's confirmed run, else its draft.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Exit 0 with the explanation, 1 when several apps have this name, 2 when there is none."""
    from oneledger.evaluation.explaining import AmbiguousNameError
    from oneledger.evaluation.explaining import explain as explain_app
    from oneledger.settings import load_settings

    try:
        answer = explain_app(load_settings(), app, run)
    except AmbiguousNameError as error:
        if as_json:
            emit_json({"ok": False, "problem": str(error), "items": error.candidates})
        else:
            say(f"[yellow]![/yellow] {error}")
            for one in error.candidates:
                say("  " + "  ".join(str(one[key]) for key in _CANDIDATE if one[key] is not None))
        finish(False)
    if as_json:
        emit_json({"ok": True, **answer})
        return
    print_explanation(answer)


def diff(
    first: Annotated[str, typer.Argument(metavar="RUN")],
    second: Annotated[str, typer.Argument(metavar="RUN")],
    limit: Annotated[int, typer.Option(help="How many apps are shown; --json has all.")] = 20,
    as_json: Json = False,
) -> None:
    """Exit 0 when the runs are equal, 1 when they differ, 2 when there is no such run."""
    from oneledger.evaluation.diffing import diff as compare
    from oneledger.settings import load_settings

    answer = compare(load_settings(), first, second)
    if as_json:
        emit_json({"ok": not answer["has_differences"], **answer})
    else:
        print_diff(answer, limit)
    finish(not answer["has_differences"])


def simulate(
    rules: Annotated[Path, typer.Option(help="A YAML draft, a list of drafts, or a folder of CSV.")],
    period: Period = None,
    version: Version = "current",
    rescale: Annotated[bool, typer.Option("--rescale", help="Bring weights back to 100 in proportion.")] = False,
    limit: Annotated[int, typer.Option(help="How many apps a draft are shown; --json has all.")] = 10,
    as_json: Json = False,
) -> None:
    """Exit 0 with the answer, 1 when a draft is refused by the validator, 2 when the file cannot be used."""
    from oneledger.evaluation.simulating import simulate as compute
    from oneledger.settings import load_settings

    answer = compute(load_settings(), rules, period=period, version=version, is_rescaled=rescale)
    emit_json(answer) if as_json else print_simulation(answer, limit)
    finish(answer["ok"])


def replay(run: Run, as_json: Json = False) -> None:
    """Exit 0 when every result is identical, 1 when one is not, 2 when it cannot be replayed."""
    from oneledger.evaluation.replaying import replay as compute_again
    from oneledger.settings import load_settings

    answer = compute_again(load_settings(), run, progress=_silent if as_json else _progress)
    emit_json(answer) if as_json else print_replay(answer)
    finish(answer["ok"])


def _answer_run(described: dict[str, Any], *, as_json: bool, is_good: bool = True) -> None:
    if as_json:
        emit_json({"ok": is_good, **described})
    else:
        print_run(described)
        if described.get("anchor"):
            say_anchor()
    finish(is_good)


def _anchor() -> str | None:
    from oneledger.audit.seals import present_anchor
    from oneledger.settings import load_settings

    return present_anchor(load_settings())


def _refused(error: Exception, *, as_json: bool) -> None:
    from oneledger.runbooks import runbook_command

    if as_json:
        emit_json({"ok": False, "problem": str(error), "items": []})
        finish(False)
    fail(str(error), runbook_command(f"refusal:{type(error).__name__}"), code=1)


def _progress(line: str) -> None:
    errors.print(line.replace("[", r"\["), style="dim")


def _silent(_: str) -> None:
    """JSON answers have no progress."""
