"""How evaluation runs, explanations, differences and simulations are told to people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from oneledger.cli.output import print_table, say

_BAR_WIDTH = 40
_STATES = {
    "draft": "草案 draft", "stopped": "未过闸门 stopped", "confirmed": "已确认 confirmed",
    "superseded": "已被替代 superseded", "rejected": "已退回 rejected", "live": "当前版本 live",
}  # fmt: skip


def print_runs(runs: Sequence[dict[str, Any]]) -> None:
    """One line a run."""
    rows = [
        {
            **run, "shown_state": _STATES[run["state"]], "stars": distribution_text(run["distribution"]),
            "who": run["decision"]["name"] if run["decision"] else run["created_by"],
        }
        for run in runs
    ]  # fmt: skip
    headings = {"run_id": "运行 run", "period": "周期 period", "shown_state": "状态 state", "stars": "星级 stars",
                "rule_version": "规则 rules", "who": "责任人 who"}  # fmt: skip
    print_table(rows, headings)
    if not runs:
        say("接下来 next: oneledger evaluate")


def print_run(run: dict[str, Any]) -> None:
    """Everything about one run."""
    say(f"{run['run_id']}: {_STATES[run['state']]}, 周期 period {run['period']}, round {run['round_id']}")
    say(f"  数据 data     version {run['version']}, as of {run['as_of_on']}")
    say(f"  规则 rules    {run['rule_version']}, hash {run['rules_hash'][:16]}")
    if run["marts_as_published"]:
        marts = ", ".join(run["marts_as_published"])
        say(f"  [yellow]![/yellow] {marts} stay as published: a changed rule reaches them with the next build")
    say(f"  范围 scope    {_scope_text(run['population'])}")
    say(f"  星级 stars    {distribution_text(run['distribution'])}")
    say(f"  结果 results  {len(run['results'])} tables, content hash {run['content_hash'][:16]}, {run['path']}")
    say(f"  生成 made     {run['created_at']} UTC by {run['created_by']}")
    if run["decision"]:
        one = run["decision"]
        replaced = f", supersedes {one['supersedes']}" if one.get("supersedes") else ""
        say(f"  决定 decided  {one['decided_at']} UTC by {plain(one['name'])}: {plain(one['reason'])}{replaced}")
    failed = [one for one in run["gate"]["results"] if not one["is_passed"]]
    say(f"  闸门 gate     {'open' if run['gate']['is_open'] else 'shut'}, {run['gate']['checks_count']} checks, "
        f"{len(failed)} did not pass")  # fmt: skip
    for one in failed:
        mark = "[red]✗[/red]" if one["blocks"] else "[yellow]![/yellow]"
        say(f"    {mark} {one['title_zh']} {one['title_en']} ({one['entity']}): {plain(one['observed'])}")
        say(f"      应为 expected: {plain(one['expected'])}")
        say(f"      处理 remedy: {one['owner']}: {one['remedy_zh']} {plain(one['remedy_en'])}")
    if run["state"] == "draft":
        say(f"接下来 next: oneledger evaluate confirm {run['run_id']} --name … --reason …")
    elif run["state"] == "confirmed":
        say("接下来 next: oneledger report (the circular); oneledger run (the next build takes it over into the marts)")


def print_verification(answer: dict[str, Any]) -> None:
    """One line a run, and the first file that differs."""
    for item in answer["items"]:
        if item["ok"]:
            say(f"[green]✓[/green] {item['run_id']}: {_STATES[item['state']]}, {item['files_count']} files as sealed")
            continue
        say(f"[red]✗[/red] {item['run_id']}: {plain(item['problem'])}")
        say(f"    应为 expected: {plain(item['expected'])}")
        say(f"    处理 remedy: {plain(item['remedy'])}")
    if not answer["items"]:
        say("没有评价运行 there is no evaluation run yet: oneledger evaluate")


def print_explanation(answer: dict[str, Any]) -> None:
    """The waterfall of an app's points."""
    about, app = answer["evaluation"], answer["app"]
    source = about["run_id"] or f"version {about['version']}"
    say(f"{app['app_name']} ({app['app_id']}), {app['side'] or '–'}, {app['family'] or '–'}")
    say(f"{source}: {_STATES[about['state']]}, period {about['period']}, rules {about['rule_version']}")
    if not answer["is_evaluated"]:
        scope = answer["population"]
        say(f"[yellow]未纳入评价 not evaluated:[/yellow] {scope['scope_reason']} {plain(scope['scope_reason_zh'])} "
            f"{plain(scope['scope_reason_en'])}")  # fmt: skip
        for key in ("first_listed_on", "rule_version"):
            if scope.get(key) is not None:
                say(f"  {key}: {scope[key]}")
        _print_consequences(answer)
        return
    total = answer["score"]["scored_weight"] + answer["score"]["withheld_weight"]
    reached = 0.0
    for one in answer["indicators"]:
        _print_indicator(one, reached, total or 1)
        reached += one["points"] or 0.0
    _print_stars(answer["score"], answer["stars"])
    _print_consequences(answer)


