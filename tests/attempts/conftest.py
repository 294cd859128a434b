"""A home folder that every user of this machine reaches, as one below /srv is."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def open_home() -> Iterator[Path]:
    """A home below a folder that is open to everybody, which pytest's own are not."""
    home = Path(tempfile.mkdtemp(prefix="air-executor-attempt-"))
    home.chmod(0o755)
    yield home
    shutil.rmtree(home, ignore_errors=True)
