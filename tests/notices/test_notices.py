"""Who is told what: one message a cause, no storms, recovered once; by real SMTP and HTTP on loopback."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from oneledger.notices.causes import open_causes
from oneledger.notices.sending import NoticeReport, send_notices
from oneledger.notices.state import read_sent, read_state
from oneledger.outcomes import Outcome, record_outcome
from oneledger.quality.checks import CheckResult, GateReport
from oneledger.quality.results import record_results
from oneledger.settings import ConfigurationError, Settings
from tests.notices.servers import HookServer, MailServer, served

STEPS = ("extract", "admit", "gate_sources", "build_models", "gate_marts", "publish")
NOW = dt.datetime(2026, 11, 25, 6, 0, tzinfo=dt.UTC)


@pytest.fixture
def mail(monkeypatch: pytest.MonkeyPatch) -> Iterator[MailServer]:
    with served(MailServer()) as server:
        monkeypatch.setenv("AIRFLOW_CONN_ONELEDGER_NOTICE_MAIL", server.uri)
        yield server


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> Iterator[HookServer]:
    with served(HookServer()) as server:
        monkeypatch.setenv("AIRFLOW_CONN_ONELEDGER_NOTICE_WEBHOOK", server.uri)
        yield server


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path, memory_limit="1GB", threads=1)


def run(settings: Settings, run_id: str, *failed: Outcome, until: str = "publish") -> None:
    """The records of a run that went up to ``until``, with these failures."""
    for step in STEPS[: STEPS.index(until) + 1]:
        record_outcome(Outcome(run_id, step, "good", source="irs" if step == "extract" else None),
                       settings.outcomes_dir)  # fmt: skip
    for outcome in failed:
        record_outcome(outcome, settings.outcomes_dir)


def refused(run_id: str, entity: str, source: str = "finance") -> Outcome:
    return Outcome(run_id, "extract", "failed", source=source, entity=entity, message="no such folder /drop",
                   remedy="mount the folder")  # fmt: skip


def checked(settings: Settings, *failing: tuple[str, str, str], observed: str = "12 rows, median 40") -> None:
    """Judge once: these (check, entity, severity) fail, volume of zheliban passes else."""
    results = [
        CheckResult("sources", check, entity, severity, False, observed, "as usual", "某处", "数据量", "Rows",
                    "重报", "deliver again", 1)
        for check, entity, severity in failing
    ] or [CheckResult("sources", "volume", "zheliban.usage", "fail", True, "", "", "", "数据量", "Rows", "", "")]  # type: ignore[arg-type]  # fmt: skip
    record_results(settings, GateReport("sources", "run", None, tuple(results)))


def sent(settings: Settings, now: dt.datetime = NOW, **how: Any) -> NoticeReport:
    return send_notices(settings, now=now, **how)


def test_a_mail_says_what_since_when_who_acts_and_what_to_do(settings: Settings, mail: MailServer) -> None:
    checked(settings, ("volume", "zheliban.usage", "fail"))
    sent(settings)
    (message,) = mail.mails
    assert message["Subject"] == "[OneLedger 失败 FAIL] 数据量 Rows: zheliban.usage"
    assert message["To"] == "ops@city.gov, office@city.gov"
    text = message.get_content()
    for words in ("found 12 rows, median 40", "since (UTC): 20", "某处", "deliver again",
                  "oneledger checks --history volume --entity zheliban.usage"):  # fmt: skip
        assert words in text


def test_a_cause_that_befell_many_entities_is_one_message(settings: Settings, hook: HookServer) -> None:
    run(settings, "r1", refused("r1", "spending"), refused("r1", "score_sheet"), refused("r1", "app", "irs"))
    sent(settings)
    assert sorted(body["subject"] for body in hook.bodies) == [
        "[OneLedger 失败 FAIL] 步骤失败 extract failed: finance",
        "[OneLedger 失败 FAIL] 步骤失败 extract failed: irs",
    ]
    assert any("finance.score_sheet, spending: no such folder /drop" in body["text"] for body in hook.bodies)


def test_warnings_of_one_check_are_one_message(settings: Settings, hook: HookServer) -> None:
    checked(settings, *[("freshness", f"irs.entity_{number}", "warn") for number in range(20)])
    sent(settings)
    (body,) = hook.bodies
    assert body["severity"] == "warn"
    assert "and 8 more" in body["text"]


def test_the_same_cause_is_not_told_again_until_it_changes_or_a_week_has_passed(
    settings: Settings, mail: MailServer, hook: HookServer
) -> None:
    checked(settings, ("volume", "zheliban.usage", "fail"))
    for hours in (0, 24, 48):
        checked(settings, ("volume", "zheliban.usage", "fail"), observed=f"{12 + hours} rows, median 40")
        sent(settings, NOW + dt.timedelta(hours=hours))
    assert (len(mail.mails), len(hook.bodies)) == (1, 1)
    checked(settings, ("volume", "zheliban.usage", "fail"), observed="twice the median")
    sent(settings, NOW + dt.timedelta(hours=72))
    assert "有变化 changed" in hook.bodies[-1]["subject"]
    sent(settings, NOW + dt.timedelta(days=11))
    assert "仍未解决 still open" in hook.bodies[-1]["subject"]
    assert len(hook.bodies) == 3


def test_recovered_is_said_once(settings: Settings, hook: HookServer) -> None:
    checked(settings, ("volume", "zheliban.usage", "fail"))
    sent(settings)
    checked(settings)
    assert [one.state for one in sent(settings, tells_recovered=False).messages] == []
    for _ in range(2):
        sent(settings, NOW + dt.timedelta(hours=1))
    assert [body["state"] for body in hook.bodies] == ["open", "recovered"]
    assert read_state(settings) == {}
    assert [one["state"] for one in read_sent(settings, 10)] == ["recovered", "open"]


def test_a_channel_that_fails_is_tried_again_and_the_other_is_not_asked_twice(
    settings: Settings, mail: MailServer, hook: HookServer
) -> None:
    checked(settings, ("volume", "zheliban.usage", "fail"))
    mail.refuses = True
    report = sent(settings)
    assert "451" in report.problems[0]
    mail.refuses = False
    assert sent(settings, NOW + dt.timedelta(minutes=5)).problems == []
    assert (len(mail.mails), len(hook.bodies)) == (1, 1)
    hook.status = 500
    checked(settings)
    report = sent(settings)
    # The host alone: robots have their token in the path.
    assert report.problems == [f"webhook {hook.uri.removesuffix('/hook')}: answered 500"]
    hook.status = 200
    sent(settings)
    assert [body["state"] for body in hook.bodies] == ["open", "recovered"]
    assert len(mail.mails) == 2


def test_a_dry_run_sends_nothing_and_remembers_nothing(settings: Settings, hook: HookServer) -> None:
    checked(settings, ("volume", "zheliban.usage", "fail"))
    for _ in range(2):
        assert [one.state for one in sent(settings, is_dry_run=True).messages] == ["open"]
    assert hook.bodies == []
    assert read_state(settings) == {}


def test_a_robot_gets_the_form_it_takes_and_its_token(
    settings: Settings, hook: HookServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = f"{hook.uri}?form=dingtalk&access_token=secret"
    monkeypatch.setenv("AIRFLOW_CONN_ONELEDGER_NOTICE_WEBHOOK", uri)
    checked(settings, ("volume", "zheliban.usage", "fail"))
    report = sent(settings)
    assert hook.bodies[0]["msgtype"] == "text"
    assert hook.bodies[0]["text"]["content"].startswith("[OneLedger 失败 FAIL] 数据量")
    assert hook.paths == ["/hook?access_token=secret"]
    assert "secret" not in str(report)


def test_a_channel_without_receivers_is_refused(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_ONELEDGER_NOTICE_MAIL", "smtp://127.0.0.1:25/?from=a@b")
    with pytest.raises(ConfigurationError, match="needs a host, from and to"):
        sent(settings)


def test_a_run_that_was_killed_is_a_cause_of_its_own(settings: Settings, hook: HookServer) -> None:
    run(settings, "r1", until="build_models")
    assert [cause.cause_id for cause in open_causes(settings)] == ["run:ended"]
    run(settings, "r2")
    assert open_causes(settings) == []


def test_a_shut_gate_is_told_check_by_check_and_not_once_more_as_a_step(settings: Settings) -> None:
    gate = Outcome("r1", "gate_sources", "failed", message="Rows (zheliban.usage)", detail={"blocking": 1})
    run(settings, "r1", gate, until="admit")
    checked(settings, ("volume", "zheliban.usage", "fail"))
    assert [cause.cause_id for cause in open_causes(settings)] == ["check:volume:zheliban.usage"]


def test_airflow_tells_a_failure_that_no_step_recorded_and_leaves_the_others_to_their_records(
    settings: Settings, hook: HookServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.sdk.exceptions import AirflowFailException

    from oneledger_airflow.notifier import CauseNotifier

    monkeypatch.setenv("ONELEDGER_HOME", str(settings.home))
    task = SimpleNamespace(dag_id="build", task_id="admit", log_url="http://airflow/log")
    context: Any = {"ti": task, "exception": MemoryError("no memory left"), "task": SimpleNamespace(owner="某处")}
    CauseNotifier().notify(context)
    assert hook.bodies[0]["cause_id"] == "task:build.admit"
    assert "MemoryError: no memory left" in hook.bodies[0]["text"]
    assert "http://airflow/log" in hook.bodies[0]["text"]
    run(settings, "r1", refused("r1", "spending"))
    CauseNotifier().notify({**context, "exception": AirflowFailException("finance.spending: no such folder /drop")})
    assert [body["cause_id"].split(":")[0] for body in hook.bodies] == ["task", "step"]
