"""The sections of a circular on data sharing and on the money of projects."""

from __future__ import annotations

import datetime as dt

from oneledger.charts import circular_funding as funding_charts
from oneledger.charts import circular_sharing as sharing_charts
from oneledger.reports.content import Block, Column, Figure, Paragraph, Section, Table
from oneledger.reports.counts import growth
from oneledger.reports.facts import Facts, Row
from oneledger.reports.wording import NONE, Wording, quantity


def sharing(facts: Facts, words: Wording) -> Section:
    one, change = facts.sharing, growth(facts)
    rows = [
        {
            "month_label": words.short_month(row["month"]),
            "requests_count": int(row["requests_count"]),
            "batch_count": int(row["batch_count"] or 0),
            "interface_count": int(row["interface_count"] or 0),
            "year_before_count": None if row["year_before_count"] is None else int(row["year_before_count"]),
        }
        for row in facts.requests
    ]
    labels = {
        "requests": words.say("新增申请（单）", "new requests"),
        "batch": words.say("批量", "batch"),
        "interface": words.say("接口", "interface"),
        "year_before": words.say("上年同期", "a year before"),
    }
    text = words.say(
        f"期内各部门新增公共数据共享申请{words.count(one['requests_count'])}单，上年同"
        f"期{words.count(one['year_before_count'])}单"
        + (f"，同比{words.change(change)}" if change is not None else "，无法计算同比")
        + f"；期末待审批{words.count(one['still_open_count'])}单、已批待开"
        f"通{words.count(one['still_unopened_count'])}单。",
        f"Departments made {quantity(one['requests_count'], 'new request')} for public data; in the same months a "
        "year before it was "
        f"{words.count(one['year_before_count'])}"
        + (f" ({words.change(change)})" if change is not None else ", so there is no growth to tell")
        + f". At the end of the period {words.count(one['still_open_count'])} were undecided "
        f"and {words.count(one['still_unopened_count'])} approved but "
        "not opened.",
    )
    clocks = Table(
        "sharing_clocks",
        words.say("数据共享两段时钟", "The two clocks of sharing"),
        (
            Column(words.say("环节", "Clock"), width=2.2),
            Column(words.say("中位数", "Median"), is_number=True),
            Column(words.say("最长", "Longest"), is_number=True),
            Column(words.say("时限", "Limit"), is_number=True, width=1.6),
            Column(words.say("按时", "In time"), words.say("单", ""), is_number=True),
            Column(words.say("可判定", "Judged"), words.say("单", ""), is_number=True),
            Column(words.say("按时率", "Rate"), is_number=True),
        ),
        (
            (
                words.say("申请到审批（工作日）", "applied to approved (working days)"),
                words.number(one["approve_median_working_days"], 1),
                NONE,
                words.say("按共享属性", "by kind of resource"),
                words.count(one["approved_in_time_count"]),
                words.count(one["approvals_judged_count"]),
                _rate(one["approved_in_time_count"], one["approvals_judged_count"], words),
            ),
            (
                words.say("审批到开通（分钟）", "approved to opened (minutes)"),
                words.number(one["open_median_minutes"], 1),
                words.number(one["open_longest_minutes"], 1),
                words.number(one["open_target_minutes"], 1),
                words.count(one["opened_in_time_count"]),
                words.count(one["openings_judged_count"]),
                _rate(one["opened_in_time_count"], one["openings_judged_count"], words),
            ),
        ),
        note=words.say(
            "仍在等待而已超过时限的申请计为未按时；尚不能判定的不计入。"
            f"审批时限：无条件共享{_limit(one, 'unconditional', words)}个工作日，有条件共"
            f"享{_limit(one, 'conditional', words)}个工作日。",
            "A request that still waits past its limit counts as late; one that cannot be judged yet does not "
            "count. Limit of approval: "
            f"{_limit(one, 'unconditional', words)} working days for unconditional "
            f"sharing, {_limit(one, 'conditional', words)} "
            "where the provider must consent.",
        ),
    )
    keys = facts.key_apps
    reasons = Table(
        "key_apps",
        words.say("尚未申请共享的重点应用及原因", "Key apps that have not asked, by reason"),
        (
            Column(words.say("登记的原因", "Registered reason"), width=5),
            Column(words.say("应用", "Apps"), words.say("个", ""), is_number=True),
        ),
        tuple(
            (row["reason"] or words.say("未说明原因", "no reason given"), words.count(row["apps_count"]))
            for row in facts.key_app_reasons
        ),
        total=(words.say("合计", "Total"), words.count(keys["not_asked_count"])) if facts.key_app_reasons else None,
        empty=words.say("重点应用均已申请数据共享。", "Every key app has asked for shared data."),
    )
    key_text = words.say(
        f"截至{words.date(facts.as_of_on)}，重点应用{keys['apps_count']}个，已申请共享{keys['asked_count']}个，尚"
        f"未申请{keys['not_asked_count']}个。",
        f"As of {words.date(facts.as_of_on)}, {keys['asked_count']} of {quantity(keys['apps_count'], 'key app')} "
        "have asked for shared data and "
        f"{keys['not_asked_count']} have not.",
    )
    blocks: list[Block] = [Paragraph(text), clocks]
    if rows:
        blocks.append(
            Figure(
                "requests",
                words.say("近一年每月新增共享申请", "New requests by month, the last year"),
                words.say(
                    f"{rows[0]['month_label']}至{rows[-1]['month_label']}每月新增申请，最近一"
                    f"月{rows[-1]['requests_count']}单。",
                    f"New requests by month from {rows[0]['month_label']} to "
                    f"{rows[-1]['month_label']}; {rows[-1]['requests_count']} in the last.",
                ),
                lambda palette: sharing_charts.requests(rows, palette, words=labels),
            )
        )
    blocks += [Paragraph(key_text), reasons]
    return Section("sharing", "", words.say("公共数据共享", "Data sharing"), tuple(blocks))


