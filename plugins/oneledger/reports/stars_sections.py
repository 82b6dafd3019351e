"""The sections of a circular that tell the stars: distribution, ranking, movers."""

from __future__ import annotations

from collections.abc import Sequence

from oneledger.charts import circular_stars as star_charts
from oneledger.reports.content import (
    Block,
    Column,
    Figure,
    Notice,
    Paragraph,
    Section,
    Table,
)
from oneledger.reports.counts import (
    mean_score,
    star_bands,
)
from oneledger.reports.facts import BANDS, Facts, Row
from oneledger.reports.wording import NONE, Wording, quantity

TOP_COUNT = 20


_CHARTED_MOVERS = 20
# Half of the last digit that is printed.
_SEEN = 0.005


def distribution(facts: Facts, words: Wording) -> Section:
    counts, before = facts.distribution, facts.before_distribution
    rows = [
        {
            "band": band,
            "label": words.term("band", band),
            "count": counts[band],
            "value_label": words.count(counts[band]),
            "before": before[band] if before else None,
            "before_description": f"{words.say('上次', 'before')} {words.count(before[band])}" if before else "",
        }
        for band in BANDS
    ]
    parts = words.join([f"{row['label']} {row['value_label']}" for row in rows])
    scores = [
        {
            "score": row["score"],
            "band": row["band"],
            "name": f"{row['app_name']} {words.fixed(row['score'])}",
        }
        for row in facts.ranking
        if row["score"] is not None
    ]
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
            words.say("星级分布", "Apps by stars")
            + (words.say("（横线为上次评价）", " (line: the run before)") if before else ""),
            words.say(f"星级分布：{parts}。", f"Apps by stars: {parts}."),
            lambda palette: star_charts.distribution(rows, palette, words=chart_words),
        ),
        _withheld_notice(facts, words),
        Figure(
            "scores",
            words.say(
                "得分分布（每点为一个应用，虚线为星级界限）",
                "Every score (a dot an app; dashed lines: where stars begin)",
            ),
            words.say(
                f"{len(scores)}个已评分应用的得分分布，最高{words.fixed(_highest(facts))}分，最"
                f"低{words.fixed(_lowest(facts))}分。",
                f"Scores of {quantity(len(scores), 'app')} from {words.fixed(_lowest(facts))} "
                f"to {words.fixed(_highest(facts))}.",
            ),
            lambda palette: star_charts.scores(scores, bands, palette, words=score_words),
        ),
        _parts_table(
            facts,
            words,
            "by_side",
            facts.by_side,
            "side",
            words.say("分侧星级情况", "Stars by side"),
            words.say("应用侧", "Side"),
        ),
        _parts_table(
            facts,
            words,
            "by_family",
            facts.by_family,
            "family",
            words.say("分类别星级情况", "Stars by family"),
            words.say("类别", "Family"),
        ),
    ]
    return Section("distribution", "", words.say("星级分布", "Distribution of stars"), tuple(blocks))


def ranking(facts: Facts, words: Wording) -> Section:
    best = [row for row in facts.ranking if row["rank"] is not None and row["rank"] <= TOP_COUNT]
    text = words.say(
        f"综合得分居前{TOP_COUNT}位的应用如下，全部参评应用的排名见附件1。得分相同的名次并列；暂不评的应用不排名。",
        f"The first {TOP_COUNT} places follow; every app of the population is ranked in Annex 1. Equal scores share a "
        "place, and an app that is withheld has none.",
    )
    table = Table(
        "top",
        words.say(f"得分前{TOP_COUNT}位", f"The first {TOP_COUNT} places"),
        ranking_columns(words),
        tuple(ranking_row(row, words) for row in best),
        empty=words.say("本期没有已评分的应用。", "No app was scored in this period."),
    )
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
        words.count(row["rank"]),
        row["app_name"] or row["app_id"],
        row["department_name"] or NONE,
        words.term("portal", "zheliban" if row["side"] == "service" else "zhezhengding"),
        words.fixed(row["score"]),
        words.term("band", row["band"]),
    )


