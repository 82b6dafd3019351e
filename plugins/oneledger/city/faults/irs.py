"""Faults of the IRS and its HTTP API."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import duckdb

from oneledger.city.city_manifest import require_manifest
from oneledger.city.faults.api_faults import Fault, add_fault
from oneledger.city.faults.breakage import Breakage, Expected, Target
from oneledger.city.irs_store import store_dir
from oneledger.settings import ConfigurationError

API_PLACE = "irs/"


def _answers(name: str, kind: str, path: str, field: str = "", value: str = "") -> Callable[[Target], str]:
    def spoil(target: Target) -> str:
        add_fault(store_dir(target.city_dir), Fault(kind, path, field, value, name))
        return f"/v1/{path} in faults.json: {kind}" + (f" of {field}" if field else "")

    return spoil


def _api(
    kind: str, zh: str, en: str, problem: str, expected: Expected, path: str, answer: str, field: str = "",
    value: str = "", *, needs_history: bool = False,
) -> Breakage:  # fmt: skip
    return Breakage(kind, zh, en, problem, expected, f"{API_PLACE}{path}", _answers(kind, answer, path, field, value),
                    needs_history=needs_history)  # fmt: skip


def _refuse(entity: str, problem: str, text: str, *says: str) -> Expected:
    return Expected("refuse", "irs", entity, text, problem, says=says)


def _held(entity: str, rule: str, text: str, *says: str, problem: str = "unreadable_value") -> Expected:
    return Expected("quarantine", "irs", entity, text, problem, rule, 3, says)


def _move_request(target: Target) -> str:
    """One request of September 2022 moves to October; known as a change of the last day."""
    manifest = require_manifest(target.city_dir)
    path = _requests(target)[0]
    with duckdb.connect() as con:
        con.execute(f"create table version as select * from read_parquet('{path}')")
        found = con.execute(
            """
            select "requestId" from version
            where "appliedAt" >= '2022-09-01' and "appliedAt" < '2022-10-01' and superseded_at is null
            order by "requestId" limit 1
            """
        ).fetchone()
        if found is None:
            raise ConfigurationError("This city has no sharing request of September 2022; build it up to 2022-10-31.")
        changed_at = f"{manifest.last_on.isoformat()}T23:58:00"
        where = '"requestId" = ? and superseded_at is null'
        con.execute(
            f"""
            insert into version
            select * replace (replace("appliedAt", '2022-09', '2022-10') as "appliedAt",
                null as "approvedAt", null as "openedAt", '{changed_at}' as "updatedAt")
            from version where {where}
            """,
            [found[0]],
        )
        con.execute(f"update version set superseded_at = ? where {where} and \"updatedAt\" < ?",
                    [changed_at, found[0], changed_at])  # fmt: skip
        partial = path.with_name(f".{path.name}.partial")
        con.execute(f"copy (from version order by \"updatedAt\", _key) to '{partial}' (format parquet)")
        partial.replace(path)
    return f"request {found[0]}: appliedAt moved from September to October 2022"


def _requests(target: Target) -> list[Path]:
    manifest = require_manifest(target.city_dir)
    return [store_dir(target.city_dir) / "sharing-requests" / f"{manifest.last_on.year}.parquet"]


IRS_FAULTS = (
    Breakage("changed_request_month", "改动一条共享申请的月份", "one sharing request moved to another month",
             "one request of September 2022 says October",
             Expected("reconcile", "irs", "sharing_request",
                      "reconcile shows 473 instead of 474 requests, and fails"),
             "irs-store/sharing-requests", _move_request, _requests, needs_reference_city=True),

    # No answer, or not the agreed one
    _api("html_error_page", "接口返回网页", "an HTML page instead of JSON",
         "/v1/apps answers 200 with an HTML error page",
         _refuse("app", "web_page", "the extraction fails and shows what came instead of JSON", "/v1/apps",
                 "status 200", "<!DOCTYPE html>"), "apps", "html_error_page"),
    _api("server_error", "接口故障", "the API is down for a collection", "/v1/sharing-requests answers 503",
         _refuse("sharing_request", "no_answer",
                 "retries with backoff, then the extraction fails; what is published stays", "/v1/sharing-requests",
                 "status 503"), "sharing-requests", "server_error"),
    _api("forbidden", "无访问权限", "no access to a collection", "/v1/components answers 403",
         _refuse("component", "no_answer", "the extraction fails at once and says whose token it is", "/v1/components",
                 "403", "no access"), "components", "forbidden"),
    _api("unauthorized", "令牌失效", "a token that is not accepted", "/v1/departments answers 401",
         _refuse("department", "no_answer", "the extraction fails at once and names the connection", "/v1/departments",
                 "401", "token"), "departments", "unauthorized"),
    _api("not_found", "接口地址失效", "a collection that is not there", "/v1/interface-calls answers 404",
         _refuse("interface_call", "no_answer", "the extraction fails at once and names path and catalogue",
                 "/v1/interface-calls", "404"), "interface-calls", "not_found"),
    _api("too_many_requests", "接口持续限流", "too many requests, again and again", "/v1/promotion-events answers 429",
         _refuse("promotion_event", "no_answer", "waits as long as the server asks, then the extraction fails",
                 "/v1/promotion-events", "status 429"), "promotion-events", "too_many_requests"),
    _api("connection_cut", "传输中断", "a connection cut in the middle of a page",
         "/v1/listing-events cuts each connection",
         _refuse("listing_event", "no_answer", "retries, then the extraction fails; half a page is never taken",
                 "/v1/listing-events", "attempts"), "listing-events", "connection_cut"),
    _api("slow_body", "返回极慢", "a body that does not come", "/v1/data-resources sends half a page and then nothing",
         _refuse("data_resource", "no_answer", "times out, retries, then the extraction fails", "/v1/data-resources",
                 "no answer within"), "data-resources", "slow_body"),
    _api("broken_json", "JSON不完整", "half a JSON body", "/v1/modules answers 200 with half a body",
         _refuse("module", "unreadable_answer", "retries, then the extraction fails and shows how the body begins",
                 "/v1/modules", "no JSON"), "modules", "broken_json"),
    _api("records_moved", "数据列表改名", "the list of records renamed",
         "/v1/interface-calls has its records under data",
         _refuse("interface_call", "unreadable_answer", "the extraction fails and lists the keys there", "'items'",
                 "data"), "interface-calls", "records_moved"),
    _api("as_of_garbled", "基准日不是日期", "a date that is none", "/v1/departments answers as of latest",
         _refuse("department", "unreadable_answer", "the extraction fails and shows the date", "'latest'"),
         "departments", "as_of_garbled"),

    # Pages
    _api("wrong_total", "接口总数不符", "the API says more records than it gives",
         "/v1/modules says 7 records more than come",
         _refuse("module", "control_total_differs", "the control total fails and shows both numbers", "rows received",
                 "the source says"), "modules", "wrong_total"),
    _api("page_repeated", "同一页再次送来", "a page that comes again", "the second page of /v1/apps is the first again",
         _refuse("app", "repeated_page", "the extraction fails and names the page", "page-00002.json",
                 "same as an earlier page"), "apps", "page_repeated"),
    _api("overlapping_pages", "前后页重叠", "pages that overlap",
         "the second page of /v1/listing-events repeats 3 records and lacks 3 others",
         _refuse("listing_event", "overlapping_pages", "the batch is refused although the total is right",
                 "page-00001.json", "page-00002.json", "3 records"), "listing-events", "overlapping_pages"),
    _api("pages_out_of_order", "页的先后颠倒", "pages out of order",
         "the second page of /v1/sharing-requests comes before the first",
         Expected("accept", "irs", "sharing_request", "every record is taken: its last change decides",
                  "pages_out_of_order"), "sharing-requests", "pages_out_of_order"),
    _api("endless_cursor", "翻页没有尽头", "a cursor that never ends",
         "/v1/data-resources points from empty page to empty page",
         _refuse("data_resource", "endless_paging", "the extraction stops and says so", "/v1/data-resources",
                 "does not end"), "data-resources", "endless_cursor"),
    _api("since_ignored", "增量参数不起作用", "a server that ignores updated_since",
         "/v1/future-units always answers with everything",
         Expected("warn", "irs", "future_unit", "nothing is landed twice; a warning says that the parameter is ignored",
                  "since_ignored", says=("asked for changes since", "older")),
         "future-units", "since_ignored", needs_history=True),
    _api("lying_etag", "ETag失实", "an ETag that lies", "/v1/components answers 304 whatever has changed",
         Expected("accept", "irs", "component", "a tag is trusted on its own day; the next day asks without it"),
         "components", "lying_etag", needs_history=True),

    # Fields and values
    _api("renamed_field", "接口字段改名", "a field of the API renamed", "keyApp of /v1/apps is called isKeyApp",
         _refuse("app", "missing_column", "the batch is refused and the missing field named, with its likely new name",
                 "keyApp", "is_key_app", "isKeyApp"), "apps", "renamed_field", "keyApp", "isKeyApp"),
    _api("removed_field", "接口缺字段", "a field of the API left out", "kind of /v1/modules is not there",
         _refuse("module", "missing_column", "the batch is refused and the missing field named", "kind", "module_kind"),
         "modules", "removed_field", "kind"),
    _api("new_field", "接口多出字段", "a field that nobody announced", "/v1/promotion-events has a field region",
         Expected("warn", "irs", "promotion_event", "rows are taken, the unknown field is kept and a warning made",
                  "new_column", says=("region",)), "promotion-events", "new_field", "region", "湖州"),
    _api("null_field", "必填字段为空", "null where a value is needed", "3 departments have the name null",
         _held("department", "required", "the 3 rows are quarantined", "department_name", problem=""),
         "departments", "null", "name"),
    _api("wrong_type", "字段类型不符", "a field of another type", "3 components are reused by 很多 apps",
         _held("component", "is_integer", "the 3 rows are quarantined", "很多", "reusing_app_count"),
         "components", "value", "reusingApps", "很多"),
    _api("nested_field", "字段成了对象", "an object where one value was agreed", "the name of 3 units is an object",
         _held("future_unit", "malformed_record", "the 3 records are quarantined whole, with the key that is nested",
               "nested_keys", "name", problem="nested_value"), "future-units", "nested", "name"),
    _api("unknown_side", "未约定的取值", "a value that was not agreed", "3 listing events are of kind paused",
         _held("listing_event", "allowed", "the 3 rows are quarantined; the allowed values are listed", "paused",
               "event_kind", problem=""), "listing-events", "value", "kind", "paused"),
    _api("wrong_district", "行政区划代码不符", "a district code of another form", "3 units are in district 9999",
         _held("future_unit", "pattern", "the 3 rows are quarantined", "9999", "district_code", problem=""),
         "future-units", "value", "districtCode", "9999"),
    _api("clock_in_utc", "时间带时区", "a clock in another zone", "/v1/data-resources writes times in UTC, with Z",
         Expected("accept", "irs", "data_resource", "every row is taken, times as meant", "other_time_zone"),
         "data-resources", "other_zone", "updatedAt"),
    _api("clock_ahead", "时钟超前", "a clock that is ahead", "3 promotion events were changed 3 days from now",
         _held("promotion_event", "changed_in_future",
               "the 3 rows are quarantined, so that they hide no later change; the watermark does not move",
               "updated_at", problem="changed_in_future"), "promotion-events", "clock_ahead", "updatedAt"),
    _api("disordered_times", "时间先后颠倒", "times out of order", "3 requests were approved before they were made",
         _held("sharing_request", "sharing_dates_in_order", "the 3 rows are quarantined", "approved_at=1999",
               problem=""),
         "sharing-requests", "value", "approvedAt", "1999-01-01T08:00:00"),
)  # fmt: skip