def _print_indicator(one: dict[str, Any], reached: float, total: float) -> None:
    bar = _bar(reached, one["points"] or 0.0, one["weight"], total)
    title = f"{one['title_zh']} {one['title_en']} ({one['indicator_id']}, {one['dimension']})"
    points = "–" if one["points"] is None else f"{one['points']:.3f}"
    say(f"{bar}  {points:>7} / {one['weight']:g}  {title}")
    below = f"{'':{_BAR_WIDTH}}  "
    if one["status"] != "scored":
        words = {"withheld": "[yellow]暂不评 withheld[/yellow]", "not_applicable": "不适用 not applicable"}
        say(f"{below}{words[one['status']]}: {plain(one['reason_zh'])}; {plain(one['reason_en'])}")
    say(f"{below}{one['metric_id']} {_inputs(one)}{_band(one)}{_coverage(one)}")
    say(f"{below}规则 rule {one['rule_version']}, {one['scoring_method']}: {plain(one['rule'].get('source', '–'))}")
    say(f"{below}依据 evidence: {plain(one['evidence'])}")


def _print_stars(score: dict[str, Any], stars: dict[str, Any]) -> None:
    if score["score"] is None:
        say(f"得分 score: [yellow]暂不评 withheld[/yellow] {plain(score['reason_zh'])}; {plain(score['reason_en'])}")
        return
    say(f"得分 score: {score['arithmetic']}")
    reached_text = f"{stars['stars']} 星 stars" if stars["stars"] else "未达星级 no stars"
    next_band = stars["next_band"]
    missing = (
        f"; {next_band['points_missing']:g} more for {next_band['stars']} stars (from {next_band['minimum_score']:g})"
        if next_band
        else ""
    )
    above = (
        f"; {stars['points_above_band']:g} above the band's {stars['band']['minimum_score']:g}" if stars["band"] else ""
    )
    say(f"星级 stars: {reached_text}{above}{missing}")


def _print_consequences(answer: dict[str, Any]) -> None:
    """What else the evaluation says of the app."""
    if proposed := answer["disposition"]:
        word = proposed["disposition"] or proposed["status"]
        told = plain(f"{proposed['reasons_zh'] or ''} {proposed['reasons_en'] or proposed['reason'] or ''}".strip())
        say(f"处置建议 disposition: {word} ({proposed['rule_id'] or '–'}): {told}")
    for one in answer["suspicious_use"] or ():
        say(f"[yellow]![/yellow] 疑似异常 suspicious, {one['kind']}: {plain(one['sentence_zh'])} "
            f"{plain(one['sentence_en'])}")  # fmt: skip
    for one in answer["merge_candidates"] or ():
        other = "second" if one["first_app_id"] == answer["app"]["app_id"] else "first"
        word = "合并候选 merge candidate" if one["is_candidate"] else "相似应用 similar app"
        say(f"{word}: {plain(one[f'{other}_app_name'])} ({one[f'{other}_app_id']}), strength {one['strength']:.2f}; "
            f"{one['shared_matters_count'] or 0} matters shared")  # fmt: skip
    for one in answer["funding_share"] or ():
        money = f"{one['payable_cny']} of {one['budget_cny']} CNY, share {one['share']:.0%}" if one["share"] else "–"
        frozen = ", 已确认 frozen" if one["is_frozen"] else ""
        say(f"拨款 funding {one['budget_year']} {plain(one['project_name'])} ({one['project_id']}): {money}{frozen} "
            f"{plain(one['reason'] or '')}".rstrip())  # fmt: skip


