"""The image of a task that is not here, and takes long to come: it comes while the tasks before still run."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from air_executor import daemon
from air_executor.format.attempts import Attempt
from tests import engine_room
from tests.real_manager import RealManager, docker, real_manager
from tests.registry import Registry, filler, registry
from tests.waiting import until

PATIENCE = 60
LARGE = 12_000_000
SECONDS = 8
"""How long that takes to come: a line in the log every 5 s is one in the midst of it."""


@pytest.fixture
def manager(on_failure: Callable[..., None]) -> Iterator[RealManager]:
    with real_manager(look_ahead=4, registries='["127.0.0.1:*"]') as made:
        on_failure("the manager and its containers", made.evidence)
        yield made


@pytest.fixture
def source() -> Iterator[Registry]:
    """With one program, BARE_COMMAND."""
    program, _ = engine_room.BARE_COMMAND
    content = subprocess.run(
        ["docker", "run", "--rm", engine_room.RUNNER, "cat", "/usr/sbin/ldconfig"],
        capture_output=True,
        check=True,
    ).stdout
    with registry({program: content}, {"filler": filler(LARGE)}) as made:
        made.pace = LARGE / SECONDS
        yield made


def create(manager: RealManager, source: Registry) -> None:
    """`a` runs until it is let go; `b` needs the image."""
    program, *words = engine_room.BARE_COMMAND
    last: dict[str, object] = {
        "id": "b",
        "command": program,
        "args": words,
        "image": source.image,
        "dependencies": ["a"],
    }
    held = "until test -e /work/go; do sleep 0.05; done"
    manager.client.create_job("job", [{"id": "a", "command": "sh", "args": ["-c", held]}, last])


def let_go(manager: RealManager) -> None:
    """Let `a` end."""
    (manager.client.store.folder("job").work / "go").touch()


def waits(manager: RealManager) -> bool:
    """Whether the container of `b` waits at its gate."""
    found = manager.client.status("job").tasks[1].attempt
    return found is not None and found.phase == "waiting"


def completed(manager: RealManager) -> Attempt:
    """The only attempt at `b`, of the job that has completed."""
    view = manager.client.wait("job", timeout=PATIENCE)
    assert view.state == "completed", [task.error for task in view.tasks]
    (only,) = view.tasks[1].attempts
    return only


def pulling(manager: RealManager) -> tuple[str, ...]:
    status = daemon.read_status(manager.home)
    return status.pulling if status is not None else ()


def shown(manager: RealManager, *options: str) -> str:
    """What people see who have room for it."""
    program = str(Path(sys.executable).with_name("air-executor"))
    command = [program, "--home", str(manager.home), "status", *options]
    wide = os.environ | {"COLUMNS": "160"}
    return subprocess.run(command, env=wide, capture_output=True, text=True, check=True).stdout


def test_an_image_is_pulled_while_the_task_before_runs_and_people_can_see_how_far_it_is(
    manager: RealManager, source: Registry
) -> None:
    create(manager, source)
    until(lambda: any("of 2 layers" in text for text in pulling(manager)), PATIENCE)
    assert re.search(rf"pulling {source.image}: [01] of 2 layers, [\d.]+ of \d+ MB", shown(manager))
    words = json.loads(shown(manager, "--json"))["manager"]["status"]["pulling"]
    assert [text.rpartition(": ")[0] for text in words] == [source.image]
    assert manager.client.status("job").tasks[0].status == "running"
    until(lambda: waits(manager), PATIENCE)
    until(lambda: not pulling(manager), 10)
    assert "pulling" not in shown(manager)
    let_go(manager)
    assert completed(manager).start == "ahead"
    assert manager.client.log_file("job", "b").read_text().startswith(engine_room.BARE_WORDS)
    log = (manager.home / "manager.log").read_text()
    lines = [line.partition(f"image={source.image} ")[2] for line in log.splitlines() if "image=" in line]
    first, *midst, last = lines
    assert first == "pulling: nothing yet"
    assert 1 <= len(midst) <= 3
    assert all(re.fullmatch(r"pulling: [01] of 2 layers, [\d.]+ of \d+ MB", line) for line in midst)
    assert re.fullmatch(r"pulled in \d+\.\d s: 2 of 2 layers, (\d+) of \1 MB", last)


def test_a_pull_that_goes_on_when_its_manager_is_killed_is_taken_up_by_the_next(
    manager: RealManager, source: Registry
) -> None:
    create(manager, source)
    until(lambda: any("of 2 layers" in text for text in pulling(manager)), PATIENCE)
    manager.kill()
    source.pace = float("inf")
    manager.start()
    until(lambda: waits(manager), PATIENCE)
    let_go(manager)
    only = completed(manager)
    assert (only.start, only.incarnation) == ("ahead", 1)
    assert only.container.image_id == image_id(source)


def image_id(source: Registry) -> str:
    return docker("image", "inspect", "--format", "{{.Id}}", source.image).strip()


def test_an_image_that_its_registry_refuses_fails_its_own_task_when_the_one_before_has_ended(
    manager: RealManager, source: Registry
) -> None:
    source.gives = False
    create(manager, source)
    log = manager.home / "manager.log"
    until(lambda: f"image={source.image} not pulled after " in log.read_text(), PATIENCE)
    let_go(manager)
    view = manager.client.wait("job", timeout=PATIENCE)
    first, second = view.tasks
    assert (first.status, second.status) == ("completed", "failed")
    failure = second.attempts[-1].failure
    assert failure is not None
    assert (failure.cause, "can't be pulled" in failure.message) == ("image", True)
