"""The annexes of a circular: the whole ranking, the method, the words, and how to follow any number."""

from __future__ import annotations

from oneledger.reports.content import Block, Column, Commands, Definitions, Notice, Paragraph, Seal, Section, Table
from oneledger.reports.counts import level_name, star_bands
from oneledger.reports.facts import Facts
from oneledger.reports.stars_sections import ranking_columns, ranking_row
from oneledger.reports.wording import NONE, Wording, quantity

_METHODS = {
    "step": ("分档", "steps"),
    "piecewise": ("分段线性", "piecewise linear"),
    "pro_rata": ("按比例", "pro rata"),
    "deduction": ("扣分", "deduction"),
}
_FAMILIES = ("major_application", "application_system", "infrastructure", "operations")


def whole_ranking(facts: Facts, words: Wording) -> Section:
    table = Table(
        "ranking",
        words.say(f"全部{facts.population}个参评应用", f"All {quantity(facts.population, 'app')} of the population"),
        ranking_columns(words),
        tuple(ranking_row(row, words) for row in facts.ranking),
        note=words.say(
            "得分保留两位小数，得分相同的名次并列；暂不评的应用不排名，不计为0分。",
            "Scores to two decimals; equal scores share a place. An app that is withheld has no place and no score "
            "of 0.",
        ),
        empty=words.say("本期没有参评应用。", "There is no app in the population."),
    )
    return Section("annex_ranking", "", words.say("应用排名总表", "Ranking of all apps"), (table,), is_annex=True)


def method(facts: Facts, words: Wording, seal: Seal) -> Section:
    record = facts.run.record
    maximum = _withheld_maximum(facts)
    left_out = words.join(
        [
            words.say(f"{row['title_zh']}{row['apps_count']}个", f"{row['apps_count']} {_lower(row['title_en'])}")
            for row in facts.left_out
        ]
    )
    blocks: list[Block] = [
        Paragraph(
            words.say(
                f"本期评价{level_name(facts, words)}、"
                f"由{words.term('owner_kind', record['round']['department_kind'])}主管、在门户运行满规定月数且期初"
                "在架的应用，共"
                f"{facts.population}个；未纳入的应用均列明原因：{left_out or '无'}。",
                f"The population are the {level_name(facts, words)} apps "
                f"of {words.term('owner_kind', record['round']['department_kind'])} that had been in service on a "
                "portal for the "
                f"months demanded and were listed when the period began: {facts.population}. Every other app has a "
                f"named reason: {left_out or 'none'}.",
            ),
            words.say("评价范围。", "Population. "),
        ),
        Paragraph(
            words.say(
                "每个应用按其类别和应用侧适用的指标计分，指标值由市级各系统每日报送的数据计算，不由人工填报。综合得"
                "分＝已评分指标得分之和÷已评分指标分值之和×100。"
                "不适用的指标（如没有办件）和暂不评的指标，其分值由其余指标分担。",
                "An app is scored by the indicators of its family and side. Values are computed from what the "
                "city's systems deliver every day; nobody types them. "
                "The score is the points over the weights of the indicators that were scored, out of 100. The "
                "weight of an indicator that does not "
                "apply, or is withheld, is spread over the rest.",
            ),
            words.say("如何得分。", "Points. "),
        ),
        Paragraph(
            words.say(
                "数据缺失超过允许范围的指标暂不评；一个应用暂不评的指标分值合计超过"
                f"{words.number(maximum)}分的，该应用暂不评，没有星级。暂不评、不适用、0分是三种不同的情况，本通报"
                "分别列示。门户整日未报送的日期不计入任何应用的不利情况。",
                "An indicator is withheld when more data are missing than the rules allow; when more than "
                f"{words.number(maximum)} points of an app are withheld, the app is withheld and has no stars. "
                "Withheld, not applicable and 0 are three things "
                "and are told apart here. Days on which a portal delivered nothing count against no app.",
            ),
            words.say("何为暂不评。", "Withheld. "),
        ),
        Table(
            "star_bands",
            words.say("星级界限", "Where stars begin"),
            (
                Column(words.say("星级", "Stars"), width=1.2),
                Column(words.say("最低得分", "Score from"), words.say("分", "of 100"), is_number=True),
                Column(words.say("自", "In force from"), width=1.4),
                Column(words.say("规则版本", "Rule version")),
                Column(words.say("依据", "Source"), width=2),
            ),
            tuple(
                (
                    words.term("band", row["stars"]),
                    words.number(float(row["minimum_score"])),
                    row["effective_from"],
                    row["rule_version"],
                    row["source"],
                )
                for row in star_bands(facts)
            ),
            note=words.say(
                "低于最低一档的应用未得星；没有一星、二星。",
                "Below the lowest band an app has no stars; there are no bands of one or two stars.",
            ),
        ),
        _weights(facts, words),
        _unscored(facts, words),
        Paragraph(
            words.say(
                f"规则版本{record['rule_version']}，规则哈希以{seal.rules_hash[:12]}开头（全文见附件4）。规则来源"
                "标为OneLedger default的，为系统默认值，尚无上级公布的标准。",
                f"Rules of version {record['rule_version']}; their hash begins with {seal.rules_hash[:12]} and "
                "stands in Annex 4. Where the source says OneLedger default, nobody has published a rule and the "
                "value is "
                "ours.",
            ),
            words.say("现行规则。", "Rules in force. "),
        ),
        Notice(_data_notice(facts, words), "warn" if facts.stale or facts.missing_parts else "muted"),
    ]
    return Section(
        "annex_method", "", words.say("评价方法与现行规则", "Method and rules in force"), tuple(blocks), is_annex=True
    )


