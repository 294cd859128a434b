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


def test_gates_and_warm_folders_of_live_attempts_stay_and_all_others_go(home: Home) -> None:
    made(home.warm("airx-warm-1"), home.warm("airx-warm-2"))
    made(
        *(home.gate(name).path for name in ("airx-warm-1", "airx-warm-2", "airx-job-a-1", "airx-gone", "bin"))
    )
    cleanup.clear(home, [waits("airx-warm-1")])
    assert left(home.pool) == {"airx-warm-1"}
    assert left(home.gates) == {"airx-warm-1", "airx-job-a-1", "bin"}


def test_the_folders_of_a_spare_are_those_of_its_first(home: Home) -> None:
    made(home.warm("airx-warm-1"))
    cleanup.clear(home, [waits("airx-warm-1-spare")])
    assert left(home.pool) == {"airx-warm-1"}


def test_folders_from_when_warm_containers_were_slots_go_as_well_but_for_what_is_live(home: Home) -> None:
    made(home.old_pool / "ab12", home.old_pool / "cd34", home.gate("airx-slot-ab12").path)
    cleanup.clear(home, [waits("airx-slot-ab12")])
    assert left(home.old_pool) == {"ab12"}
    assert left(home.gates) == {"airx-slot-ab12"}
    cleanup.clear(home, [])
    assert left(home.old_pool) == left(home.gates) == set()


def test_what_a_probe_left_goes(home: Home) -> None:
    made(home.jobs / ".airx-probe-0123", home.jobs / "job")
    cleanup.clear(home, [])
    assert left(home.jobs) == {"job"}
