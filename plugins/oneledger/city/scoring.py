"""The first-round scoring of ``docs/reference-city.md``, turned round: from wanted scores to what must be drawn.

Only the generator uses this; the warehouse has its own dated rules. The city is drawn so that both agree.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise

from oneledger.city.draws import Draw

Curve = tuple[tuple[float, float], ...]

# (value, share of the weight): visitors a day, active over provisioned users, visitors for 10,000 yuan.
SERVICE_USE: Curve = ((0.0, 0.0), (10.0, 0.2), (100.0, 0.6), (1000.0, 1.0))
GOVERNANCE_USE: Curve = ((0.0, 0.0), (0.10, 0.2), (0.40, 0.6), (0.80, 1.0))
COST_BENEFIT: Curve = ((0.0, 0.0), (1.0, 0.2), (10.0, 0.5), (100.0, 1.0))
SHARING = {"approved": 1.0, "asked": 0.5, "none": 0.0}
RELEASE_ENDS = {0: 0.0, 1: 0.5, 2: 0.75, 3: 1.0}
SECURITY_DEDUCTION, MODULE_DEDUCTION = 1.0, 0.5
# Points of each indicator by family; what only one side is judged by stands apart.
WEIGHTS: dict[str, dict[str, int]] = {
    "major_application": {
        "use": 30, "satisfaction": 15, "completion": 10, "sharing": 15, "data_resources": 5, "online": 5,
        "security": 5, "cost_benefit": 5, "function_use": 3, "module_data": 2,
    },
    "application_system": {
        "use": 35, "satisfaction": 18, "completion": 10, "sharing": 10, "online": 6, "security": 5,
        "cost_benefit": 5, "function_use": 4, "module_data": 3,
    },
    "infrastructure": {
        "use": 35, "satisfaction": 20, "sharing": 10, "online": 5, "stability": 8, "interface_success": 4,
        "data_resources": 3, "security": 7, "cost_benefit": 5, "function_use": 3,
    },
    "operations": {
        "use": 30, "satisfaction": 25, "completion": 10, "sharing": 5, "online": 5, "stability": 8,
        "interface_success": 4, "security": 8, "cost_benefit": 5,
    },
}  # fmt: skip
WEIGHTS_OF_SIDE: dict[tuple[str, str], dict[str, int]] = {
    ("major_application", "service"): {"release_ends": 5},
    ("major_application", "governance"): {"stability": 5},
    ("application_system", "service"): {"release_ends": 4},
    ("application_system", "governance"): {"stability": 4},
}
# Wanted score, satisfaction, completion and share of the points of use, by tier. Scores keep well over two points
# from the band edges 85, 75 and 60: the daily draws scatter around them.
_RANGES = {
    "five": ((88.0, 92.5), (0.84, 0.97), (0.84, 0.97), (0.62, 0.97)),
    "four": ((79.0, 81.0), (0.70, 0.94), (0.70, 0.94), (0.40, 0.90)),
    "three": ((64.5, 70.5), (0.52, 0.92), (0.50, 0.92), (0.26, 0.78)),
    "none": ((40.0, 55.0), (0.16, 0.70), (0.16, 0.66), (0.245, 0.45)),
}
# Under the low-use thresholds 10 visitors a day and 0.10, with room for the daily draws.
_LOW_USE = {"service": (0.045, 0.125), "governance": (0.06, 0.13)}


@dataclass(frozen=True)
class Quality:
    """What an app shows in the third quarter of 2022, on average.

    ``level`` is visitors a day over the portal's ends (service) or active over provisioned users (governance).
    """

    level: float
    satisfaction: float
    completion: float


@dataclass(frozen=True)
class Circumstances:
    """What else the rules look at, as drawn already.

    Attributes:
        visitors_per_level: visitors of the quarter on all ends for each unit of ``level``.
        money_wan: the app's share of its projects' budgets in 万元; None when no project is linked.
        published_share: share of the department's data resources that is published; None when it has none.
    """

    side: str
    family: str
    sharing: str
    online_share: float
    ends_count: int
    breaches_count: int
    missing_module_months: int
    calls_interfaces: bool
    visitors_per_level: float
    money_wan: float | None
    published_share: float | None

    @property
    def use_curve(self) -> Curve:
        return SERVICE_USE if self.side == "service" else GOVERNANCE_USE


def share_at(value: float, curve: Curve) -> float:
    """The share of the points that ``value`` gives on a piecewise linear curve, flat above its last knot."""
    for (low_value, low_share), (high_value, high_share) in pairwise(curve):
        if value <= high_value:
            return low_share + (high_share - low_share) * (value - low_value) / (high_value - low_value)
    return curve[-1][1]


def level_for(share: float, curve: Curve) -> float:
    """The value that gives ``share`` of the points on a piecewise linear curve."""
    for (low_value, low_share), (high_value, high_share) in pairwise(curve):
        if share <= high_share:
            return low_value + (high_value - low_value) * (share - low_share) / (high_share - low_share)
    return curve[-1][0]


def score_of(quality: Quality, at: Circumstances) -> float:
    """The score out of 100: points over the points of the indicators that apply."""
    weights = WEIGHTS[at.family] | WEIGHTS_OF_SIDE.get((at.family, at.side), {})
    shares: dict[str, float | None] = {
        "use": share_at(quality.level, at.use_curve),
        "satisfaction": quality.satisfaction,
        "completion": quality.completion,
        "sharing": SHARING[at.sharing],
        "online": at.online_share,
        "release_ends": RELEASE_ENDS[at.ends_count],
        "stability": 1.0,
        "interface_success": 1.0 if at.calls_interfaces else None,
        "data_resources": at.published_share,
        "function_use": 1.0,
        "cost_benefit": _cost_benefit(quality, at),
    }
    shares["security"] = max(0.0, 1 - SECURITY_DEDUCTION * at.breaches_count / weights["security"])
    if "module_data" in weights:
        shares["module_data"] = max(0.0, 1 - MODULE_DEDUCTION * at.missing_module_months / weights["module_data"])
    scored = [(weight, share) for name, weight in weights.items() if (share := shares[name]) is not None]
    return 100 * sum(weight * share for weight, share in scored) / sum(weight for weight, _ in scored)


def _cost_benefit(quality: Quality, at: Circumstances) -> float | None:
    if at.money_wan is None:
        return None
    return share_at(quality.level * at.visitors_per_level / at.money_wan, COST_BENEFIT)


def draw_quality(draw: Draw, app_id: str, tier: str, at: Circumstances, *, is_low_use: bool) -> Quality:
    """Satisfaction, completion and use with which the app lands in its tier.

    Raises:
        ValueError: no quality within the tier's ranges gives a wanted score; the rules or the ranges must change.
    """
    wanted, satisfactions, completions, uses = _RANGES[tier]
    lean = {name: draw.between(-0.12, 0.12, app_id, name) for name in ("satisfaction", "completion", "use")}

    def at_height(height: float) -> Quality:
        def within(limits: tuple[float, float], name: str) -> float:
            return limits[0] + (limits[1] - limits[0]) * min(1.0, max(0.0, height + lean[name]))

        return Quality(
            round(level_for(within(uses, "use"), at.use_curve), 4),
            round(within(satisfactions, "satisfaction"), 4),
            round(within(completions, "completion"), 4),
        )

    if is_low_use:
        share = draw.between(*_LOW_USE[at.side], app_id, "use")
        quality = replace(
            at_height(draw.between(0.4, 0.7, app_id, "height")), level=round(level_for(share, at.use_curve), 4)
        )
    else:
        aim = draw.between(*wanted, app_id, "score")
        quality = at_height(_height_for(aim, lambda height: score_of(at_height(height), at)))
    score = score_of(quality, at)
    lowest, highest = (0.0, 57.5) if tier == "none" else (wanted[0] - 0.6, wanted[1] + 0.6)
    if not lowest <= score <= highest:
        raise ValueError(f"{app_id} should score {wanted[0]} to {wanted[1]} and cannot: {score:.1f} with {at}")
    return quality


def _height_for(aim: float, score: Callable[[float], float]) -> float:
    """The height from 0 to 1 whose score is nearest to ``aim``; scores rise with the height."""
    low, high = 0.0, 1.0
    for _ in range(30):
        middle = (low + high) / 2
        low, high = (middle, high) if score(middle) < aim else (low, middle)
    return (low + high) / 2
