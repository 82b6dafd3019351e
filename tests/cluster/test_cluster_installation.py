"""The services of the compose file, placed on one machine."""

from __future__ import annotations

import os
import re
import stat
import subprocess
from pathlib import Path

import pytest

from oneledger.locks.register import AIRFLOW
from oneledger.settings import ConfigurationError, Settings
from oneledger_airflow.cluster_installation import ClusterInstallation
from oneledger_airflow.cluster_secrets import BY_HAND, make_secrets
from oneledger_airflow.cluster_supervisor import ClusterSupervisor
from oneledger_airflow.nightly_watch import BROKEN
from oneledger_airflow.progress import Progress
from tests.cluster.conftest import ROOT

PORT = 18080


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> ClusterInstallation:
    # A blank and a quote in the path: commands that read a secret are split as a shell would.
    made = ClusterInstallation(Settings(home=tmp_path_factory.mktemp("it's a home"), project_root=ROOT))
    made.prepare()
    return made


def test_secrets_are_made_once_and_fit_the_compose_file(tmp_path: Path, compose: dict[str, dict[str, object]]) -> None:
    folder = tmp_path / "secrets"
    made = make_secrets(folder)
    assert set(made) == set(compose["secrets"])
    before = {path.name: path.read_text() for path in folder.iterdir()}
    (folder / "jwt_secret").unlink()
    assert make_secrets(folder) == ["jwt_secret"]
    after = {path.name: path.read_text() for path in folder.iterdir()}
    assert {name for name in before if before[name] != after[name]} == {"jwt_secret"}


def test_secrets_lie_in_a_folder_that_only_its_owner_enters(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    make_secrets(folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert all((folder / name).read_text() == "" for name in BY_HAND)
    values = [path.read_text().strip() for path in folder.iterdir() if path.name not in BY_HAND]
    assert len(values) == len(set(values)) == 9
    password = (folder / "postgres_password").read_text()
    assert f":{password}@postgres:5432/" in (folder / "metadata_url").read_text()


def test_no_path_and_no_address_of_a_container_is_left(installation: ClusterInstallation) -> None:
    for name, service in installation.services().items():
        given = installation.environment_of(service, PORT)
        defined = {key: given[key] for key in service.environment}
        left = {
            key: value
            for key, value in defined.items()
            if re.search(r"(?<![\w.])(/opt/|/run/secrets|/var/lib/oneledger)|api-server:|postgres:5|redis:6", value)
        }
        assert not left or name == "postgres", f"{name}: {left}"
        assert not re.search(r"/run/secrets|0\.0\.0\.0", " ".join(installation.command_of(service)))


def test_each_secret_is_read_by_the_command_that_airflow_runs(installation: ClusterInstallation) -> None:
    service = installation.services()["scheduler"]
    given = installation.environment_of(service, PORT)
    for name in [name for name in service.environment if name.endswith("_CMD")]:
        done = subprocess.run(["sh", "-c", given[name]], capture_output=True, text=True)
        assert done.stdout == (installation.secrets_dir / service.environment[name].rpartition("/")[2]).read_text()


def test_a_service_finds_its_own_secrets_and_no_others(installation: ClusterInstallation) -> None:
    for service in installation.services().values():
        folder = installation.secrets_of(service)
        assert {path.name for path in folder.iterdir()} == set(service.secrets)
        assert all(path.is_file() for path in folder.iterdir())


def test_the_entry_point_hands_connections_tokens_and_key_to_the_command(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    make_secrets(folder)
    (folder / "connections").write_text("AIRFLOW_CONN_ONELEDGER_IRS='http://:t@host/a?b=c d'\n")
    (folder / "web_tokens").write_text("board:viewer=abc\n")
    words = ["sh", "-c", 'echo "$AIRFLOW_CONN_ONELEDGER_IRS|$ONELEDGER_WEB_TOKENS|${ONELEDGER_SIGNING_KEY-none}"']
    done = subprocess.run(
        [ROOT / "deploy" / "entrypoint.sh", *words],
        env={"PATH": os.environ["PATH"], "AIRFLOW_HOME": str(tmp_path), "ONELEDGER_SECRETS_DIR": str(folder)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.strip() == "http://:t@host/a?b=c d|board:viewer=abc|none"
    passwords = tmp_path / "passwords.json"
    assert stat.S_IMODE(passwords.stat().st_mode) == 0o600
    assert passwords.read_text() == (folder / "airflow_passwords").read_text()


def test_the_stack_and_make_up_exclude_each_other_on_one_home(installation: ClusterInstallation) -> None:
    settings = installation.settings
    with (
        AIRFLOW.held(settings, run_id="make up", step="still starting"),
        pytest.raises(ConfigurationError, match="ONELEDGER_HOME"),
        ClusterSupervisor(settings, PORT, Progress()),
    ):
        pass
    assert not installation.postgres_dir.exists()


def test_a_users_own_airflow_settings_do_not_get_into_the_stack(
    installation: ClusterInstallation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "sqlite:////tmp/other.db")
    monkeypatch.setenv("AIRFLOW_CONN_ONELEDGER_IRS", "http://host")
    given = installation.environment_of(installation.services()["worker"], PORT)
    assert "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN" not in given
    assert given["AIRFLOW_CONN_ONELEDGER_IRS"] == "http://host"


def test_a_task_that_will_be_tried_again_has_broken_only_when_nobody_waits_for_it() -> None:
    from oneledger_airflow.nightly_watch import _is_under_way

    task = {"dag_id": "build", "task_id": "build_models", "state": "up_for_retry"}
    assert "up_for_retry" in BROKEN
    assert _is_under_way(task, True) and not _is_under_way(task, False)
