"""The apps of one city: who owns them, where and since when they are listed, how well they are used."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field

from oneledger.city import names
from oneledger.city.departments import Department
from oneledger.city.draws import Draw
from oneledger.city.duplicates import BUSY_APPS, DESCRIPTIONS, LOOK_ALIKES
from oneledger.city.scoring import Quality

D = dt.date
ZHELIBAN_ENDS = ("zheliban_app", "zheliban_wechat", "zheliban_alipay")
# tier → number of (service, governance) apps of the first round that are drawn without a part of their own
_PLAIN = {"five": (14, 14), "four": (19, 21), "three": (37, 39), "none": (12, 16)}


NOT_USED = Quality(0, 0, 0)


@dataclass
class Listing:
    """One stretch of time on one release end; ``delisted_on`` is the first day without it."""

    release_end: str
    listed_on: dt.date
    delisted_on: dt.date | None = None
    has_passed_review: bool | None = None
    reason: str | None = None


@dataclass
class App:
    """One app as the city's registry and portals see it.

    ``role`` says which part it plays in the reference city; ``tier`` is set for the first round only.
    ``quiet_until`` and ``season_months`` say when it has few visitors, ``outage`` when nothing was collected.
    """

    number: int
    name: str
    side: str
    department: Department
    role: str
    family: str = "application_system"
    tier: str | None = None
    sharing: str = "none"
    is_key: bool = False
    asks_late: bool = False
    is_province_assigned: bool = False
    has_standalone: bool = False
    is_seasonal: bool = False
    no_sharing_reason: str | None = None
    reason_given_on: dt.date | None = None
    weak_matter: str | None = None
    registered_on: dt.date = dt.date.min
    listings: list[Listing] = field(default_factory=list)
    quality: Quality = NOT_USED
    provisioned: int = 0
    quiet_until: dt.date | None = None
    season_months: tuple[int, ...] = ()
    outage: tuple[dt.date, dt.date] | None = None
    description: str = ""

    @property
    def app_id(self) -> str:
        return f"A330500{self.number:05d}"

    @property
    def first_listed_on(self) -> dt.date | None:
        return min((listing.listed_on for listing in self.listings), default=None)


def draw_apps(draw: Draw, departments: list[Department]) -> list[App]:
    """All apps of one city at scale 1, in a fixed order."""
    by_name = {department.name: department for department in departments}
    municipal = {name: by_name[f"湖州市{name}"] for name in names.MUNICIPAL_DEPARTMENTS}
    service = [
        (topic + form, municipal[owner]) for form in names.SERVICE_FORMS for topic, owner in names.SERVICE_TOPICS
    ]
    governance = [
        (topic + form, municipal[owner]) for form in names.GOVERNANCE_FORMS for topic, owner in names.GOVERNANCE_TOPICS
    ]
    county_topics: dict[str, list[str]] = {}
    apps: list[App] = []

    def add(name: str, side: str, department: Department, role: str, tier: str | None = None) -> App:
        app = App(len(apps) + 1, name, side, department, role, tier=tier)
        apps.append(app)
        return app

    for name, owner, matter in names.WEAK_SHARE_APPS:
        add(name, "service", municipal[owner], "weak_share", "three").weak_matter = matter
    for name, owner in names.LOW_USE_SERVICE_APPS:
        add(name, "service", municipal[owner], "low_use", "none")
    for name, owner in names.SEASONAL_APPS:
        add(name, "service", municipal[owner], "seasonal", "none")
    for name in names.LOW_USE_GOVERNANCE_APPS:
        owner = "卫生健康委员会" if name == "云公卫" else draw.pick(names.MUNICIPAL_DEPARTMENTS, name, "owner")
        add(name, "governance", municipal[owner], "low_use", "none")
    for tier, (service_count, governance_count) in _PLAIN.items():
        for _ in range(service_count):
            add(*_next(service, "service"), "plain", tier)
        for _ in range(governance_count):
            add(*_next(governance, "governance"), "plain", tier)
    for tier in ("three", "none", "none"):
        add(*_next(service, "service"), "new_in_june", tier)
    add(*_next(governance, "governance"), "new_in_june", "three")
    add(*_next(service, "service"), "outage", "three")
    add(*_next(governance, "governance"), "outage", "three")
    for _ in range(3):
        add(*_next(service, "service"), "listed_from_august")
    for _ in range(20):
        add(*_next(governance, "governance"), "listed_from_august")
    for _ in range(6):
        add(*_next(service, "service"), "delisted_before")
    for _ in range(8):
        add(*_next(governance, "governance"), "never_listed")
    for department in departments:
        if department.kind == "county_department":
            topics = county_topics.setdefault(department.district_code, list(names.COUNTY_TOPICS))
            for side in ("service", "service", "governance"):
                add(f"{department.short_name}{topics.pop(0)}", side, department, "county")
        elif department.kind in ("state_owned_enterprise", "hospital", "university"):
            add(f"{department.name}服务号", "service", department, "other_owner")
    for number in range(36):
        kind = "社区" if number < 22 else "乡村"
        owners = [department for department in departments if department.name.endswith("社会工作部")]
        owner_of = owners[number % len(owners)]
        add(f"未来{kind}·{_UNIT_NAMES[number]}", "service", owner_of, "standard")
    for one in LOOK_ALIKES:
        add(one.name, one.side, by_name[one.owner], "look_alike").description = one.description
    for app in apps:
        app.description = DESCRIPTIONS.get(app.name, app.description)
    _give_parts(draw, apps)
    for app in apps:
        _place(draw, app)
        _describe(draw, app)
    return apps


_UNIT_NAMES = tuple(
    f"{first}{second}" for first in ("潜山", "月河", "飞英", "爱山", "仁皇", "龙溪", "凤凰", "双林", "新市")
    for second in ("东", "西", "南", "北")
)  # fmt: skip


def _next(waiting: list[tuple[str, Department]], side: str) -> tuple[str, str, Department]:
    name, department = waiting.pop(0)
    return name, side, department


def _give_parts(draw: Draw, apps: list[App]) -> None:
    """Sharing states, key apps, province-assigned apps and own APPs of the first round."""
    plain = {
        tier: draw.shuffled([app for app in apps if app.role == "plain" and app.tier == tier], "parts", tier)
        for tier in _PLAIN
    }
    others_three = [app for app in apps if app.tier == "three" and app.role != "plain"]
    _share(plain["five"], "approved", key_late=3, key_early=10, count=28)
    _share(plain["four"], "approved", key_late=5, key_early=8, count=34)
    _share(plain["four"][34:], "asked", count=6)
    _share(plain["three"], "approved", key_late=12, key_early=6, count=44)
    _share(others_three, "approved", count=len(others_three))
    _share(plain["three"][44:], "asked", key_late=4, count=14)
    _share(plain["three"][58:], "none", key_late=6, count=18)
    _share(plain["none"], "approved", count=8)
    _share(plain["none"][8:], "asked", count=10)
    _share(plain["none"][18:], "none", key_late=6, count=10)
    for app in apps:
        if app.is_key and app.asks_late:
            app.no_sharing_reason = draw.pick(names.NO_SHARING_REASONS, app.app_id, "reason")
            app.reason_given_on = draw.day(D(2022, 8, 12), D(2022, 8, 26), app.app_id, "reason given")
        if app.tier is None and app.role not in ("never_listed", "delisted_before", "listed_from_august", "look_alike"):
            app.sharing = "approved" if draw.chance(0.5, app.app_id, "shares") else "none"
    service = [app for tier in ("five", "four") for app in plain[tier] if app.side == "service"]
    for app in service[2:9]:
        app.is_province_assigned = True
        app.family = "major_application"
    for app in [*service[12:17], *(app for app in apps if app.role == "weak_share")]:
        app.has_standalone = True


def _share(apps: list[App], state: str, *, count: int, key_late: int = 0, key_early: int = 0) -> None:
    """Give the first ``count`` apps a sharing state; some are key apps that asked late, or early, or never."""
    for number, app in enumerate(apps[:count]):
        app.sharing = state
        app.is_key = number < key_late + key_early
        app.asks_late = number < key_late


def _place(draw: Draw, app: App) -> None:
    """Draw when the app was registered and on which ends it has been listed since when."""
    key = app.app_id
    if app.role == "never_listed":
        app.registered_on = draw.day(D(2021, 2, 1), D(2022, 9, 30), key, "registered")
        return
    first = _first_listed(draw, app)
    app.registered_on = first - dt.timedelta(days=draw.whole(12, 90, key, "registered"))
    if app.side == "governance":
        app.listings.append(Listing("zhezhengding", first))
    else:
        app.listings.append(Listing("zheliban_app", first))
        if app.role not in ("low_use", "listed_from_august", "delisted_before", "seasonal"):
            for end, probability in (("zheliban_wechat", 0.6), ("zheliban_alipay", 0.35)):
                _add_end(draw, app, end, probability)
    if app.has_standalone:
        app.listings.append(Listing("standalone_app", min(first, draw.day(D(2019, 3, 1), D(2020, 12, 1), key, "own"))))
        app.registered_on = min(app.registered_on, app.listings[-1].listed_on - dt.timedelta(days=5))
    if app.role == "listed_from_august":
        app.listings[0].has_passed_review = True
    if app.role == "plain" and app.number % 61 == 0:
        _pause(draw, app)
    _delist(draw, app)


def _first_listed(draw: Draw, app: App) -> dt.date:
    key = (app.app_id, "listed")
    if app.role == "new_in_june":
        return draw.day(D(2022, 4, 18), D(2022, 6, 12), *key)
    if app.role == "listed_from_august":
        return draw.day(D(2022, 8, 3), D(2022, 10, 24), *key)
    if app.role == "delisted_before":
        return draw.day(D(2020, 2, 1), D(2021, 1, 31), *key)
    if app.role == "standard":
        return draw.day(D(2021, 4, 1), D(2022, 3, 10), *key)
    if app.role in ("low_use", "weak_share", "seasonal") or draw.chance(0.45, app.app_id, "early"):
        return draw.day(D(2019, 3, 1), D(2020, 12, 20), *key)
    return draw.day(D(2021, 1, 4), D(2022, 3, 10), *key)


def _add_end(draw: Draw, app: App, end: str, probability: float) -> None:
    first = app.listings[0].listed_on
    if app.is_province_assigned:
        app.listings.append(Listing(end, max(first, draw.day(D(2022, 5, 10), D(2022, 6, 24), app.app_id, end))))
    elif draw.chance(probability, app.app_id, end):
        later = first + dt.timedelta(days=draw.whole(0, 150, app.app_id, end, "later"))
        app.listings.append(Listing(end, first if later > D(2022, 5, 31) else later))


def _pause(draw: Draw, app: App) -> None:
    """An app that was off its portal for some weeks in 2021 and came back."""
    for listing in list(app.listings):
        if listing.listed_on < D(2021, 5, 1) and listing.release_end != "standalone_app":
            off = draw.day(D(2021, 7, 1), D(2021, 9, 1), app.app_id, "pause")
            listing.delisted_on, listing.reason = off, "系统改造，暂停服务"
            back = off + dt.timedelta(days=draw.whole(20, 60, app.app_id, "pause"))
            app.listings.append(Listing(listing.release_end, back))


def _delist(draw: Draw, app: App) -> None:
    if app.role == "delisted_before":
        app.listings[0].delisted_on = draw.day(D(2021, 6, 1), D(2022, 5, 20), app.app_id, "delisted")
        app.listings[0].reason = "应用整合，功能并入其他应用"
    names_delisted = {*[name for name, _ in names.LOW_USE_SERVICE_APPS[1:]], *names.LOW_USE_GOVERNANCE_APPS[5:]}
    if app.role == "low_use" and app.name in names_delisted:
        app.listings[0].delisted_on = draw.day(D(2022, 8, 10), D(2022, 9, 28), app.app_id, "delisted")
        app.listings[0].reason = "使用情况不佳，整改下架"


def _describe(draw: Draw, app: App) -> None:
    """Draw family, users and the app's own ups and downs; how well it does when it has no tier to land in."""
    key = app.app_id
    if app.family == "application_system" and app.role in ("plain", "county"):
        app.family = draw.weighted(
            [("application_system", 0.72), ("major_application", 0.18), ("operations", 0.05), ("infrastructure", 0.05)],
            key, "family",
        )  # fmt: skip
    if app.tier is None:
        level = draw.between(30, 320, key, "level") if app.side == "service" else draw.between(0.16, 0.6, key, "level")
        if app.name in BUSY_APPS:
            level = 640 if app.side == "service" else 0.75
        app.quality = Quality(
            round(level, 4),
            round(draw.between(0.6, 0.92, key, "satisfaction"), 4),
            round(draw.between(0.6, 0.92, key, "completion"), 4),
        )
    if app.side == "governance":
        is_small = app.tier == "none"
        app.provisioned = draw.whole(90, 260, key, "users") if is_small else draw.whole(180, 1600, key, "users")
        if app.name in BUSY_APPS:
            app.provisioned = 2200
    if app.role == "new_in_june":
        app.quiet_until = D(2022, 6, 30)
    if app.role == "seasonal":
        app.is_seasonal = True
        app.season_months = (11, 12, 1, 2, 3) if app.name.startswith("采暖") else (3, 4)
    if app.role == "outage":
        app.outage = (D(2022, 6, 6), D(2022, 6, 28))


def own_app_share(draw: Draw, app: App) -> float:
    """Visitors of the department's own APP for each visitor on the portal's ends."""
    return 1.5 if app.weak_matter else draw.between(0.45, 0.95, app.app_id, "own share")
