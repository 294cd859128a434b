import json
from pathlib import Path

import pytest

from air_executor.airflow_api import PASSWORDS_FILE, USER, AirflowError, AirflowUnavailable, find_airflow


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A folder without a .env, and nothing in the environment."""
    monkeypatch.chdir(tmp_path)
    for variable in ("AIR_EXECUTOR_HOME", "AIRFLOW_PORT", "AIRFLOW_ADDRESS"):
        monkeypatch.delenv(variable, raising=False)


def looked_in(home: Path | None = None) -> Path:
    """The home folder in which an Airflow that was never started is looked for."""
    with pytest.raises(AirflowUnavailable, match="was never started") as caught:
        find_airflow(home)
    (folder,) = (word for word in str(caught.value).split() if word.endswith(PASSWORDS_FILE.name + "):"))
    return Path(folder.removesuffix("):")).parent.parent


def test_the_home_folder_is_found_as_the_store_finds_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert looked_in() == tmp_path / ".air-executor"
    monkeypatch.setenv("AIR_EXECUTOR_HOME", "elsewhere")
    assert looked_in() == tmp_path / "elsewhere"
    assert looked_in(tmp_path / "given") == tmp_path / "given"


def test_what_the_environment_does_not_say_is_read_from_the_env_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text("AIR_EXECUTOR_HOME=first\nAIR_EXECUTOR_HOME='own'\nAIRFLOW_PORT=8081\n")
    assert looked_in() == tmp_path / "own"
    passwords = tmp_path / "own" / PASSWORDS_FILE
    passwords.parent.mkdir(parents=True)
    passwords.write_text(json.dumps({USER: "secret"}))
    with find_airflow() as api:
        assert api.base_url == "http://localhost:8081"
    monkeypatch.setenv("AIR_EXECUTOR_HOME", "elsewhere")
    assert looked_in() == tmp_path / "elsewhere"


def test_a_file_without_the_password_is_named_with_what_to_do(tmp_path: Path) -> None:
    passwords = tmp_path / ".air-executor" / PASSWORDS_FILE
    passwords.parent.mkdir(parents=True)
    passwords.write_text("{}")
    with pytest.raises(AirflowError, match="does not hold the password of 'admin': remove it"):
        find_airflow()
