"""What is in a folder: at once where it is small, and in another thread where it is large."""

import json
from pathlib import Path

import pytest

from air_executor.errors import BadInput
from air_executor.format.limits import Bounds
from air_executor.store import JobFolder
from manager.folder import reader
from manager.folder.reader import SMALL, Contents, Reader
from tests.waiting import until

LARGE = [{"id": "a", "command": "x", "args": ["y" * 100_000] * 4}]
SMALL_ONE = [{"id": "a", "command": "x"}]


@pytest.fixture
def folder(tmp_path: Path) -> JobFolder:
    made = JobFolder(tmp_path / "job")
    made.path.mkdir()
    made.state_file.write_text('{"id": "1", "name": "job"}')
    return made


@pytest.fixture
def woken() -> list[bool]:
    return []


@pytest.fixture
def reads(woken: list[bool]) -> Reader:
    return Reader(Bounds(8 << 20), lambda: woken.append(True))


def write(folder: JobFolder, tasks: object) -> None:
    folder.tasks_file.write_text(json.dumps(tasks))


def found(reads: Reader, folder: JobFolder) -> Contents:
    return until(lambda: reads.contents(folder))


def test_what_is_small_is_read_at_once(reads: Reader, folder: JobFolder, woken: list[bool]) -> None:
    write(folder, SMALL_ONE)
    contents = reads.contents(folder)
    assert contents is not None
    assert contents.job is not None
    assert [task.id for task in contents.tasks] == ["a"]
    assert not woken


def test_what_is_large_is_read_meanwhile_and_who_asked_is_woken(
    reads: Reader, folder: JobFolder, woken: list[bool]
) -> None:
    write(folder, LARGE)
    assert folder.size > SMALL
    assert reads.contents(folder) is None
    until(lambda: woken)
    contents = reads.contents(folder)
    assert contents is not None
    assert len(contents.tasks) == 1


def test_what_was_changed_while_it_was_read_is_read_again(
    reads: Reader, folder: JobFolder, woken: list[bool]
) -> None:
    write(folder, LARGE)
    assert reads.contents(folder) is None
    until(lambda: woken)
    write(folder, [{"id": "b", "command": "x"}])
    assert reads.contents(folder) is None
    assert [task.id for task in found(reads, folder).tasks] == ["b"]


def test_what_grows_while_it_is_read_is_not_measured_by_what_it_was(
    reads: Reader, folder: JobFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(folder, SMALL_ONE)
    read = reader._contents

    def grown(folder: JobFolder, bounds: Bounds) -> Contents:
        if not (folder.size > SMALL):
            write(folder, LARGE)
        return read(folder, bounds)

    monkeypatch.setattr(reader, "_contents", grown)
    assert reads.contents(folder) is None
    assert len(found(reads, folder).tasks) == 1


def test_the_tasks_of_a_job_that_has_ended_are_not_read(reads: Reader, folder: JobFolder) -> None:
    folder.state_file.write_text('{"id": "1", "name": "job", "state": "failed"}')
    folder.tasks_file.write_text("nonsense")
    contents = found(reads, folder)
    assert (contents.tasks, contents.problem) == ((), None)


def test_a_folder_that_has_gone_is_forgotten(reads: Reader, folder: JobFolder) -> None:
    write(folder, LARGE)
    assert reads.contents(folder) is None
    reads.forget("job")
    assert reads.contents(folder) is None
    assert len(found(reads, folder).tasks) == 1


def test_whatever_goes_wrong_is_a_problem_of_that_job_alone(
    reads: Reader, folder: JobFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise MemoryError

    write(folder, SMALL_ONE)
    monkeypatch.setattr(JobFolder, "read_tasks", fail)
    assert isinstance(found(reads, folder).problem, BadInput)
