"""The circular as a whole: head, sections in their order, annexes, signature."""

from __future__ import annotations

import dataclasses
import datetime as dt

from oneledger.reports import (
    annexes,
    findings_section,
    sharing_and_funding,
    stars_sections,
    state_section,
    use_sections,
)
from oneledger.reports.content import Circular, Language, Seal, Section
from oneledger.reports.counts import level_name
from oneledger.reports.facts import Facts
from oneledger.reports.wording import Wording
from oneledger.settings import CITY_TIMEZONE

# The order in which a reader asks: what is the state, who stands where, what is wrong, what is to be done.
_SECTIONS = (
    state_section.state_of_the_city,
    stars_sections.distribution,
    stars_sections.ranking,
    stars_sections.movers,
    use_sections.low_use,
    use_sections.proposals,
    sharing_and_funding.sharing,
    sharing_and_funding.funding,
    findings_section.findings,
    use_sections.departments,
    findings_section.what_is_to_be_done,
)
_ISSUER = ("市大数据局", "Big Data Bureau")


def compose(facts: Facts, language: Language, seal: Seal) -> Circular:
    """The circular of a run in one language; nothing is read or computed after this."""
    words = Wording(language)
    is_draft = facts.run.state != "confirmed" and facts.run.state != "superseded"
    period = words.period(facts.run.period)
    issuer = words.say(facts.issuer or _ISSUER[0], _ISSUER[1])
    decided = decided_at(facts)
    body = [section(facts, words) for section in _SECTIONS]
    back = [
        annexes.whole_ranking(facts, words),
        annexes.method(facts, words, seal),
        annexes.definitions(words),
        annexes.how_to_trace(facts, words, seal),
    ]
    return Circular(
        language=language,
        banner=issuer,
        kind=words.say("通报", "Circular"),
        title=title_of(facts, words),
        subtitle=words.say(
            f"{words.date(facts.period_start_on)}至{words.date(facts.period_end_on)}",
            f"{words.date(facts.period_start_on)} to {words.date(facts.period_end_on)}",
        ),
        running_title=words.say(f"{period}应用绩效评价通报", f"Performance of applications, {period}"),
        about=_about(facts, words, seal, decided, is_draft=is_draft),
        opening=_opening(facts, words, issuer, period),
        sections=(
            *_numbered(body, words),
            *(dataclasses.replace(one, number=words.annex(number)) for number, one in enumerate(back, start=1)),
        ),
        signature=(issuer, words.date(decided.date())),
        seal=seal,
        synthetic=words.say(
            "合成数据：本通报所列单位、应用、项目和数字均由程序生成，不涉及真实情况。",
            "Synthetic data: everything in this circular is generated and describes nothing real.",
        )
        if facts.is_synthetic
        else "",
        watermark=words.say("草案 DRAFT", "DRAFT 草案") if is_draft else "",
        words={
            "page": words.say("第 {page} 页，共 {pages} 页", "Page {page} of {pages}"),
            "contents": words.say("目录", "Contents"),
            "figure": words.say("图", "Figure "),
            "table": words.say("表", "Table "),
            "anchor": words.say("存证锚", "Anchor"),
            "draft": words.say("草案，不得印发", "Draft, not to be circulated"),
            "skip": words.say("跳到正文", "Skip to the text"),
        },
    )


def title_of(facts: Facts, words: Wording) -> str:
    """What the circular is called."""
    level, period = level_name(facts, words), words.period(facts.run.period)
    return words.say(
        f"关于{period}{level}数字政府应用绩效评价情况的通报",
        f"Circular on the performance of the {level}'s digital-government applications, {period}",
    )


def decided_at(facts: Facts) -> dt.datetime:
    """When the run was confirmed, in the city's time; of a draft, when it was made."""
    text = facts.run.decision.get("decided_at") or facts.run.record["created_at"]
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC).astimezone(CITY_TIMEZONE)


def _numbered(sections: list[Section], words: Wording) -> list[Section]:
    return [
        dataclasses.replace(section, number=words.ordinal(number)) for number, section in enumerate(sections, start=1)
    ]


def _about(
    facts: Facts, words: Wording, seal: Seal, decided: dt.datetime, *, is_draft: bool
) -> tuple[tuple[str, str], ...]:
    decision = facts.run.decision
    confirmed = (
        words.say("草案，尚无人确认", "a draft: nobody has confirmed it")
        if is_draft
        else words.say(f"{decision['name']}，{words.instant(decided)}", f"{decision['name']}, {words.instant(decided)}")
    )
    state = (
        (words.say("已被其后的评价替代", "replaced by a later evaluation"),) if facts.run.state == "superseded" else ()
    )
    return (
        (
            words.say("评价周期", "Period"),
            words.say(
                f"{words.period(facts.run.period)}（{words.date(facts.period_start_on)}"
                f"至{words.date(facts.period_end_on)}）",
                f"{words.period(facts.run.period)} ({words.date(facts.period_start_on)} "
                f"to {words.date(facts.period_end_on)})",
            ),
        ),
        (words.say("数据截止", "Data as of"), words.date(facts.as_of_on)),
        (
            words.say("评价运行", "Evaluation run"),
            "，".join((seal.run_id, *state)) if words.is_chinese else ", ".join((seal.run_id, *state)),
        ),
        (words.say("数据版本", "Published version"), seal.version),
        (
            words.say("规则版本", "Rules"),
            words.say(
                f"{facts.run.record['rule_version']}（哈希{seal.rules_hash[:12]}…）",
                f"{facts.run.record['rule_version']} (hash {seal.rules_hash[:12]}…)",
            ),
        ),
        (words.say("确认", "Confirmed by"), confirmed),
        (words.say("存证锚", "Anchor"), _anchor_text(seal, words)),
    )


def _anchor_text(seal: Seal, words: Wording) -> str:
    if seal.anchor is None:
        return words.say("未封存", "not sealed")
    return words.say(
        f"{seal.anchor}（存证账本第{words.count(seal.sequence)}条）",
        f"{seal.anchor} (ledger entry {words.count(seal.sequence)})",
    )


def _opening(facts: Facts, words: Wording, issuer: str, period: str) -> tuple[str, ...]:
    kind = facts.run.record["round"]["department_kind"]
    return (
        words.say(
            f"{words.term('owner_kind', kind).replace('部门', '各部门')}：", f"To all {words.term('owner_kind', kind)}"
        ),
        words.say(
            "为全面掌握数字政府应用绩效，督促低频和可用度较差的应用优化整改，我局依据现行评价规则，以各系统每日报"
            f"送的数据对{period}应用情况开展了定量评价。评价结果已经确认并封存，现将有关情况通报如下。"
            if facts.run.decision.get("name")
            else f"以下为{period}应用定量评价的草案，尚未确认，仅供核对，不得印发。",
            "To know how the city's digital-government applications perform, and to have those improved that are "
            f"little used or work badly, this bureau evaluated the {period} "
            "by the rules in force, from what the systems deliver every day. The result is confirmed and sealed. "
            "This circular tells what came out."
            if facts.run.decision.get("name")
            else f"This is the draft of the evaluation of the {period}. Nobody has confirmed it; it is for "
            "checking and not to be circulated.",
        ),
    )
