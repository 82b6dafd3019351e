"""A small installation to publish findings from, one version after the other."""

from tests.publishing.conftest import settings

__all__ = ["settings"]
