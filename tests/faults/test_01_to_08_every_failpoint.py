"""FAULTS 1 to 8: the manager is killed at every named place, one by one; the next one ends its work well."""

import json
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from air_executor import JobView
from air_executor.failpoints import VARIABLE, Failpoint
from air_executor.format.attempts import Attempt
from manager.model.containers import GATE_IN_IMAGE
from manager.model.values import SPARE
from tests import engine_room
from tests.real_manager import RealManager, docker, idle_manager
from tests.waiting import until

JOB = "job"
PATIENCE = 60
"""Seconds for what takes one or two on a machine that has nothing else to do."""
COUNT = 'echo "$AIR_EXECUTOR_TASK $AIR_EXECUTOR_ATTEMPT $(cat /proc/sys/kernel/random/uuid)" >> /work/runs\n'
"""Every execution leaves a line of its own, a second one of the same attempt too."""


def sh(task_id: str, script: str, **fields: object) -> dict[str, object]:
    return {"id": task_id, "command": "sh", "args": ["-c", COUNT + script]} | fields


def queue(task_id: str, script: str) -> str:
    return f"queue-task --id {task_id} -- sh -c '{COUNT}{script}' > /dev/null\n"


@dataclass(frozen=True)
class Walk:
    """How a manager comes to a place, and what must have become of the job in the end."""

    tasks: Sequence[dict[str, object]]
    state: str
    runs: tuple[str, ...]
    """Executions, as `task attempt`."""
    logs: dict[str, str]
    cause: str | None = None
    before: Sequence[str] = ()
    """Places at which managers before the last one are killed, each on its way with this job."""
    retried: bool = False
    """Whether the job has failed, and is tried again, before the manager comes to the place."""
    attempts: dict[str, int] = field(default_factory=dict)
    """Of tasks with more than one, and of those that have one and were never executed."""
    awaits: Sequence[str] = ()
    """Tasks whose containers wait at their gates before the first one may go on."""
    warm: int = 0
    """Containers that the first manager has for jobs that nobody knows yet; the job comes when one waits."""
    ahead: int = 0
    """Containers that managers make ahead of time for tasks whose dependencies still run."""
    loses: Sequence[str] = ()
    """Tasks whose containers are removed while they wait."""
    plain: bool = False
    """Whether no gates can be had, so that commands begin without."""


STANDARD = Walk(
    [
        sh("a", f"echo early; sleep 0.3; {queue('c', 'echo queued')}sleep 0.2; echo late"),
        sh("b", "echo after", dependencies=["a"]),
    ],
    "completed",
    ("a 1", "b 1", "c 1"),
    {"a": "early\nlate\n", "b": "after\n", "c": "queued\n"},
)
"""Two tasks, one after the other, and a third one that comes through the inbox; they share a network."""

OBEDIENT = Walk(
    [sh("a", "trap 'echo told; exit 3' TERM; echo on; while :; do sleep 0.1; done", timeout=1)],
    "failed",
    ("a 1",),
    {"a": "on\ntold\n"},
    cause="timeout",
)
"""Has ended by itself when the next manager comes: it was told to stop by the one before."""

STUBBORN = Walk(
    [sh("a", "trap '' TERM; echo on; while :; do sleep 0.1; done", timeout=1)],
    "failed",
    ("a 1",),
    {"a": "on\n"},
    cause="timeout",
)

CURED = Walk(
    [
        sh("a", "echo once"),
        sh("b", "echo try $AIR_EXECUTOR_ATTEMPT; test $AIR_EXECUTOR_ATTEMPT = 2", dependencies=["a"]),
        sh("c", "echo never before", dependencies=["b"]),
    ],
    "completed",
    ("a 1", "b 1", "b 2", "c 1"),
    {"a": "once\n", "b": "try 2\n", "b.log.1": "try 1\n", "c": "never before\n"},
    retried=True,
    attempts={"b": 2},
)

IN_VAIN = Walk(
    [sh("a", "echo try $AIR_EXECUTOR_ATTEMPT; exit 7")],
    "failed",
    ("a 1", "a 2"),
    {"a": "try 2\n", "a.log.1": "try 1\n"},
    cause="exit",
    retried=True,
    attempts={"a": 2},
)
"""Fails again: what was asked for once must not be done twice."""

HELD = "until test -e /work/go; do sleep 0.05; done; "

AHEAD = Walk(
    [
        sh("a", f"echo early; {HELD}echo late"),
        sh("b", f"echo after; {queue('d', 'echo queued')}", dependencies=["a"]),
        sh("c", "echo last", dependencies=["b"]),
    ],
    "completed",
    ("a 1", "b 1", "c 1", "d 1"),
    {"a": "early\nlate\n", "b": "after\n", "c": "last\n", "d": "queued\n"},
    awaits=["b", "c"],
    ahead=4,
)
"""A chain whose containers are made while its first task runs."""

WARM = replace(STANDARD, warm=1)
"""The first task gets a container that waited for it, where its manager lives long enough."""

