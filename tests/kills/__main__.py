"""Kill the nightly: ``python -m tests.kills --named --random 100``."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import tempfile
import time
from pathlib import Path

from tests.kills.campaign import Campaign
from tests.kills.effects import can_watch
from tests.kills.nights import Nights

CANNOT = 3


def main() -> int:
    """0 when everything held, 1 when something did not, 3 when this machine cannot watch a process."""
    parser = argparse.ArgumentParser(prog="python -m tests.kills", description=__doc__)
    parser.add_argument("--telling", action="store_true", help="one named point of each kind")
    parser.add_argument("--named", action="store_true", help="every named point")
    parser.add_argument("--effects", type=int, default=0, metavar="N", help="before N effects, spread over the night")
    parser.add_argument("--random", type=int, default=0, metavar="N", help="at N random moments")
    parser.add_argument("--seed", type=int, default=20221031, help="of the random moments")
    parser.add_argument("--disk", type=int, default=0, metavar="N", help="the disk full from N places on")
    parser.add_argument("--sources", action="store_true", help="take away a server, a folder, a database")
    parser.add_argument("--readers", type=int, default=0, metavar="N", help="eight readers through N killed nights")
    parser.add_argument("--point", action="append", default=[], help="only this named point (repeat for more)")
    parser.add_argument("--list", action="store_true", help="every effect of an undisturbed night")
    parser.add_argument("--report", type=Path, help="write what was tried as JSON")
    parser.add_argument("--folder", type=Path, help="where the town is made; default a temporary folder")
    given = parser.parse_args()
    if not can_watch():
        print("This machine's kernel cannot watch a process (Linux on x86-64 with seccomp user notification).")
        return CANNOT
    with tempfile.TemporaryDirectory(prefix="oneledger-kills-") as temporary:
        return _carry_out(given, given.folder or Path(temporary))


def _carry_out(given: argparse.Namespace, folder: Path) -> int:
    begun = time.monotonic()
    nights = Nights.prepare(folder, _say)
    if given.list:
        for effect in nights.effects:
            _say(f"{effect.seconds:8.3f} {effect}")
    campaign = Campaign(nights, _say)
    readers = None
    try:
        if given.telling:
            campaign.telling()
        if given.named or given.point:
            campaign.named(tuple(given.point))
        if given.sources:
            campaign.sources()
        if given.effects:
            campaign.effects(given.effects)
        if given.disk:
            campaign.disk(given.disk)
        if given.random:
            campaign.moments(given.random, given.seed)
        if given.readers:
            readers = campaign.readers(given.readers, given.seed)
    finally:
        nights.close()
    kills = sum(one.first == -9 for one in campaign.tried)
    broken = len(campaign.failed) + bool(readers and readers["problems"])
    _say(f"{len(campaign.tried)} nights tried, {kills} of them killed, {broken} not as promised, "
         f"{time.monotonic() - begun:.0f} s")  # fmt: skip
    if given.report:
        effects = [str(one) for one in nights.effects]
        content = {
            "effects": effects,
            "tried": [dataclasses.asdict(one) for one in campaign.tried],
            "kills": kills,
            "readers": readers,
        }
        given.report.write_text(json.dumps(content, ensure_ascii=False, indent=1), "utf-8")
    return 1 if broken else 0


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
