"""The log of a task: whole, at most so long, and written nowhere else."""

import os
from pathlib import Path

import pytest

from manager.folder.task_log import CUT, LogFile, keep_earlier_log, restore_earlier_log


@pytest.fixture
def job(tmp_path: Path) -> Path:
    folder = tmp_path / "job"
    folder.mkdir()
    return folder


@pytest.fixture
def logs(job: Path) -> Path:
    (job / "logs").mkdir()
    return job / "logs"


def test_output_goes_to_the_log(job: Path, logs: Path) -> None:
    log = LogFile(job, "a", 1000)
    log.write(b"one\n")
    assert (logs / "a.log").read_bytes() == b"one\n", "at once, and not at the end"
    log.write(b"two\n")
    log.close()
    assert (logs / "a.log").read_bytes() == b"one\ntwo\n"
    assert log.problem is None


@pytest.mark.parametrize("size", [1, 2, 3, 5, 100])
def test_a_manager_that_comes_back_goes_on_where_the_last_one_stopped(
    job: Path, logs: Path, size: int
) -> None:
    output = bytes(range(97, 123)) * 3
    for stop in (10, 41):
        log = LogFile(job, "a", 1000)
        for begin in range(0, stop, size):
            log.write(output[begin : min(begin + size, stop)])
        log.close()
    log = LogFile(job, "a", 1000)
    for begin in range(0, len(output), size):
        log.write(output[begin : begin + size])
    log.close()
    assert (logs / "a.log").read_bytes() == output


def test_output_that_is_followed_again_is_not_doubled(job: Path, logs: Path) -> None:
    log = LogFile(job, "a", 1000)
    log.write(b"one\ntw")
    log.restart()
    log.write(b"one\n")
    log.write(b"two\n")
    log.close()
    assert (logs / "a.log").read_bytes() == b"one\ntwo\n"


@pytest.mark.parametrize("size", [1, 7, 10, 11, 50])
def test_a_log_is_cut_at_its_limit_and_the_cut_is_marked_once(job: Path, logs: Path, size: int) -> None:
    total = 10 + 3 * len(CUT)
    for _ in range(2):  # the second time by a manager that comes back
        log = LogFile(job, "a", 10)
        for begin in range(0, total, size):
            log.write(b"x" * min(size, total - begin))
        log.close()
        assert (logs / "a.log").read_bytes() == b"x" * 10 + CUT % 10


def test_a_log_that_ends_just_at_its_limit_is_not_cut(job: Path, logs: Path) -> None:
    log = LogFile(job, "a", 10)
    log.write(b"x" * 10)
    log.close()
    assert (logs / "a.log").read_bytes() == b"x" * 10


@pytest.mark.parametrize("where", ["logs", "logs/a.log"])
def test_a_log_that_is_a_link_is_not_written(job: Path, tmp_path: Path, where: str) -> None:
    target = tmp_path / "target"
    if where == "logs":
        target.mkdir()
        (job / "logs").symlink_to(target)
    else:
        target.write_bytes(b"precious")
        (job / "logs").mkdir()
        (job / where).symlink_to(target)
    log = LogFile(job, "a", 100)
    log.write(b"evil")
    log.close()
    assert log.problem is not None
    assert (list(target.iterdir()) == []) if where == "logs" else (target.read_bytes() == b"precious")


def test_a_full_disk_costs_output_but_no_exception(job: Path, logs: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    log = LogFile(job, "a", 100)
    assert log._handle is not None
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, log._handle)
    os.close(full)
    log.write(b"lost")
    assert log.problem is not None
    assert "No space" in str(log.problem)
    log.close()


def test_the_log_of_an_earlier_attempt_is_put_beside(job: Path, logs: Path) -> None:
    (logs / "a.log").write_bytes(b"first")
    keep_earlier_log(job, "a", 1)
    keep_earlier_log(job, "a", 1)  # again, after a crash
    assert [(file.name, file.read_bytes()) for file in logs.iterdir()] == [("a.log.1", b"first")]


def test_the_log_of_an_earlier_attempt_is_put_back_where_the_next_one_never_began(
    job: Path, logs: Path
) -> None:
    restore_earlier_log(job, "a", 1)  # it was not put aside yet
    (logs / "a.log").write_bytes(b"first")
    keep_earlier_log(job, "a", 1)
    restore_earlier_log(job, "a", 1)
    restore_earlier_log(job, "a", 1)  # again, after a crash
    assert [(file.name, file.read_bytes()) for file in logs.iterdir()] == [("a.log", b"first")]


def test_a_log_that_is_put_back_takes_the_place_of_no_other(job: Path, logs: Path) -> None:
    for name in ("a.log", "a.log.1"):
        (logs / name).write_bytes(name.encode())
    restore_earlier_log(job, "a", 1)
    assert {file.name: file.read_bytes() for file in logs.iterdir()} == {
        "a.log": b"a.log",
        "a.log.1": b"a.log.1",
    }


def test_there_is_nothing_to_put_back_in_a_folder_that_is_gone(job: Path) -> None:
    restore_earlier_log(job / "gone", "a", 1)


def test_a_pipe_in_the_logs_place_blocks_nobody(job: Path) -> None:
    (job / "logs").mkdir(exist_ok=True)
    os.mkfifo(job / "logs/a.log")
    for flags in (None, os.O_RDONLY | os.O_NONBLOCK):
        reader = None if flags is None else os.open(job / "logs/a.log", flags)
        log = LogFile(job, "a", 1000)
        log.write(b"hello")
        log.close()
        assert log.problem is not None
        if reader is not None:
            os.close(reader)


def test_one_who_was_given_up_writes_nothing_and_the_next_goes_on_where_it_stopped(job: Path) -> None:
    (job / "logs").mkdir(exist_ok=True)
    first = LogFile(job, "a", 1000)
    first.write(b"abc")
    first.give_up()
    second = LogFile(job, "a", 1000)
    first.write(b"def")
    second.restart()
    second.write(b"abcdefghi")
    assert (job / "logs/a.log").read_bytes() == b"abcdefghi"
