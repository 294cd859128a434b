"""Task: twelve images of a registry that accepts and says nothing.

Each held a runner until the engine, or the manager after half an hour, gave up: six tasks stopped all jobs.
Now a task waits for its image without a runner, and for nothing any more once its job is cancelled.
"""

import threading

from manager.core.image_shelf import SHARE
from tests.fakes.engine import FakeEngine
from tests.fakes.manager import Start, a_task
from tests.waiting import until

SILENT = [f"registry.test/nobody/answers:{number}" for number in range(12)]


def silence(engine: FakeEngine) -> threading.Event:
    """The registry says nothing until this is set."""
    speaks = threading.Event()
    engine.silent = dict.fromkeys(SILENT, speaks)
    return speaks


def tasks() -> list[dict[str, object]]:
    return [a_task(f"t{number}", image=image, retries=0) for number, image in enumerate(SILENT)]


def test_images_that_never_come_hold_no_runner(start: Start, engine: FakeEngine) -> None:
    silence(engine)
    manager = start(max_runners=2)
    manager.client.create_job("job", tasks())
    until(lambda: len(engine.fetching) > 2)
    assert manager.run(a_task("innocent"), name="neighbour", seconds=10).state == "completed"
    assert (manager.supervisor.runners, manager.most_runners) == (0, 1)
    assert manager.task("t0").attempts == ()


def test_a_neighbour_gets_its_image_while_they_are_waited_for(start: Start, engine: FakeEngine) -> None:
    silence(engine)
    engine.images.add("good:1")
    manager = start(max_runners=2)
    manager.client.create_job("job", tasks())
    until(lambda: len(engine.fetching) == SHARE)
    view = manager.run(a_task("innocent", image="good:1"), name="neighbour", seconds=10)
    assert view.state == "completed"


def test_a_cancel_ends_the_job_and_its_pulls_at_once(start: Start, engine: FakeEngine) -> None:
    silence(engine)
    manager = start(max_runners=2)
    manager.client.create_job("job", tasks())
    until(lambda: engine.fetching)
    manager.client.cancel("job")
    view = manager.client.wait("job", 5)
    assert view.job.failure is not None and view.job.failure.cause == "cancelled"
    until(lambda: not engine.fetching, 5)


def test_what_the_registry_refuses_at_last_fails_its_task_with_its_own_cause(
    start: Start, engine: FakeEngine
) -> None:
    speaks = silence(engine)
    manager = start(max_runners=2)
    manager.client.create_job("job", tasks()[:1])
    until(lambda: engine.fetching)
    speaks.set()
    view = manager.client.wait("job", 10)
    assert view.job.failure is not None
    assert (view.job.failure.cause, "there is no image" in view.job.failure.message) == ("image", True)
    until(lambda: engine.names == [])


def test_a_pull_that_a_restart_cuts_short_is_asked_for_again(start: Start, engine: FakeEngine) -> None:
    speaks = silence(engine)
    first = start(max_runners=2)
    first.client.create_job("job", tasks()[:1])
    until(lambda: engine.fetching)
    first.stop()
    second = start(max_runners=2)
    until(lambda: engine.fetching)
    engine.images.add(SILENT[0])
    speaks.set()
    assert second.client.wait("job", 10).state == "completed"


def test_an_image_that_is_lost_between_is_waited_for_by_its_own_task_and_a_cancel_frees_its_runner(
    start: Start, engine: FakeEngine
) -> None:
    """Somebody deletes it after it was seen: it is pulled when the container is made."""
    engine.images.add(SILENT[0])
    manager = start(max_runners=1, look_ahead=0)
    manager.run(a_task("a", image=SILENT[0]), name="before")
    engine.images.remove(SILENT[0])
    speaks = silence(engine)
    manager.client.create_job("job", tasks()[:1])
    until(lambda: manager.supervisor.runners == 1)
    manager.client.cancel("job")
    until(lambda: manager.supervisor.runners == 0, 5)
    assert manager.run(a_task("innocent"), name="neighbour", seconds=10).state == "completed"
    speaks.set()
    assert manager.client.wait("job", 10).state == "failed"
