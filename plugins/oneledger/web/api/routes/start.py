"""``/api/v1``: where to begin, and which versions there are."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path
from starlette.responses import Response

from oneledger.audit.anchors import anchor_of_version
from oneledger.publishing.versions import current_version, describe, list_versions, removed_versions
from oneledger.settings import Settings
from oneledger.web.api.calls import ViewerCall
from oneledger.web.api.models import Index, VersionDetail, Versions
from oneledger.web.api.saying import says

router = APIRouter()

_PLACES = (
    ("/versions", "已发布的版本", "Published versions"),
    ("/tables", "全部表与列", "Every table and column"),
    ("/apps", "应用及星级", "Apps with their stars"),
    ("/stars", "星级评价结果", "Stars"),
    ("/figures", "公布数与计算数对照", "Published figures beside the computed ones"),
    ("/findings", "审计问题清单", "Audit findings"),
    ("/freshness", "来源新鲜度", "Freshness of the sources"),
    ("/metrics", "指标", "Metrics"),
    ("/runs", "每晚运行", "Runs of the nightly"),
    ("/status", "当前状态", "State of the installation"),
    ("/quarantine/counts", "隔离行计数", "Quarantined rows, counted"),
    ("/docs", "接口说明", "This API, described"),
    ("/openapi.json", "OpenAPI 描述", "OpenAPI description"),
)


@router.get(
    "",
    name="index",
    **says(
        "入口",
        "Where to begin",
        model=Index,
        example="/api/v1",
        description_zh="有哪些地址。",
        description_en="What addresses there are, with links.",
    ),
)
def index(call: ViewerCall) -> Response:
    """What there is, with links."""
    items = [{"path": call.address(path), "title_zh": zh, "title_en": en} for path, zh, en in _PLACES]
    return call.answer(lambda: {"title_zh": "一本账", "title_en": "OneLedger", "items": items})


@router.get(
    "/versions", name="versions",
    **says("版本列表", "Versions", model=Versions, example="/api/v1/versions",
           description_zh="已发布的版本，新的在前；保留规则移除的也列出。",
           description_en="Published versions, newest first, and those that retention removed."),
)  # fmt: skip
def versions(call: ViewerCall) -> Response:
    """Every version that is kept or was removed."""
    current = current_version(call.settings)
    items = [
        _item(call.settings, one.version, one.manifest, is_current=bool(current and current.version == one.version))
        for one in list_versions(call.settings)
    ]
    items += [
        _item(call.settings, one["version"], one["manifest"], removed_at=one["removed_at"])
        for one in removed_versions(call.settings)
    ]
    items.sort(key=lambda one: str(one["version"]), reverse=True)
    return call.answer_of_now({"items": items})


@router.get(
    "/versions/{name}", name="version",
    **says("一个版本", "One version", model=VersionDetail, example="/api/v1/versions/current",
           description_zh="各表的行数与内容哈希，日事实各月的文件哈希。",
           description_en="Rows and content hash of each table, and the file of each month of the daily facts."),
)  # fmt: skip
def version(
    call: ViewerCall,
    name: Annotated[
        str, Path(pattern=r"^[0-9A-Za-z.\-]{4,80}$", description="current, or the start of a version's name or hash")
    ],
) -> Response:
    """One version."""
    found = describe(call.settings, name)
    manifest = found["manifest"]
    current = current_version(call.settings)
    removed = found["removed"]
    return call.answer_of_now(
        {
            "item": _item(
                call.settings, found["version"], manifest,
                is_current=bool(current and current.version == found["version"]),
                removed_at=removed["removed_at"] if removed else None,
            ),
            "run_id": manifest["run_id"],
            "previous_version": manifest.get("previous_version"),
            "code_version": manifest.get("code_version"),
            "rules_hash": manifest.get("rules_hash"),
            "removed": removed,
            "tables": manifest["tables"],
            "facts": manifest["facts"],
        },
        {"tables": call.address("/tables", {"version": found["version"]})},
    )  # fmt: skip


def _item(
    settings: Settings, name: str, manifest: dict[str, Any], *, is_current: bool = False, removed_at: str | None = None
) -> dict[str, Any]:
    sealed = anchor_of_version(settings, name)
    return {
        "version": name,
        "created_at": manifest["created_at"],
        "as_of_on": manifest.get("as_of_on"),
        "content_hash": manifest["content_hash"],
        "anchor": sealed.anchor if sealed else None,
        "is_current": is_current,
        "removed_at": removed_at,
        "tables_count": len(manifest["tables"]),
        "rows_count": sum(one["rows_count"] for one in (*manifest["tables"], *manifest["facts"])),
    }
