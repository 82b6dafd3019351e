"""Locks: which there are, who holds each since when, and what becomes of the one who comes second.

Stands on the settings alone, so that each room can hold what it writes.
"""

from oneledger.locks.busy import BusyError
from oneledger.locks.holder import LockHolder
from oneledger.locks.holding import Held, hold, holder_of

__all__ = ["BusyError", "Held", "LockHolder", "hold", "holder_of"]
