import re
import sys
import tomllib
from pathlib import Path

import pytest

from air_executor.cli import manager_command
from manager.settings import Settings
from tests.unit.air_executor.cli.conftest import Run


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the commands put into the environment of their process goes with the test."""
    monkeypatch.setenv("AIR_EXECUTOR_HOME", "")


@pytest.fixture
def without_manager(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in [name for name in sys.modules if name.partition(".")[0] == "manager"]:
        monkeypatch.setitem(sys.modules, module, None)


def test_the_help_of_the_manager_lists_every_setting_with_variable_default_and_meaning(run: Run) -> None:
    text = " ".join(run("manager", "--help").stdout.split())
    for name, field in Settings.model_fields.items():
        assert f"{name} (AIR_EXECUTOR_{name.upper()}), default" in text
        assert field.description
        assert " ".join(field.description.split()) in text
    assert "max_runners (AIR_EXECUTOR_MAX_RUNNERS), default 10 " in text


def test_config_shows_values_and_where_they_come_from(
    run: Run, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.mkdir()
    (home / "config.toml").write_text("poll_interval = 7\nmax_runners = 3\n")
    monkeypatch.setenv("AIR_EXECUTOR_MAX_RUNNERS", "4")
    lines = run("config").stdout.splitlines()
    assert "max_runners = 4  (from AIR_EXECUTOR_MAX_RUNNERS)" in lines
    assert f"poll_interval = 7.0  (from {home / 'config.toml'})" in lines
    assert any(line.startswith("pids = 256  (default; set AIR_EXECUTOR_PIDS or pids in ") for line in lines)
    assert any(line.startswith(f'home = "{home}"') for line in lines)


def test_config_shows_of_the_commands_that_print_secrets_the_program_alone(run: Run, home: Path) -> None:
    home.mkdir()
    (home / "config.toml").write_text('[secrets.db]\ncommand = ["curl", "-H", "Token: s3cret"]\n')
    shown = run("config").stdout
    assert '"command" = ["curl", "…"]' in shown
    assert "s3cret" not in shown


def test_config_refuses_a_bad_value_with_its_name(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIR_EXECUTOR_MAX_RUNNERS", "many")
    result = run("config")
    assert result.exit_code == 2
    assert "max_runners" in result.stderr
    assert "AIR_EXECUTOR_MAX_RUNNERS" in result.stderr


@pytest.mark.parametrize("command", ["manager", "config", "doctor"])
@pytest.mark.usefixtures("without_manager")
def test_without_the_manager_installed_its_commands_say_how_to_install_it(run: Run, command: str) -> None:
    result = run(command)
    assert result.exit_code == 1
    assert "pip install 'air-executor[manager]'" in result.stderr


@pytest.mark.usefixtures("without_manager")
def test_without_the_manager_installed_its_help_says_how_to_install_it(run: Run) -> None:
    result = run("manager", "--help")
    assert result.exit_code == 0
    assert "air-executor[manager]" in result.stdout


@pytest.mark.parametrize(
    ("command", "part"),
    [
        ("manager", "docker"),
        ("manager", "inotify_simple"),
        ("doctor", "inotify_simple"),
        ("config", "pydantic_settings"),
    ],
)
def test_where_a_part_of_the_manager_is_missing_its_commands_say_which_and_how_to_install_it(
    run: Run, monkeypatch: pytest.MonkeyPatch, command: str, part: str
) -> None:
    for module in [name for name in sys.modules if name.partition(".")[0] == "manager"]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, part, None)
    result = run(command)
    assert result.exit_code == 1
    assert f"{part} is missing" in result.stderr
    assert "pip install 'air-executor[manager]'" in result.stderr


def test_all_that_the_managers_extra_installs_is_a_part_of_it() -> None:
    project = tomllib.loads(Path("pyproject.toml").read_text())["project"]
    names = (re.match("[a-z0-9-]+", wanted) for wanted in project["optional-dependencies"]["manager"])
    assert {name[0].replace("-", "_") for name in names if name} | {"manager"} == manager_command.PARTS


def test_a_mistake_in_the_managers_own_code_is_not_called_a_missing_installation() -> None:
    with pytest.raises(ModuleNotFoundError), manager_command._installed():
        raise ModuleNotFoundError("No module named 'typo'", name="typo")


def test_the_manager_runs_for_the_home_folder_and_its_exit_code_counts(
    run: Run, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import manager.app

    seen = []

    def main() -> int:
        from air_executor.store import home_folder

        seen.append(home_folder())
        return 7

    monkeypatch.setattr(manager.app, "main", main)
    assert run("manager").exit_code == 7
    assert seen == [home]