def funding(facts: Facts, words: Wording) -> Section:
    charted = [
        {
            "ledger": f"{words.term('level', row['ledger_level'])} {row['ledger_version']}",
            "published": row["published_on"].isoformat(),
            "released": row["first_released_on"].isoformat() if row["first_released_on"] else None,
            "days_label": _days_label(row, words),
        }
        for row in facts.ledgers
        if row["published_on"] is not None and row["ledger_level"] == "city"
    ]
    ledgers = Table(
        "ledgers",
        words.say("一本账发布与资金下达", "Ledgers: published and released"),
        (
            Column(words.say("一本账", "Ledger"), width=1.3),
            Column(words.say("发布", "Published"), width=1.9),
            Column(words.say("条目", "Entries"), is_number=True, width=0.7),
            Column(words.say("首次下达", "First release"), width=1.9),
            Column(words.say("发布到下达", "Lead time"), words.say("天", "days"), is_number=True, width=1.2),
            Column(words.say("下达项目", "Projects"), is_number=True),
            Column(words.say("下达金额", "Released"), words.say("万元", "million yuan"), is_number=True, width=1.4),
        ),
        tuple(
            (
                f"{words.term('level', row['ledger_level'])} {row['ledger_version']}",
                _published(row, words),
                words.count(row["entries_count"]),
                _released(row, words),
                words.count(row["publish_to_release_days"]),
                words.count(row["released_projects_count"]) if row["release_state"] != "not_applicable" else NONE,
                words.money(row["released_cny"]),
            )
            for row in facts.ledgers
        ),
        note=words.say(
            "省级一本账的项目由省级保障，市级不适用；仅知发布月份的，不计算天数。",
            "The province pays for its own ledgers, so they do not apply to the city; where only the month of "
            "publication is known, no days are "
            "computed.",
        ),
        empty=words.say("没有一本账数据。", "No ledger was delivered."),
    )
    lead = Table(
        "lead_times",
        words.say(
            "市一本账项目资金各环节用时（中位数）", "Steps of the money, projects of the city's ledgers (medians)"
        ),
        (
            Column(words.say("一本账", "Ledger")),
            Column(words.say("项目", "Projects"), is_number=True),
            Column(words.say("已下达", "Released"), is_number=True),
            Column(words.say("已到账", "Arrived"), is_number=True),
            Column(words.say("已支出", "Spent"), is_number=True),
            Column(words.say("发布到下达", "To release"), words.say("天", "days"), is_number=True, width=1.2),
            Column(words.say("下达到账", "To arrival"), words.say("天", "days"), is_number=True, width=1.2),
            Column(words.say("到账到支出", "To spending"), words.say("天", "days"), is_number=True, width=1.2),
        ),
        tuple(
            (
                row["ledger_version"],
                words.count(row["projects_count"]),
                words.count(row["released_count"]),
                words.count(row["arrived_count"]),
                words.count(row["spent_count"]),
                words.number(row["publish_to_release_days"], 1),
                words.number(row["release_to_arrive_days"], 1),
                words.number(row["arrive_to_spend_days"], 1),
            )
            for row in facts.lead_times
        ),
        empty=words.say("没有市一本账项目。", "The city's ledgers have no project."),
    )
    share = Table(
        "funding_share",
        words.say(
            f"{facts.period_end_on.year}年度项目资金拨付比例",
            f"Share of the project budgets of {facts.period_end_on.year}",
        ),
        (
            Column(words.say("状态", "State"), width=1.4),
            Column(words.say("拨付比例", "Share"), is_number=True),
            Column(words.say("项目", "Projects"), is_number=True),
            Column(words.say("年度预算", "Budget"), words.say("万元", "million yuan"), is_number=True, width=1.4),
            Column(words.say("应拨付", "Payable"), words.say("万元", "million yuan"), is_number=True, width=1.4),
            Column(words.say("核减", "Withheld"), words.say("万元", "million yuan"), is_number=True, width=1.4),
        ),
        tuple(
            (
                words.term("share_state", row["state"]),
                words.percent(row["share"], 0),
                words.count(row["projects_count"]),
                words.money(row["budget_cny"]),
                words.money(row["payable_cny"]),
                words.money(row["withheld_cny"]),
            )
            for row in facts.funding_share
        ),
        note=words.say(
            "拨付比例由上线率、使用率、满意率按现行权重确定；未关联应用等不适用的项目、数据缺失暂不核算的项目，不"
            "计为0。",
            "The share follows from online, usage and satisfaction rate by the weights in force. Projects to which "
            "it does not apply, or whose data "
            "are missing, are not counted as 0.",
        ),
        empty=words.say("该年度没有项目预算数据。", "There is no project budget of this year."),
    )
    blocks: list[Block] = [Paragraph(_funding_text(facts, words))]
    if charted:
        labels = {
            "published": words.say("一本账发布", "ledger published"),
            "released": words.say("首次下达资金", "first money released"),
        }
        told = words.join([f"{row['ledger']} {row['days_label']}" for row in charted])
        blocks.append(
            Figure(
                "lead_times",
                words.say("市一本账从发布到资金下达", "City ledgers, from publication to money"),
                told,
                lambda palette: funding_charts.lead_times(charted, palette, words=labels),
            )
        )
    blocks += [ledgers, lead, share]
    return Section("funding", "", words.say("项目资金保障", "Funding"), tuple(blocks))


