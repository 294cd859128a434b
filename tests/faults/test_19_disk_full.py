"""FAULTS 19: the home's disk is full, has no room for files, or fails; and then it is well again.

Without a reserve, as it is when that has been used up; with one: `tests/attempts/test_15_disk.py`.
"""

import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from air_executor import JobView, daemon
from tests.faults.small_disk import MIB, Filler, memory_disk
from tests.real_manager import ROOT, RealManager, idle_manager
from tests.waiting import until

FLOOR_MB = 8
LINES = 20_000
"""Output that does not fit into what a disk has left when it is full."""
PATIENCE = 60
A_FEW_POLLS = 3
"""Seconds in which a manager that may start something would have done so."""
COUNT = 'echo "$AIR_EXECUTOR_TASK $AIR_EXECUTOR_ATTEMPT" >> /work/runs\n'
HELD = f"{COUNT}touch /work/hold; echo early; while test -e /work/hold; do sleep 0.1; done\n"
"""Runs until the test renames a file, which can be done on a full disk as well."""
LARGE = {"PADDING": "x" * 6000}
"""Makes every record of the task larger than what is left in the last block of a journal."""


def sh(task_id: str, script: str, **fields: object) -> dict[str, object]:
    return {"id": task_id, "command": "sh", "args": ["-c", script], "network": "none"} | fields


@dataclass
class Disk:
    """A manager with its home on a disk that may get into trouble."""

    manager: RealManager

    def begin(self, name: str, *tasks: dict[str, object]) -> None:
        """A job whose first task runs until `release`, with views that say so and change no more."""
        self.manager.client.create_job(name, tasks)
        log = self.manager.client.log_file(name, str(tasks[0]["id"]))
        until(lambda: log.exists() and "early" in log.read_text(), PATIENCE)
        until(lambda: self.view(name).tasks[0].status == "running", PATIENCE)
        before = None
        while before != (before := self.views()):
            time.sleep(1)

    def release(self, name: str) -> None:
        hold = self.manager.client.store.folder(name).work / "hold"
        hold.rename(hold.with_name("let-go"))  # removing it would make room for a file

    def view(self, name: str) -> JobView:
        return self.manager.client.status(name)

    def views(self) -> dict[Path, bytes]:
        """Every view of every job, as it stands on the disk."""
        return {file: file.read_bytes() for file in (self.manager.home / "jobs").glob("*/*.json")}

    def problem(self) -> str:
        status = daemon.read_status(self.manager.home)
        return (status.problem or "") if status is not None else ""

    def check_ends(self, **jobs: dict[str, str]) -> None:
        """Every job completes; each task had one attempt, ran once, and its whole output is there."""
        for name, logs in jobs.items():
            view = self.manager.client.wait(name, timeout=PATIENCE)
            assert view.state == "completed"
            assert {task.id: len(task.attempts) for task in view.tasks} == dict.fromkeys(logs, 1)
            folder = self.manager.client.store.folder(name)
            runs = Counter((folder.work / "runs").read_text().splitlines())
            assert runs == Counter(f"{task} 1" for task in logs)
            for task, log in logs.items():
                assert folder.log_file(task).read_text() == log
        until(lambda: not self.problem(), PATIENCE)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """96 MiB, with room for 400 files."""
    with memory_disk(tmp_path / "disk", "size=96m,nr_inodes=400") as place:
        yield place


@pytest.fixture
def filler(place: Path) -> Filler:
    return Filler(place)


@pytest.fixture
def disk(place: Path, tmp_path: Path, on_failure: Callable[..., None]) -> Iterator[Disk]:
    floor = {"min_free_mb": FLOOR_MB, "min_free_inodes": 100, "reserve_mb": 0}
    with idle_manager(place=place, max_runners=2, **floor) as manager:
        manager.printed = tmp_path / "output"  # what it prints does not go to the disk that is full
        on_failure("the manager and its containers", manager.evidence)
        manager.start()
        yield Disk(manager)
        manager.stop()


@pytest.fixture
def switch(tmp_path: Path) -> Path:
    """While there is such a file, `bad_disk` fails."""
    return tmp_path / "fails"


@pytest.fixture
def bad_disk(switch: Path, on_failure: Callable[..., None]) -> Iterator[Disk]:
    with idle_manager(max_runners=2) as manager:
        manager.command = [sys.executable, "-m", "tests.faults.launched_with", "failing-disk", str(switch)]
        on_failure("the manager and its containers", manager.evidence)
        manager.start()
        yield Disk(manager)
        manager.stop()


