"""ATTEMPTS 15 (T): a task fills the disk, with bytes or with files, for everybody and for good.

What stops it: the kernel refuses a file that is larger than `job_disk_mb`. A job that has more in many
files, or more files than `job_inodes`, is stopped by the manager within seconds (`runtime/disk_watch`). Where
the disk is full all the same, what ends is written into room that was kept for it (`daemon/reserve`), nothing
is started, who has filled it is named, and all goes on by itself when there is room again.
"""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from manager.runtime import disk_watch
from tests.fakes.engine import FakeEngine, Program
from tests.fakes.manager import InProcess, a_task
from tests.faults.small_disk import MIB, memory_disk
from tests.real_manager import idle_manager
from tests.waiting import until

SMALL = {"min_free_mb": 2, "min_free_inodes": 100, "reserve_mb": 2, "max_runners": 1}
"""Settings for a disk of 24 MiB with 2,000 inodes, where one task runs and another job waits for its turn."""


@pytest.fixture
def engine() -> Iterator[FakeEngine]:
    made = FakeEngine(
        {("held",): Program(seconds=None), ("stubborn",): Program(seconds=None, ignores_term=True)}
    )
    yield made
    made.check()


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    with memory_disk(tmp_path / "home", "size=24m,nr_inodes=2000") as home:
        yield home


@contextmanager
def managing(home: Path, engine: FakeEngine, **settings: Any) -> Iterator[InProcess]:
    manager = InProcess(home, engine, **(SMALL | settings)).start()
    try:
        yield manager
    finally:
        manager.stop()


