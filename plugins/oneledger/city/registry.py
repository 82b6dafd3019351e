"""What the IRS knows: one row a version of a record, in the field names of its API.

A version is known from its ``updatedAt`` until the next one supersedes it, so that the API can answer as of
any day: a request that is approved later is not approved yet.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from oneledger.city.population import Population

Row = dict[str, Any]


@dataclass(frozen=True)
class RegistryEntity:
    """One collection of the API.

    Attributes:
        path: the last part of its address, ``sharing-requests``.
        fields: JSON field → DuckDB type, in the order of the answer.
        key: the field that identifies a record.
        ids: fields with an identifier that a larger city repeats with a suffix; ``names`` the same for names.
        period: months or years a stored file covers.
    """

    path: str
    fields: dict[str, str]
    key: str
    ids: tuple[str, ...]
    names: tuple[str, ...] = ()
    period: str = "year"


ENTITIES: dict[str, RegistryEntity] = {
    entity.path: entity
    for entity in (
        RegistryEntity(
            "departments",
            {"departmentId": "varchar", "name": "varchar", "kind": "varchar", "level": "varchar",
             "districtCode": "varchar"},
            "departmentId", ("departmentId",), ("name",),
        ),
        RegistryEntity(
            "apps",
            {"appId": "varchar", "name": "varchar", "side": "varchar", "family": "varchar", "departmentId": "varchar",
             "level": "varchar", "districtCode": "varchar", "registeredOn": "varchar", "keyApp": "boolean",
             "provinceAssigned": "boolean", "standaloneApp": "boolean", "seasonal": "boolean",
             "noSharingReason": "varchar", "description": "varchar"},
            "appId", ("appId", "departmentId"), ("name",),
        ),
        RegistryEntity(
            "modules", {"moduleId": "varchar", "appId": "varchar", "name": "varchar", "kind": "varchar"},
            "moduleId", ("moduleId", "appId"),
        ),
        RegistryEntity(
            "listing-events",
            {"eventId": "varchar", "appId": "varchar", "releaseEnd": "varchar", "kind": "varchar", "date": "varchar",
             "passedReview": "boolean", "reason": "varchar"},
            "eventId", ("eventId", "appId"),
        ),
        RegistryEntity(
            "data-resources",
            {"resourceId": "varchar", "name": "varchar", "departmentId": "varchar", "sharingKind": "varchar",
             "publishedOn": "varchar"},
            "resourceId", ("resourceId", "departmentId"), ("name",),
        ),
        RegistryEntity(
            "components",
            {"componentId": "varchar", "name": "varchar", "departmentId": "varchar", "listedOn": "varchar",
             "reusingApps": "integer"},
            "componentId", ("componentId", "departmentId"),
        ),
        RegistryEntity(
            "sharing-requests",
            {"requestId": "varchar", "appId": "varchar", "applicantDepartmentId": "varchar", "resourceId": "varchar",
             "kind": "varchar", "appliedAt": "varchar", "approvedAt": "varchar", "openedAt": "varchar",
             "rejectedAt": "varchar"},
            "requestId", ("requestId", "appId", "applicantDepartmentId", "resourceId"),
        ),
        RegistryEntity(
            "interface-calls",
            {"date": "varchar", "resourceId": "varchar", "appId": "varchar", "calls": "integer", "failed": "integer"},
            "callKey", ("resourceId", "appId"), period="month",
        ),
        RegistryEntity(
            "future-units",
            {"unitId": "varchar", "name": "varchar", "kind": "varchar", "districtCode": "varchar", "appId": "varchar"},
            "unitId", ("unitId", "appId"), ("name",),
        ),
        RegistryEntity(
            "promotion-events",
            {"eventId": "varchar", "name": "varchar", "heldOn": "varchar", "viewers": "integer", "appIds": "varchar"},
            "eventId", ("eventId", "appIds"),
        ),
        RegistryEntity(
            "security-notices",
            {"noticeId": "varchar", "appId": "varchar", "noticedOn": "varchar", "kind": "varchar", "dueOn": "varchar",
             "mendedOn": "varchar", "reportedBy": "varchar"},
            "noticeId", ("noticeId", "appId"),
        ),
    )
}  # fmt: skip


def registry_rows(population: Population) -> dict[str, list[Row]]:
    """Versions of all records of the city at scale 1, by API path; interface calls are drawn in the database."""
    makers: dict[str, Callable[[Population], Iterable[Row]]] = {
        "departments": _departments,
        "apps": _apps,
        "modules": _modules,
        "listing-events": _listing_events,
        "data-resources": _resources,
        "components": _components,
        "sharing-requests": _requests,
        "future-units": _future_units,
        "promotion-events": _promotions,
        "security-notices": _notices,
    }
    return {path: list(maker(population)) for path, maker in makers.items()}


def interface_pairs(population: Population) -> list[Row]:
    """Which app calls which resource from which day on."""
    first: dict[tuple[str, str], dt.date] = {}
    for request in population.requests:
        if request.kind == "interface" and request.app is not None and request.opened_at is not None:
            pair = (request.resource.resource_id, request.app.app_id)
            day = request.opened_at.date() + dt.timedelta(days=1)
            first[pair] = min(first.get(pair, day), day)
    return [
        {"resourceId": resource, "appId": app, "called_from": day} for (resource, app), day in sorted(first.items())
    ]


def _versions(*versions: tuple[dt.datetime, Row]) -> Iterable[Row]:
    ordered = sorted(versions, key=lambda version: version[0])
    ends = [moment for moment, _ in ordered[1:]] + [None]
    for (moment, row), end in zip(ordered, ends, strict=True):
        yield {**row, "updatedAt": _text(moment), "superseded_at": _text(end)}


def _text(moment: dt.date | dt.datetime | None) -> str | None:
    if isinstance(moment, dt.datetime):
        return moment.isoformat(timespec="seconds")
    return moment.isoformat() if moment else None


def _at(day: dt.date, hour: int, minute: int = 0) -> dt.datetime:
    return dt.datetime.combine(day, dt.time(hour, minute))


def _departments(population: Population) -> Iterable[Row]:
    for d in population.departments:
        row = {"departmentId": d.department_id, "name": d.name, "kind": d.kind, "level": d.level,
               "districtCode": d.district_code}  # fmt: skip
        yield from _versions((d.updated_at, row))


def _apps(population: Population) -> Iterable[Row]:
    for app in population.apps:
        row = {
            "appId": app.app_id, "name": app.name, "side": app.side, "family": app.family,
            "departmentId": app.department.department_id, "level": app.department.level,
            "districtCode": app.department.district_code, "registeredOn": _text(app.registered_on),
            "keyApp": app.is_key, "provinceAssigned": app.is_province_assigned, "standaloneApp": app.has_standalone,
            "seasonal": app.is_seasonal, "noSharingReason": None,
            "description": f"合成数据 synthetic: {app.description or app.name}",
        }  # fmt: skip
        versions = [(_at(app.registered_on, 10, app.number % 60), row)]
        if app.reason_given_on:
            versions.append((_at(app.reason_given_on, 15, app.number % 60),
                             {**row, "noSharingReason": app.no_sharing_reason}))  # fmt: skip
        yield from _versions(*versions)


def _modules(population: Population) -> Iterable[Row]:
    for module in population.modules:
        row = {"moduleId": module.module_id, "appId": module.app.app_id, "name": module.name, "kind": module.kind}
        yield from _versions((_at(module.app.registered_on, 11, module.number % 60), row))


def _listing_events(population: Population) -> Iterable[Row]:
    for app in population.apps:
        events = []
        for listing in app.listings:
            events.append((listing.listed_on, listing, "listed"))
            if listing.delisted_on:
                events.append((listing.delisted_on, listing, "delisted"))
        events.sort(key=lambda event: (event[0], event[1].release_end, event[2]))
        for number, (day, listing, kind) in enumerate(events, start=1):
            row = {
                "eventId": f"{app.app_id}-L{number:02d}", "appId": app.app_id, "releaseEnd": listing.release_end,
                "kind": kind, "date": _text(day),
                "passedReview": listing.has_passed_review if kind == "listed" else None,
                "reason": listing.reason if kind == "delisted" else None,
            }  # fmt: skip
            yield from _versions((_at(day, 18, app.number % 60), row))


def _resources(population: Population) -> Iterable[Row]:
    for resource in population.resources:
        row = {
            "resourceId": resource.resource_id, "name": resource.name,
            "departmentId": resource.department.department_id, "sharingKind": resource.sharing_kind,
            "publishedOn": _text(resource.published_on),
        }  # fmt: skip
        yield from _versions((resource.updated_at, row))


def _components(population: Population) -> Iterable[Row]:
    for component in population.components:
        versions: list[tuple[dt.datetime, Row]] = []
        for day, reusing in component.reusing_apps:
            is_listed = component.listed_on is not None and component.listed_on <= day
            row = {
                "componentId": component.component_id, "name": component.name,
                "departmentId": component.department.department_id,
                "listedOn": _text(component.listed_on) if is_listed else None, "reusingApps": reusing,
            }  # fmt: skip
            versions.append((_at(day, 9 + len(versions)), row))
        yield from _versions(*versions)


def _requests(population: Population) -> Iterable[Row]:
    for request in population.requests:
        row: Row = {
            "requestId": request.request_id, "appId": request.app.app_id if request.app else None,
            "applicantDepartmentId": request.department.department_id, "resourceId": request.resource.resource_id,
            "kind": request.kind, "appliedAt": _text(request.applied_at), "approvedAt": None, "openedAt": None,
            "rejectedAt": None,
        }  # fmt: skip
        versions = [(request.applied_at, row)]
        for field, moment in (
            ("approvedAt", request.approved_at), ("openedAt", request.opened_at), ("rejectedAt", request.rejected_at),
        ):  # fmt: skip
            if moment is not None:
                row = {**row, field: _text(moment)}
                versions.append((moment, row))
        yield from _versions(*versions)


def _future_units(population: Population) -> Iterable[Row]:
    for unit in population.future_units:
        row: Row = {"unitId": unit.unit_id, "name": unit.name, "kind": unit.kind, "districtCode": unit.district_code,
                    "appId": None}  # fmt: skip
        versions = [(_at(unit.registered_on, 9), row)]
        if unit.app is not None and unit.app.first_listed_on:
            versions.append((_at(unit.app.first_listed_on, 19), {**row, "appId": unit.app.app_id}))
        yield from _versions(*versions)


def _promotions(population: Population) -> Iterable[Row]:
    for event in population.promotions:
        row: Row = {
            "eventId": event.event_id, "name": event.name, "heldOn": _text(event.held_on), "viewers": event.viewers,
            "appIds": ";".join(app.app_id for app in event.apps),
        }  # fmt: skip
        yield from _versions((_at(event.held_on, 21), row))


def _notices(population: Population) -> Iterable[Row]:
    for notice in population.notices:
        row: Row = {
            "noticeId": notice.notice_id, "appId": notice.app.app_id, "noticedOn": _text(notice.noticed_on),
            "kind": notice.kind, "dueOn": _text(notice.due_on), "mendedOn": None, "reportedBy": notice.reported_by,
        }  # fmt: skip
        versions = [(_at(notice.noticed_on, 16), row)]
        if notice.mended_on is not None:
            versions.append((_at(notice.mended_on, 17), {**row, "mendedOn": _text(notice.mended_on)}))
        yield from _versions(*versions)
