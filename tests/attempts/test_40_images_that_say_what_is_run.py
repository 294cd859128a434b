"""Who writes a job, a task or an image says what is executed, how it is stopped, and when it is pulled.

None of it takes a runner, a registry or a password that is not theirs.
"""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from air_executor.errors import BadInput
from air_executor.format.models import TaskSpec
from manager.core import admission
from manager.model.facts import TaskRequested
from manager.model.image_facts import ImageFacts
from tests import engine_room
from tests.fakes.engine import FakeEngine, Program
from tests.fakes.manager import Start, a_task
from tests.password_registry import PASSWORD, PasswordRegistry, password_registry
from tests.real_manager import RealManager, docker, real_manager
from tests.unit.manager.builders import UID, at, claimed, key, live_job, settings, task
from tests.waiting import until

IMAGE = "registry.test/team/tool:1"
LEFT = {"id": "a", "image": IMAGE, "retries": 0}
"""A task that leaves to its image what is executed."""


# --- Without an engine ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "words"),
    [({"pull": "always"}, "nothing is pulled"), ({"stop_grace": 500.0}, "is more than task 'a' has")],
)
def test_a_task_queues_nothing_that_asks_a_registry_or_may_stay_longer(
    fields: dict[str, Any], words: str
) -> None:
    job = live_job(task("a"))
    job.apply(claimed(key("a")))
    spec = TaskSpec(id="b", command="true", **fields)
    with pytest.raises(BadInput, match=words):
        fact = TaskRequested(uid=UID, request="r", spec=spec, parent=key("a"), at=at(3))
        admission.requested(fact, job, settings())


@pytest.fixture
def with_image(engine: FakeEngine) -> FakeEngine:
    engine.images.add(IMAGE)
    engine.programs |= {("entry", "usual"): Program(), ("entry", "x"): Program(exit_code=3)}
    engine.facts_of[f"sha256:{IMAGE}"] = ImageFacts(entrypoint=("entry",), command=("usual",))
    return engine


@pytest.mark.parametrize("gates", [True, False])
def test_what_an_image_says_is_run_and_the_tasks_arguments_in_place_of_its_command(
    start: Start, with_image: FakeEngine, gates: bool
) -> None:
    with_image.has_gate = gates
    manager = start(look_ahead=4)
    view = manager.run(LEFT, a_task("b", "a"), name="one")
    assert (view.state, view.tasks[0].attempts[0].gated) == ("completed", gates)
    view = manager.run(LEFT | {"args": ["x"]}, name="two")
    assert view.tasks[0].attempts[0].exit_code == 3


@pytest.mark.parametrize("gates", [True, False])
@pytest.mark.parametrize(
    "facts", [ImageFacts(), ImageFacts(flaw="it is no list of words"), ImageFacts(command=("",))]
)
def test_an_image_that_says_nothing_of_use_fails_its_task_once_and_the_next_goes_on(
    start: Start, with_image: FakeEngine, gates: bool, facts: ImageFacts
) -> None:
    with_image.has_gate = gates
    with_image.facts_of[f"sha256:{IMAGE}"] = facts
    manager = start(max_runners=1, look_ahead=4)
    view = manager.run({"id": "first", "command": "short"}, LEFT | {"dependencies": ["first"]}, name="bad")
    assert view.job.failure is not None
    assert (view.job.failure.cause, IMAGE in view.job.failure.message) == ("command", True)
    assert len(view.tasks[1].attempts) == 1
    assert manager.run(a_task("innocent"), name="neighbour").state == "completed"
    assert not any(name.startswith("airx-bad-a") for name in with_image.names)


def test_a_manager_that_comes_back_knows_what_the_image_says(start: Start, with_image: FakeEngine) -> None:
    """Between its death and its return somebody puts another image under the name."""
    with_image.programs[("slow",)] = Program(seconds=None)
    first = start(look_ahead=4)
    first.client.create_job("job", [{"id": "p", "command": "slow"}, LEFT | {"dependencies": ["p"]}])
    until(lambda: first.task("a").attempts and first.task("a").attempts[-1].phase == "waiting")
    first.stop()
    with_image.facts_of.clear()
    second = start(look_ahead=4)
    found = with_image.find("p")
    assert found is not None
    with_image.finish(found.id)
    assert second.client.wait("job", 20).state == "completed"


def test_the_stop_signal_is_the_images_after_a_restart_as_well(start: Start, with_image: FakeEngine) -> None:
    """The strict engine knows no other for it."""
    with_image.facts_of[f"sha256:{IMAGE}"] = ImageFacts(stop_signal="SIGRTMIN+3")
    first = start()
    first.client.create_job("job", [a_task("a", command="long", image=IMAGE)])
    first.until_status("a", "running")
    first.stop()
    second = start()
    second.client.cancel("job")
    view = second.client.wait("job", 20)
    assert view.job.failure is not None
    assert (view.job.failure.cause, view.tasks[0].attempts[0].exit_code) == ("cancelled", 128 + 37)


def test_a_task_that_ignores_its_signal_is_killed_when_its_own_grace_is_over(
    start: Start, engine: FakeEngine
) -> None:
    manager = start(cancel_grace=3600)
    manager.client.create_job("job", [a_task("a", command="stubborn", stop_grace=0.1)])
    manager.until_status("a", "running")
    manager.client.cancel("job")
    assert manager.client.wait("job", 20).tasks[0].attempts[0].exit_code == 137


