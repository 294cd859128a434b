"""A local account reads other people's jobs: files are 0640 and folders 0750, whatever the umask, and belong
to the job's owner and the readers' group. The owner, as Airflow is, goes on reading what is written."""

import logging
import os
import stat
from functools import partial
from pathlib import Path

import pytest

from air_executor import Client, daemon
from air_executor.cli import overview, render
from manager.daemon.log_file import logging_to
from manager.daemon.readers import readers_of
from tests.attempts.other_user import USER, can_not_read, does, needs_root
from tests.fakes.engine import FakeEngine
from tests.fakes.manager import InProcess

AIRFLOW = 50000
READERS = 4321


def run_one(home: Path, **settings: object) -> Path:
    """A job of Airflow's, run by a manager that is root."""
    client = Client(home)
    client.create_job("job", [{"id": "a", "command": "true"}])
    folder = home / "jobs" / "job"
    for path in (folder, *folder.iterdir()):
        os.chown(path, AIRFLOW, AIRFLOW)
    manager = InProcess(home, FakeEngine(), **settings).start()
    try:
        client.wait("job", 30)
    finally:
        manager.stop()
    return folder


@needs_root
@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_what_is_written_is_for_its_owner_and_the_readers(open_home: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        folder = run_one(open_home)
    finally:
        os.umask(before)
    open_home.chmod(0o755)
    written = [folder / "state.json", folder / "tasks.json", folder / "logs" / "a.log"]
    for file in written:
        status = file.stat()
        assert (stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid) == (0o640, AIRFLOW, AIRFLOW)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o750
    assert stat.S_IMODE((folder / "logs").stat().st_mode) == 0o750
    (open_home / "jobs").chmod(0o755)
    can_not_read(*written)
    does(lambda: [file.read_text() for file in written], AIRFLOW)


@needs_root
def test_the_group_that_the_operator_has_chosen_reads(open_home: Path) -> None:
    folder = run_one(open_home, readers_group=READERS)
    (open_home / "jobs").chmod(0o755)
    (open_home / "manager.log").touch(0o644)  # an older manager's
    with logging_to(open_home, partial(readers_of, open_home, READERS)):
        logging.getLogger("manager").info("something")
    log = open_home / "manager.log"
    for path in (folder, folder / "logs", folder / "state.json", folder / "logs" / "a.log", log):
        assert path.stat().st_gid == READERS
        assert path.stat().st_mode & 0o007 == 0
    can_not_read(log, folder / "state.json")
    does(lambda: (folder / "state.json").read_text(), AIRFLOW)


@needs_root
def test_whoever_may_not_read_is_told_so(open_home: Path) -> None:
    run_one(open_home)
    (open_home / "jobs").chmod(0o755)
    (open_home / "manager.json").write_text("{}")
    (open_home / "manager.json").chmod(0o640)

    def looks() -> None:
        assert "not yours to read" in daemon.diagnosis(open_home)
        assert overview.look_at_manager(open_home).closed
        jobs = overview.look_at_jobs(Client(open_home).store, 10)
        assert (jobs.closed, jobs.complaints, jobs.shown) == (1, [], [])
        assert "readers_group" in render.ASK_FOR_READING

    does(looks, USER)
