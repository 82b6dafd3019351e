"""The last sections of a circular: the audit's findings, and what is to be done."""

from __future__ import annotations

from oneledger.reports.content import Column, Notice, Paragraph, Section, Table
from oneledger.reports.counts import finding_counts
from oneledger.reports.facts import Facts
from oneledger.reports.wording import NONE, Wording, quantity


def findings(facts: Facts, words: Wording) -> Section:
    title = words.say("审计问题整改", "Findings of the audit")
    if not facts.findings:
        return Section(
            "findings", "", title, (Notice(words.say("没有列入清单的审计问题。", "There is no finding on the list.")),)
        )
    closed, overdue = finding_counts(facts)
    states: dict[str, int] = {}
    for row in facts.findings:
        states[row["state"]] = states.get(row["state"], 0) + 1
    told = words.join(
        [
            words.say(f"{words.term('finding_state', state)}{count}个", f"{count} {words.term('finding_state', state)}")
            for state, count in sorted(states.items())
        ]
    )
    text = words.say(
        f"{facts.findings[0]['list_year']}年度审计问题清单共{len(facts.findings)}个问题，截"
        f"至{words.date(facts.as_of_on)}：{told}；超过整改时限{overdue}个。"
        "销号以整改措施之后的数据达到目标为准，责任处室的填报不能代替数据。",
        f"The list of {facts.findings[0]['list_year']} has {quantity(len(facts.findings), 'finding')}; as "
        f"of {words.date(facts.as_of_on)}: {told}; "
        f"{overdue} overdue, {closed} closed. A finding closes when the data from after its remedy meet the target; "
        "what an office reports does not "
        "close it.",
    )
    table = Table(
        "findings",
        words.say("审计问题整改进展", "State of the findings"),
        (
            Column(words.say("序号", "No."), is_number=True, width=0.75),
            Column(words.say("问题", "Finding"), width=2.3),
            Column(words.say("责任处室", "Office"), width=1.35),
            Column(words.say("主指标", "Leading metric"), width=2.4),
            Column(words.say("单位", "Unit"), width=1.05),
            Column(words.say("发现时", "Found"), is_number=True, width=0.85),
            Column(words.say("当前", "Now"), is_number=True, width=0.85),
            Column(words.say("目标", "Target"), is_number=True, width=1.3),
            Column(words.say("状态", "State"), width=1.15),
            Column(words.say("超期", "Overdue"), words.say("天", "days"), is_number=True, width=1.05),
        ),
        tuple(
            (
                words.count(row["finding_number"]),
                words.say(row["title_zh"], row["title_en"]),
                row["office"] or NONE,
                words.say(row["metric_title_zh"], row["metric_title_en"]) or NONE,
                words.term("unit", row["unit"]),
                words.unit_value(row["value_when_found"], row["unit"]),
                words.unit_value(row["value_now"], row["unit"]),
                f"{words.term('comparison', row['comparison'])} {words.unit_value(row['target'], row['unit'])}"
                if row["target"] is not None
                else NONE,
                words.term("finding_state", row["state"]),
                words.count(row["overdue_days"]) if row["is_overdue"] else NONE,
            )
            for row in facts.findings
        ),
        note=words.say(
            "“—”表示数据不足、无法判定，或未超期；无法判定不等于0。一个问题可有多个指标，全部达标方可销号。",
            "A dash means that the data do not allow a value, or that nothing is overdue; it is not 0. A finding "
            "may have several metrics and closes "
            "when all meet their targets.",
        ),
    )
    return Section("findings", "", title, (Paragraph(text), table))


def what_is_to_be_done(facts: Facts, words: Wording) -> Section:
    """The points with which a circular ends; each rests on a list above, and none invents a date."""
    proposed = len(facts.proposals)
    keys, waiting = facts.key_apps["not_asked_count"], facts.sharing["still_open_count"]
    _, overdue = finding_counts(facts)
    withheld = facts.distribution["withheld"]
    points: list[tuple[str, str]] = []
    if facts.low_use or proposed:
        points.append(
            (
                words.say("抓好低频应用整改。", "Apps little used. "),
                words.say(
                    f"低频使用的{len(facts.low_use)}个应用和被建议关停、暂停、整合、移交的{proposed}个应用，由主管"
                    "部门逐一核实，提出处置意见；确需保留的，说明理由并制定推广措施。",
                    f"The owners of the {quantity(len(facts.low_use), 'app')} little used and of "
                    f"the {quantity(proposed, 'app')} proposed to be shut down, suspended, merged "
                    "or transferred check each of them and say what they will do; where an app is to stay, they "
                    "give the reason and the plan.",
                ),
            )
        )
    if keys or waiting:
        points.append(
            (
                words.say("加快数据共享。", "Data sharing. "),
                words.say(
                    f"尚未申请共享的{keys}个重点应用，由主管部门对照登记的原因梳理数据需求；期末待审批"
                    f"的{words.count(waiting)}单申请，由数据提供部门尽快办结。",
                    f"The owners of the {quantity(keys, 'key app')} without a request go through the registered "
                    "reasons; providers decide the "
                    f"{quantity(waiting or 0, 'request')} still open.",
                ),
            )
        )
    if overdue:
        points.append(
            (
                words.say("按期完成审计整改。", "Audit findings. "),
                words.say(
                    f"已超过整改时限的{overdue}个问题，由责任处室倒排时间、落实措施，以数据达到目标为准销号。",
                    f"The offices of the {quantity(overdue, 'overdue finding')} say by when the target will be "
                    "met; the data decide.",
                ),
            )
        )
    if withheld or facts.stale or facts.missing_parts:
        points.append(
            (
                words.say("补齐缺失数据。", "Missing data. "),
                words.say(
                    f"{withheld}个暂不评应用涉及的数据来源方，尽快补报缺失数据；补报后重新评价，此前不作处置。",
                    f"The sources behind the {quantity(withheld, 'withheld app')} deliver what is missing; the apps "
                    "are evaluated again then, and nothing is "
                    "decided before.",
                ),
            )
        )
    points.append(
        (
            words.say("依规提出异议。", "Objections. "),
            words.say(
                "对评价结果有异议的，由来源方更正并附书面理由重新报送数据；更正经批次记录留痕，重新评价的结果另行"
                "确认并替代本次结果。",
                "Who disagrees has the source deliver the corrected data again, with the reason in writing. The "
                "correction is kept with the delivery, and an "
                "evaluation that follows from it is confirmed by itself and replaces this one.",
            ),
        )
    )
    return Section(
        "to_do",
        "",
        words.say("有关要求", "What is to be done"),
        tuple(Paragraph(text, f"{words.point(number)}{lead}") for number, (lead, text) in enumerate(points, start=1)),
    )
