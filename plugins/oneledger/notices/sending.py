"""Deciding what people are told: new and changed causes, a reminder after some days, and once that it is over."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from oneledger.notices.causes import Cause, can_tell_recovery, open_causes
from oneledger.notices.channels import Channel, Message, NotSentError, configured_channels
from oneledger.notices.state import OpenNotice, age_days, note_sent, open_state, read_state
from oneledger.outcomes import utc_now
from oneledger.settings import Settings

REMIND_AFTER_DAYS = 7.0
_STATES = {
    "open": "",
    "changed": "有变化 changed: ",
    "reminder": "仍未解决 still open: ",
    "recovered": "已恢复 recovered: ",
}
_SEVERITIES = {"fail": "失败 FAIL", "warn": "警告 WARN"}


@dataclass
class NoticeReport:
    """What was sent (or would be), what could not be, and what stands open."""

    messages: list[Message] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    channels: list[str] = field(default_factory=list)
    open: list[Cause] = field(default_factory=list)


def send_notices(
    settings: Settings,
    *,
    more: Sequence[Cause] = (),
    is_dry_run: bool = False,
    channels: Sequence[Channel] | None = None,
    now: dt.datetime | None = None,
    remind_after_days: float = REMIND_AFTER_DAYS,
    tells_recovered: bool = True,
) -> NoticeReport:
    """Send one message for each cause that is new, has changed, or stands open for days; say once what is over.

    A channel that fails is tried again the next time; the other channels are not asked twice.

    Args:
        settings: whose causes.
        more: causes that only the caller knows (a task that failed before it could record anything).
        is_dry_run: send nothing and remember nothing.
        channels: where to; None means the configured ones.
        now: the time of sending.
        remind_after_days: a cause that did not change is sent again after so many days.
        tells_recovered: False while a run is still going on, when absence proves nothing.

    Raises:
        ConfigurationError: a channel is configured wrongly.
    """
    now = now or utc_now()
    ways = configured_channels() if channels is None else list(channels)
    report = NoticeReport(channels=[way.name for way in ways])
    causes = {cause.cause_id: cause for cause in [*more, *open_causes(settings)]}
    report.open = list(causes.values())
    if is_dry_run:
        _decide(report, causes, read_state(settings), ways, now, remind_after_days,
                tells_recovered and can_tell_recovery(settings), sends=False)  # fmt: skip
        return report
    with open_state(settings) as state:
        sent = _decide(report, causes, state, ways, now, remind_after_days,
                       tells_recovered and can_tell_recovery(settings), sends=True)  # fmt: skip
        note_sent(settings, sent)
    return report


def _decide(
    report: NoticeReport,
    causes: dict[str, Cause],
    state: dict[str, OpenNotice],
    ways: Sequence[Channel],
    now: dt.datetime,
    remind_after_days: float,
    tells_recovered: bool,
    *,
    sends: bool,
) -> list[dict[str, Any]]:
    sent: list[dict[str, Any]] = []
    for cause in causes.values():
        known = state.get(cause.cause_id)
        is_old = known is not None and age_days(known.last_sent_at, now) >= remind_after_days
        due = [way for way in ways if is_old or known is None or known.channels.get(way.name) != cause.fingerprint]
        if not ways and (known is None or is_old):
            report.messages.append(_message(cause, "open"))
        if not due:
            continue
        told_before = known is not None and any(way.name in known.channels for way in due)
        message = _message(cause, "open" if not told_before else "reminder" if is_old else "changed")
        report.messages.append(message)
        if not sends:
            continue
        delivered = _deliver(message, due, report, sent, now)
        if delivered:
            known = known or OpenNotice(cause.cause_id, cause.title, now.isoformat(), now.isoformat())
            known.last_sent_at, known.title = now.isoformat(), cause.title
            known.channels |= dict.fromkeys(delivered, cause.fingerprint)
            state[cause.cause_id] = known
    if not tells_recovered:
        return sent
    for cause_id in [cause_id for cause_id in state if cause_id not in causes]:
        over = state[cause_id]
        message = _recovered(over, now)
        report.messages.append(message)
        if not sends:
            continue
        for name in _deliver(message, [way for way in ways if way.name in over.channels], report, sent, now):
            over.channels.pop(name)
        # A channel that is configured no longer cannot be told; it does not keep the notice open.
        if not any(way.name in over.channels for way in ways):
            del state[cause_id]
    return sent


def _deliver(
    message: Message, ways: Sequence[Channel], report: NoticeReport, sent: list[dict[str, Any]], now: dt.datetime
) -> list[str]:
    delivered = []
    for way in ways:
        try:
            way.send(message)
        except NotSentError as error:
            report.problems.append(str(error))
            continue
        delivered.append(way.name)
        sent.append({"sent_at": now.isoformat(), "channel": way.name, "target": way.target, "state": message.state,
                     "cause_id": message.cause_id, "subject": message.subject})  # fmt: skip
    return delivered


def _message(cause: Cause, state: str) -> Message:
    return Message(
        cause_id=cause.cause_id,
        state=state,
        severity=cause.severity,
        subject=f"[OneLedger {_SEVERITIES[cause.severity]}] {_STATES[state]}{cause.title}"[:200],
        lines=(
            ("问题 what", cause.what),
            ("自 since (UTC)", cause.since[:19].replace("T", " ")),
            ("责任 who acts", cause.owner),
            ("处理 what to do", cause.remedy),
            ("查看 look", cause.command),
            ("手册 runbook", f"oneledger runbook {cause.runbook}"),
            ("链接 link", cause.link),
        ),
    )


def _recovered(over: OpenNotice, now: dt.datetime) -> Message:
    return Message(
        cause_id=over.cause_id,
        state="recovered",
        severity="good",
        subject=f"[OneLedger 恢复 OK] {_STATES['recovered']}{over.title}"[:200],
        lines=(
            ("问题 what", over.title),
            ("首次通知 first told (UTC)", over.first_sent_at[:19].replace("T", " ")),
            ("恢复 recovered by (UTC)", f"{now:%Y-%m-%d %H:%M:%S}"),
            ("处理 what to do", "无需处理 nothing"),
        ),
    )
