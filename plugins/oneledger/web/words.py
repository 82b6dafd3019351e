"""Values of the marts in words, in both languages: what a side, a verdict, a disposition or a release end is called."""

from __future__ import annotations

from oneledger.web.language import Language

SIDES = {"service": ("服务侧", "service side"), "governance": ("治理侧", "governance side")}
PORTALS = {
    "zheliban": ("浙里办", "Zheliban"), "zhezhengding": ("浙政钉", "Zhezhengding"), "standalone_app": ("独立APP", "own APP"),
}  # fmt: skip
ENDS = {
    "zheliban_app": ("浙里办APP", "Zheliban APP"), "zheliban_wechat": ("微信小程序", "WeChat"),
    "zheliban_alipay": ("支付宝小程序", "Alipay"), "zhezhengding": ("浙政钉", "Zhezhengding"),
    "standalone_app": ("独立APP", "own APP"),
}  # fmt: skip
VERDICTS = {
    "in_use": ("在用", "in use"), "low_use": ("低频", "low use"), "unused": ("无人使用", "unused"),
    "seasonal": ("季节性", "seasonal"), "new": ("新上架", "new"), "not_listed": ("未上架", "not listed"),
    "collector_outage": ("采集中断", "collector outage"), "not_measured": ("无度量", "not measured"),
}  # fmt: skip
DISPOSITIONS = {
    "keep": ("保留", "keep"), "improve": ("整改提升", "improve"), "merge": ("合并", "merge"), "transfer": ("划转", "transfer"),
    "suspend": ("暂停", "suspend"), "shut_down": ("关停", "shut down"),
}  # fmt: skip
FAMILIES = {
    "major_application": ("重大应用类", "major application"), "application_system": ("应用系统类", "application system"),
    "infrastructure": ("基础设施类", "infrastructure"), "operations": ("运维类", "operations"),
}  # fmt: skip
LEVELS = {"city": ("市本级", "city"), "county": ("县区", "county"), "province": ("省级", "province")}
LISTING_STATES = {
    "listed": ("在架", "listed"), "delisted": ("已下架", "delisted"), "never_listed": ("从未上架", "never listed"),
    "unregistered": ("未在IRS注册", "not on IRS"),
}  # fmt: skip
REQUEST_STATES = {
    "open": ("待审", "undecided"), "approved": ("已批准待开通", "approved, not opened"), "rejected": ("已驳回", "rejected"),
    "opened": ("已开通", "opened"),
}  # fmt: skip
REQUEST_KINDS = {"batch": ("批量", "batch"), "interface": ("接口", "interface")}
SHARING_KINDS = {"unconditional": ("无条件", "unconditional"), "conditional": ("有条件", "conditional")}
MODULE_KINDS = {"module": ("模块", "module"), "matter": ("事项", "matter"), "scene": ("场景", "scene")}
SUSPICIONS = {
    "night_visits": ("夜间访问", "night visits"), "spike_before_cut_off": ("截止前突增", "spike before the cut-off"),
    "visits_without_starts": ("只访问不办件", "visits without starts"),
    "same_value_day_after_day": ("数值连日不变", "same value day after day"), "one_end_only": ("访客集中一端", "one end only"),
}  # fmt: skip
# GB/T 2260.
DISTRICTS = {
    "330500": ("湖州市", "Huzhou"), "330502": ("吴兴区", "Wuxing"), "330503": ("南浔区", "Nanxun"),
    "330521": ("德清县", "Deqing"), "330522": ("长兴县", "Changxing"), "330523": ("安吉县", "Anji"),
}  # fmt: skip

_ALL = {
    "side": SIDES, "portal": PORTALS, "end": ENDS, "verdict": VERDICTS, "disposition": DISPOSITIONS, "family": FAMILIES,
    "level": LEVELS, "listing": LISTING_STATES, "request": REQUEST_STATES, "request_kind": REQUEST_KINDS,
    "sharing": SHARING_KINDS, "module": MODULE_KINDS, "suspicion": SUSPICIONS, "district": DISTRICTS,
}  # fmt: skip


def word(value: str | None, kind: str, language: Language) -> str:
    """What a value of this kind is called; a value that no list knows (another source's end) stands as it is."""
    if value is None:
        return "—"
    both = _ALL[kind].get(value)
    return language.pick(*both) if both else value