def _funding_text(facts: Facts, words: Wording) -> str:
    computed = [row for row in facts.funding_share if row["state"] == "computed"]
    told = []
    for row in facts.ledgers:
        if row["ledger_level"] == "city" and row["publish_to_release_days"] is not None:
            told.append(
                words.say(
                    f"市一本账{row['ledger_version']}于{words.date(row['published_on'])}发"
                    f"布，{words.date(row['first_released_on'])}下达首批项目资金，历时"
                    f"{row['publish_to_release_days']}天",
                    f"City ledger {row['ledger_version']} was published on {words.date(row['published_on'])} and "
                    "its first money released on "
                    f"{words.date(row['first_released_on'])}, {quantity(row['publish_to_release_days'], 'day')} later",
                )
            )
    text = words.say("；".join(told) + "。" if told else "", ". ".join(told) + ". " if told else "")
    payable = sum(row["payable_cny"] for row in computed)
    budget = sum(row["budget_cny"] for row in computed)
    projects = sum(row["projects_count"] for row in computed)
    if not computed:
        return text + words.say(
            "本期没有可核算拨付比例的项目。", "No project has a share that can be computed in this period."
        )
    return text + words.say(
        f"按上线率、使用率、满意率核算{facts.period_end_on.year}年度{projects}个项目，预算{words.money(budget)}万"
        f"元，应拨付{words.money(payable)}万元，核减"
        f"{words.money(budget - payable)}万元。",
        f"By online, usage and satisfaction rate the share of {quantity(projects, 'project')} was computed "
        f"for {facts.period_end_on.year}: of "
        f"{words.money(budget)} million yuan {words.money(payable)} are payable and {words.money(budget - payable)}"
        " withheld.",
    )


def _limit(sharing: Row, kind: str, words: Wording) -> str:
    """The limit of approval of a kind, from the shortest to the longest where it differs by resource."""
    ends = [words.number(sharing[f"{kind}_{end}_working_days"]) for end in ("from", "to")]
    return "–".join(dict.fromkeys(ends))


def _rate(part: int, whole: int, words: Wording) -> str:
    return words.percent(part / whole) if whole else NONE


def _days_label(row: Row, words: Wording) -> str:
    days = row["publish_to_release_days"]
    if days is None:
        return words.say("尚未下达", "not released yet")
    return words.say(f"{days}天", quantity(days, "day"))


def _published(row: Row, words: Wording) -> str:
    day: dt.date | None = row["published_on"]
    if day is None:
        return NONE
    return words.month(day) if row["published_precision"] == "month" else words.date(day)


def _released(row: Row, words: Wording) -> str:
    if row["release_state"] == "not_applicable":
        return words.say("不适用", "not applicable")
    return words.date(row["first_released_on"]) if row["first_released_on"] else words.say("尚未下达", "not yet")
