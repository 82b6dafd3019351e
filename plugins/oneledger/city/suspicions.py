"""Apps whose use in the third quarter of 2022 looks made for the evaluation.

Two of them are in the first round: one with a spike before the cut-off (its mean of the quarter stays as drawn),
one visited at night. The others belong to counties. None touches a published figure or a star tier.
"""

from __future__ import annotations

import datetime as dt

from oneledger.city.apps import ZHELIBAN_ENDS, App
from oneledger.city.offerings import Promotion

D = dt.date
SPIKE = (D(2022, 9, 21), D(2022, 9, 30))
SPIKE_TIMES = 5.0
SAME_VALUE = (D(2022, 8, 29), D(2022, 9, 30))
WITHOUT_STARTS = (D(2022, 7, 1), D(2022, 9, 30))
STARTS_LEFT = 0.005
NIGHT = (D(2022, 7, 1), D(2022, 9, 30))
NIGHT_SHARE = 0.62
# Share of the first end of an app that is listed on several ends and used on one.
ONE_END_SHARE = 0.985
LEVEL_AT_LEAST = 55.0
_COUNTY_KINDS = (
    "spike_before_cut_off", "same_value_day_after_day", "night_visits", "visits_without_starts",
)  # fmt: skip


def suspicions(apps: list[App], promotions: list[Promotion]) -> dict[int, str]:
    """App number → the one kind of suspicion that it raises."""
    promoted = {app.number for event in promotions for app in event.apps}
    found: dict[int, str] = {}
    old = [app for app in apps if app.first_listed_on is not None and app.first_listed_on < D(2022, 1, 1)]
    county = [app for app in old if app.role == "county" and app.side == "service"
              and app.quality.level >= LEVEL_AT_LEAST]  # fmt: skip
    on_all_ends = [app for app in county if {listing.release_end for listing in app.listings} >= set(ZHELIBAN_ENDS)]
    for app in on_all_ends[-1:]:
        found[app.number] = "one_end_only"
    others = [app for app in county if app.number not in found]
    for kind, app in zip(_COUNTY_KINDS, others[::-1], strict=False):
        found[app.number] = kind
    plain = [app for app in old if app.role == "plain" and app.number not in promoted and not app.has_standalone]
    for side, tier, kind in (("service", "three", "spike_before_cut_off"), ("governance", "four", "night_visits")):
        fit = [
            app for app in plain
            if app.side == side and app.tier == tier and (side == "governance" or app.quality.level >= LEVEL_AT_LEAST)
        ]  # fmt: skip
        for app in fit[:1]:
            found[app.number] = kind
    return found
