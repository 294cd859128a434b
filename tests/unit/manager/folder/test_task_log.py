"""The log of a task: whole, at most so long, and written nowhere else."""

import os
import re
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manager.folder.task_log import (
    AT_LEAST,
    CUT,
    GONE,
    REST_OF_A_LETTER,
    UNSURE,
    Enough,
    LogFile,
    _End,
    keep_earlier_log,
    restore_earlier_log,
)


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


def give(log: LogFile, output: bytes, size: int = 7) -> bool:
    """As the engine does, from the beginning; whether the log took all."""
    log.restart()
    try:
        for begin in range(0, len(output), size):
            log.write(output[begin : begin + size])
    except Enough:
        return False
    return True


def finish(log: LogFile, output: bytes, *, size: int = 7, whole: bool = True) -> None:
    """As the follower does with a container of so much output, of which the engine may have dropped some."""
    taken = give(log, output, size) and whole
    while not log.end(taken):
        assert not log.lacks_space
        taken = give(log, output, size) and whole
    log.close()


def excerpt(first: bytes, gone: int, lines: int, last: bytes) -> bytes:
    return first + CUT % len(first) + GONE % (gone, lines) + last


@pytest.mark.parametrize("size", [1, 7, 74, 75, 76, 1000])
def test_a_long_output_is_kept_in_its_first_and_its_last_part(job: Path, logs: Path, size: int) -> None:
    output = b"".join(b"%09d\n" % number for number in range(100))
    for _ in range(2):  # the second time by a manager that comes back
        finish(LogFile(job, "a", 100), output, size=size)
        # Of 25 bytes that are left for the end, the first 5 are no whole line.
        assert (logs / "a.log").read_bytes() == excerpt(output[:75], 905, 91, output[-20:])


@pytest.mark.parametrize("length", [0, 1, 74, 75, 76, 78, 79, 99, 100])
def test_what_fits_is_kept_as_it_is(job: Path, logs: Path, length: int) -> None:
    output = bytes(range(128, 228))[:length]
    for _ in range(2):
        finish(LogFile(job, "a", 100), output)
        assert (logs / "a.log").read_bytes() == output


def test_the_first_part_is_there_at_once_and_then_the_file_says_what_it_waits_for(
    job: Path, logs: Path
) -> None:
    log = LogFile(job, "a", 100)
    log.write(b"x" * 75)
    assert (logs / "a.log").read_bytes() == b"x" * 75
    log.write(b"x" * 25)
    assert (logs / "a.log").read_bytes() == b"x" * 75, "it may fit"
    with pytest.raises(Enough):
        log.write(b"x")
    assert (logs / "a.log").read_bytes() == b"x" * 75 + CUT % 75


def test_one_who_follows_the_file_sees_all_of_it_once(job: Path, logs: Path) -> None:
    """Whatever comes is added; nothing is changed that was read."""
    log, output, seen = LogFile(job, "a", 100), b"0123456789" * 50, b""
    for begin in range(0, len(output), 9):
        try:
            log.write(output[begin : begin + 9])
        except Enough:
            break
        now = (logs / "a.log").read_bytes()
        assert now.startswith(seen)
        seen = now
    finish(log, output)
    assert (logs / "a.log").read_bytes().startswith(seen)


LETTERS = st.text(st.sampled_from("aü漢😀\n\r"), max_size=80).map(str.encode)
OUTPUTS = st.one_of(st.binary(max_size=200), LETTERS)


def check(kept: bytes, output: bytes, limit: int) -> None:
    if kept == output:
        return
    assert len(output) > limit
    found = re.fullmatch(rb"(.*)\n\[air-[^\n]*\n\[air-executor: (\d+) bytes[^\n]*\n(.*)", kept, re.DOTALL)
    assert found is not None
    first, gone, last = found[1], int(found[2]), found[3]
    assert output.startswith(first)
    assert output.endswith(last)
    assert len(first) + gone + len(last) == len(output)
    assert len(first) + len(last) <= limit + REST_OF_A_LETTER
    with suppress(UnicodeDecodeError):
        output.decode()
        kept.decode()


