"""What managers before this one left in the home folder, and nobody needs now."""

from pathlib import Path

import pytest

from air_executor.format.attempts import Attempt, Container, Phase
from manager.core.live_job import LiveJob
from manager.gates import cleanup
from manager.model.home import Home
from tests.unit.manager.builders import granted, live_job, task


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home("id", tmp_path)
    made.jobs.mkdir()
    return made


def waits(warm: str | None, name: str = "airx-job-a-1") -> LiveJob:
    """A job whose one attempt waits at its gate, in a container of its own or in this warm one."""
    attempt = Attempt(
        number=1,
        phase=Phase.WAITING,
        start="ahead" if warm is None else "warm",
        warm=warm,
        grant=granted(),
        container=Container(name=name, image="image"),
    )
    return live_job(task("a").model_copy(update={"attempts": (attempt,)}))


def made(*folders: Path) -> None:
    for folder in folders:
        (folder / "work").mkdir(parents=True)


def left(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} if folder.is_dir() else set()


def test_what_is_the_own_of_live_attempts_containers_stays_and_all_else_goes(home: Home) -> None:
    names = ("airx-warm-1", "airx-warm-2", "airx-job-a-1", "airx-gone", "bin")
    made(*(home.gate(name).path for name in names))
    cleanup.clear(home, [waits("airx-warm-1")])
    assert left(home.gates) == {"airx-warm-1", "airx-job-a-1", "bin"}


def test_where_older_managers_had_their_warm_containers_nothing_stays(home: Home) -> None:
    warm, slots = home.old_pools
    made(warm / "airx-warm-1", slots / "ab12")
    cleanup.clear(home, [])
    assert left(home.jobs) == set()


def test_a_link_in_the_place_of_such_a_folder_is_not_followed(home: Home, tmp_path: Path) -> None:
    made(tmp_path / "precious")
    home.old_pools[0].symlink_to(tmp_path / "precious")
    cleanup.clear(home, [])
    assert left(tmp_path / "precious") == {"work"}


def test_a_work_folder_goes_unless_the_folder_of_a_job_leads_to_it(home: Home) -> None:
    made(home.work("kept~1"), home.work("gone~2"), home.work("not-asked~3"), home.jobs / "kept")
    (home.jobs / "kept" / "work").rmdir()
    (home.jobs / "kept" / "work").symlink_to("../../work/kept~1")
    cleanup.delete_works(home, ["kept~1", "gone~2"])
    assert left(home.works) == {"kept~1", "not-asked~3"}


def test_what_a_probe_left_goes(home: Home) -> None:
    made(home.jobs / ".airx-probe-0123", home.jobs / "job")
    cleanup.clear(home, [])
    assert left(home.jobs) == {"job"}


def test_caches_stay_which_are_nobodys_own(home: Home) -> None:
    made(home.cache("pip", 1000), home.gate("airx-gone").path)
    cleanup.clear(home, [])
    assert left(home.gates) == {"caches"}
    assert left(home.cache("pip", 1000)) == {"work"}