def definitions(words: Wording) -> Section:
    say = words.say
    items = (
        (
            say("参评应用", "Population"),
            say(
                "本轮规则规定应当评价的应用，是各项占比的总数。",
                "The apps that the rules of the round say are evaluated; shares are of these.",
            ),
        ),
        (
            say("星级", "Stars"),
            say(
                "五星、四星、三星和未得星，由综合得分所在档次确定。",
                "Five, four, three or none, by the band in which the score lies.",
            ),
        ),
        (
            say("得星率", "Share with stars"),
            say(
                "得星应用÷已评分应用；暂不评的不计入分子和分母。",
                "Apps with stars over apps scored; withheld ones are in neither.",
            ),
        ),
        (
            say("暂不评", "Withheld"),
            say("数据不足以评价；不是0分，也不是未得星。", "The data do not allow a score; neither 0 nor no stars."),
        ),
        (
            say("低频使用", "Little used"),
            say(
                "服务侧应用当月在浙里办各端日均访客低于界限，治理侧应用当月日均活跃率低于界限；在架天数、新上架、"
                "季节性、采集中断按规则先行判断。",
                "A service app with fewer visitors a day on the ends of Zheliban than the limit, or a governance "
                "app with a lower daily active rate; new, seasonal "
                "and interrupted apps are set apart first.",
            ),
        ),
        (
            say("申请到审批", "Applied to approved"),
            say(
                "数据共享申请提出到审批通过的工作日数，申请当日不计。",
                "Working days from the request to its approval; the day of the request does not count.",
            ),
        ),
        (
            say("审批到开通", "Approved to opened"),
            say(
                "审批通过到申请部门可以使用数据的分钟数。",
                "Minutes from the approval until the department can use the data.",
            ),
        ),
        (
            say("同比", "On the year"),
            say(
                "与上年相同月份相比的增减；没有上年记录的不计算。",
                "Against the same months a year before; not told where there are no records.",
            ),
        ),
        (
            say("一本账", "Ledger"),
            say(
                "省、市公布的数字化改革应用清单，S0、S1、S2为先后版本。",
                "The published list of reform applications; S0, S1 and S2 are its versions.",
            ),
        ),
        (
            say("发布到下达", "Ledger to release"),
            say(
                "一本账发布日到其首个项目资金下达日的天数。",
                "Days from the publication of a ledger to the first release of money to its projects.",
            ),
        ),
        (
            say("销号", "Closed"),
            say(
                "问题的全部指标以整改之后的数据达到目标，且责任处室已报告完成。",
                "All metrics of a finding meet their target on data from after the remedy, and the office has "
                "reported it done.",
            ),
        ),
        (
            say("存证锚", "Anchor"),
            say(
                "存证账本最新一条的SHA-256；由它可以验证此前封存的一切是否被改动。",
                "SHA-256 of the newest line of the ledger of seals; it tells whether anything sealed before was "
                "changed.",
            ),
        ),
        (
            say("“—”", "—"),
            say(
                "没有数值：缺失、不适用或无法判定；从不表示0。",
                "No value: missing, not applicable or not to be determined. Never 0.",
            ),
        ),
    )
    return Section("annex_definitions", "", say("名词解释", "Words"), (Definitions(items),), is_annex=True)


