"""What a restart reads: everything that was written down, nothing that was not, and no half of a decision."""

import errno
import json
import os
import zlib
from pathlib import Path
from typing import Any

import pytest

from air_executor.format.models import TaskSpec
from manager.core.live_job import LiveJob
from manager.daemon.reserve import SPARE, Reserve
from manager.folder.journal import Journal, Remembered
from manager.model.facts import CancelRequested, JobEnded, RequestRefused, TaskRequested
from tests.unit.manager.builders import (
    OWNER,
    UID,
    at,
    claimed,
    created,
    exited,
    key,
    live_job,
    removed,
    run,
    started,
    task,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "journal"


def write_down(journal: Journal, job: LiveJob) -> None:
    """As the supervisor does after each batch."""
    changes = job.take_changes()
    if changes is not None:
        journal.record(changes)


def replay(folder: Path) -> list[Remembered]:
    journal = Journal(folder)
    try:
        return list(journal.remembered())
    finally:
        journal.close()


def the_file(folder: Path) -> Path:
    (file,) = folder.glob("*.journal")
    return file


def revived(record: Remembered) -> LiveJob:
    return LiveJob(record.job, record.tasks, record.owner, max_tasks=100)


def test_what_was_recorded_is_remembered(folder: Path) -> None:
    job = live_job(task("a", env={"K": "ä\r\n\u2028"}), task("b", "a", retries=2), max_parallel=3)
    journal = Journal(folder)
    write_down(journal, job)
    job.apply(claimed(key("a")))
    job.apply(
        TaskRequested(
            uid=UID, request="r1", spec=TaskSpec(id="c", command="true", dependencies=("b",)), at=at(2)
        )
    )
    job.apply(RequestRefused(uid=UID, request="r2", reason="is not JSON", at=at(2)))
    write_down(journal, job)
    journal.close()
    (record,) = replay(folder)
    assert {one.id: one for one in record.tasks} == job.tasks
    assert record.owner == OWNER
    assert record.job.requests == tuple(job.requests.values())
    assert record.job.max_parallel == 3
    assert record.job.state == "working"


def test_the_last_of_several_records_of_one_task_wins(folder: Path) -> None:
    job = live_job(task("a"))
    journal = Journal(folder)
    write_down(journal, job)
    for fact in (claimed(key()), created(key()), started(key()), exited(key(), 3), removed(key())):
        job.apply(fact)
        write_down(journal, job)
    journal.close()
    (record,) = replay(folder)
    assert record.tasks == (job.tasks["a"],)
    assert record.tasks[0].attempts[0].exit_code == 3


def test_a_journal_grows_by_what_changed_and_not_by_the_whole_job(folder: Path) -> None:
    job = live_job(*(task(f"t{number}") for number in range(500)))
    journal = Journal(folder)
    write_down(journal, job)
    before = the_file(folder).stat().st_size
    job.apply(claimed(key("t7")))
    write_down(journal, job)
    assert the_file(folder).stat().st_size - before < before / 50


def test_nothing_is_written_when_nothing_changed(folder: Path) -> None:
    job = live_job(task("a"))
    journal = Journal(folder)
    write_down(journal, job)
    size = the_file(folder).stat().st_size
    write_down(journal, job)
    assert the_file(folder).stat().st_size == size


def test_a_record_is_synced_before_record_returns(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    real = os.fsync
    monkeypatch.setattr(
        os, "fsync", lambda handle: (synced.append(os.fstat(handle).st_size), real(handle))[1]
    )
    journal = Journal(folder)
    write_down(journal, live_job())
    assert the_file(folder).stat().st_size in synced


def test_what_a_crash_leaves_of_a_line_is_cut_off_and_the_journal_goes_on(folder: Path) -> None:
    job = live_job(task("a"))
    journal = Journal(folder)
    write_down(journal, job)
    whole = the_file(folder).read_bytes()
    journal.close()
    the_file(folder).write_bytes(whole + b'87 0badc0de [{"task":{"id":"a","comm')
    (record,) = replay(folder)
    assert the_file(folder).read_bytes() == whole
    again, journal = revived(record), Journal(folder)
    again.apply(claimed(key("a")))
    write_down(journal, again)
    journal.close()
    (record,) = replay(folder)
    assert record.tasks[0].attempts[0].phase == "claimed"


@pytest.mark.parametrize("rest", [b"\0" * 4096, b"12", b"\n", b"7 00000000 {}"])
def test_other_rests_that_a_crash_may_leave_are_cut_off(folder: Path, rest: bytes) -> None:
    journal = Journal(folder)
    write_down(journal, live_job())
    journal.close()
    whole = the_file(folder).read_bytes()
    the_file(folder).write_bytes(whole + rest)
    assert len(replay(folder)) == 1
    assert the_file(folder).read_bytes() == whole


def test_a_journal_that_is_damaged_in_the_middle_is_set_aside_and_told_with_the_place(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    job = live_job(task("a"))
    journal = Journal(folder)
    write_down(journal, job)
    first = the_file(folder).stat().st_size
    for fact in (claimed(key()), created(key())):
        job.apply(fact)
        write_down(journal, job)
    journal.close()
    data = bytearray(the_file(folder).read_bytes())
    data[first + 30] ^= 1
    the_file(folder).write_bytes(data)
    assert replay(folder) == []
    assert f"the line at byte {first} is not what was written" in caplog.text
    (aside,) = folder.glob("*.damaged")
    assert aside.read_bytes() == data, "a damaged journal is kept as it is"


def test_a_line_whose_checksum_fits_other_bytes_is_not_believed(folder: Path) -> None:
    journal = Journal(folder)
    write_down(journal, live_job(task("a")))
    journal.close()
    before = the_file(folder).read_bytes()
    lie = b'[{"job":{"id":"evil","name":"job"}}]'
    the_file(folder).write_bytes(before + b"%d %08x %s\n" % (len(lie), zlib.crc32(b"other"), lie))
    (record,) = replay(folder)
    assert record.job.id == "1"


def test_wherever_a_crash_cuts_the_journal_the_job_is_whole_or_not_taken_and_comes_to_an_end(
    folder: Path,
) -> None:
    """Each batch is one decision: a half of it (a failed job whose tasks still wait) must never come back."""
    job = live_job(task("a"), task("b", "a"), task("c"), task("d", "b", "c"))
    journal = Journal(folder)
    ends, states = [0], [dict[str, object]()]

    def batch() -> None:
        write_down(journal, job)
        ends.append(the_file(folder).stat().st_size)
        states.append(dict(job.tasks))

    batch()
    for fact in (claimed(key("a")), claimed(key("c")), created(key("a")), started(key("a"))):
        job.apply(fact)
        batch()
    job.apply(TaskRequested(uid=UID, request="r1", spec=TaskSpec(id="e", command="true"), at=at(2)))
    batch()
    job.apply(exited(key("a"), 1))  # fails the job: b, d and e are skipped in the same batch
    batch()
    job.apply(CancelRequested(uid=UID, at=at(9)))
    batch()
    journal.close()
    file, data = the_file(folder), the_file(folder).read_bytes()
    assert len(data) == ends[-1]
    for cut in sorted({*range(0, len(data), 19), *ends, *(end - 1 for end in ends[1:])} - {len(data)}):
        file.write_bytes(data[:cut])
        whole = max(index for index, end in enumerate(ends) if end <= cut)
        records = replay(folder)
        if whole == 0:
            assert records == [], f"cut at byte {cut}: a job that was not taken"
            continue
        assert {one.id: one for one in records[0].tasks} == states[whole], f"cut at byte {cut}"
        assert_it_ends(revived(records[0]))


def assert_it_ends(job: LiveJob) -> None:
    for _ in range(10):
        for name in list(job.ready):
            assert job.failure is None, f"{name} would run in a job that has failed"
            run(job, name)
        for name in list(job.live):
            of = job.attempt_key(job.tasks[name])
            for fact in (created(of), started(of), exited(of), removed(of)):
                job.apply(fact)
    assert job.settled, {name: one.status for name, one in job.tasks.items()}


def test_a_job_that_has_ended_is_remembered_no_more_and_its_journal_is_kept(folder: Path) -> None:
    job = live_job(task("a"))
    journal = Journal(folder)
    run(job, "a")
    job.apply(JobEnded(uid=UID, at=at(9)))
    write_down(journal, job)
    journal.end(job.everything())
    journal.close()
    assert replay(folder) == []
    assert [file.name for file in (folder / "ended").iterdir()] == [f"job~{UID[:12]}.journal"]


def test_a_job_whose_taking_was_not_finished_is_forgotten(folder: Path) -> None:
    folder.mkdir()
    (folder / "job~0123.journal").write_bytes(b"17 0000")
    assert replay(folder) == []
    assert not list(folder.glob("*.journal"))


def test_two_jobs_of_one_name_have_two_journals(folder: Path) -> None:
    journal = Journal(folder)
    for uid in ("a" * 32, "b" * 32):
        write_down(journal, live_job(uid=uid))
    journal.close()
    assert sorted(record.job.uid or "" for record in replay(folder)) == ["a" * 32, "b" * 32]


def test_only_the_managers_own_user_may_read_the_journals(folder: Path) -> None:
    Journal(folder).close()
    assert folder.stat().st_mode & 0o077 == 0


def test_the_longest_job_name_fits(folder: Path) -> None:
    journal = Journal(folder)
    write_down(journal, live_job(name="n" * 200))
    journal.close()
    (record,) = replay(folder)
    assert record.job.name == "n" * 200


def test_a_first_record_that_the_disk_took_only_at_the_second_try_is_as_complete_as_any(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = live_job(task("a"))
    job.submitted = "state.json of then"
    changes = job.take_changes()
    assert changes is not None
    journal = Journal(folder)
    with monkeypatch.context() as full_disk:
        full_disk.setattr(os, "fsync", refuses)
        with pytest.raises(OSError):
            journal.record(changes)
    assert the_file(folder).read_bytes() == b""
    journal.record(changes)
    journal.close()
    (record,) = replay(folder)
    assert (record.owner, record.submitted) == (OWNER, "state.json of then")
    assert record.tasks == (job.tasks["a"],)


def test_the_reserve_is_for_jobs_that_the_journal_knows_and_a_new_one_waits(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reserve = Reserve(tmp_path / "reserve", 2 * SPARE)
    reserve.fill()
    journal, known, new = Journal(folder, reserve), live_job(task("a")), live_job(uid="b" * 32, name="new")
    write_down(journal, known)
    real = os.fsync

    def until_a_spare_is_given_up(handle: int) -> None:
        real(handle) if not reserve.whole else refuses(handle)

    monkeypatch.setattr(os, "fsync", until_a_spare_is_given_up)
    with pytest.raises(OSError):
        write_down(journal, new)
    assert reserve.whole
    known.apply(claimed(key("a")))
    write_down(journal, known)
    assert not reserve.whole
    journal.close()
    assert {record.job.name: len(record.tasks[0].attempts) for record in replay(folder)} == {"job": 1}


def refuses(handle: int) -> None:
    """As a disk that is full."""
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_warm_containers_that_were_called_slots_when_the_journal_was_written_have_their_names_of_then(
    folder: Path,
) -> None:
    job = live_job(task("a"), task("b"))
    for name in "ab":
        job.apply(claimed(key(name)))
    journal = Journal(folder)
    write_down(journal, job)
    journal.close()
    file = the_file(folder)
    (line,) = file.read_bytes().splitlines()
    entries = json.loads(line.split(b" ", 2)[2])
    for entry in entries:
        match entry:
            case {"job": about}:
                about["slot"] = "ab12"
                del about["network"]  # it was told by the slot
            case {"task": {"id": "a", "attempts": [attempt]}}:
                attempt["slot"] = "ab12"
    file.write_bytes(line_of(entries))
    (record,) = replay(folder)
    assert record.job.network == "airx-slot-ab12-network"
    assert {one.id: one.attempts[0].warm for one in record.tasks} == {"a": "airx-slot-ab12", "b": None}
    assert "slot" not in record.job.model_dump()
    assert record.tasks[0].attempts[0].model_extra == job.tasks["a"].attempts[0].model_extra


def line_of(entries: list[Any]) -> bytes:
    """As a manager writes them."""
    text = json.dumps(entries).encode()
    return b"%d %08x %s\n" % (len(text), zlib.crc32(text), text)


def test_a_journal_that_says_what_this_manager_does_not_understand_is_set_aside_and_others_are_read(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    journal = Journal(folder)
    write_down(journal, live_job(name="a-strange", uid="a" * 32))
    write_down(journal, live_job(name="b-usual", uid="b" * 32))
    journal.close()
    strange = next(folder.glob("a-strange~*.journal"))
    with strange.open("ab") as file:
        file.write(line_of([{"task": {"id": "a", "command": "true", "status": "levitating"}}]))
    assert [record.job.name for record in replay(folder)] == ["b-usual"]
    assert [aside.name for aside in folder.glob("*.damaged")] == [f"{strange.name}.damaged"]
    assert f"{strange}: " in caplog.text