def movers(facts: Facts, words: Wording) -> Section:
    title = words.say("星级变动", "Movers")
    if facts.previous is None:
        return Section(
            "movers",
            "",
            title,
            (
                Notice(
                    words.say(
                        "没有此前已确认的评价可比，本期不列变动。",
                        "No evaluation was confirmed before this one: there is nothing to compare with, and no mover.",
                    )
                ),
            ),
        )
    compared = facts.previous
    counted = {
        kind: sum(row["movement"] == kind for row in facts.movers)
        for kind in ("risen", "fallen", "withheld", "resumed", "entered", "left")
    }
    told = words.join(
        [
            words.say(f"{words.term('movement', kind)}{count}个", f"{count} {words.term('movement', kind)}")
            for kind, count in counted.items()
            if count
        ]
    )
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
            "name": row["app_name"] or row["app_id"],
            "score_before": row["score_before"],
            "score": row["score"],
            "value_label": f"{words.fixed(row['score_before'])} → {words.fixed(row['score'])}",
            "is_risen": row["score"] >= row["score_before"],
        }
        for row in facts.movers
        # Stars that a rule alone has moved stand in the table: there is no way to draw between equal scores.
        if row["score_change"] is not None and abs(row["score_change"]) >= _SEEN
    ][:_CHARTED_MOVERS]
    blocks: list[Block] = [Paragraph(text)]
    if charted:
        blocks.append(
            Figure(
                "movers",
                words.say(
                    "星级变动应用的得分变化（空心为上次，实心为本次）", "Scores of movers (open: before, filled: now)"
                ),
                words.say(
                    f"{len(charted)}个星级变动应用的前后得分。",
                    f"Scores before and now of {quantity(len(charted), 'mover')}.",
                ),
                lambda palette: star_charts.movement(
                    charted, palette, words={"score": words.say("综合得分（百分制）", "score out of 100")}
                ),
            )
        )
    blocks.append(
        Table(
            "movers",
            words.say("星级变动应用", "Apps whose stars changed"),
            (
                Column(words.say("应用", "App"), width=1.8),
                Column(words.say("主管部门", "Department"), width=2.4),
                Column(words.say("变动", "Change"), width=1.1),
                Column(words.say("上次", "Before"), width=1.1),
                Column(words.say("本次", "Now"), width=1.1),
                Column(words.say("得分变化", "Score"), words.say("分", "points"), is_number=True, width=1.1),
            ),
            tuple(
                (
                    row["app_name"] or row["app_id"],
                    row["department_name"] or NONE,
                    words.term("movement", row["movement"]),
                    words.term("band", row["band_before"]),
                    words.term("band", row["band"]),
                    words.signed(row["score_change"]),
                )
                for row in facts.movers
            ),
            empty=words.say(
                "与上次评价相比，没有应用的星级发生变化。", "No app changed its stars against the evaluation before."
            ),
        )
    )
    return Section("movers", "", title, tuple(blocks))


def _withheld_notice(facts: Facts, words: Wording) -> Notice:
    withheld = facts.distribution["withheld"]
    if not withheld:
        return Notice(
            words.say(
                f"本期{facts.population}个参评应用均已评分，没有暂不评的应用。",
                f"All {quantity(facts.population, 'app')} of the population were scored; none is withheld.",
            )
        )
    reasons = words.join(
        [
            words.say(
                f"{row['title_zh']}（{row['apps_count']}个应用）",
                f"{row['title_en']} ({quantity(row['apps_count'], 'app')})",
            )
            for row in facts.withheld
        ]
    )
    return Notice(
        words.say(
            f"{withheld}个应用因数据缺失暂不评。暂不评不是0分，也不是未得星：涉及{reasons}。数据补报后可重新评价。",
            f"{quantity(withheld, 'app')} {'is' if withheld == 1 else 'are'} withheld because data are missing. "
            f"Withheld is neither 0 nor no stars: {reasons}. "
            "Once the data are delivered, they can be evaluated again.",
        ),
        "warn",
    )


def _parts_table(
    facts: Facts, words: Wording, table_id: str, rows: Sequence[Row], kind: str, caption: str, heading: str
) -> Table:
    def line(row: Row) -> tuple[str, ...]:
        return tuple(
            words.count(row[f"{name}_count"]) for name in ("apps", "five", "four", "three", "none", "withheld")
        )

    return Table(
        table_id,
        caption,
        (
            Column(heading, width=2.4),
            Column(words.say("应用", "Apps"), words.say("个", ""), is_number=True),
            *(Column(words.term("band", band), is_number=True) for band in BANDS),
            Column(words.say("平均分", "Mean score"), words.say("分", "of 100"), is_number=True, width=1.2),
        ),
        tuple((words.term(kind, row["part"]), *line(row), words.fixed(row["mean_score"])) for row in rows),
        total=(
            words.say("合计", "Total"),
            words.count(facts.population),
            *(words.count(facts.distribution[band]) for band in BANDS),
            words.fixed(mean_score(facts)),
        ),
    )


def _highest(facts: Facts) -> float | None:
    return max((row["score"] for row in facts.ranking if row["score"] is not None), default=None)


def _lowest(facts: Facts) -> float | None:
    return min((row["score"] for row in facts.ranking if row["score"] is not None), default=None)
