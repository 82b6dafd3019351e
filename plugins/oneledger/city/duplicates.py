"""Apps that do what another app already does, and apps that only look as if they did.

All added apps are out of the first round (county apps, or an enterprise's), so that no published figure hangs on
them. What they stand beside are apps of the first round that have matters of their own here.
"""

from __future__ import annotations

from dataclasses import dataclass

# Apps of the first round whose first matters or modules are these instead of drawn ones.
OWN_MATTERS = {
    "公共自行车": ("扫码租车", "租车站点查询", "租车卡办理"),
    "婚姻登记一件事": ("结婚登记预约", "婚姻档案查询", "婚姻证件补领"),
    "停车通": ("泊位查询", "无感停车缴费", "停车月卡办理"),
    "渣土协同": ("准运证核发", "消纳场管理"),
}
DESCRIPTIONS = {
    "公共自行车": "市民扫码租还公共自行车，查询站点与余车",
    "婚姻登记一件事": "婚姻登记预约、档案查询与证件补领一次办成",
    "停车通": "查询空余泊位，无感支付停车费，办理停车月卡",
    "渣土协同": "渣土准运证核发、运输车辆轨迹与消纳场全程监管",
}


@dataclass(frozen=True)
class LookAlike:
    """One added app.

    Attributes:
        beside: the app of the first round that it stands beside.
        is_duplicate: it does the same thing; otherwise it is a near miss.
        shares_data: it asks for the data resources that the other one uses.
        is_busy: it has more visitors than any app beside which it stands.
    """

    name: str
    side: str
    owner: str
    beside: str
    matters: tuple[str, ...]
    description: str
    is_duplicate: bool
    shares_data: bool = False
    is_busy: bool = False


LOOK_ALIKES = (
    # The same name but for its form words, another owner, the same matters.
    LookAlike(
        "公共自行车在线", "service", "湖州市公共交通集团", "公共自行车", OWN_MATTERS["公共自行车"],
        "市民扫码租还公共自行车，查询站点与余车数量", True,
    ),
    # A county's own version of a city app: the district's name and the form words differ.
    LookAlike(
        "吴兴区婚姻登记通", "service", "吴兴区社会工作部", "婚姻登记一件事", OWN_MATTERS["婚姻登记一件事"],
        "婚姻登记预约、档案查询、证件补领一次办成", True, shares_data=True,
    ),
    # Another name for the same matters and the same data.
    LookAlike(
        "工程渣土智治", "governance", "安吉县大数据发展管理局", "渣土协同", OWN_MATTERS["渣土协同"],
        "渣土准运证核发、运输车辆与消纳场监管", True, shares_data=True, is_busy=True,
    ),
    # Most of the matters, better used.
    LookAlike(
        "智慧停车泊位", "service", "湖州市城市投资发展集团", "停车通", ("泊位查询", "无感停车缴费"),
        "查询空余泊位，无感支付停车费", True, shares_data=True, is_busy=True,
    ),
    # Near misses: one matter in common; a word of the name in common.
    LookAlike(
        "长兴县公共交通在线", "service", "长兴县大数据发展管理局", "公共自行车",
        ("租车站点查询", "公交到站提醒", "公交线路规划"), "公交到站与线路查询", False,
    ),
    LookAlike(
        "德清县婚姻家庭辅导", "service", "德清县社会工作部", "婚姻登记一件事", ("家庭辅导预约", "家长讲堂报名"),
        "婚姻家庭辅导与讲座报名", False,
    ),
)  # fmt: skip
BUSY_APPS = {one.name for one in LOOK_ALIKES if one.is_busy}
MATTERS = OWN_MATTERS | {one.name: one.matters for one in LOOK_ALIKES}