@given(OUTPUTS, st.integers(1, 120), st.integers(1, 50), st.data())
def test_a_manager_that_was_killed_anywhere_leaves_what_the_next_one_finishes(
    output: bytes, limit: int, size: int, data: st.DataObject
) -> None:
    with TemporaryDirectory() as folder:
        job = Path(folder)
        (job / "logs").mkdir()
        file = job / "logs/a.log"
        finish(LogFile(job, "a", limit), output, size=size)
        kept = file.read_bytes()
        check(kept, output, limit)
        os.truncate(file, data.draw(st.integers(0, len(kept)), label="bytes written when it was killed"))
        finish(LogFile(job, "a", limit), output, size=data.draw(st.integers(1, 50)))
        assert file.read_bytes() == kept


@given(OUTPUTS.filter(len), st.integers(1, 60), st.data())
def test_what_the_engine_no_longer_has_is_told(output: bytes, limit: int, data: st.DataObject) -> None:
    """A manager was away, and the engine has dropped the beginning: the end is there, and so is a word."""
    with TemporaryDirectory() as folder:
        job = Path(folder)
        (job / "logs").mkdir()
        before = data.draw(st.integers(1, len(output)), label="copied by the first manager")
        dropped = data.draw(st.integers(1, len(output)), label="dropped by the engine")
        first = LogFile(job, "a", limit)
        give(first, output[:before])
        first.close()
        finish(LogFile(job, "a", limit), output[dropped:], whole=False)
        kept = (job / "logs/a.log").read_bytes()
        head = output[: min(before, limit - limit // 4)]
        assert kept.startswith(head)
        if b"[air-executor: " not in kept:
            assert kept in output, "it goes on just as before, so nobody can tell"
        else:
            assert b"at least" in kept
            assert kept[kept.rindex(b"]\n") + 2 :] in output[-limit // 4 or len(output) :]


def test_output_of_which_the_engine_dropped_some_while_it_was_followed_says_so(job: Path, logs: Path) -> None:
    log = LogFile(job, "a", 100)
    give(log, b"abcdefgh")
    assert not log.end(False), "what the engine has still, tells"
    give(log, b"abcd")
    assert log.end(False)
    assert (logs / "a.log").read_bytes() == b"abcdefgh" + UNSURE


def test_output_whose_rest_can_not_be_read_says_how_much_is_known_of(job: Path, logs: Path) -> None:
    log = LogFile(job, "a", 100)
    assert not give(log, b"x" * 200)
    assert not log.end(False)
    log.restart()
    assert log.end(False)
    assert (logs / "a.log").read_bytes() == b"x" * 75 + CUT % 75 + AT_LEAST % 30


def test_a_full_disk_at_the_end_is_waited_for(job: Path, logs: Path) -> None:
    output = b"first\n" * 30 + b"FINAL ERROR\n"
    log = LogFile(job, "a", 100)
    assert not give(log, output)
    assert log._handle is not None
    own, full = os.dup(log._handle), os.open("/dev/full", os.O_RDWR)
    size = log._written
    assert not log.end(False)
    give(log, output)
    os.dup2(full, log._handle)
    log._head = size  # nothing to go back to: a device has no length
    assert not log.end(True)
    assert log.lacks_space
    os.dup2(own, log._handle)
    log._head = 75
    finish(log, output)
    assert (logs / "a.log").read_bytes().endswith(b"FINAL ERROR\n")
    for handle in (own, full):
        os.close(handle)


def test_a_limit_is_met_in_memory_too() -> None:
    end = _End(1000)
    for _ in range(10_000):
        end.add(b"x" * 999)
        assert len(end._kept) <= 3000
    assert (len(end.take()), end.gone) == (1000, 9_989_000)


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
