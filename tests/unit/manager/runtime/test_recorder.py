"""First the journal, then the views: what the journal does not take is kept until it does."""

import errno
from collections.abc import Iterable
from pathlib import Path
from typing import cast

import pytest

from air_executor.format.models import Task, TaskSpec
from manager.folder.journal import Journal
from manager.folder.publisher import Publisher
from manager.model.changes import Changes
from manager.model.facts import TaskRequested
from manager.model.home import Home
from manager.runtime.recorder import Recorder
from tests.fakes.manager import HOME_ID
from tests.unit.manager.builders import UID, at, claimed, created, key, live_job, task


class FakeJournal:
    """Takes everything, unless its disk is full, for all jobs or for one."""

    def __init__(self) -> None:
        self.full = False
        self.full_for: str | None = None
        self.tries = 0
        self.taken: list[Changes] = []

    def record(self, changes: Changes) -> None:
        self.tries += 1
        if self.full or self.full_for == changes.name:
            raise OSError(errno.ENOSPC, "no space left on device")
        self.taken.append(changes)


class FakePublisher:
    """Notes what it is to show."""

    def __init__(self) -> None:
        self.shown: list[Changes] = []
        self.answered: list[tuple[Path, ...]] = []

    def publish(self, changes: Changes, folder: Path, answered: Iterable[Path] = ()) -> None:
        assert folder == Path("/home/jobs") / changes.name
        self.shown.append(changes)
        self.answered.append(tuple(answered))


@pytest.fixture
def journal() -> FakeJournal:
    return FakeJournal()


@pytest.fixture
def publisher() -> FakePublisher:
    return FakePublisher()


@pytest.fixture
def recorder(journal: FakeJournal, publisher: FakePublisher) -> Recorder:
    home = Home(HOME_ID, Path("/home"))
    return Recorder(home, cast(Journal, journal), cast(Publisher, publisher))


def asks(request: str, task_id: str) -> TaskRequested:
    return TaskRequested(uid=UID, request=request, spec=TaskSpec(id=task_id, command="true"), at=at(2))


def phases(tasks: Iterable[Task]) -> dict[str, str | None]:
    return {one.id: one.attempt and str(one.attempt.phase) for one in tasks}


def test_what_the_journal_has_taken_is_shown(
    recorder: Recorder, journal: FakeJournal, publisher: FakePublisher
) -> None:
    job = live_job(task("a"))
    recorder.record([job])
    assert journal.taken == publisher.shown != []
    recorder.record([job])
    assert len(journal.taken) == 1, "nothing has changed since"


def test_what_the_journal_does_not_take_makes_its_job_stand_still_and_is_not_shown(
    recorder: Recorder, journal: FakeJournal, publisher: FakePublisher, caplog: pytest.LogCaptureFixture
) -> None:
    job = live_job(task("a"))
    journal.full = True
    for _ in range(3):
        recorder.record([job])
    assert (recorder.is_behind(job), recorder.behind, publisher.shown) == (True, 1, [])
    assert journal.tries == 3, "it is tried again, whether anything else has changed or not"
    assert caplog.text.count("stands still") == 1
    assert "no space left on device" in caplog.text


def test_what_was_kept_is_joined_with_what_changes_later_and_written_as_one(
    recorder: Recorder, journal: FakeJournal, publisher: FakePublisher
) -> None:
    job = live_job(task("a"), task("b"))
    journal.full = True
    recorder.record([job])
    job.apply(claimed(key("a")))
    job.apply(asks("r1", "c"))
    recorder.record([job])
    job.apply(created(key("a")))
    journal.full = False
    recorder.record([job])
    (taken,) = journal.taken
    assert publisher.shown == [taken]
    assert phases(taken.tasks) == {"a": "created", "b": None, "c": None}
    assert [decision.request for decision in taken.decisions] == ["r1"]
    assert taken.job == job.job
    assert (recorder.is_behind(job), recorder.behind) == (False, 0)
    recorder.record([job])
    assert journal.tries == 3, "nothing of it is written twice"


def test_one_job_that_stands_still_does_not_keep_others_from_going_on(
    recorder: Recorder, journal: FakeJournal
) -> None:
    bad, good = live_job(uid="b" * 32, name="bad"), live_job(uid="a" * 32, name="good")
    journal.full_for = "bad"
    recorder.record([bad, good])
    assert (recorder.is_behind(bad), recorder.is_behind(good)) == (True, False)


def test_what_is_to_be_done_once_the_journal_has_a_job_is_done_then_and_once(
    recorder: Recorder, journal: FakeJournal
) -> None:
    job, done = live_job(task("a")), list[str]()
    journal.full = True
    recorder.once_recorded(job, lambda: done.append("act"))
    recorder.record([job])
    assert (done, recorder.owes(job)) == ([], True)
    journal.full = False
    recorder.record([job])
    recorder.record([job])
    assert (done, recorder.owes(job)) == (["act"], False)


def test_markers_go_with_the_first_views_that_are_shown(
    recorder: Recorder, journal: FakeJournal, publisher: FakePublisher
) -> None:
    job, marker = live_job(task("a")), Path("/home/jobs/job/retry")
    recorder.answers(job, marker)
    journal.full = True
    recorder.record([job])
    journal.full = False
    recorder.record([job])
    job.apply(claimed(key("a")))
    recorder.record([job])
    assert publisher.answered == [(marker,), ()]


def test_a_job_whose_folder_is_gone_is_recorded_and_not_shown(
    recorder: Recorder, journal: FakeJournal, publisher: FakePublisher
) -> None:
    job = live_job(task("a"))
    job.vanished = True
    recorder.record([job])
    assert (len(journal.taken), publisher.shown) == (1, [])
