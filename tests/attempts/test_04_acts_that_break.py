"""Task or job writer: something that makes an act of the manager fail as nobody foresaw.

The first that was found was a user beyond all numbers: `os.fchown` raised OverflowError, the act had no
outcome, and each such task held a runner for ever; neither cancel nor a restart freed it. Whatever breaks
now, wherever: it is a fact that ends the act, or has it done again.
"""

import itertools
import threading
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from manager.folder import inbox, task_log, workspace
from manager.gates import end_listener, gate_folder, gatekeeper, warm_keeper
from manager.model.values import NOT_TRIED
from manager.runtime import acts, follower
from tests.fakes.engine import FakeEngine
from tests.fakes.manager import InProcess, Start, a_task
from tests.waiting import until

ERRORS = (OverflowError, ValueError, KeyError, RecursionError, MemoryError, TypeError, OSError)

ENGINE = None
"""Stands for the engine of the test, among those whose functions break."""

Call = tuple[Any, str]

LAUNCHING: tuple[Call, ...] = (
    *((ENGINE, name) for name in ("image_id", "create", "start", "follow", "observe", "remove", "rename")),
    (workspace, "prepare"),
    (workspace, "delete"),
    (task_log, "keep_earlier_log"),
    (gate_folder, "prepare"),
    (gate_folder, "open_gate"),
    (gate_folder, "read_receipt"),
    (gatekeeper, "_frame"),
    (gatekeeper, "_started"),
    (gatekeeper.Gatekeeper, "clear"),
    (gatekeeper.Gatekeeper, "unusable"),
    (gatekeeper.Gatekeeper, "listen"),
    (warm_keeper.WarmKeeper, "vouch_for"),
    (warm_keeper.WarmKeeper, "forget"),
    (end_listener.EndListener, "_hear"),
    (inbox.Inbox, "drain"),
    (task_log.LogFile, "write"),
    (task_log.LogFile, "close"),
    (follower.Follower, "_result"),
    (follower.Follower, "_copy_output"),
    (acts._Verbs, "_prepare"),
)
"""What acts call, at every depth, from a task's claim to the removal of its container."""
STOPPING: tuple[Call, ...] = (
    *((ENGINE, name) for name in ("signal", "observe", "remove")),
    (workspace, "delete"),
    (gatekeeper.Gatekeeper, "replace"),
    (gatekeeper.Gatekeeper, "clear"),
    (gatekeeper.Gatekeeper, "void"),
    (inbox.Inbox, "drain"),
    (task_log.LogFile, "close"),
    (follower.Follower, "_result"),
)
"""Likewise, of a task that runs, and of one whose container waits, when their job is cancelled."""
TAKING_UP: tuple[Call, ...] = (
    *((ENGINE, name) for name in ("observe", "restarted_since", "follow")),
    (acts.Acts, "_inspect"),
    (acts.Acts, "_kind"),
    (follower.Follower, "_copy_output"),
)
"""Likewise, after a restart."""


class Breaks:
    """Makes one function fail at its first calls, as soon as it is armed, and do its work from then on."""

    def __init__(self, does: Callable[..., Any], error: type[Exception], times: int) -> None:
        self._does = does
        self._error = error
        self._left = itertools.count(times, -1)
        self.armed = threading.Event()
        self.met = False

    def call(self, *arguments: Any, **fields: Any) -> Any:
        probing = "probe" in str(arguments)  # which is no act: its end is the manager's
        if self.armed.is_set() and not probing and next(self._left) > 0:
            self.met = True
            raise self._error("of all things")
        return self._does(*arguments, **fields)


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("manager.engine.retry.LONGEST_PAUSE", 0.1)
    monkeypatch.setattr("manager.runtime.acts.KILL_PAUSE", 0.02)
    monkeypatch.setattr("manager.runtime.follower.LONGEST_PAUSE", 0.1)
    monkeypatch.setattr("manager.gates.gatekeeper.LATE", 1.0)


def cases(calls: Iterable[Call]) -> list[Any]:
    """Each call with one error, in turn."""
    errors = itertools.cycle(ERRORS)
    return [
        pytest.param(owner, name, next(errors), id=f"{getattr(owner, '__name__', 'engine')}.{name}")
        for owner, name in calls
    ]


def broken(
    monkeypatch: pytest.MonkeyPatch, engine: FakeEngine, owner: Any, name: str, error: type[Exception]
) -> Breaks:
    target = engine if owner is ENGINE else owner
    made = Breaks(getattr(target, name), error, times=2)
    if isinstance(target, type):
        monkeypatch.setattr(target, name, lambda self, *rest, **more: made.call(self, *rest, **more))
    else:
        monkeypatch.setattr(target, name, made.call)
    return made


