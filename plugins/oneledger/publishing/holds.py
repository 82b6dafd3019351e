"""Who reads a version holds it, so that retention passes it over: a shared lock on the version's manifest.

The operating system keeps the lock, so a reader that dies leaves none behind. A client that opened ``marts.duckdb``
by itself needs none: it keeps its open file, whatever becomes of the name.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

from oneledger.publishing.versions import MANIFEST, PublishedVersion
from oneledger.settings import ConfigurationError


@contextmanager
def reading(version: PublishedVersion) -> Iterator[None]:
    """Keep the version's files in place while the block runs.

    Raises:
        ConfigurationError: the version was removed since it was looked up.
    """
    path = version.path / MANIFEST
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError as error:
        raise _removed(version) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        if not path.is_file():
            raise _removed(version)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def nobody_reading(version: PublishedVersion) -> Iterator[bool]:
    """True when nobody holds the version, and nobody can while the block runs; False when somebody reads it."""
    descriptor = os.open(version.path / MANIFEST, os.O_RDONLY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True
    finally:
        os.close(descriptor)


def _removed(version: PublishedVersion) -> ConfigurationError:
    return ConfigurationError(
        f"Version {version.version} was removed while it was looked up. `oneledger versions` lists those that are kept."
    )
