"""Departments of one city: municipal, county, and owners that are no government departments."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from oneledger.city import names


@dataclass(frozen=True)
class Department:
    department_id: str
    name: str
    kind: str
    level: str
    district_code: str
    updated_at: dt.datetime

    @property
    def short_name(self) -> str:
        """The name without its kind of office: ``吴兴区社会工作部`` → ``吴兴区``."""
        return names.DISTRICTS.get(self.district_code, "湖州市")


def draw_departments() -> list[Department]:
    """All departments of one city at scale 1; names are unique."""
    wanted = [(f"湖州市{name}", "municipal_department", names.CITY_CODE) for name in names.MUNICIPAL_DEPARTMENTS]
    for code, district in names.DISTRICTS.items():
        wanted += [(f"{district}{name}", "county_department", code) for name in names.COUNTY_DEPARTMENTS]
    for kind, owners in (
        ("state_owned_enterprise", names.STATE_OWNED_ENTERPRISES),
        ("hospital", names.HOSPITALS),
        ("university", names.UNIVERSITIES),
    ):
        wanted += [(name, kind, names.CITY_CODE) for name in owners]
    return [
        Department(
            f"D{number:03d}",
            name,
            kind,
            "city" if code == names.CITY_CODE else "county",
            code,
            dt.datetime.combine(dt.date(2019, 1, 2), dt.time(9)) + dt.timedelta(minutes=number),
        )
        for number, (name, kind, code) in enumerate(wanted, start=1)
    ]
