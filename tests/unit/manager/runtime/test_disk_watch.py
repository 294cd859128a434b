"""When jobs are looked at, and what is told of them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from air_executor.format.models import JobState
from manager.daemon.disk import MIB, Disk, Floor, Free
from manager.daemon.reserve import SPARE, Reserve
from manager.model.facts import DiskExceeded, Fact, JobEnded
from manager.model.home import Home
from manager.runtime import disk_watch
from manager.runtime.disk_watch import DiskWatch
from tests.fakes.manager import HOME_ID
from tests.unit.manager.builders import UID, at, claimed, granted, key, live_job, settings, task
from tests.waiting import until

PLENTY = Free(1 << 40, 10_000_000)


@dataclass
class Watched:
    """A watch over a home with one job, on a disk of the test's choice."""

    home: Path
    disk: Disk
    free: Free = PLENTY
    facts: list[Fact] = field(default_factory=list)

    @property
    def work(self) -> Path:
        return self.home / "jobs" / "job" / "work"

    @property
    def told(self) -> list[tuple[str, int]]:
        return [(fact.setting, fact.limit) for fact in self.facts if isinstance(fact, DiskExceeded)]


Watch = Callable[..., DiskWatch]


@pytest.fixture
def watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Watched:
    made = Watched(tmp_path, Disk(tmp_path, Floor(0, 0)))
    made.work.mkdir(parents=True)
    monkeypatch.setattr(disk_watch, "GLANCE", 0.01)
    monkeypatch.setattr(Free, "of", lambda _: made.free)
    return made


@pytest.fixture
def watch(watched: Watched) -> Iterator[Watch]:
    made: list[DiskWatch] = []

    def start(reserve: Reserve | None = None, **fields: int) -> DiskWatch:
        rules = settings(watched.home, **fields)
        kept = reserve or Reserve(watched.home / "reserve", 0)
        home = Home(HOME_ID, watched.home)
        made.append(DiskWatch(home, rules, watched.disk, kept, watched.facts.append))
        made[-1].start()
        return made[-1]

    yield start
    for each in made:
        each.stop()


def looked(watch: DiskWatch) -> bool:
    """Whether a first look is over."""
    return watch._due > 0


def test_a_job_that_has_more_than_it_may_is_told_once(watched: Watched, watch: Watch) -> None:
    (watched.work / "much").write_bytes(bytes(3 * MIB))
    watch(job_disk_mb=2).follow(live_job())
    until(lambda: watched.told)
    watched.free = Free(0, 0)
    assert watched.told == [("job_disk_mb", 2)]


def test_files_count_as_well(watched: Watched, watch: Watch) -> None:
    for number in range(100):
        (watched.work / str(number)).touch()
    watch(job_inodes=100).follow(live_job())
    until(lambda: watched.told)
    assert watched.told == [("job_inodes", 100)]


@pytest.mark.parametrize("less", [Free((1 << 40) - MIB, 10_000_000), Free(1 << 40, 10_000_000 - 11)])
def test_when_a_tenth_of_what_a_job_may_have_was_written_the_jobs_are_looked_at(
    watched: Watched, watch: Watch, less: Free
) -> None:
    watching = watch(job_disk_mb=2, job_inodes=100)
    watching.follow(live_job())
    until(lambda: looked(watching))
    (watched.work / "much").write_bytes(bytes(3 * MIB))
    watched.free = less
    until(lambda: watched.told)


def test_an_ended_job_is_looked_at_no_more(watched: Watched, watch: Watch) -> None:
    job, watching = live_job(), watch(job_disk_mb=2)
    watching.follow(job)
    until(lambda: looked(watching))
    job.job = job.job.model_copy(update={"state": JobState.COMPLETED})
    watching.observe(job, JobEnded(uid=UID, at=at(1)))
    assert watching._jobs == {}


def test_the_reserve_is_made_again_once_there_is_room_for_it_and_for_what_must_be_free(
    watched: Watched, watch: Watch, tmp_path: Path
) -> None:
    watched.free = Free(10 * MIB + SPARE, 100)
    reserve = Reserve(tmp_path / "reserve", 2 * SPARE)
    watch(reserve, min_free_mb=10, min_free_inodes=10)
    assert not reserve.whole
    watched.free = Free(10 * MIB + 2 * SPARE, 11)
    assert not reserve.whole, "nor without room for its files"
    watched.free = Free(10 * MIB + 2 * SPARE, 12)
    until(lambda: reserve.whole)


def test_who_has_filled_the_disk_is_found_out_while_it_is_full(watched: Watched, watch: Watch) -> None:
    (watched.work / "much").write_bytes(bytes(3 * MIB))
    watch()
    watched.disk.shortage = "it is full"
    until(lambda: watched.disk.filled_by.startswith("job (3 MiB in "))
    watched.disk.shortage = None
    until(lambda: watched.disk.filled_by == "")


def test_scratch_space_with_more_than_was_asked_for_is_told_with_its_place(
    watched: Watched, watch: Watch
) -> None:
    job = live_job(task("a", scratch={"/big": {"size_mb": 1, "on": "disk"}}))
    claim = replace(claimed(key("a")), grant=granted(job.tasks["a"]))
    job.apply(claim)
    scratch = Home(HOME_ID, watched.home).gate(claim.container).scratch(0)
    scratch.mkdir(parents=True)
    (scratch / "much").write_bytes(bytes(2 * MIB))
    watch().follow(job)
    until(lambda: watched.told)
    (told,) = (fact for fact in watched.facts if isinstance(fact, DiskExceeded))
    assert told.words == "its scratch space /big has 3 MiB, and asked for 1"
