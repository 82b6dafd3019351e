"""The rectification list: the ten findings of the audit and how far their remedy is."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from oneledger.city.calendar import chinese_date
from oneledger.city.sheets import NOTE, Sheet, typed_or_written

D = dt.date
RECEIVED_ON = D(2022, 8, 8)
REPLIED_ON = D(2022, 11, 10)
NODES = (D(2022, 8, 30), D(2022, 9, 25))
# The list is delivered anew on these days; what is done by then is marked so.
DELIVERED_ON = (D(2022, 8, 12), D(2022, 8, 30), D(2022, 9, 25), D(2022, 10, 31))
# Finding, requirement, office, day on which its measures were reported done (None: still under way), measures.
FINDINGS: tuple[tuple[str, str, str, dt.date | None, str], ...] = (
    (
        "项目统筹管理不够到位",
        "及时修订完善信息化相关管理办法和项目绩效综合评价体系",
        "项目管理处",
        D(2022, 9, 21),
        "管理办法修订稿、建设指南、项目管理系统迭代",
    ),
    (
        "信息化项目底数不清",
        "明确信息化项目边界，排清理顺项目底数",
        "项目管理处",
        D(2022, 9, 20),
        "依托项目管理系统实现全流程电子化",
    ),
    (
        "部分数字化改革项目资金保障不够及时",
        "强化项目立项、资金安排的统筹管理",
        "项目管理处",
        None,
        "与财政部门对接，优化项目资金安排",
    ),
    (
        "公共数据互通互享的效力还不够高",
        "提升公共数据一本账管理效力，督导规范数据共享使用",
        "数据资源处",
        D(2022, 9, 23),
        "对接36个重点应用，数据资源自动化开通，能力评估",
    ),
    (
        "4个浙里办应用日均访问人数低",
        "督导优化或整改低频应用，加大推广力度",
        "政务服务处",
        D(2022, 9, 24),
        "绩效评估、通报晾晒、下架应用、直播推广",
    ),
    (
        "2个应用于浙里办的使用较独立APP的使用差距较大",
        "督导优化或整改，提高应用绩效",
        "政务服务处",
        None,
        "同源发布，各端适配改造",
    ),
    (
        "未来社区在浙里办-数字社会空间的落地质效不够明显",
        "督导优化或整改，加大推广力度",
        "政务服务处",
        D(2022, 9, 15),
        "督查通报，未来社区与未来乡村标准化应用上架",
    ),
    (
        "12个浙政钉应用的使用率较低",
        "督导优化或整改，提高应用绩效",
        "数字政府处",
        D(2022, 9, 22),
        "下架、组件整合、规范上架",
    ),
    (
        "进一步建立完善制度机制",
        "围绕数改项目全生命周期完善管理制度",
        "综合处",
        None,
        "拓展项目范围、新增预审机制、推动市域一体",
    ),
    (
        "进一步提升场景落地质效",
        "根据上线率、使用率、满意率调整保障比例",
        "项目管理处",
        None,
        "首轮绩效评价、四类指标、十个项目深入评估",
    ),
)


def write_rectification(folder: Path, since: dt.date, last: dt.date) -> dict[str, int]:
    """Write the newest list delivered from ``since`` to ``last``; none when there is none."""
    delivered = [day for day in DELIVERED_ON if since <= day <= last]
    if not delivered:
        return {}
    as_of = delivered[-1]
    path = folder / "zhenggai_2022.xlsx"
    with Sheet(path, "整改清单", (10, 44, 44, 16, 16, 16, 12, 48)) as sheet:
        sheet.title("审计发现问题整改清单")
        sheet.line([f"收到日期：{chinese_date(RECEIVED_ON)}", None, f"报送日期：{chinese_date(REPLIED_ON)}"])
        sheet.head(["问题编号", "问题", "整改要求", "责任处室", "第一节点", "第二节点", "整改状态", "整改措施"])
        for number, (title, requirement, office, done_on, measures) in enumerate(FINDINGS, start=1):
            is_done = done_on is not None and done_on <= as_of
            state = "已完成" if is_done else ("整改中" if as_of >= NODES[0] else "未启动")
            sheet.line([
                number, title, requirement, office, typed_or_written(NODES[0], number),
                typed_or_written(NODES[1], number + 1), state, measures if state != "未启动" else None,
            ])  # fmt: skip
        sheet.note(NOTE, "填报人：市大数据局审计整改专班")
    return {path.name: len(FINDINGS)}