def how_to_trace(facts: Facts, words: Wording, seal: Seal) -> Section:
    say = words.say
    run, version = seal.run_id, seal.version
    example = facts.ranking[0] if facts.ranking else None
    app = str(example["app_id"]) if example else "APP"
    commands = [
        (
            say(
                "本次评价：数据版本、规则、分布、确认人", "This evaluation: data, rules, distribution, who confirmed it"
            ),
            f"oneledger evaluate show {run}",
        ),
        (
            say("某个应用为何得到该星级（可用名称或编码）", "Why an app has its stars (by name or code)"),
            f"oneledger explain {app} --run {run}",
        ),
        (
            say(
                "由星级追溯到来源文件的每一行，并逐步重算",
                "From the stars to the lines of the files received, each step computed again",
            ),
            f"oneledger trace star {app} --run {run}",
        ),
        (say("审计问题的数值、历史与证据", "Value, history and evidence of a finding"), "oneledger findings show 5"),
        (
            say("任何数据表的任何一行", "Any row of any published table"),
            f'oneledger query "from marts.ledger" --version {version}',
        ),
        (
            say("由收到的原始文件重新计算本次评价", "This evaluation, computed again from the files received"),
            f"oneledger replay {run}",
        ),
        (
            say("验证封存后无人改动", "Nothing was changed since it was sealed"),
            f"oneledger verify --anchor {seal.anchor or 'ANCHOR'}",
        ),
        (say("验证本通报文件本身", "The files of this circular are those that were made"), "oneledger verify reports"),
    ]
    text = say(
        "本通报的每个数字都由下列版本计算，可以从数字追溯到来源文件的那一行。在系统所在环境执行：",
        "Every number of this circular was computed from the version below and can be followed to the line of the "
        "file that it came from. To type where the system runs:",
    )
    table = Table(
        "provenance",
        say("出处", "Provenance"),
        (Column(say("项目", "What"), width=1.2), Column(say("内容", "Value"), width=4)),
        (
            (say("评价运行", "Evaluation run"), run),
            (say("数据版本", "Published version"), version),
            (say("数据内容哈希", "Hash of the data"), seal.content_hash),
            (say("规则哈希", "Hash of the rules"), seal.rules_hash),
            (say("存证锚", "Anchor"), seal.anchor or say("未封存", "not sealed")),
            (say("存证账本条目", "Entry of the ledger of seals"), words.count(seal.sequence)),
            (say("本通报输入哈希", "Hash of the inputs"), seal.inputs_hash),
        ),
    )
    return Section(
        "annex_trace",
        "",
        say("数字溯源", "How to follow a number"),
        (Paragraph(text), Commands(tuple(commands)), table),
        is_annex=True,
    )


