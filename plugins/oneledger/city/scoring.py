"""The first-round scoring of ``docs/reference-city.md``, turned round: from wanted points to what must be drawn.

Only the generator uses this; the warehouse has its own dated rules. The city is drawn so that both agree.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from oneledger.city.draws import Draw

# (value, points) of the indicator `use`: visitors a day, or active over provisioned users.
SERVICE_USE = ((0.0, 0.0), (10.0, 8.0), (100.0, 24.0), (1000.0, 40.0))
GOVERNANCE_USE = ((0.0, 0.0), (0.10, 8.0), (0.40, 24.0), (0.80, 40.0))
SHARING_POINTS = {"approved": 10, "asked": 5, "none": 0}
FULL_SATISFACTION, FULL_COMPLETION, FULL_ONLINE = 20, 15, 15

# Wanted score, satisfaction rate, completion rate and points of use, by tier and sharing state.
# Scores keep well over two points from the band edges 85, 75 and 60: the daily draws scatter around them.
_RANGES = {
    ("five", "approved"): ((88.5, 94.0), (0.90, 0.96), (0.90, 0.97), (30.0, 36.5)),
    ("four", "approved"): ((78.8, 81.2), (0.82, 0.90), (0.80, 0.90), (21.0, 28.5)),
    ("four", "asked"): ((78.8, 81.2), (0.88, 0.92), (0.88, 0.93), (26.0, 32.0)),
    ("three", "approved"): ((65.0, 70.5), (0.70, 0.82), (0.66, 0.80), (12.5, 23.0)),
    ("three", "asked"): ((65.0, 70.5), (0.72, 0.84), (0.68, 0.82), (15.0, 27.0)),
    ("three", "none"): ((65.0, 70.0), (0.80, 0.88), (0.80, 0.88), (18.0, 28.0)),
    ("none", "approved"): ((46.0, 54.0), (0.42, 0.54), (0.42, 0.54), (9.8, 11.2)),
    ("none", "asked"): ((42.0, 54.0), (0.48, 0.62), (0.45, 0.60), (9.8, 12.0)),
    ("none", "none"): ((38.0, 54.0), (0.50, 0.68), (0.45, 0.62), (9.8, 12.5)),
}
LOW_USE_POINTS = {"service": (1.8, 5.0), "governance": (2.4, 5.2)}


@dataclass(frozen=True)
class Quality:
    """What an app shows in the third quarter of 2022, on average.

    ``level`` is visitors a day over the portal's ends (service) or active over provisioned users (governance).
    """

    level: float
    satisfaction: float
    completion: float


def level_for(points: float, curve: tuple[tuple[float, float], ...]) -> float:
    """The value that scores ``points`` on a piecewise linear curve."""
    for (low_value, low_points), (high_value, high_points) in pairwise(curve):
        if points <= high_points:
            return low_value + (high_value - low_value) * (points - low_points) / (high_points - low_points)
    return curve[-1][0]


def draw_quality(draw: Draw, app_id: str, side: str, tier: str, sharing: str, *, is_low_use: bool) -> Quality:
    """Satisfaction, completion and use with which the app lands in its tier."""
    wanted, satisfactions, completions, uses = _RANGES[tier, sharing]
    satisfaction = draw.between(*satisfactions, app_id, "satisfaction")
    completion = draw.between(*completions, app_id, "completion")
    rest = FULL_SATISFACTION * satisfaction + FULL_COMPLETION * completion + FULL_ONLINE + SHARING_POINTS[sharing]
    if is_low_use:
        points = draw.between(*LOW_USE_POINTS[side], app_id, "use")
    else:
        score = draw.between(*wanted, app_id, "score")
        points = min(max(score - rest, uses[0]), uses[1])
    curve = SERVICE_USE if side == "service" else GOVERNANCE_USE
    return Quality(round(level_for(points, curve), 4), round(satisfaction, 4), round(completion, 4))