def print_diff(answer: dict[str, Any], limit: int) -> None:
    """The sums of movements, then app by app."""
    for key in ("first", "second"):
        one = answer[key]
        say(f"{one['run_id']}: {_STATES[one['state']]}, data as of {one['as_of_on']}, rules {one['rule_version']} "
            f"({one['rules_hash'][:8]}): {distribution_text(one['distribution'])}")  # fmt: skip
    if not answer["has_differences"]:
        say("[green]✓[/green] 没有差异 no difference")
        return
    summary = answer["summary"]
    if not answer["same_evaluation_sql"]:
        say("[yellow]![/yellow] 评价模型有变化 the evaluation's SQL changed too; its effect counts as data")
    if answer["not_separable"]:
        why = plain(answer["not_separable"])
        say(f"[yellow]![/yellow] 无法区分数据与规则 data and rules cannot be told apart: {why}")
    say("变动 movements: " + ", ".join(f"{name} {count}" for name, count in summary["movements"].items()))
    say("原因 causes: " + ", ".join(f"{name} {count}" for name, count in summary["causes"].items()))
    if summary["transitions"]:
        print_table(summary["transitions"], {"from": "原 from", "to": "现 to", "apps": "应用 apps"})
    batches = answer["batches"]
    say(f"批次 batches: {batches['new_count']} new, {batches['replaced_count']} replaced")
    for one in answer["corrections"]:
        grounds = f"{plain(one['reference'])}, {plain(one['name'])}"
        say(f"  更正 correction {one['batch_id']}: {plain(one['reason'])} ({grounds})")
    order = ("fell", "withheld", "left", "rose", "entered", "scored_again")
    items = sorted(
        answer["items"],
        key=lambda one: (
            order.index(one["movement"]) if one["movement"] in order else len(order),
            -abs(one["score_change"] or 0),
        ),
    )
    for one in items[:limit]:
        effects = ""
        if one["data_effect"] is not None:
            effects = f" (data {one['data_effect']:+g}, rule {one['rule_effect']:+g})"
        say(f"{one['app_name']} ({one['app_id']}): {_outcome(one['before'])} → {_outcome(one['after'])}, "
            f"{one['movement']}, {' and '.join(one['causes'])}{effects}")  # fmt: skip
        for part in one["indicators"]:
            before, after = part["before"], part["after"]
            say(f"    {part['indicator_id']}: {part['score_effect']:+g} of the score, {' and '.join(part['causes'])}; "
                f"{_fraction(before)} → {_fraction(after)}, points {_number(before['points'])} of "
                f"{_number(before['weight'])} → {_number(after['points'])} of {_number(after['weight'])}")  # fmt: skip
    if len(items) > limit:
        say(f"… and {len(items) - limit} more: --limit {len(items)}, or --json")


def print_simulation(answer: dict[str, Any], limit: int) -> None:
    """One line a draft, then the apps that move most."""
    say(f"version {answer['version']}, period {answer['period']}, {answer['seconds']} s")
    say("未写入任何内容 nothing was written")
    say(f"现行 published rules: {distribution_text(answer['base']['distribution'])}")
    for item in answer["items"]:
        if not item["ok"]:
            say(f"[red]✗[/red] {plain(item['name'])}: {plain(item['problem'])}")
            continue
        say(f"{plain(item['name'])}: {distribution_text(item['distribution'])}; {item['rose_count']} rise, "
            f"{item['fell_count']} fall, {item['changed_scores_count']} scores change")  # fmt: skip
        if item["marts_as_published"]:
            marts = ", ".join(item["marts_as_published"])
            say(f"    [yellow]![/yellow] {marts} stay as published: a changed threshold "
                "reaches them with the next build")  # fmt: skip
        for one in item["apps"][:limit]:
            say(f"    {one['app_name']} ({one['app_id']}): {_number(one['score_before'])} → "
                f"{_number(one['score_after'])}, {one['stars_before'] or 'none'} → {one['stars_after'] or 'none'}, "
                f"{one['movement']}")  # fmt: skip