@pytest.mark.parametrize("name", [IMAGE, None])
def test_no_container_of_an_image_before_serves_who_always_asks(
    start: Start, with_image: FakeEngine, name: str | None
) -> None:
    """Neither a warm one, nor one that could have been made ahead."""
    image = name or "air-executor-runner:latest"
    manager = start(warm=2, look_ahead=4)
    until(lambda: len(manager.pool.ready) == 2)
    with_image.in_registry[image] = "sha256:moved"
    asks = {"image": name, "pull": "always"}
    view = manager.run(a_task("a", command="short"), a_task("b", "a", **asks), a_task("c", **asks))
    moved = {each.id: each.attempts[-1].container.image_id for each in view.tasks}
    assert (moved["b"], moved["c"]) == ("sha256:moved", "sha256:moved")


def test_a_registry_that_is_silent_for_who_always_asks_holds_no_runner_and_nobody_else(
    start: Start, with_image: FakeEngine
) -> None:
    with_image.silent[IMAGE] = threading.Event()
    manager = start(max_runners=1)
    manager.client.create_job("job", [a_task("a", image=IMAGE, pull="always", retries=0)])
    until(lambda: with_image.fetching)
    neighbour = manager.run(a_task("b", image=IMAGE, pull="never"), name="neighbour")
    assert (neighbour.state, manager.supervisor.runners) == ("completed", 0)
    with_image.gone_from_registry.add(IMAGE)
    with_image.silent[IMAGE].set()
    view = manager.client.wait("job", 20)
    assert view.job.failure is not None
    assert view.job.failure.cause == "image"


# --- On the real engine ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def registry() -> Iterator[PasswordRegistry]:
    with password_registry() as made:
        yield made


@pytest.fixture(scope="module")
def manager(registry: PasswordRegistry, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealManager]:
    config = tmp_path_factory.mktemp("docker") / "config.json"
    config.write_text(json.dumps(registry.config()))
    rules = {"registries": '["127.0.0.1:*"]', "docker_config": config, "look_ahead": 4}
    with real_manager(**rules) as manager:
        yield manager


def grep(folder: Path, words: str) -> list[Path]:
    files = [each for each in folder.rglob("*") if each.is_file()]
    return [each for each in files if words.encode() in each.read_bytes()]


def test_what_moves_in_a_registry_is_run_by_who_always_asks_and_the_password_stands_nowhere(
    manager: RealManager, registry: PasswordRegistry
) -> None:
    client = engine_room.client()
    digests = []
    for number in range(2):
        with engine_room.bare_image(client) as bare:
            digests.append(registry.push(client, bare))
        tasks = [
            {"id": "always", "image": registry.image, "command": "/ldconfig", "args": ["-V"]}
            | {"pull": "always"},
            {"id": "missing", "image": registry.image, "entrypoint": ["/ldconfig"], "args": ["-V"]},
        ]
        manager.client.create_job(f"job{number}", tasks, max_parallel=1)
        view = manager.client.wait(f"job{number}", 60)
        assert view.state == "completed", view.job.failure
        assert view.tasks[0].attempts[0].container.digest == digests[number]
    assert digests[0] != digests[1]
    pinned = {"id": "pinned", "image": digests[0], "command": "/ldconfig", "args": ["-V"]}
    manager.client.create_job("pinned", [pinned])
    view = manager.client.wait("pinned", 60)
    assert (view.state, view.tasks[0].attempts[0].container.digest) == ("completed", digests[0])
    told = manager.client.wait("job1", 10).model_dump_json() + manager.output()
    assert PASSWORD not in told
    assert grep(manager.home, PASSWORD) == []
    secret = registry.config()["auths"][registry.host]["auth"]
    assert grep(manager.home, secret) == []
    for image in digests:
        docker("rmi", "--force", image)


def test_nothing_is_pulled_where_a_task_says_never(manager: RealManager, registry: PasswordRegistry) -> None:
    image = f"{registry.image.rpartition(':')[0]}:none"
    manager.client.create_job("never", [{"id": "a", "image": image, "pull": "never", "retries": 0}])
    failure = manager.client.wait("never", 60).job.failure
    assert failure is not None
    assert failure.cause == "image"
    assert '`pull` is "never"' in failure.message


def test_an_image_with_a_long_command_fails_its_task_and_no_more(manager: RealManager) -> None:
    words = json.dumps(["echo", *["x" * 1000] * 40])
    long = (f"ENTRYPOINT {words}", f"CMD {words}")
    with engine_room.runner_image_with(engine_room.client(), *long) as image:
        manager.client.create_job("long", [{"id": "a", "image": image, "retries": 0}])
        failure = manager.client.wait("long", 60).job.failure
        assert failure is not None
        assert (failure.cause, "65,536 are the most" in failure.message) == ("command", True)
        manager.client.create_job("own", [{"id": "a", "image": image, "command": "true"}])
        assert manager.client.wait("own", 60).state == "completed"


def test_a_task_is_told_to_stop_by_a_real_time_signal_of_its_image_and_has_its_own_time_for_it(
    manager: RealManager,
) -> None:
    script = "trap 'sleep 1.2; echo cleaned; exit 0' RTMIN+3; echo ready; sleep 60 & wait"
    with engine_room.runner_image_with(engine_room.client(), "STOPSIGNAL SIGRTMIN+3") as image:
        slow = {"id": "a", "image": image, "entrypoint": ["bash", "-c"], "command": script}
        manager.client.create_job("stops", [slow | {"stop_grace": 30, "timeout": 0.5}])
        view = manager.client.wait("stops", 60)
    assert view.job.failure is not None
    assert view.job.failure.cause == "timeout"
    assert "cleaned" in manager.client.log_tail("stops", "a", 1)
