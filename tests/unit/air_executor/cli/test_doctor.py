from collections.abc import Iterator
from pathlib import Path

import pytest

import manager.ops.doctor as module
from manager.ops.doctor import Finding, Grade
from tests.fakes.engine import FakeEngine
from tests.unit.air_executor.cli.conftest import Run


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIR_EXECUTOR_HOME", "")


@pytest.fixture(autouse=True)
def engine(monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    """The engine that doctors find."""
    made = FakeEngine()
    monkeypatch.setattr(module, "connect", lambda *_: made)
    return made


@pytest.mark.parametrize("options", [[], ["--dry-run"]])
def test_doctor_prints_a_line_for_each_finding_and_ends_with_0_when_nothing_is_bad(
    run: Run, home: Path, options: list[str]
) -> None:
    home.mkdir()
    result = run("doctor", *options)
    assert result.exit_code == 0, result.output
    lines = [line.split() for line in result.stdout.splitlines()]
    assert {grade for _, grade, *_ in lines} == {"ok", "warn"}
    assert ["✅", "ok", "engine", "Fake", "1.0", "answers"] in lines
    assert f"{home} can be read and written" in result.stdout


def test_doctor_ends_with_1_when_something_is_bad(run: Run, home: Path, engine: FakeEngine) -> None:
    home.mkdir()
    engine.go_down("the container engine does not answer: nobody there")
    result = run("doctor")
    assert result.exit_code == 1
    assert "❌ bad  engine       the container engine does not answer: nobody there; is it" in result.stdout


def test_a_dry_run_is_handed_on_and_without_it_the_visit_is_a_real_one(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    dry: list[bool] = []

    def visit(*, dry_run: bool) -> Iterator[Finding]:
        dry.append(dry_run)
        yield Finding(Grade.OK, "x", "y")

    monkeypatch.setattr(module, "visit", visit)
    run("doctor", "--dry-run")
    run("doctor")
    assert dry == [True, False]


def test_settings_that_break_a_rule_are_a_finding(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIR_EXECUTOR_MAX_RUNNERS", "many")
    result = run("doctor")
    assert result.exit_code == 1
    assert "bad  settings     max_runners" in result.stdout


def test_what_a_job_says_can_not_steer_the_terminal(run: Run, home: Path) -> None:
    folder = home / "jobs" / "hand"
    folder.mkdir(parents=True)
    (folder / "state.json").write_text('{"id": "1", "name": "\\u001b[2J[red]\\nx"}')
    result = run("doctor")
    assert result.exit_code == 1
    assert "\u001b" not in result.stdout
    assert "[red]" in result.stdout
