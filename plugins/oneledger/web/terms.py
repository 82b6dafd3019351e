"""What the codes of the marts are called on a page, in both languages; a code that nobody knows is shown as it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from oneledger.web.language import Language

# GB/T 2260 for the city and its counties.
_DISTRICTS = {
    "330500": ("市本级", "city level"), "330502": ("吴兴区", "Wuxing"), "330503": ("南浔区", "Nanxun"),
    "330521": ("德清县", "Deqing"), "330522": ("长兴县", "Changxing"), "330523": ("安吉县", "Anji"),
}  # fmt: skip

TERMS: dict[str, dict[str, tuple[str, str]]] = {
    "level": {"city": ("市本级", "city"), "county": ("县区", "county"), "province": ("省级", "province")},
    "district": _DISTRICTS,
    "side": {"service": ("服务侧", "service side"), "governance": ("治理侧", "governance side")},
    "family": {
        "major_application": ("重大应用类", "major application"),
        "application_system": ("应用系统类", "application system"),
        "infrastructure": ("基础设施类", "infrastructure"), "operations": ("运维类", "operations"),
    },
    "stage": {
        "declared": ("申报", "declared"), "reviewed": ("审核", "reviewed"), "implementing": ("实施", "implementing"),
        "accepted": ("竣工验收", "accepted"), "operating": ("运维", "operating"),
        "missing": ("无阶段记录", "no stage recorded"),
    },
    "stage_state": {
        "completed": ("已完成", "completed"), "current": ("当前", "current"),
        "not_recorded": ("无记录", "not recorded"),
        "not_reached": ("未到达", "not reached"),
    },
    "funding_source": {
        "it_special_fund": ("信息化专项资金", "IT special fund"),
        "department_budget": ("部门预算", "department budget"),
        "upper_level_grant": ("上级补助", "upper-level grant"), "self_raised": ("自筹", "self-raised"),
    },
    "scope_reason": {
        "owner_is_government_department": ("政府部门", "government department"),
        "owner_is_state_owned_enterprise": ("国有企业（不纳入）", "state-owned enterprise (out of scope)"),
        "owner_is_hospital": ("医院（不纳入）", "hospital (out of scope)"),
        "owner_is_university": ("高校（不纳入）", "university (out of scope)"),
        "department_unknown": ("部门未注册", "department unknown"),
    },
    "gap_kind": {
        "app_without_project": ("应用无项目", "app without a project"),
        "project_without_app": ("项目无应用", "project without an app"),
        "link_to_unknown_app": ("关联到未注册应用", "link to an app that IRS does not know"),
        "link_to_unknown_project": ("关联到未入库项目", "link to a project outside the library"),
    },
    "gap_reason": {
        "never_linked": ("从未关联", "never linked"),
        "only_linked_to_unknown_project": ("只关联到未入库项目", "linked only to projects outside the library"),
        "only_linked_to_unknown_app": ("只关联到未注册应用", "linked only to apps that IRS does not know"),
        "assigned_by_province": ("省定应用，省级立项", "assigned by the province"),
        "family_without_own_app": ("该类项目本无应用", "a family without apps of its own"),
        "not_yet_implementing": ("尚未进入实施", "not yet implementing"),
        "app_not_on_irs": ("应用未在IRS注册", "the app is not on IRS"),
        "project_not_in_library": ("项目不在库", "the project is not in the library"),
    },
    "outcome": {
        "passed": ("通过", "passed"), "passed_with_changes": ("修改后通过", "passed with changes"),
        "rejected": ("不通过", "rejected"),
    },
    "assessor": {"self": ("自评", "self"), "expert": ("专家", "expert"), "third_party": ("第三方", "third party")},
    "request_kind": {"batch": ("批量", "batch"), "interface": ("接口", "interface")},
    "sharing_kind": {
        "unconditional": ("无条件", "unconditional"), "conditional": ("有条件", "conditional"),
        "conditional_unpublished": ("有条件（未发布）", "conditional, not yet published"),
    },
    "request_state": {
        "open": ("待审批", "waiting for approval"), "approved": ("已批待开通", "approved, not opened"),
        "rejected": ("已驳回", "rejected"), "opened": ("已开通", "opened"),
    },
    "funding_state": {
        "not_published": ("一本账未发布", "ledger not published"), "published": ("待下达", "waiting for release"),
        "released": ("待到账", "waiting for arrival"), "arrived": ("待支出", "waiting to be spent"),
        "spent": ("已支出", "spent"),
    },
    "release_position": {
        "in_window": ("窗口期内", "within the window"), "after_window": ("晚于窗口期", "after the window"),
        "before_window": ("早于窗口期", "before the window"), "not_released": ("未下达", "not released"),
        "no_rule": ("无规则", "no rule in force"),
    },
    "rate": {
        "online_rate": ("上线率", "Online rate"), "usage_rate": ("使用率", "Usage rate"),
        "satisfaction_rate": ("满意率", "Satisfaction rate"),
    },
    "share_reason": {
        "no_app_linked": ("没有关联应用", "no app is linked"),
        "nothing_to_measure": ("三项比率均不适用", "none of the three rates applies"),
        "budget_missing": ("缺年度预算", "the year's budget is missing"),
        "no_weight_in_force": ("当年没有生效的权重", "no weight is in force in that year"),
        "no_band_for_rate": ("综合比率没有对应档位", "no band holds this combined rate"),
    },
    "unit": {
        "rate": ("比率", "rate"), "cny": ("元", "CNY"), "projects": ("个项目", "projects"), "apps": ("个应用", "apps"),
        "days": ("天", "days"), "modules": ("个模块", "modules"), "release_ends": ("个发布端", "ends"),
        "scenes": ("个场景", "scenes"), "units": ("个单元", "units"), "components": ("个组件", "components"),
        "districts": ("个区县", "districts"),
    },
    "comparison": {
        "at_least": ("≥", "≥"), "at_most": ("≤", "≤"), "greater_than": (">", ">"),
        "above_found": ("高于发现时", "above the value when found"),
        "below_found": ("低于发现时", "below the value when found"),
    },
    "reported_state": {
        "done": ("责任处室报告已完成", "reported done"), "in_progress": ("责任处室报告整改中", "reported in progress"),
        "not_started": ("责任处室报告未开始", "reported not started"),
    },
    "metric_state": {
        "before_remedy": ("整改前数据，不作判定", "data from before the remedy: no verdict"), "met": ("达标", "met"),
        "missed": ("未达标", "missed"), "cannot_determine": ("无法判定", "cannot determine"),
        "not_applicable": ("不适用", "not applicable"),
    },
    "metric_reason": {
        "source_not_delivered": ("来源未报送到月底", "a delivery has not come up to the end of the month"),
        "portal_days_missing": ("门户缺报半月以上", "the portal was silent for half of the month"),
        "data_missing": ("没有观测数据", "nothing was observed"),
        "nothing_happened": ("当月无可判定事项", "nothing happened that could be judged"),
        "data_before_remedy": ("事实早于整改", "its facts are from before the remedy"),
        "members_not_judged": ("部分成员未能判定", "some members could not be judged"),
        "found_value_unknown": ("发现时的值未知", "the value when found is unknown"),
    },
    "step": {
        "extract": ("取数", "extraction"), "load_raw": ("装载", "loading"), "admit": ("准入", "admission"),
        "gate_sources": ("来源闸门", "gate of the sources"), "build_models": ("建模", "building"),
        "gate_marts": ("集市闸门", "gate of the marts"), "publish": ("发布", "publishing"),
    },
    "portal": {
        "zheliban": ("浙里办", "Zheliban"), "zhezhengding": ("浙政钉", "Zhezhengding"),
        "standalone_app": ("独立APP", "own APP"),
    },
    "release_end": {
        "zheliban_app": ("浙里办APP", "Zheliban APP"), "zheliban_wechat": ("微信小程序", "WeChat"),
        "zheliban_alipay": ("支付宝小程序", "Alipay"), "zhezhengding": ("浙政钉", "Zhezhengding"),
        "standalone_app": ("独立APP", "own APP"),
    },
    "listing_state": {
        "listed": ("在架", "listed"), "delisted": ("已下架", "delisted"), "never_listed": ("从未上架", "never listed"),
        "unregistered": ("未在IRS注册", "not on IRS"),
    },
    "verdict": {
        "in_use": ("在用", "in use"), "low_use": ("低频", "low use"), "unused": ("无人使用", "unused"),
        "seasonal": ("季节性", "seasonal"), "new": ("新上架", "new"), "not_listed": ("未上架", "not listed"),
        "collector_outage": ("采集中断", "collector outage"), "not_measured": ("无度量", "not measured"),
    },
    "disposition": {
        "keep": ("保留", "keep"), "improve": ("整改提升", "improve"), "merge": ("合并", "merge"),
        "transfer": ("划转", "transfer"), "suspend": ("暂停", "suspend"), "shut_down": ("关停", "shut down"),
    },
    "module_kind": {"module": ("模块", "module"), "matter": ("事项", "matter"), "scene": ("场景", "scene")},
    "suspicion": {
        "night_visits": ("夜间访问", "night visits"),
        "spike_before_cut_off": ("截止前突增", "spike before the cut-off"),
        "visits_without_starts": ("只访问不办件", "visits without starts"),
        "same_value_day_after_day": ("数值连日不变", "same value day after day"),
        "one_end_only": ("访客集中一端", "one end only"),
    },
    "scoring_method": {
        "step": ("分档", "step"), "piecewise": ("分段", "piecewise"), "pro_rata": ("按比例", "pro rata"),
        "deduction": ("扣分", "deduction"),
    },
}  # fmt: skip


def term(language: Language, kind: str, code: Any) -> str:
    """The words for a code; ``—`` for one that is not there."""
    if code is None:
        return "—"
    zh, en = TERMS[kind].get(str(code), (str(code), str(code)))
    return language.pick(zh, en)


def terms_of(language: Language) -> Callable[[str, Any], str]:
    """``term`` in one language, for templates and charts."""
    return lambda kind, code: term(language, kind, code)
