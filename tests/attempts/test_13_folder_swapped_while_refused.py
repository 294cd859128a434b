"""A writer swaps his job's folder for a link while the manager refuses it: views are written, set aside and
removed through a handle of the folder, which no link becomes."""

import os
from pathlib import Path

import pytest

from air_executor.files import Create
from air_executor.format.models import Job, JobState
from air_executor.store import JobFolder
from manager.folder import markers, publisher
from manager.folder.publisher import Publisher
from tests.waiting import until


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    folder = tmp_path / "outside"
    folder.mkdir()
    return folder


@pytest.fixture
def job(tmp_path: Path) -> Path:
    folder = tmp_path / "jobs" / "job"
    folder.mkdir(parents=True)
    return folder


def swap(job: Path, outside: Path) -> None:
    job.rename(job.with_name("aside"))
    job.symlink_to(outside)


FAILED = Job(id="job", name="job", state=JobState.FAILED)


def test_where_a_link_is_nothing_is_written(job: Path, outside: Path) -> None:
    swap(job, outside)
    writer = Publisher(lambda fact: None)
    writer.start()
    writer.publish_refusal(job, FAILED, ())
    writer.stop(timeout=5)
    assert list(outside.iterdir()) == []


def test_a_swap_in_the_middle_of_a_write_changes_nothing(
    job: Path, outside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = publisher.write_durably

    def swapped_meanwhile(name: str, text: str, folder: int, create: Create) -> os.stat_result:
        if not job.is_symlink():
            swap(job, outside)
        return real(name, text, folder, create)

    monkeypatch.setattr(publisher, "write_durably", swapped_meanwhile)
    writer = Publisher(lambda fact: None)
    writer.start()
    writer.publish_refusal(job, FAILED, ())
    until(lambda: (job.with_name("aside") / "state.json").exists())
    writer.stop(timeout=5)
    assert list(outside.iterdir()) == []


def test_nothing_is_removed_through_a_link(job: Path, outside: Path) -> None:
    for name in ("retry", ".state.json.0123456789ab"):
        (outside / name).touch()
    swap(job, outside)
    markers.remove(job / "retry")
    JobFolder(job).discard_leftovers()
    assert len(list(outside.iterdir())) == 2
