"""A city with two versions, a confirmed evaluation and releases, sealed as it was made; and a small warehouse."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from oneledger.audit.seals import seal_file
from oneledger.audit.signing import SIGNING_KEY
from oneledger.settings import PROJECT_ROOT, Settings
from oneledger.warehouse.releases import Release, ReleasedRow, record_release
from tests.evaluation.conftest import story
from tests.evaluation.story import Story
from tests.publishing.conftest import settings as small_settings

RELEASES = 3

__all__ = ["small_settings", "story"]


@dataclass(frozen=True)
class KeyPair:
    """An Ed25519 key as PEM text; nowhere but in memory and in files of the test."""

    private_pem: str
    public_pem: str


def key_pair() -> KeyPair:
    private = Ed25519PrivateKey.generate()
    return KeyPair(
        private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
        private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode(),
    )


@dataclass(frozen=True)
class SealedCity:
    """Whoever changes it puts every byte back."""

    settings: Settings
    story: Story
    keys: KeyPair

    @property
    def home(self) -> Path:
        return self.settings.home


@pytest.fixture(scope="module")
def city(story: Story, tmp_path_factory: pytest.TempPathFactory) -> SealedCity:
    """A copy of the evaluation's story, with a checkout of its own, and signed releases of rows."""
    folder = tmp_path_factory.mktemp("sealed")
    project = folder / "project"
    for part in ("config", "dbt_project/models", "dbt_project/macros", "dbt_project/seeds", "expectations"):
        shutil.copytree(PROJECT_ROOT / part, project / part)
    shutil.copyfile(PROJECT_ROOT / "dbt_project" / "dbt_project.yml", project / "dbt_project" / "dbt_project.yml")
    copied = story.copy(folder / "home")
    keys = key_pair()
    catalogues = (project / "config" / "sources.yml", *sorted((project / "config" / "sources.d").glob("*.yml")))
    settings = Settings(home=copied.home, project_root=project, catalogue_paths=catalogues)
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv(SIGNING_KEY, keys.private_pem)
        for number in range(RELEASES):
            row = ReleasedRow("zheliban", "usage", f"zheliban.usage.2022090{number + 1}.r001", "usage.csv.gz", 7,
                              "known_app", "app_id")  # fmt: skip
            seal_file(settings, record_release(settings, Release("王敏", "来源已确认", True, (row,))))
    return SealedCity(settings, copied, keys)
