"""Fixtures of the command line's tests."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from air_executor.cli.app import app

Run = Callable[..., Any]


@pytest.fixture
def run(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs `air-executor --home <home> ARGS…` in this process, in a folder without a .env."""
    monkeypatch.chdir(tmp_path)
    for variable in ("COLUMNS", "LINES", "AIRFLOW_PORT", "AIRFLOW_ADDRESS"):
        monkeypatch.delenv(variable, raising=False)

    def invoke(*arguments: str, **how: Any) -> Any:
        return CliRunner().invoke(app, ["--home", str(home), *arguments], **how)

    return invoke
