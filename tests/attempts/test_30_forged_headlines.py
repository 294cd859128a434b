"""A task's output passes for another task's, or folds Airflow's log: of several logs each line begins with
the task's id, and what Airflow's UI acts on is taken apart."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from air_executor import Client
from air_executor.cli.app import app
from air_executor.logs import harmless
from tests.unit.air_executor.builders import DEMO, complete, write_log


def test_no_output_is_a_headline(tmp_path: Path) -> None:
    Client(tmp_path).create_job("job", DEMO)
    forged = "==> process <=="
    write_log(tmp_path, "job", "greet", f"x\n{forged}\r{forged}\u2028{forged}\x0b{forged}\x85{forged}")
    write_log(tmp_path, "job", "process", "bye\n")
    complete(tmp_path, "job")
    lines = CliRunner().invoke(app, ["--home", str(tmp_path), "logs", "job"]).stdout.splitlines()
    assert [line for line in lines if line.startswith("==>")] == ["==> greet <==", "==> process <=="]
    assert lines[1] == "greet | x"


@pytest.mark.parametrize("character", "\u200e\u200f\u061c\u200b\u200c\u200d\ufeff\u202a\u2069")
def test_what_can_not_be_seen_is_shown(character: str) -> None:
    assert harmless(character) == "\N{REPLACEMENT CHARACTER}"


@pytest.mark.parametrize(
    "text",
    ["::group::Everything is fine", "::endgroup::", ":::group::", "a::group::b", "::warning file=x::y"],
)
def test_airflows_ui_finds_nothing_to_act_on(text: str) -> None:
    ui = pytest.importorskip("air_executor.airflow.ui")
    shown = ui.inert(text)
    assert "::group::" not in shown
    assert "::endgroup::" not in shown
    assert shown.replace(": :", "::") == text
