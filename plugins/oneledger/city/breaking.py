"""Spoil one thing in the source systems on purpose, and mend it: for tests, and to show what is done about it."""

from __future__ import annotations

import datetime as dt
import shutil
from pathlib import Path

from oneledger.city.changing import changing
from oneledger.city.city_manifest import require_manifest
from oneledger.city.faults.api_faults import remove_faults
from oneledger.city.faults.breakage import Breakage, Target
from oneledger.city.faults.drop_files import DROP_FILE_FAULTS
from oneledger.city.faults.irs import API_PLACE, IRS_FAULTS
from oneledger.city.faults.keeping import finish, keep, kept_faults, put_back
from oneledger.city.faults.library import LIBRARY_FAULTS
from oneledger.city.faults.workbooks import WORKBOOK_FAULTS
from oneledger.city.irs_store import store_dir
from oneledger.settings import ConfigurationError

KINDS: dict[str, Breakage] = {
    breakage.kind: breakage for breakage in (*DROP_FILE_FAULTS, *WORKBOOK_FAULTS, *IRS_FAULTS, *LIBRARY_FAULTS)
}


def break_city(kind: str, city_dir: Path, day: dt.date | None = None) -> str:
    """Spoil one thing; returns what was changed. The bytes from before are kept beside the city.

    Args:
        day: whose delivery is spoiled; the city's last day by default.

    Raises:
        ConfigurationError: no city, an unknown kind, or nothing there to spoil.
        BusyError: another process changes this city.
    """
    if kind not in KINDS:
        raise ConfigurationError(f"{kind!r} is no kind of breakage; known are {', '.join(KINDS)}.")
    require_manifest(city_dir)
    with changing(city_dir, "break"):
        return _broken(kind, city_dir, day)


def _broken(kind: str, city_dir: Path, day: dt.date | None) -> str:
    manifest = require_manifest(city_dir)
    if any(kept.kind == kind for kept in kept_faults(city_dir)):
        raise ConfigurationError(f"This city has the fault {kind} already; mend it first: oneledger city mend {kind}")
    target = Target(city_dir, day or manifest.last_on, manifest.project_library)
    breakage = KINDS[kind]
    kept = keep(city_dir, kind, breakage.touches(target))
    try:
        changed = breakage.spoil(target)
    except BaseException:
        shutil.rmtree(kept.folder)
        raise
    finish(kept, changed)
    return changed


def mend_city(city_dir: Path, kind: str | None = None) -> dict[str, str]:
    """Undo one fault, or all of them, exactly; returns what was done by fault.

    Raises:
        ConfigurationError: no city, the city does not have this fault, or a later one must be mended first.
        BusyError: another process changes this city.
    """
    require_manifest(city_dir)
    with changing(city_dir, "mend"):
        return _mended(city_dir, kind)


def _mended(city_dir: Path, kind: str | None) -> dict[str, str]:
    known = kept_faults(city_dir)
    if kind is not None:
        chosen = [kept for kept in known if kept.kind == kind]
        if not chosen:
            has = ", ".join(kept.kind for kept in known) or "none"
            raise ConfigurationError(f"This city does not have the fault {kind!r}; it has {has}.")
        known = chosen
    done = {}
    for kept in reversed(known):
        if KINDS[kept.kind].place.startswith(API_PLACE):
            remove_faults(store_dir(city_dir), kept.kind)
        done[kept.kind] = put_back(city_dir, kept)
    return done