def below_the_floor(disk: Disk, filler: Filler) -> None:
    filler.leave_space(FLOOR_MB * MIB // 2)
    until(lambda: f"the setting min_free_mb wants {FLOOR_MB}" in disk.problem(), PATIENCE)


def few_files(disk: Disk, filler: Filler) -> None:
    filler.leave_files(60)
    until(lambda: "more files only" in disk.problem(), PATIENCE)


def full(disk: Disk, filler: Filler) -> None:
    below_the_floor(disk, filler)
    filler.leave_space(0)


def no_files(disk: Disk, filler: Filler) -> None:
    few_files(disk, filler)
    filler.leave_files(0)


def status_command(disk: Disk) -> str:
    return subprocess.run(
        [Path(sys.executable).with_name("air-executor"), "status"],
        cwd=ROOT,
        env=os.environ | {"AIR_EXECUTOR_HOME": str(disk.manager.home), "COLUMNS": "300"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout


@pytest.mark.parametrize(
    ("fill", "words"), [(below_the_floor, "the setting min_free_mb wants"), (few_files, "more files only")]
)
def test_where_little_is_left_nothing_is_launched_and_what_runs_is_recorded(
    disk: Disk, filler: Filler, fill: Callable[[Disk, Filler], None], words: str
) -> None:
    disk.begin("one", sh("a", f"{HELD}echo late"), sh("b", f"{COUNT}echo b", dependencies=["a"]))
    disk.begin("two", sh("a", HELD))
    disk.manager.client.create_job("waits", [sh("a", f"{COUNT}echo waits")])
    fill(disk, filler)
    assert "no further task is started" in (disk.manager.home / "manager.log").read_text()
    assert words in status_command(disk)
    disk.release("one")
    until(lambda: disk.view("one").tasks[0].status == "completed", PATIENCE)
    time.sleep(A_FEW_POLLS)
    assert disk.view("one").tasks[1].started_at is None
    assert all(attempt.timings.started_at is None for attempt in disk.view("one").tasks[1].attempts)
    assert disk.view("waits").tasks[0].attempts == ()
    assert disk.view("two").tasks[0].status == "running"
    filler.give_back()
    disk.release("two")
    disk.check_ends(one={"a": "early\nlate\n", "b": "b\n"}, two={"a": "early\n"}, waits={"a": "waits\n"})


@pytest.mark.parametrize("killed", [False, True], ids=["with one manager", "with another one"])
def test_on_a_full_disk_everything_stands_still_as_it_was_and_goes_on_when_there_is_room(
    disk: Disk, filler: Filler, killed: bool
) -> None:
    disk.begin("says", sh("a", f"{HELD}seq {LINES}"), sh("b", f"{COUNT}echo b", dependencies=["a"]))
    disk.begin("silent", sh("a", HELD, env=LARGE), sh("b", f"{COUNT}echo b", dependencies=["a"]))
    disk.manager.client.create_job("waits", [sh("a", f"{COUNT}echo waits")])
    until(lambda: disk.view("waits").state == "working", PATIENCE)
    full(disk, filler)
    before = disk.views()
    disk.release("says")
    disk.release("silent")
    until(lambda: "job=silent stands still: its journal can't be written" in disk.manager.output(), PATIENCE)
    time.sleep(A_FEW_POLLS)
    with pytest.raises(OSError, match="No space left on device"):
        disk.manager.client.create_job("too-late", [sh("a", "true")])
    there = {folder.name for folder in disk.manager.client.store.jobs.iterdir()}
    assert {name for name in there if not name.startswith(".")} == {"says", "silent", "waits"}
    assert disk.views() == before
    assert "min_free_mb" in status_command(disk)
    if killed:
        disk.manager.kill()
        disk.manager.launch()
        until(lambda: disk.manager.output().count("no further task is started") == 2, PATIENCE)
        time.sleep(A_FEW_POLLS)
        assert disk.views() == before
    filler.give_back()
    everything = "early\n" + "".join(f"{number}\n" for number in range(1, LINES + 1))
    disk.check_ends(
        says={"a": everything, "b": "b\n"},
        silent={"a": "early\n", "b": "b\n"},
        waits={"a": "waits\n"},
    )


def test_a_disk_that_takes_no_more_files_loses_nothing_and_goes_on_when_it_does(
    disk: Disk, filler: Filler
) -> None:
    disk.begin("one", sh("a", f"{HELD}echo late"), sh("b", f"{COUNT}echo b", dependencies=["a"]))
    no_files(disk, filler)
    disk.release("one")
    time.sleep(A_FEW_POLLS)  # what has ended gives a few files back, which views may take
    assert "more files only" in status_command(disk)
    filler.give_back()
    disk.check_ends(one={"a": "early\nlate\n", "b": "b\n"})


@pytest.mark.parametrize("killed", [False, True], ids=["with one manager", "with another one"])
def test_nothing_follows_from_what_was_not_written_down(bad_disk: Disk, switch: Path, killed: bool) -> None:
    disk = bad_disk
    disk.begin("one", sh("a", f"{HELD}echo late"), sh("b", f"{COUNT}echo b", dependencies=["a"]))
    switch.touch()
    before = disk.views()
    disk.release("one")
    said = "job=one stands still: its journal can't be written: [Errno 5] Input/output error"
    until(lambda: said in disk.manager.output(), PATIENCE)
    until(lambda: "journals can't be written" in disk.problem(), PATIENCE)
    time.sleep(A_FEW_POLLS)
    assert disk.views() == before
    assert "journals can't be written" in status_command(disk)
    assert len(disk.manager.containers("--filter", "label=air-executor.role=task")) == 1
    if killed:
        disk.manager.kill()
    switch.unlink()
    if killed:
        disk.manager.start()
    disk.check_ends(one={"a": "early\nlate\n", "b": "b\n"})
