"""The settings, as a manager reads them that has these variables and this file."""

import os
from pathlib import Path

import pytest

from manager import settings
from manager.settings import Settings


def load_in(home: Path, monkeypatch: pytest.MonkeyPatch, toml: str = "", **variables: str) -> Settings:
    for name in [name for name in os.environ if name.startswith("AIR_EXECUTOR_")]:
        monkeypatch.delenv(name)
    for name, value in ({"home": str(home)} | variables).items():
        monkeypatch.setenv(f"AIR_EXECUTOR_{name.upper()}", value)
    if toml:
        (home / "config.toml").write_text(toml)
    return settings.load()
