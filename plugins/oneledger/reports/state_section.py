"""The first section of a circular: the state of the city in six numbers and a paragraph a subject."""

from __future__ import annotations

from oneledger.reports.content import (
    KeyFigure,
    KeyFigures,
    Paragraph,
    Section,
)
from oneledger.reports.counts import (
    finding_counts,
    growth,
    level_name,
    mean_score,
    month_sum,
    newest_released_ledger,
    star_rate,
    with_stars,
)
from oneledger.reports.facts import Facts
from oneledger.reports.wording import NONE, Wording, quantity


def state_of_the_city(facts: Facts, words: Wording) -> Section:
    """The whole in a paragraph a subject and a strip of numbers."""
    return Section(
        "state",
        "",
        words.say("总体情况", "The state of the city"),
        (
            _key_figures(facts, words),
            Paragraph(_stars_sentence(facts, words), words.say("星级评价。", "Stars. ")),
            Paragraph(_use_sentence(facts, words), words.say("应用使用。", "Use. ")),
            Paragraph(_sharing_sentence(facts, words), words.say("数据共享。", "Data sharing. ")),
            Paragraph(_funding_sentence(facts, words), words.say("资金保障。", "Funding. ")),
            Paragraph(_findings_sentence(facts, words), words.say("审计整改。", "Audit findings. ")),
        ),
    )


def _key_figures(facts: Facts, words: Wording) -> KeyFigures:
    closed, overdue = finding_counts(facts)
    sharing = facts.sharing
    newest = newest_released_ledger(facts)
    change = growth(facts)
    return KeyFigures(
        (
            KeyFigure(
                words.say("参评应用", "Apps evaluated"),
                words.count(facts.population),
                words.say("个", ""),
                words.say(f"暂不评{facts.distribution['withheld']}个", f"{facts.distribution['withheld']} withheld"),
            ),
            KeyFigure(
                words.say("得星应用", "Apps with stars"),
                words.count(with_stars(facts)),
                words.say("个", ""),
                words.say(f"得星率{star_rate(facts, words)}", f"{star_rate(facts, words)} of those scored"),
            ),
            KeyFigure(
                words.say("低频应用", "Apps little used"),
                words.count(len(facts.low_use)),
                words.say("个", ""),
                words.month(facts.period_end_on),
                "warn" if facts.low_use else "good",
            ),
            KeyFigure(
                words.say("新增共享申请", "New sharing requests"),
                words.count(sharing["requests_count"]),
                words.say("单", ""),
                words.say(f"同比{words.change(change)}", f"{words.change(change)} on the year")
                if change is not None
                else words.say("无上年同期记录", "no records a year before"),
            ),
            KeyFigure(
                words.say("发布到下达", "Ledger to release"),
                words.count(newest["publish_to_release_days"]) if newest else NONE,
                words.say("天", "days") if newest else "",
                words.say(f"市一本账{newest['ledger_version']}", f"city ledger {newest['ledger_version']}")
                if newest
                else words.say("无已下达一本账", "nothing released"),
            ),
            KeyFigure(
                words.say("审计问题销号", "Findings closed"),
                f"{closed}/{len(facts.findings)}",
                "",
                words.say(f"超期{overdue}个", f"{overdue} overdue"),
                "bad" if overdue else "plain",
            ),
        )
    )


def _stars_sentence(facts: Facts, words: Wording) -> str:
    counts = facts.distribution
    sides = {row["part"]: row["apps_count"] for row in facts.by_side}
    parts = words.join(
        [
            words.say(f"{words.term('side', side)}{count}个", f"{count} {words.term('side', side)}")
            for side, count in sorted(sides.items(), reverse=True)
        ]
    )
    withheld = counts["withheld"]
    mean = words.fixed(mean_score(facts))
    return words.say(
        f"本期参评应用{facts.population}个（{parts}），评出五星级应用{counts['5']}个、四星级{counts['4']}个、三星"
        f"级{counts['3']}个，"
        f"{counts['none']}个尚未得星"
        + (f"；另有{withheld}个因数据缺失暂不评，不计为0分" if withheld else "，没有暂不评的应用")
        + f"。已评分应用平均得分{mean}分，得星率{star_rate(facts, words)}。",
        f"{quantity(facts.population, 'app')} were evaluated ({parts}): {counts['5']} have five stars, {counts['4']}"
        f" four, {counts['3']} three and "
        f"{counts['none']} none"
        + (
            f"; {withheld} are withheld because data are missing, which is not a score of 0"
            if withheld
            else "; none is withheld"
        )
        + f". The mean score is {mean}; {star_rate(facts, words)} of the apps that were scored have stars.",
    )