def is_idle(manager: InProcess, engine: FakeEngine) -> None:
    """No runner is held, and the next job has one."""
    until(lambda: manager.supervisor.runners == 0)
    assert manager.run(a_task("next"), name="next").state == "completed"
    assert manager.supervisor.runners == 0


@pytest.mark.parametrize(
    ("owner", "name", "error"), cases([*LAUNCHING, *[(workspace, "prepare")] * len(ERRORS)])
)
def test_whatever_breaks_a_job_ends_and_no_runner_is_held(
    start: Start,
    engine: FakeEngine,
    monkeypatch: pytest.MonkeyPatch,
    owner: Any,
    name: str,
    error: type[Exception],
) -> None:
    breaks = broken(monkeypatch, engine, owner, name, error)
    manager = start(max_runners=2, look_ahead=2, warm=1)
    until(lambda: manager.scheduler.pool.ready)
    breaks.armed.set()
    manager.client.create_job("job", [a_task("a"), a_task("b", "a"), a_task("c", command="echo hi")])
    assert manager.client.wait("job", 20).state in ("completed", "failed")
    assert breaks.met
    breaks.armed.clear()
    is_idle(manager, engine)


@pytest.mark.parametrize(("owner", "name", "error"), cases(LAUNCHING))
def test_whatever_breaks_a_cancel_that_comes_at_once_settles_the_job(
    start: Start,
    engine: FakeEngine,
    monkeypatch: pytest.MonkeyPatch,
    owner: Any,
    name: str,
    error: type[Exception],
) -> None:
    breaks = broken(monkeypatch, engine, owner, name, error)
    manager = start(max_runners=2, look_ahead=2, warm=1, cancel_grace=0.1)
    until(lambda: manager.scheduler.pool.ready)
    breaks.armed.set()
    manager.client.create_job(
        "job", [a_task("a", command="long"), a_task("b", "a"), a_task("c", command="long")]
    )
    until(lambda: breaks.met or manager.supervisor.runners)
    manager.client.cancel("job")
    assert manager.client.wait("job", 20).state == "failed"
    breaks.armed.clear()
    is_idle(manager, engine)


@pytest.mark.parametrize(("owner", "name", "error"), cases(STOPPING))
def test_whatever_breaks_a_cancel_settles_the_job(
    start: Start,
    engine: FakeEngine,
    monkeypatch: pytest.MonkeyPatch,
    owner: Any,
    name: str,
    error: type[Exception],
) -> None:
    breaks = broken(monkeypatch, engine, owner, name, error)
    manager = start(max_runners=2, look_ahead=2, cancel_grace=0.1)
    until(lambda: manager.scheduler.capabilities.gates is None)
    manager.client.create_job("job", [a_task("a", command="stubborn"), a_task("b", "a")])
    manager.until_status("a", "running")
    until(lambda: [each.phase for each in manager.task("b").attempts] == ["waiting"])
    breaks.armed.set()
    manager.client.cancel("job")
    assert manager.client.wait("job", 20).state == "failed"
    assert breaks.met
    breaks.armed.clear()
    is_idle(manager, engine)


@pytest.mark.parametrize(("owner", "name", "error"), cases(TAKING_UP))
def test_whatever_breaks_a_restart_takes_up_what_ran(
    start: Start,
    engine: FakeEngine,
    monkeypatch: pytest.MonkeyPatch,
    owner: Any,
    name: str,
    error: type[Exception],
) -> None:
    first = start()
    first.client.create_job("job", [a_task("a", command="long")])
    first.until_status("a", "running")
    first.stop()
    breaks = broken(monkeypatch, engine, owner, name, error)
    breaks.armed.set()
    container = engine.find("a")
    assert container is not None
    engine.finish(container.id, 3)
    second = start()
    assert second.client.wait("job", 20).tasks[0].attempts[0].exit_code == 3
    assert breaks.met


def test_a_user_beyond_all_numbers_holds_no_runner(
    start: Start, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it was found, at the lowest level: whatever is allowed above it."""

    def fchown(handle: int, uid: int, gid: int) -> None:
        raise OverflowError("Python int too large to convert to C long")

    manager = start(max_runners=1, look_ahead=0, users=["1234567"])
    until(lambda: manager.scheduler.capabilities is not NOT_TRIED)
    monkeypatch.setattr("manager.folder.workspace.os.geteuid", lambda: 0)
    monkeypatch.setattr("manager.folder.workspace.os.fchown", fchown)
    manager.client.create_job("job", [a_task("a", user="1234567")])
    view = manager.client.wait("job", 20)
    assert view.job.failure is not None
    assert view.job.failure.cause in ("engine", "bad_input")
    assert "'a' could not be started" in view.job.failure.message
    until(lambda: manager.supervisor.runners == 0)
