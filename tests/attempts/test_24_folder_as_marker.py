"""`retry` is a folder in an ended job, so that whoever waits for the job waits for ever: only a regular file
asks for something, of the library and of the manager alike."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from air_executor import Client
from tests.unit.air_executor.builders import DEMO, complete


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo, lambda path: path.symlink_to(__file__)])
@pytest.mark.parametrize("marker", ["retry", "reset"])
def test_waiting_for_an_ended_job_ends(tmp_path: Path, marker: str, make: Callable[[Path], None]) -> None:
    client = Client(tmp_path)
    client.create_job("job", DEMO)
    complete(tmp_path, "job")
    make(tmp_path / "jobs" / "job" / marker)
    assert client.wait("job", timeout=5).state == "completed"
