"""The sections of a circular that tell the evaluation: state, distribution, ranking, movers, use, proposals, departments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from oneledger.charts import circular_stars as star_charts
from oneledger.reports.content import (
    Block,
    Column,
    Figure,
    KeyFigure,
    KeyFigures,
    Notice,
    Paragraph,
    Section,
    Table,
)
from oneledger.reports.facts import BANDS, Facts, Row
from oneledger.reports.wording import NONE, Wording, quantity

TOP_COUNT = 20
_CHARTED_MOVERS = 20
_PROPOSED = ("shut_down", "suspend", "merge", "transfer", "improve", "keep", "withheld", "not_applicable")


def with_stars(facts: Facts) -> int:
    return sum(facts.distribution[band] for band in ("5", "4", "3"))


def scored(facts: Facts) -> int:
    return facts.population - facts.distribution["withheld"]


def state_of_the_city(facts: Facts, words: Wording) -> Section:
    """The whole in a paragraph a subject and a strip of numbers."""
    return Section("state", "", words.say("总体情况", "The state of the city"), (
        _key_figures(facts, words),
        Paragraph(_stars_sentence(facts, words), words.say("星级评价。", "Stars. ")),
        Paragraph(_use_sentence(facts, words), words.say("应用使用。", "Use. ")),
        Paragraph(_sharing_sentence(facts, words), words.say("数据共享。", "Data sharing. ")),
        Paragraph(_funding_sentence(facts, words), words.say("资金保障。", "Funding. ")),
        Paragraph(_findings_sentence(facts, words), words.say("审计整改。", "Audit findings. ")),
    ))  # fmt: skip


def distribution(facts: Facts, words: Wording) -> Section:
    counts, before = facts.distribution, facts.before_distribution
    rows = [
        {
            "band": band, "label": words.term("band", band), "count": counts[band], "value_label": words.count(counts[band]),
            "before": before[band] if before else None,
            "before_description": f"{words.say('上次', 'before')} {words.count(before[band])}" if before else "",
        }
        for band in BANDS
    ]  # fmt: skip
    parts = words.join([f"{row['label']} {row['value_label']}" for row in rows])
    scores = [
        {
            "score": row["score"], "band": row["band"],
            "name": f"{row['app_name']} {words.fixed(row['score'])}",
        }
        for row in facts.ranking
        if row["score"] is not None
    ]  # fmt: skip
    bands = [
        {"minimum_score": float(row["minimum_score"]), "label": words.term("band", row["stars"])}
        for row in star_bands(facts)
    ]
    chart_words = {"apps": words.say("应用数（个）", "apps"), "before": words.say("上次评价", "run before")}
    score_words = {
        "score": words.say("综合得分（百分制）", "score out of 100"),
        "apps": words.say("应用数（个）", "apps"),
    }
    blocks: list[Block] = [
        Figure(
            "distribution",
            words.say("星级分布", "Apps by stars") + (words.say("（横线为上次评价）", " (line: the run before)") if before else ""),
            words.say(f"星级分布：{parts}。", f"Apps by stars: {parts}."),
            lambda palette: star_charts.distribution(rows, palette, words=chart_words),
        ),
        _withheld_notice(facts, words),
        Figure(
            "scores",
            words.say("得分分布（每点为一个应用，虚线为星级界限）", "Every score (a dot an app; dashed lines: where stars begin)"),
            words.say(
                f"{len(scores)}个已评分应用的得分分布，最高{words.fixed(_highest(facts))}分，最低{words.fixed(_lowest(facts))}分。",
                f"Scores of {quantity(len(scores), 'app')} from {words.fixed(_lowest(facts))} to {words.fixed(_highest(facts))}.",
            ),
            lambda palette: star_charts.scores(scores, bands, palette, words=score_words),
        ),
        _parts_table(facts, words, "by_side", facts.by_side, "side", words.say("分侧星级情况", "Stars by side"), words.say("应用侧", "Side")),
        _parts_table(
            facts, words, "by_family", facts.by_family, "family", words.say("分类别星级情况", "Stars by family"),
            words.say("类别", "Family"),
        ),
    ]  # fmt: skip
    return Section("distribution", "", words.say("星级分布", "Distribution of stars"), tuple(blocks))


def ranking(facts: Facts, words: Wording) -> Section:
    best = [row for row in facts.ranking if row["rank"] is not None and row["rank"] <= TOP_COUNT]
    text = words.say(
        f"综合得分居前{TOP_COUNT}位的应用如下，全部参评应用的排名见附件1。得分相同的名次并列；暂不评的应用不排名。",
        f"The first {TOP_COUNT} places follow; every app of the population is ranked in Annex 1. Equal scores share a "
        "place, and an app that is withheld has none.",
    )
    table = Table(
        "top", words.say(f"得分前{TOP_COUNT}位", f"The first {TOP_COUNT} places"), ranking_columns(words),
        tuple(ranking_row(row, words) for row in best),
        empty=words.say("本期没有已评分的应用。", "No app was scored in this period."),
    )  # fmt: skip
    return Section("ranking", "", words.say("应用排名", "Ranking"), (Paragraph(text), table))


def ranking_columns(words: Wording) -> tuple[Column, ...]:
    return (
        Column(words.say("名次", "Place"), is_number=True, width=0.7),
        Column(words.say("应用", "App"), width=2.1),
        Column(words.say("主管部门", "Department"), width=2.8),
        Column(words.say("侧", "Side"), width=1.2),
        Column(words.say("得分", "Score"), words.say("分", "of 100"), is_number=True, width=1.1),
        Column(words.say("星级", "Stars"), width=1.2),
    )


def ranking_row(row: Row, words: Wording) -> tuple[str, ...]:
    return (
        words.count(row["rank"]), row["app_name"] or row["app_id"], row["department_name"] or NONE,
        words.term("portal", "zheliban" if row["side"] == "service" else "zhezhengding"),
        words.fixed(row["score"]), words.term("band", row["band"]),
    )  # fmt: skip


def movers(facts: Facts, words: Wording) -> Section:
    title = words.say("星级变动", "Movers")
    if facts.previous is None:
        return Section("movers", "", title, (Notice(words.say(
            "本次为首次确认的评价，没有此前已确认的评价可比，故不列变动。",
            "This is the first evaluation that was confirmed: there is none before it to compare with, and no mover.",
        )),))  # fmt: skip
    compared = facts.previous
    counted = {
        kind: sum(row["movement"] == kind for row in facts.movers)
        for kind in ("risen", "fallen", "withheld", "resumed", "entered", "left")
    }
    told = words.join([
        words.say(f"{words.term('movement', kind)}{count}个", f"{count} {words.term('movement', kind)}")
        for kind, count in counted.items() if count
    ])  # fmt: skip
    if compared.round_id != facts.run.round_id:
        name = words.say(
            f"{words.period(compared.period)}评价", f"the evaluation of the {words.period(compared.period)}"
        )
    elif facts.run.decision.get("supersedes") == compared.run_id:
        name = words.say("被本次更正替代的评价", "the evaluation that this one corrects")
    else:
        name = words.say("同一周期已确认的评价", "the confirmed evaluation of the same period")
    against = words.say(f"{name}（{compared.run_id}）", f"{name} ({compared.run_id})")
    text = words.say(
        f"与{against}相比，{len(facts.movers)}个应用的星级或评价状态发生变化" + (f"：{told}。" if told else "。"),
        f"Against {against}, {quantity(len(facts.movers), 'app')} changed stars or state"
        + (f": {told}." if told else "."),
    )
    charted = [
        {
            "name": row["app_name"] or row["app_id"], "score_before": row["score_before"], "score": row["score"],
            "value_label": f"{words.fixed(row['score_before'])} → {words.fixed(row['score'])}",
            "is_risen": row["score"] >= row["score_before"],
        }
        for row in facts.movers
        if row["score"] is not None and row["score_before"] is not None
    ][:_CHARTED_MOVERS]  # fmt: skip
    blocks: list[Block] = [Paragraph(text)]
    if charted:
        blocks.append(Figure(
            "movers",
            words.say("星级变动应用的得分变化（空心为上次，实心为本次）", "Scores of movers (open: before, filled: now)"),
            words.say(f"{len(charted)}个星级变动应用的前后得分。", f"Scores before and now of {quantity(len(charted), 'mover')}."),
            lambda palette: star_charts.movement(charted, palette, words={"score": words.say("综合得分（百分制）", "score out of 100")}),
        ))  # fmt: skip
    blocks.append(Table(
        "movers", words.say("星级变动应用", "Apps whose stars changed"),
        (
            Column(words.say("应用", "App"), width=1.8), Column(words.say("主管部门", "Department"), width=2.4),
            Column(words.say("变动", "Change"), width=1.1), Column(words.say("上次", "Before"), width=1.1),
            Column(words.say("本次", "Now"), width=1.1),
            Column(words.say("得分变化", "Score"), words.say("分", "points"), is_number=True, width=1.1),
        ),
        tuple(
            (
                row["app_name"] or row["app_id"], row["department_name"] or NONE, words.term("movement", row["movement"]),
                words.term("band", row["band_before"]), words.term("band", row["band"]), words.signed(row["score_change"]),
            )
            for row in facts.movers
        ),
        empty=words.say("与上次评价相比，没有应用的星级发生变化。", "No app changed its stars against the evaluation before."),
    ))  # fmt: skip
    return Section("movers", "", title, tuple(blocks))


def low_use(facts: Facts, words: Wording) -> Section:
    month = facts.period_end_on
    by_portal: dict[str, int] = {}
    for row in facts.low_use:
        by_portal[row["portal"]] = by_portal.get(row["portal"], 0) + 1
    parts = words.join([
        words.say(f"{words.term('portal', portal)}{count}个", f"{count} on {words.term('portal', portal)}")
        for portal, count in by_portal.items()
    ])  # fmt: skip
    months = sorted({row["month"] for row in facts.low_use_months})
    course = words.join([
        words.say(
            f"{one.month}月{_month_sum(facts, one)}个", f"{_month_sum(facts, one)} in {words.month(one).split()[0]}"
        )
        for one in months
    ])  # fmt: skip
    text = words.say(
        f"{words.month(month)}，{level_name(facts, words)}应用中低频使用的有{len(facts.low_use)}个"
        + (f"（{parts}）" if parts else "")
        + "。"
        + (f"各月情况：{course}。" if course else "")
        + "新上架、季节性和采集中断的应用不作低频判定。",
        f"In {words.month(month)}, {quantity(len(facts.low_use), level_name(facts, words) + ' app')} "
        f"{'was' if len(facts.low_use) == 1 else 'were'} little used"
        + (f" ({parts})" if parts else "")
        + "."
        + (f" By month: {course}." if course else "")
        + " Apps that are new, out of season or whose collector failed are not called little used.",
    )
    table = Table(
        "low_use", words.say(f"{words.month(month)}低频使用应用", f"Apps little used in {words.month(month)}"),
        (
            Column(words.say("应用", "App"), width=1.8), Column(words.say("主管部门", "Department"), width=2.5),
            Column(words.say("门户", "Portal"), width=1.45), Column(words.say("指标", "Measure"), width=1.7),
            Column(words.say("实际值", "Value"), is_number=True, width=0.85),
            Column(words.say("界限", "Limit"), is_number=True, width=0.8),
            Column(words.say("低频月数", "Months"), words.say("低频/判定", "low/judged"), is_number=True, width=1.25),
            Column(words.say("处置建议", "Proposal"), width=1.25),
        ),
        tuple(
            (
                row["app_name"] or row["app_id"], row["department_name"] or NONE, words.term("portal", row["portal"]),
                words.term("measure", row["measure"]), _measured(row, "measured_value", words),
                _measured(row, "threshold_value", words), f"{row['low_months_count']}/{row['judged_months_count']}",
                words.term("disposition", row["disposition"]),
            )
            for row in facts.low_use
        ),
        empty=words.say("没有低频使用的应用。", "No app was little used."),
    )  # fmt: skip
    return Section("low_use", "", words.say("低频使用应用", "Apps little used"), (Paragraph(text), table))


def proposals(facts: Facts, words: Wording) -> Section:
    counts = [(code, facts.dispositions[code]) for code in _PROPOSED if facts.dispositions.get(code)]
    told = words.join([
        words.say(f"{words.term('disposition', code)}{count}个", f"{count} {words.term('disposition', code)}")
        for code, count in counts
    ])  # fmt: skip
    text = words.say(
        f"按现行处置规则，对{sum(count for _, count in counts)}个参评应用提出建议：{told}。建议关停、暂停、整合、移交的应用如下。"
        "以上均为依规则提出的建议，由主管部门核实、会商后决定；数据缺失的应用不作关停建议。",
        f"For {quantity(sum(count for _, count in counts), 'app')} the rules in force propose: "
        f"{told}. Those to be shut down, suspended, merged or transferred are listed. These are proposals: the owner "
        "checks and decides, and nothing is proposed to be shut down for missing data.",
    )
    table = Table(
        "proposals", words.say("关停并转建议", "Proposed to be shut down, suspended, merged or transferred"),
        (
            Column(words.say("应用", "App"), width=1.5), Column(words.say("主管部门", "Department"), width=2.0),
            Column(words.say("建议", "Proposal"), width=1.1), Column(words.say("理由", "Reasons"), width=4.6),
        ),
        tuple(
            (
                row["app_name"] or row["app_id"], row["department_name"] or NONE,
                words.term("disposition", row["disposition"]), words.say(row["reasons_zh"], row["reasons_en"]) or NONE,
            )
            for row in facts.proposals
        ),
        empty=words.say("没有应用被建议关停、暂停、整合或移交。", "No app is proposed to be shut down, suspended, merged or transferred."),
    )  # fmt: skip
    return Section("proposals", "", words.say("关停并转建议", "Proposals"), (Paragraph(text), table))


def departments(facts: Facts, words: Wording) -> Section:
    cells = [
        {
            "department": row["department_name"], "band": band, "label": words.term("band", band), "count": row[field],
        }
        for row in facts.departments
        for band, field in zip(
            BANDS, ("five_count", "four_count", "three_count", "none_count", "withheld_count"), strict=True
        )
    ]  # fmt: skip
    text = words.say(
        f"参评应用分属{len(facts.departments)}个部门，按应用平均得分排列如下。公共数据能力得分反映截至{words.date(facts.as_of_on)}的情况，"
        "与星级评价分别计算。",
        f"The apps belong to {quantity(len(facts.departments), 'department')}, in the order of the mean score of their apps. The score of "
        f"data capability is as of {words.date(facts.as_of_on)} and computed apart from the stars.",
    )
    counted = (
        Column(words.say("应用", "Apps"), is_number=True, width=0.7),
        *(
            Column(words.say(short, english), is_number=True, width=0.95)
            for short, english in (
                ("五星", "5★"),
                ("四星", "4★"),
                ("三星", "3★"),
                ("未得星", "None"),
                ("暂不评", "Withheld"),
            )
        ),
    )
    table = Table(
        "departments", words.say("各部门情况", "Departments"),
        (
            Column(words.say("名次", "Place"), is_number=True, width=0.7), Column(words.say("部门", "Department"), width=2.8), *counted,
            Column(words.say("平均分", "Mean"), words.say("分", "of 100"), is_number=True, width=1.0),
            Column(words.say("低频应用", "Little used"), is_number=True, width=1.05),
            Column(words.say("数据能力", "Data capability"), words.say("分", "of 100"), is_number=True, width=1.15),
        ),
        tuple(
            (
                words.count(row["rank"]), row["department_name"], words.count(row["apps_count"]), words.count(row["five_count"]),
                words.count(row["four_count"]), words.count(row["three_count"]), words.count(row["none_count"]),
                words.count(row["withheld_count"]), words.fixed(row["mean_score"]), words.count(row["low_use_count"]),
                words.fixed(row["capability_score"], 1),
            )
            for row in facts.departments
        ),
        total=(
            NONE, words.say("合计", "Total"), words.count(facts.population),
            *(words.count(facts.distribution[band]) for band in BANDS), words.fixed(mean_score(facts)),
            words.count(sum(row["low_use_count"] for row in facts.departments)), NONE,
        ),
        note=words.say(
            "低频应用为期末当月该部门全部低频应用；数据能力为“—”的，是该部门不持有数据或可判定的分值不足，不计为0分。",
            "Little used counts all apps of the department in the last month; a dash in data capability means that it holds no "
            "data or that too little can be judged. It is not 0.",
        ),
    )  # fmt: skip
    chart = Figure(
        "departments", words.say("各部门参评应用星级构成", "Stars of each department's apps"),
        words.say(f"{len(facts.departments)}个部门的应用按星级的构成，数值见上表。", "Apps of each department by stars; the table above has the numbers."),
        lambda palette: star_charts.departments(cells, palette, words={"apps": words.say("应用数（个）", "apps")}),
    )  # fmt: skip
    return Section("departments", "", words.say("各部门情况", "Departments"), (Paragraph(text), table, chart))


def star_bands(facts: Facts) -> list[Any]:
    """The rows of the star bands in force at the end of the period, highest first."""
    day = facts.period_end_on.isoformat()
    found = [
        row
        for row in facts.rules.rows("star_band")
        if row["effective_from"] <= day and (not row["effective_to"] or row["effective_to"] >= day)
    ]
    return sorted(found, key=lambda row: -float(row["minimum_score"]))


def mean_score(facts: Facts) -> float | None:
    known = [row["score"] for row in facts.ranking if row["score"] is not None]
    return sum(known) / len(known) if known else None


def level_name(facts: Facts, words: Wording) -> str:
    return words.term("level", facts.run.record["round"]["level"])


def finding_counts(facts: Facts) -> tuple[int, int]:
    """How many findings are closed, and how many are overdue."""
    return (
        sum(row["state"] == "closed" for row in facts.findings),
        sum(bool(row["is_overdue"]) for row in facts.findings),
    )


def growth(facts: Facts) -> float | None:
    """New requests of the period against the same months a year before."""
    before = facts.sharing["year_before_count"]
    return facts.sharing["requests_count"] / float(before) - 1 if before else None


def _key_figures(facts: Facts, words: Wording) -> KeyFigures:
    closed, overdue = finding_counts(facts)
    sharing = facts.sharing
    newest = newest_released_ledger(facts)
    change = growth(facts)
    return KeyFigures((
        KeyFigure(
            words.say("参评应用", "Apps evaluated"), words.count(facts.population), words.say("个", ""),
            words.say(f"暂不评{facts.distribution['withheld']}个", f"{facts.distribution['withheld']} withheld"),
        ),
        KeyFigure(
            words.say("得星应用", "Apps with stars"), words.count(with_stars(facts)), words.say("个", ""),
            words.say(f"得星率{_star_rate(facts, words)}", f"{_star_rate(facts, words)} of those scored"),
        ),
        KeyFigure(
            words.say("低频应用", "Apps little used"), words.count(len(facts.low_use)), words.say("个", ""),
            words.month(facts.period_end_on), "warn" if facts.low_use else "good",
        ),
        KeyFigure(
            words.say("新增共享申请", "New sharing requests"), words.count(sharing["requests_count"]), words.say("单", ""),
            words.say(f"同比{words.change(change)}", f"{words.change(change)} on the year") if change is not None
            else words.say("无上年同期记录", "no records a year before"),
        ),
        KeyFigure(
            words.say("发布到下达", "Ledger to release"),
            words.count(newest["publish_to_release_days"]) if newest else NONE,
            words.say("天", "days") if newest else "",
            words.say(f"市一本账{newest['ledger_version']}", f"city ledger {newest['ledger_version']}") if newest
            else words.say("无已下达一本账", "nothing released"),
        ),
        KeyFigure(
            words.say("审计问题销号", "Findings closed"), f"{closed}/{len(facts.findings)}", "",
            words.say(f"超期{overdue}个", f"{overdue} overdue"), "bad" if overdue else "plain",
        ),
    ))  # fmt: skip


def newest_released_ledger(facts: Facts) -> Row | None:
    """The newest ledger of the city of whose publication and release the days are known."""
    known = [
        row for row in facts.ledgers if row["ledger_level"] == "city" and row["publish_to_release_days"] is not None
    ]
    return known[-1] if known else None


def _stars_sentence(facts: Facts, words: Wording) -> str:
    counts = facts.distribution
    sides = {row["part"]: row["apps_count"] for row in facts.by_side}
    parts = words.join([
        words.say(f"{words.term('side', side)}{count}个", f"{count} {words.term('side', side)}")
        for side, count in sorted(sides.items(), reverse=True)
    ])  # fmt: skip
    withheld = counts["withheld"]
    mean = words.fixed(mean_score(facts))
    return words.say(
        f"本期参评应用{facts.population}个（{parts}），评出五星级应用{counts['5']}个、四星级{counts['4']}个、三星级{counts['3']}个，"
        f"{counts['none']}个尚未得星" + (f"；另有{withheld}个因数据缺失暂不评，不计为0分" if withheld else "，没有暂不评的应用")
        + f"。已评分应用平均得分{mean}分，得星率{_star_rate(facts, words)}。",
        f"{quantity(facts.population, 'app')} were evaluated ({parts}): {counts['5']} have five stars, {counts['4']} four, {counts['3']} three and "
        f"{counts['none']} none" + (f"; {withheld} are withheld because data are missing, which is not a score of 0" if withheld else "; none is withheld")
        + f". The mean score is {mean}; {_star_rate(facts, words)} of the apps that were scored have stars.",
    )  # fmt: skip


def _use_sentence(facts: Facts, words: Wording) -> str:
    months = sorted({row["month"] for row in facts.low_use_months})
    first = _month_sum(facts, months[0]) if months else 0
    now = len(facts.low_use)
    span = (
        words.say(f"，期初{words.month(months[0])}为{first}个", f"; in {words.month(months[0])} it was {first}")
        if len(months) > 1 else ""
    )  # fmt: skip
    flagged = sum(row["apps_count"] for row in facts.suspicious)
    return words.say(
        f"{words.month(facts.period_end_on)}低频使用的{level_name(facts, words)}应用{now}个{span}。"
        + (f"使用数据异常提示{flagged}个，已列入人工核查，不影响得分。" if flagged else ""),
        f"In {words.month(facts.period_end_on)} {quantity(now, level_name(facts, words) + ' app')} {'was' if now == 1 else 'were'} little used{span}."
        + (f" The use of {quantity(flagged, 'app')} looks unusual and is looked into by people; it does not count against the score." if flagged else ""),
    )  # fmt: skip


def _sharing_sentence(facts: Facts, words: Wording) -> str:
    one, change = facts.sharing, growth(facts)
    asked = facts.key_apps
    clocks = ""
    if one["approve_median_working_days"] is not None and one["open_median_minutes"] is not None:
        clocks = words.say(
            f"审批用时中位数{words.number(one['approve_median_working_days'], 1)}个工作日，审批后开通用时中位数"
            f"{words.number(one['open_median_minutes'], 1)}分钟。",
            f" Half of them were approved within {words.number(one['approve_median_working_days'], 1)} working days and opened within "
            f"{words.number(one['open_median_minutes'], 1)} minutes of the approval.",
        )
    return words.say(
        f"期内新增数据共享申请{words.count(one['requests_count'])}单（批量{words.count(one['batch_count'])}单、接口{words.count(one['interface_count'])}单）"
        + (f"，同比增长{words.percent(change)}" if change is not None and change >= 0 else f"，同比下降{words.percent(-change)}" if change is not None else "")
        + f"；{clocks}重点应用{asked['apps_count']}个中，{asked['not_asked_count']}个尚未申请共享。",
        f"{quantity(one['requests_count'], 'new request')} ({words.count(one['batch_count'])} batch, {words.count(one['interface_count'])} interface)"
        + (f", {words.change(change)} on the same months a year before" if change is not None else "")
        + f".{clocks} Of {quantity(asked['apps_count'], 'key app')}, {asked['not_asked_count']} have not asked for shared data yet.",
    )  # fmt: skip


def _funding_sentence(facts: Facts, words: Wording) -> str:
    told = [
        words.say(
            f"市一本账{row['ledger_version']}发布后{row['publish_to_release_days']}天下达首批项目资金",
            f"the first money of city ledger {row['ledger_version']} was released {quantity(row['publish_to_release_days'], 'day')} after its publication",
        )
        for row in facts.ledgers
        if row["ledger_level"] == "city" and row["publish_to_release_days"] is not None
    ]  # fmt: skip
    projects = {row["level"]: row["projects_count"] for row in facts.projects}
    library = words.say(
        f"全市在库信息化项目{words.count(sum(projects.values()))}个（"
        + words.join([f"{words.term('level', level)}{words.count(count)}个" for level, count in projects.items()]) + "）。",
        f"The library holds {quantity(sum(projects.values()), 'project')} ("
        + words.join([f"{words.count(count)} {words.term('level', level)}" for level, count in projects.items()]) + ").",
    )  # fmt: skip
    if not told:
        return words.say("尚无已下达资金的市一本账。", "No city ledger has been released yet. ") + library
    english = words.join(told) if not words.is_chinese else ""
    return words.say("，".join(told) + "。", f"{english[:1].upper()}{english[1:]}. ") + library


def _findings_sentence(facts: Facts, words: Wording) -> str:
    closed, overdue = finding_counts(facts)
    if not facts.findings:
        return words.say("没有列入清单的审计问题。", "There is no finding on the list.")
    return words.say(
        f"审计反馈问题{len(facts.findings)}个，截至{words.date(facts.as_of_on)}已销号{closed}个，超过整改时限{overdue}个。"
        "问题以整改之后的数据达到目标为销号依据。",
        f"Of {quantity(len(facts.findings), 'finding')} of the audit, {closed} are closed and {overdue} overdue as of {words.date(facts.as_of_on)}. A finding "
        "closes only when the data from after its remedy meet the target.",
    )


def _withheld_notice(facts: Facts, words: Wording) -> Notice:
    withheld = facts.distribution["withheld"]
    if not withheld:
        return Notice(words.say(
            f"本期{facts.population}个参评应用均已评分，没有暂不评的应用。",
            f"All {quantity(facts.population, 'app')} of the population were scored; none is withheld.",
        ))  # fmt: skip
    reasons = words.join([
        words.say(f"{row['title_zh']}（{row['apps_count']}个应用）", f"{row['title_en']} ({quantity(row['apps_count'], 'app')})")
        for row in facts.withheld
    ])  # fmt: skip
    return Notice(words.say(
        f"{withheld}个应用因数据缺失暂不评。暂不评不是0分，也不是未得星：涉及{reasons}。数据补报后可重新评价。",
        f"{quantity(withheld, 'app')} {'is' if withheld == 1 else 'are'} withheld because data are missing. Withheld is neither 0 nor no stars: {reasons}. "
        "Once the data are delivered, they can be evaluated again.",
    ), "warn")  # fmt: skip


def _parts_table(
    facts: Facts, words: Wording, table_id: str, rows: Sequence[Row], kind: str, caption: str, heading: str
) -> Table:
    def line(row: Row) -> tuple[str, ...]:
        return tuple(
            words.count(row[f"{name}_count"]) for name in ("apps", "five", "four", "three", "none", "withheld")
        )

    return Table(
        table_id, caption,
        (
            Column(heading, width=2.4), Column(words.say("应用", "Apps"), words.say("个", ""), is_number=True),
            *(Column(words.term("band", band), is_number=True) for band in BANDS),
            Column(words.say("平均分", "Mean score"), words.say("分", "of 100"), is_number=True, width=1.2),
        ),
        tuple((words.term(kind, row["part"]), *line(row), words.fixed(row["mean_score"])) for row in rows),
        total=(
            words.say("合计", "Total"), words.count(facts.population),
            *(words.count(facts.distribution[band]) for band in BANDS), words.fixed(mean_score(facts)),
        ),
    )  # fmt: skip


def _measured(row: Row, key: str, words: Wording) -> str:
    value = row[key]
    return words.percent(value) if row["measure"] == "active_rate" else words.number(value, 1)


def _month_sum(facts: Facts, month: Any) -> int:
    return sum(row["apps_count"] for row in facts.low_use_months if row["month"] == month)


def _star_rate(facts: Facts, words: Wording) -> str:
    return words.percent(with_stars(facts) / scored(facts)) if scored(facts) else NONE


def _highest(facts: Facts) -> float | None:
    return max((row["score"] for row in facts.ranking if row["score"] is not None), default=None)


def _lowest(facts: Facts) -> float | None:
    return min((row["score"] for row in facts.ranking if row["score"] is not None), default=None)
