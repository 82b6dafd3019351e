"""The sections of a circular on use, proposals and departments."""

from __future__ import annotations

from oneledger.charts import circular_stars as star_charts
from oneledger.reports.content import (
    Column,
    Figure,
    Paragraph,
    Section,
    Table,
)
from oneledger.reports.counts import (
    level_name,
    mean_score,
    month_sum,
)
from oneledger.reports.facts import BANDS, Facts, Row
from oneledger.reports.wording import NONE, Wording, quantity

_PROPOSED = ("shut_down", "suspend", "merge", "transfer", "improve", "keep", "withheld", "not_applicable")


def low_use(facts: Facts, words: Wording) -> Section:
    month = facts.period_end_on
    by_portal: dict[str, int] = {}
    for row in facts.low_use:
        by_portal[row["portal"]] = by_portal.get(row["portal"], 0) + 1
    parts = words.join(
        [
            words.say(f"{words.term('portal', portal)}{count}个", f"{count} on {words.term('portal', portal)}")
            for portal, count in by_portal.items()
        ]
    )
    months = sorted({row["month"] for row in facts.low_use_months})
    course = words.join(
        [
            words.say(
                f"{one.month}月{month_sum(facts, one)}个", f"{month_sum(facts, one)} in {words.month(one).split()[0]}"
            )
            for one in months
        ]
    )
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
        "low_use",
        words.say(f"{words.month(month)}低频使用应用", f"Apps little used in {words.month(month)}"),
        (
            Column(words.say("应用", "App"), width=1.8),
            Column(words.say("主管部门", "Department"), width=2.5),
            Column(words.say("门户", "Portal"), width=1.45),
            Column(words.say("指标", "Measure"), width=1.7),
            Column(words.say("实际值", "Value"), is_number=True, width=0.85),
            Column(words.say("界限", "Limit"), is_number=True, width=0.8),
            Column(words.say("低频月数", "Months"), words.say("低频/判定", "low/judged"), is_number=True, width=1.25),
            Column(words.say("处置建议", "Proposal"), width=1.25),
        ),
        tuple(
            (
                row["app_name"] or row["app_id"],
                row["department_name"] or NONE,
                words.term("portal", row["portal"]),
                words.term("measure", row["measure"]),
                _measured(row, "measured_value", words),
                _measured(row, "threshold_value", words),
                f"{row['low_months_count']}/{row['judged_months_count']}",
                words.term("disposition", row["disposition"]),
            )
            for row in facts.low_use
        ),
        empty=words.say("没有低频使用的应用。", "No app was little used."),
    )
    return Section("low_use", "", words.say("低频使用应用", "Apps little used"), (Paragraph(text), table))


def proposals(facts: Facts, words: Wording) -> Section:
    counts = [(code, facts.dispositions[code]) for code in _PROPOSED if facts.dispositions.get(code)]
    told = words.join(
        [
            words.say(f"{words.term('disposition', code)}{count}个", f"{count} {words.term('disposition', code)}")
            for code, count in counts
        ]
    )
    text = words.say(
        f"按现行处置规则，对{sum(count for _, count in counts)}个参评应用提出建议：{told}。建议关停、暂停、整合、移"
        "交的应用如下。"
        "以上均为依规则提出的建议，由主管部门核实、会商后决定；数据缺失的应用不作关停建议。",
        f"For {quantity(sum(count for _, count in counts), 'app')} the rules in force propose: "
        f"{told}. Those to be shut down, suspended, merged or transferred are listed. These are proposals: the owner "
        "checks and decides, and nothing is proposed to be shut down for missing data.",
    )
    table = Table(
        "proposals",
        words.say("关停并转建议", "Proposed to be shut down, suspended, merged or transferred"),
        (
            Column(words.say("应用", "App"), width=1.5),
            Column(words.say("主管部门", "Department"), width=2.0),
            Column(words.say("建议", "Proposal"), width=1.1),
            Column(words.say("理由", "Reasons"), width=4.6),
        ),
        tuple(
            (
                row["app_name"] or row["app_id"],
                row["department_name"] or NONE,
                words.term("disposition", row["disposition"]),
                words.say(row["reasons_zh"], row["reasons_en"]) or NONE,
            )
            for row in facts.proposals
        ),
        empty=words.say(
            "没有应用被建议关停、暂停、整合或移交。",
            "No app is proposed to be shut down, suspended, merged or transferred.",
        ),
    )
    return Section("proposals", "", words.say("关停并转建议", "Proposals"), (Paragraph(text), table))


def departments(facts: Facts, words: Wording) -> Section:
    cells = [
        {
            "department": row["department_name"],
            "band": band,
            "label": words.term("band", band),
            "count": row[field],
        }
        for row in facts.departments
        for band, field in zip(
            BANDS, ("five_count", "four_count", "three_count", "none_count", "withheld_count"), strict=True
        )
    ]
    text = words.say(
        f"参评应用分属{len(facts.departments)}个部门，按应用平均得分排列如下。公共数据能力得分反映截"
        f"至{words.date(facts.as_of_on)}的情况，"
        "与星级评价分别计算。",
        f"The apps belong to {quantity(len(facts.departments), 'department')}, in the order of the mean score of "
        "their apps. The score of "
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
        "departments",
        words.say("各部门情况", "Departments"),
        (
            Column(words.say("名次", "Place"), is_number=True, width=0.7),
            Column(words.say("部门", "Department"), width=2.8),
            *counted,
            Column(words.say("平均分", "Mean"), words.say("分", "of 100"), is_number=True, width=1.0),
            Column(words.say("低频应用", "Little used"), is_number=True, width=1.05),
            Column(words.say("数据能力", "Data capability"), words.say("分", "of 100"), is_number=True, width=1.15),
        ),
        tuple(
            (
                words.count(row["rank"]),
                row["department_name"],
                words.count(row["apps_count"]),
                words.count(row["five_count"]),
                words.count(row["four_count"]),
                words.count(row["three_count"]),
                words.count(row["none_count"]),
                words.count(row["withheld_count"]),
                words.fixed(row["mean_score"]),
                words.count(row["low_use_count"]),
                words.fixed(row["capability_score"], 1),
            )
            for row in facts.departments
        ),
        total=(
            NONE,
            words.say("合计", "Total"),
            words.count(facts.population),
            *(words.count(facts.distribution[band]) for band in BANDS),
            words.fixed(mean_score(facts)),
            words.count(sum(row["low_use_count"] for row in facts.departments)),
            NONE,
        ),
        note=words.say(
            "低频应用为期末当月该部门全部低频应用；数据能力为“—”的，是该部门不持有数据或可判定的分值不足，不计为0分。",
            "Little used counts all apps of the department in the last month; a dash in data capability means that "
            "it holds no "
            "data or that too little can be judged. It is not 0.",
        ),
    )
    chart = Figure(
        "departments",
        words.say("各部门参评应用星级构成", "Stars of each department's apps"),
        words.say(
            f"{len(facts.departments)}个部门的应用按星级的构成，数值见上表。",
            f"Apps of {quantity(len(facts.departments), 'department')} by stars; the table above has the numbers.",
        ),
        lambda palette: star_charts.departments(cells, palette, words={"apps": words.say("应用数（个）", "apps")}),
    )
    return Section("departments", "", words.say("各部门情况", "Departments"), (Paragraph(text), table, chart))


def _measured(row: Row, key: str, words: Wording) -> str:
    value = row[key]
    return words.percent(value) if row["measure"] == "active_rate" else words.number(value, 1)