def _use_sentence(facts: Facts, words: Wording) -> str:
    months = sorted({row["month"] for row in facts.low_use_months})
    first = month_sum(facts, months[0]) if months else 0
    now = len(facts.low_use)
    span = (
        words.say(f"，期初{words.month(months[0])}为{first}个", f"; in {words.month(months[0])} it was {first}")
        if len(months) > 1
        else ""
    )
    flagged = sum(row["apps_count"] for row in facts.suspicious)
    return words.say(
        f"{words.month(facts.period_end_on)}低频使用的{level_name(facts, words)}应用{now}个{span}。"
        + (f"使用数据异常提示{flagged}个，已列入人工核查，不影响得分。" if flagged else ""),
        f"In {words.month(facts.period_end_on)} {quantity(now, level_name(facts, words) + ' app')}"
        f" {'was' if now == 1 else 'were'} little used{span}."
        + (
            f" The use of {quantity(flagged, 'app')} looks unusual and is looked into by people; it does not count "
            "against the score."
            if flagged
            else ""
        ),
    )


def _sharing_sentence(facts: Facts, words: Wording) -> str:
    one, change = facts.sharing, growth(facts)
    asked = facts.key_apps
    clocks = ""
    if one["approve_median_working_days"] is not None and one["open_median_minutes"] is not None:
        clocks = words.say(
            f"审批用时中位数{words.number(one['approve_median_working_days'], 1)}个工作日，审批后开通用时中位数"
            f"{words.number(one['open_median_minutes'], 1)}分钟。",
            f" Half of them were approved within {words.number(one['approve_median_working_days'], 1)} working days "
            "and opened within "
            f"{words.number(one['open_median_minutes'], 1)} minutes of the approval.",
        )
    return words.say(
        f"期内新增数据共享申请{words.count(one['requests_count'])}单（批量{words.count(one['batch_count'])}单、接"
        f"口{words.count(one['interface_count'])}单）"
        + (
            f"，同比增长{words.percent(change)}"
            if change is not None and change >= 0
            else f"，同比下降{words.percent(-change)}"
            if change is not None
            else ""
        )
        + f"；{clocks}重点应用{asked['apps_count']}个中，{asked['not_asked_count']}个尚未申请共享。",
        f"{quantity(one['requests_count'], 'new request')} ({words.count(one['batch_count'])} "
        f"batch, {words.count(one['interface_count'])} interface)"
        + (f", {words.change(change)} on the same months a year before" if change is not None else "")
        + f".{clocks} Of {quantity(asked['apps_count'], 'key app')}, {asked['not_asked_count']} have not asked for "
        "shared data yet.",
    )


def _funding_sentence(facts: Facts, words: Wording) -> str:
    told = [
        words.say(
            f"市一本账{row['ledger_version']}发布后{row['publish_to_release_days']}天下达首批项目资金",
            f"the first money of city ledger {row['ledger_version']} was "
            f"released {quantity(row['publish_to_release_days'], 'day')} after its publication",
        )
        for row in facts.ledgers
        if row["ledger_level"] == "city" and row["publish_to_release_days"] is not None
    ]
    projects = {row["level"]: row["projects_count"] for row in facts.projects}
    library = words.say(
        f"全市在库信息化项目{words.count(sum(projects.values()))}个（"
        + words.join([f"{words.term('level', level)}{words.count(count)}个" for level, count in projects.items()])
        + "）。",
        f"The library holds {quantity(sum(projects.values()), 'project')} ("
        + words.join([f"{words.count(count)} {words.term('level', level)}" for level, count in projects.items()])
        + ").",
    )
    if not told:
        return words.say("尚无已下达资金的市一本账。", "No city ledger has been released yet. ") + library
    english = words.join(told) if not words.is_chinese else ""
    return words.say("，".join(told) + "。", f"{english[:1].upper()}{english[1:]}. ") + library


def _findings_sentence(facts: Facts, words: Wording) -> str:
    closed, overdue = finding_counts(facts)
    if not facts.findings:
        return words.say("没有列入清单的审计问题。", "There is no finding on the list.")
    return words.say(
        f"审计反馈问题{len(facts.findings)}个，截至{words.date(facts.as_of_on)}已销号{closed}个，超过整改时"
        f"限{overdue}个。"
        "问题以整改之后的数据达到目标为销号依据。",
        f"Of {quantity(len(facts.findings), 'finding')} of the audit, {closed} are closed and {overdue} overdue as "
        f"of {words.date(facts.as_of_on)}. A finding "
        "closes only when the data from after its remedy meet the target.",
    )