def _weights(facts: Facts, words: Wording) -> Table:
    """The weight of each indicator by family and side, of those in force at the end of the period."""
    day = facts.period_end_on.isoformat()
    rows = [
        row
        for row in facts.rules.rows("indicator")
        if row["effective_from"] <= day and (not row["effective_to"] or row["effective_to"] >= day)
    ]
    found: dict[tuple[str, str], dict[tuple[str, str], float]] = {}
    methods: dict[tuple[str, str], str] = {}
    for row in rows:
        key = (row["title_zh"], row["title_en"])
        methods.setdefault(key, row["scoring_method"])
        for side in ("service", "governance") if row["side"] == "all" else (row["side"],):
            weights = found.setdefault(key, {})
            weights[(row["family"], side)] = weights.get((row["family"], side), 0.0) + float(row["weight"])

    def cell(weights: dict[tuple[str, str], float], family: str) -> str:
        of_sides = [weights.get((family, side)) for side in ("service", "governance")]
        told = [words.number(one) for one in of_sides]
        return told[0] if told[0] == told[1] else f"{told[0]} / {told[1]}"

    totals = {
        (family, side): sum(weights.get((family, side), 0.0) for weights in found.values())
        for family in _FAMILIES
        for side in ("service", "governance")
    }
    return Table(
        "weights",
        words.say(
            "指标与分值（服务侧 / 治理侧不同的分别列出）",
            "Indicators and weights (service / governance where they differ)",
        ),
        (
            Column(words.say("指标", "Indicator"), width=1.7),
            Column(words.say("计分方式", "Scoring"), width=1.3),
            *(
                Column(words.term("family", family), words.say("分", ""), is_number=True, width=1.2)
                for family in _FAMILIES
            ),
        ),
        tuple(
            (words.say(*key), words.say(*_METHODS[methods[key]]), *(cell(weights, family) for family in _FAMILIES))
            for key, weights in sorted(found.items(), key=lambda one: (-max(one[1].values()), one[0]))
        ),
        total=(words.say("合计", "Total"), NONE, *(cell(totals, family) for family in _FAMILIES)),
    )


def _unscored(facts: Facts, words: Wording) -> Table:
    rows = [("withheld", row) for row in facts.withheld] + [("not_applicable", row) for row in facts.not_applicable]
    names = {"withheld": words.say("暂不评", "withheld"), "not_applicable": words.say("不适用", "not applicable")}
    return Table(
        "unscored",
        words.say("未计分的指标及原因", "Indicators without points, by reason"),
        (
            Column(words.say("情形", "State"), width=1),
            Column(words.say("原因", "Reason"), width=2.6),
            Column(words.say("指标", "Indicators"), words.say("项次", ""), is_number=True),
            Column(words.say("涉及应用", "Apps"), words.say("个", ""), is_number=True),
            Column(words.say("分值", "Weight"), words.say("分", "points"), is_number=True),
        ),
        tuple(
            (
                names[state],
                words.say(row["title_zh"], row["title_en"]),
                words.count(row["indicators_count"]),
                words.count(row["apps_count"]),
                words.number(row["weight"]),
            )
            for state, row in rows
        ),
        empty=words.say("所有指标均已计分。", "Every indicator was scored."),
    )


def _data_notice(facts: Facts, words: Wording) -> str:
    parts = [
        words.say(
            f"数据截至{words.date(facts.as_of_on)}。版本中有{words.count(facts.quarantined_rows_count)}行数据因不"
            "符合规则被隔离，未计入任何数字",
            f"The data go to {words.date(facts.as_of_on)}. {quantity(facts.quarantined_rows_count, 'row')} of the "
            f"version {'was' if facts.quarantined_rows_count == 1 else 'were'} kept out because they "
            "break a rule, and count in no number",
        )
    ]
    stale = words.join([f"{row['source']}.{row['entity']}" for row in facts.stale])
    parts.append(
        words.say(f"过期来源：{stale}", f"stale: {stale}")
        if stale
        else words.say("没有过期的来源", "no source is stale")
    )
    missing = words.join(
        [
            words.say(
                f"{row['source']} {row['reason_zh']}（{row['parts_count']}处）",
                f"{row['source']}: {row['reason_en']} ({row['parts_count']})",
            )
            for row in facts.missing_parts
        ]
    )
    if missing:
        parts.append(words.say(f"缺失：{missing}", f"missing: {missing}"))
    return words.say("；".join(parts) + "。", "; ".join(parts) + ".")


def _withheld_maximum(facts: Facts) -> float | None:
    day = facts.period_end_on.isoformat()
    for row in facts.rules.rows("rule_threshold"):
        if (
            row["rule_id"] == "withheld_points_maximum"
            and row["effective_from"] <= day
            and (not row["effective_to"] or row["effective_to"] >= day)
        ):
            return float(row["value"])
    return None


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]