def take_bytes(folder: Path) -> None:
    with (folder / "big").open("ab", buffering=0) as file:
        file.write(bytes(MIB // 16))


def take_files(folder: Path) -> None:
    os.close(os.open(folder / f"{threading.get_ident()}-{os.urandom(6).hex()}", os.O_CREAT | os.O_EXCL))


Take = Callable[[Path], None]


class Greedy:
    """Takes all that there is, and what becomes free, as quickly as it can."""

    def __init__(self, take: Take, folder: Path) -> None:
        self._take, self._folder = take, folder
        self._stop = threading.Event()
        self.full = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "Greedy":
        self._thread.start()
        assert self.full.wait(30)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(10)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._take(self._folder)
            except OSError:
                self.full.set()


@pytest.mark.parametrize("take", [take_bytes, take_files])
def test_on_a_disk_that_a_task_keeps_full_ends_are_recorded_others_wait_and_go_on_by_themselves(
    home: Path, engine: FakeEngine, take: Take
) -> None:
    with managing(home, engine) as manager:
        manager.client.create_job("greedy", [a_task("a", command="held")])
        manager.until_status("a", "running", "greedy")
        manager.client.create_job("waits", [a_task("a")])
        until(lambda: manager.state("waits")["state"] == "working")
        work = home / "jobs" / "greedy" / "work"
        with Greedy(take, work):
            until(lambda: "no further task is started" in (manager.problem or ""))
            until(lambda: "most is used by greedy (" in (manager.problem or ""))
            engine.finish(manager.task("a", "greedy").attempts[-1].container.name)
            assert manager.client.wait("greedy", 30).state == "completed", "while nothing is free"
            assert manager.client.status("waits").tasks[0].attempts == ()
        for file in list(work.iterdir()):
            file.unlink()
        assert manager.client.wait("waits", 30).state == "completed"
        until(lambda: manager.problem is None)
        until(lambda: len(list((home / "journal" / "reserve").iterdir())) == 8)


def test_a_job_with_more_bytes_than_it_may_have_is_stopped_at_once_and_its_neighbour_is_not(
    tmp_path: Path, engine: FakeEngine
) -> None:
    """In many files, each small enough; and no grace in which it would write on."""
    with managing(tmp_path, engine, job_disk_mb=8, max_runners=2, cancel_grace=3600) as manager:
        _begin(manager, "neighbour", "held")
        work = _begin(manager, "greedy", "stubborn")
        for number in range(9):
            (work / str(number)).write_bytes(bytes(MIB))
        view = manager.client.wait("greedy", 30)
        assert view.job.failure is not None
        assert (view.state, view.job.failure.cause, view.job.failure.setting) == (
            "failed",
            "cancelled",
            "job_disk_mb",
        )
        assert "the setting job_disk_mb allows 8" in view.job.failure.message
        (task,) = view.tasks
        assert task.failure is not None
        assert "job_disk_mb" in task.failure.message
        assert manager.task("a", "neighbour").status == "running"


@pytest.mark.parametrize("where", ["work", "inbox/tmp", "receipt"])
def test_a_job_with_more_files_than_it_may_have_is_stopped_wherever_they_are(
    tmp_path: Path, engine: FakeEngine, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also without anybody seeing that inodes get fewer: looks come now and then in any case."""
    monkeypatch.setattr(disk_watch, "INTERVAL", 0.5)
    with managing(tmp_path, engine, job_inodes=300, max_runners=2, look_ahead=1) as manager:
        until(lambda: manager.scheduler.capabilities.gates is None)  # that they work here was tried
        manager.client.create_job("greedy", [a_task("a", command="held"), a_task("b", "a")])
        manager.until_status("a", "running", "greedy")
        folder = tmp_path / "jobs" / "greedy" / where
        if where == "receipt":
            gates = tmp_path / "gates"
            (folder,) = until(lambda: list(gates.glob("airx-greedy-b-*/receipt")))
        for number in range(301):
            (folder / str(number)).touch()
        view = manager.client.wait("greedy", 30)
        assert view.job.failure is not None
        assert (view.state, view.job.failure.setting) == ("failed", "job_inodes")


def test_a_journal_tells_the_next_manager_why_a_job_was_stopped(tmp_path: Path, engine: FakeEngine) -> None:
    with managing(tmp_path, engine, job_disk_mb=1) as manager:
        work = _begin(manager, "greedy", "stubborn")
    (work / "much").write_bytes(bytes(2 * MIB))
    with managing(tmp_path, engine, job_disk_mb=1) as manager:
        view = manager.client.wait("greedy", 30)
    assert view.job.failure is not None
    assert view.job.failure.setting == "job_disk_mb", "it is watched by a manager that has found it running"


def test_the_kernel_refuses_a_file_that_is_larger_than_a_job_may_have() -> None:
    """On the real engine: `cat /dev/zero > /work/big`; output and /tmp are as before."""
    with idle_manager(job_disk_mb=8) as manager:
        manager.start()
        script = "cat /dev/zero > /work/big; echo $?; head -c 1000000 /dev/zero > /tmp/small; echo still here"
        manager.client.create_job("greedy", [{"id": "a", "command": "sh", "args": ["-c", script]}])
        view = manager.client.wait("greedy", 60)
        folder = manager.client.store.folder("greedy")
        log = folder.log_file("a").read_text()
        size = _size(manager.home, "greedy")
        manager.stop()
    assert view.state in ("completed", "failed")  # with 8 MiB and its log it may have just too much
    assert "still here" in log
    assert size == 8 * MIB


def test_who_writes_a_larger_file_learns_which_setting_forbids_it() -> None:
    with idle_manager(job_disk_mb=8) as manager:
        manager.start()
        task = {"id": "a", "command": "dd", "args": ["if=/dev/zero", "of=/work/big", "bs=1M", "count=9"]}
        manager.client.create_job("greedy", [task])
        failure = manager.client.wait("greedy", 60).tasks[0].failure
        manager.stop()
    assert failure is not None
    assert "job_disk_mb" in failure.message


def _begin(manager: InProcess, job: str, command: str) -> Path:
    manager.client.create_job(job, [a_task("a", command=command)])
    manager.until_status("a", "running", job)
    return manager.home / "jobs" / job / "work"


def _size(home: Path, job: str) -> int:
    return (home / "jobs" / job / "work" / "big").stat().st_size