THROWN_AWAY = Walk(
    [
        sh("a", f"echo early; {HELD}exit 7"),
        sh("b", "echo never", dependencies=["a"]),
        sh("c", "echo never", dependencies=["b"]),
    ],
    "failed",
    ("a 1",),
    {"a": "early\n"},
    cause="exit",
    attempts={"b": 0, "c": 0},
    awaits=["b", "c"],
    ahead=4,
)

LOST_AHEAD = replace(AHEAD, loses=["b"])
"""Another container takes the place of one that went before its turn."""

PLAIN = replace(STANDARD, plain=True)

WALKS: dict[Failpoint, Walk] = {
    Failpoint.JOB_FOUND: STANDARD,
    Failpoint.JOURNAL_HALF_LINE: STANDARD,
    Failpoint.JOURNAL_UNSYNCED: STANDARD,
    Failpoint.JOURNALED_CLAIMED: STANDARD,
    Failpoint.VIEW_UNSYNCED: STANDARD,
    Failpoint.VIEW_UNNAMED: STANDARD,
    Failpoint.VIEW_RENAMED: STANDARD,
    Failpoint.NETWORK_CREATED: STANDARD,
    Failpoint.CREATED_UNRECORDED: STANDARD,
    Failpoint.JOURNALED_CREATED: PLAIN,
    Failpoint.WAITING_UNRECORDED: AHEAD,
    Failpoint.JOURNALED_WAITING: AHEAD,
    Failpoint.WARM_WAITING: WARM,
    Failpoint.VOIDED_UNRECORDED: LOST_AHEAD,
    Failpoint.GATE_SHUT: AHEAD,
    Failpoint.GATE_OPENED: AHEAD,
    Failpoint.STARTED_UNRECORDED: STANDARD,
    Failpoint.JOURNALED_RUNNING: STANDARD,
    Failpoint.OUTPUT_COPIED: STANDARD,
    Failpoint.END_UNRECORDED: AHEAD,
    Failpoint.EXIT_UNRECORDED: STANDARD,
    Failpoint.REQUEST_READ: STANDARD,
    Failpoint.REQUEST_JOURNALED: STANDARD,
    Failpoint.SIGNAL_SENT: OBEDIENT,
    Failpoint.JOURNALED_RECORDED: STANDARD,
    Failpoint.REMOVED_UNRECORDED: STANDARD,
    Failpoint.JOURNALED_REMOVED: STANDARD,
    Failpoint.INBOX_CLOSED: STANDARD,
    Failpoint.JOURNALED_JOB_ENDED: STANDARD,
    Failpoint.VIEWS_COMPLETE: STANDARD,
    Failpoint.JOURNAL_COMPACTED: STANDARD,
    Failpoint.RETRY_READ: CURED,
    Failpoint.RETRY_JOURNALED: CURED,
    Failpoint.INSPECTED: Walk(
        STANDARD.tasks,
        STANDARD.state,
        STANDARD.runs,
        STANDARD.logs,
        before=[Failpoint.JOURNALED_RUNNING],
    ),
}

FURTHER: list[tuple[str, Walk]] = [
    # A manager's first start writes two files of its own the same way; then come tasks.json and state.json.
    ("view-unsynced:3", STANDARD),
    ("view-unnamed:3", STANDARD),
    ("view-renamed:3", STANDARD),
    ("view-unsynced:4", STANDARD),
    ("view-renamed:4", STANDARD),
    ("journal-half-line:3", STANDARD),
    ("journal-unsynced:3", STANDARD),
    ("created-unrecorded:2", STANDARD),
    ("journaled-running:2", STANDARD),
    ("output-copied:2", STANDARD),
    ("journaled-recorded:2", STANDARD),
    ("created-unrecorded:1", PLAIN),
    ("started-unrecorded:1", PLAIN),
    ("journaled-running:1", PLAIN),
    ("exit-unrecorded:1", PLAIN),
    ("inspected:1", replace(PLAIN, before=["journaled-created"])),
    # Made ahead; the first task's is not.
    ("created-unrecorded:2", AHEAD),
    ("started-unrecorded:2", AHEAD),
    ("end-unrecorded:2", AHEAD),
    ("exit-unrecorded:2", AHEAD),
    ("gate-opened:1", replace(AHEAD, before=["gate-shut", "inspected"])),
    ("journaled-recorded:2", THROWN_AWAY),
    ("signal-sent:1", STUBBORN),
    ("signal-sent:2", STUBBORN),
    ("retry-read:1", IN_VAIN),
    ("retry-journaled:1", IN_VAIN),
]

ALL = [*((point.value, walk) for point, walk in WALKS.items()), *FURTHER]


def test_every_failpoint_has_a_walk() -> None:
    assert set(WALKS) == set(Failpoint)