def print_replay(answer: dict[str, Any]) -> None:
    """Identical, or what differs and what changed since."""
    for item in answer["items"]:
        if item["ok"]:
            say(f"[green]✓[/green] {item['table']}: identical, {item['rows_count']:,} rows")
            continue
        say(f"[red]✗[/red] {plain(item['problem'])}")
        say(f"    应为 expected: {plain(item['expected'])}")
        for key in ("frozen_rows", "computed_rows"):
            for row in item.get(key, []):
                say(f"    {key}: {plain(row)}")
        say(f"    处理 remedy: {plain(item['remedy'])}")
    for one in answer["changed_since"]:
        say(f"[yellow]![/yellow] {one['what']} 有变化 changed since: {one['then'][:16]} → {one['now'][:16]}")
    word = "identical 完全一致" if answer["ok"] else "differs 不一致"
    say(f"{answer['run_id']}: {word}, {answer['batches_count']} batches read again from landing")


def distribution_text(distribution: dict[str, int]) -> str:
    """``198 = 28 five + 40 four + 82 three + 48 none + 0 withheld``."""
    names = {"5": "five-star", "4": "four-star", "3": "three-star", "none": "without", "withheld": "withheld"}
    parts = " + ".join(f"{distribution[key]} {name}" for key, name in names.items())
    return f"{sum(distribution.values())} = {parts}"


def plain(text: object) -> str:
    """Text as it is: square brackets in data are no markup."""
    return str(text).replace("[", r"\[")


def _scope_text(population: dict[str, Any]) -> str:
    left_out = ", ".join(f"{count} {reason}" for reason, count in population["left_out"].items())
    return f"{population['in_scope']} in scope; left out: {left_out or 'none'}"


def _bar(reached: float, points: float, weight: float, total: float) -> str:
    """What was reached before, what this indicator gives, and what it could have given."""
    before = round(_BAR_WIDTH * reached / total)
    given = round(_BAR_WIDTH * (reached + points) / total) - before
    room = round(_BAR_WIDTH * (reached + weight) / total) - before - given
    return (" " * before + "█" * given + "░" * max(room, 0)).ljust(_BAR_WIDTH)[:_BAR_WIDTH]


def _inputs(one: dict[str, Any]) -> str:
    return f"{_number(one['numerator'])} / {_number(one['denominator'])} = {_number(one['value'])}"


def _band(one: dict[str, Any]) -> str:
    """The stretch of values that the value lies in, with the points of its ends."""
    if one["band_lower_value"] is None:
        return ""
    lower = f", band {_number(one['band_lower_value'])} → {_number(one['band_lower_points'])} points"
    if one["band_upper_value"] is None:
        return lower
    return f"{lower} … {_number(one['band_upper_value'])} → {_number(one['band_upper_points'])} points"


def _coverage(one: dict[str, Any]) -> str:
    days = (
        f", {one['covered_days_count']} of {one['expected_days_count']} days"
        if one["expected_days_count"] is not None
        else ""
    )
    return days + (f", {one['observations_count']} observations" if one["observations_count"] is not None else "")


def _fraction(values: dict[str, Any]) -> str:
    return f"{_number(values['numerator'])}/{_number(values['denominator'])}"


def _outcome(values: dict[str, Any]) -> str:
    if values["status"] is None:
        return str(values["scope_reason"])
    if values["status"] == "withheld":
        return "withheld"
    return f"{values['stars'] or 'no'} stars ({_number(values['score'])})"


def _number(value: Any) -> str:
    return "–" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)
