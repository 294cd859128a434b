"""What hostile people try, one attempt a file, in its smallest form: on an engine that is a fake, or real."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.conftest import served, shared
from tests.unit.manager.conftest import start
from tests.unit.manager.runtime.conftest import engine

__all__ = ["engine", "open_home", "served", "shared", "start"]


@pytest.fixture
def open_home() -> Iterator[Path]:
    """A home that every user of this machine reaches, as one below /srv is; pytest's own are not."""
    home = Path(tempfile.mkdtemp(prefix="air-executor-attempt-"))
    home.chmod(0o755)
    yield home
    shutil.rmtree(home, ignore_errors=True)