@pytest.mark.parametrize(("place", "walk"), ALL, ids=[place for place, _ in ALL])
def test_what_a_manager_killed_at_a_named_place_leaves_behind_the_next_one_ends_well(
    place: str, walk: Walk, on_failure: Callable[..., None]
) -> None:
    with (
        image_for(walk) as rules,
        idle_manager(**rules) as manager,
        reading_all_the_time(manager) as read_views,
    ):
        on_failure("the manager and its containers", manager.evidence)
        go(manager, place, walk)
        read_views()
        manager.start()
        view = manager.client.wait(JOB, timeout=PATIENCE)
        check(manager, walk, view)
        manager.stop()


@contextmanager
def image_for(walk: Walk) -> Iterator[dict[str, str]]:
    """The settings by which no gates can be had, where that is so."""
    if not walk.plain:
        yield {}
        return
    with engine_room.runner_image_without(engine_room.client(), GATE_IN_IMAGE) as image:
        yield {"runner_image": image}


def go(manager: RealManager, place: str, walk: Walk) -> None:
    """Up to the death of the manager that comes to the place."""
    first, *others = *walk.before, place
    launch(manager, first, walk)
    if walk.warm:
        until((manager.home / "home-id").exists, PATIENCE)
        until(lambda: warm_container_waits(manager), PATIENCE)
        time.sleep(1.5)  # it runs, and the manager knows of it
    manager.client.create_job(JOB, walk.tasks)
    if walk.retried:
        assert manager.client.wait(JOB, timeout=PATIENCE).state == "failed"
        manager.client.retry(JOB)
    with letting_go(manager, walk):
        killed(manager)
    for other in others:
        launch(manager, other, replace(walk, warm=0))
        killed(manager)


def warm_container_waits(manager: RealManager) -> bool:
    """It is made after its spare."""
    pool = manager.containers("--filter", "label=air-executor.role=warm")
    return any(not name.endswith(SPARE) for name in pool)


@contextmanager
def letting_go(manager: RealManager, walk: Walk) -> Iterator[None]:
    """The first task may go on when all is ready that the walk awaits; at the end in any case."""
    over = threading.Event()

    def wait() -> None:
        while not over.wait(0.02) and not waiting(manager, walk.awaits):
            pass
        for task in walk.loses:
            docker("rm", "--force", attempt(manager, task).container.name)
        (manager.client.store.folder(JOB).work / "go").touch()

    if not walk.awaits:
        yield
        return
    thread = threading.Thread(target=wait)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def waiting(manager: RealManager, tasks: Sequence[str]) -> bool:
    """Whether the containers of all these tasks wait at their gates, as far as one can see."""
    found = {task.id: task.attempt for task in manager.client.status(JOB).tasks}
    return all((each := found[task]) is not None and each.phase == "waiting" for task in tasks)


def attempt(manager: RealManager, task: str) -> Attempt:
    found = {each.id: each.attempt for each in manager.client.status(JOB).tasks}[task]
    assert found is not None
    return found


def launch(manager: RealManager, place: str, walk: Walk) -> None:
    rules = {"AIR_EXECUTOR_WARM": str(walk.warm), "AIR_EXECUTOR_LOOK_AHEAD": str(walk.ahead)}
    manager.launch(**{VARIABLE: place}, **rules)


def killed(manager: RealManager) -> None:
    assert manager.wait_for_its_end(PATIENCE) == -signal.SIGKILL, manager.output()


def check(manager: RealManager, walk: Walk, view: JobView) -> None:
    folder = manager.client.store.folder(JOB)
    runs = Counter(line.rpartition(" ")[0] for line in (folder.work / "runs").read_text().splitlines())
    assert runs == Counter(walk.runs)
    assert view.state == walk.state
    assert (view.job.failure.cause if view.job.failure else None) == walk.cause
    assert {task.id: len(task.attempts) for task in view.tasks} == {
        **{run.split()[0]: 1 for run in walk.runs},
        **walk.attempts,
    }
    logs = {file.name.removesuffix(".log"): file.read_text() for file in folder.logs.iterdir()}
    assert logs == walk.logs
    until(lambda: not manager.containers(), PATIENCE)
    until(lambda: not manager.gates(), PATIENCE)
    until(lambda: not list((manager.home / "journal").glob("*.journal")), PATIENCE)
    # A job that is over stays so.
    assert manager.client.status(JOB) == view


@contextmanager
def reading_all_the_time(manager: RealManager) -> Iterator[Callable[[], None]]:
    """Nobody ever finds half a view. Gives a function that looks once more, at a moment of one's choice."""
    folder = manager.client.store.folder(JOB)
    over = threading.Event()
    halves: list[str] = []

    def look() -> None:
        for file in (folder.state_file, folder.tasks_file):
            text = content(file)
            try:
                json.loads(text)
            except ValueError as error:
                halves.append(f"{file.name}: {error}: {text!r}")

    def keep_looking() -> None:
        while not over.wait(0.02):
            look()

    reader = threading.Thread(target=keep_looking)
    reader.start()
    try:
        yield look
    finally:
        over.set()
        reader.join()
    assert not halves


def content(file: Path) -> bytes:
    """What a reader finds; where there is no file, something that is whole."""
    try:
        return file.read_bytes()
    except FileNotFoundError:
        return b"{}"
