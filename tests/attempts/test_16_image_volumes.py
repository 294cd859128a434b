"""16: an image declares `VOLUME /var/tmp`, which the engine makes a writable folder on the host's disk.

An empty file system in memory that can't be written takes the place of each volume, whoever waits or not.
"""

from collections.abc import Iterator

import pytest

from tests import engine_room
from tests.faults.test_warm_pool import warmed
from tests.real_manager import RealManager, docker, real_manager

PATIENCE = 60
FILL = "head -c 1000000 /dev/zero > /var/tmp/big; cp -p /usr/bin/su /var/tmp/su; ls -A /var/tmp; sleep 1"


@pytest.fixture
def manager() -> Iterator[RealManager]:
    """Its default image has a volume that anybody may write to."""
    with (
        engine_room.runner_image_with(engine_room.client(), "VOLUME /var/tmp") as image,
        real_manager(warm=1, look_ahead=4, runner_image=image) as made,
    ):
        yield made


def test_nothing_is_written_to_the_hosts_disk_through_a_volume_warm_ahead_or_cold(
    manager: RealManager,
) -> None:
    before = docker("volume", "ls", "--quiet").split()
    fill = {"command": "sh", "args": ["-c", FILL], "retries": 0}
    warmed(manager)
    manager.client.create_job(
        "fill",
        [
            {"id": "warm", **fill},
            {"id": "ahead", **fill, "dependencies": ["warm"], "resources": {"pids": 61}},
            {"id": "cold", **fill, "resources": {"pids": 60}},
        ],
    )
    view = manager.client.wait("fill", timeout=PATIENCE)
    assert {task.id: task.attempts[0].start for task in view.tasks} == {
        "warm": "warm",
        "ahead": "ahead",
        "cold": "cold",
    }
    for task in view.tasks:
        said = (manager.home / "jobs" / "fill" / "logs" / f"{task.id}.log").read_text().splitlines()
        assert len(said) == 2, said
        assert all("Read-only file system" in line for line in said)
    assert docker("volume", "ls", "--quiet").split() == before
