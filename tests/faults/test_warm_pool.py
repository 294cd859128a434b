"""Containers that wait for tasks nobody knows yet, on the real engine, and what is done to them."""

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from air_executor import JobView
from air_executor.failpoints import VARIABLE
from air_executor.format.attempts import Attempt
from air_executor.format.models import Task
from manager.model.values import SPARE
from tests.faults.test_01_to_08_every_failpoint import COUNT, killed
from tests.real_manager import RealManager, docker, idle_manager, real_manager
from tests.waiting import until

PATIENCE = 60
"""Seconds for what takes one or two on a machine that has nothing else to do."""
HELD = "until test -e /work/go; do sleep 0.05; done\n"
SETTLED = 0.3
"""Seconds within which a manager knows of a warm container whose container runs."""
OF_THE_POOL = ("--filter", "label=air-executor.role=warm", "--filter", "status=running")


def sh(task_id: str, script: str = "", *after: str, **fields: object) -> dict[str, object]:
    """A task that counts its executions, and is not tried again."""
    words = {"id": task_id, "command": "sh", "args": ["-c", COUNT + script], "dependencies": after}
    return words | {"retries": 0} | fields


def in_pool(manager: RealManager) -> set[str]:
    """The containers that wait for the first task of a job nobody knows yet, by name."""
    if not (manager.home / "home-id").exists():
        return set()
    names = manager.containers(*OF_THE_POOL)
    return {name for name in names if name.startswith("airx-warm-") and not name.endswith(SPARE)}


def warmed(manager: RealManager) -> set[str]:
    """The names of the warm containers, as soon as there is one that the manager may give away."""
    until(lambda: in_pool(manager), PATIENCE)
    time.sleep(SETTLED)
    return in_pool(manager)


def only(manager: RealManager, job: str, task: str = "a") -> Attempt:
    """The one attempt of a task."""
    found = next(each for each in manager.client.status(job).tasks if each.id == task)
    (attempt,) = found.attempts
    return attempt


def begun(manager: RealManager, job: str, *tasks: dict[str, object]) -> Attempt:
    """The attempt of the first task of a new job, which is warm, as soon as it runs."""
    warmed(manager)
    manager.client.create_job(job, tasks)
    until(lambda: manager.client.status(job).tasks[0].status == "running", PATIENCE)
    attempt = only(manager, job)
    assert attempt.start == "warm"
    return attempt


def run(manager: RealManager, job: str, *tasks: dict[str, object], warm: bool = True) -> JobView:
    """A new job when it has ended; its first task is warm, or not."""
    warmed(manager)
    manager.client.create_job(job, tasks)
    view = manager.client.wait(job, timeout=PATIENCE)
    starts = [attempt.start for attempt in view.tasks[0].attempts]
    assert ("warm" in starts) is warm, (starts, errors(view))
    return view


def errors(view: JobView) -> dict[str, str | None]:
    return {task.id: task.error for task in view.tasks}


def runs(manager: RealManager, job: str) -> Counter[str]:
    """Executions, as `task attempt`, each with how often it was seen."""
    lines = (manager.client.store.folder(job).work / "runs").read_text().splitlines()
    return Counter(line.rpartition(" ")[0] for line in lines)


def log(manager: RealManager, job: str, task: str = "a") -> str:
    return manager.client.log_file(job, task).read_text()


def let_go(manager: RealManager, job: str) -> None:
    (manager.client.store.folder(job).work / "go").touch()


def folders(manager: RealManager) -> list[str]:
    """What there is of warm containers and gates, but for the gate that all use."""
    parent = manager.client.store.jobs / ".warm"
    return manager.gates() + ([each.name for each in parent.iterdir()] if parent.exists() else [])


def network_of(warm: str) -> str:
    return f"{warm}-network"


def nothing_left(manager: RealManager) -> None:
    """No container and no folder, but for those of warm containers that wait."""

    def clean() -> bool:
        first = in_pool(manager)
        waiting = first | {f"{name}{SPARE}" for name in first}
        networks = {network_of(name) for name in first}
        return set(manager.containers()) == waiting | networks and set(folders(manager)) == waiting

    until(clean, PATIENCE)


def nothing_at_all_left(manager: RealManager) -> None:
    until(lambda: not manager.containers() and not folders(manager), PATIENCE)


@pytest.fixture(scope="module")
def lasting() -> Iterator[RealManager]:
    """One manager for the tests that leave it alive."""
    with real_manager(warm=2, look_ahead=4) as manager:
        yield manager


@pytest.fixture
def warm(lasting: RealManager, on_failure: Callable[..., None]) -> RealManager:
    on_failure("the manager and its containers", lasting.evidence)
    return lasting


@pytest.fixture
def mortal(on_failure: Callable[..., None]) -> Iterator[RealManager]:
    """A manager for one test, that is not started."""
    with idle_manager(warm=2, look_ahead=4) as manager:
        on_failure("the manager and its containers", manager.evidence)
        yield manager


def ends_well(manager: RealManager) -> None:
    """Nothing is left but the warm containers; and when the manager ends, nothing at all."""
    nothing_left(manager)
    assert manager.stop() == 0
    nothing_at_all_left(manager)


# --- All is well -----------------------------------------------------------------------------------------


def test_a_job_whose_first_task_is_warm_does_what_it_should(warm: RealManager) -> None:
    script = (
        "echo out; echo err >&2; echo made > /work/made; pwd\n"
        "queue-task --id c -- sh -c 'cat /work/made' > /dev/null\n"
    )
    view = run(warm, "whole", sh("a", script), sh("b", "cat /work/made", "a"))
    assert view.state == "completed", errors(view)
    assert sorted(log(warm, "whole").splitlines()) == ["/work", "err", "out"]
    assert (log(warm, "whole", "b"), log(warm, "whole", "c")) == ("made\n", "made\n")
    assert runs(warm, "whole") == Counter(["a 1", "b 1"])
    assert (warm.client.store.folder("whole").work / "made").read_text() == "made\n"
    times = only(warm, "whole").timings
    assert times.container_started_at and times.ready_at and times.started_at and times.finished_at
    assert times.container_started_at < times.ready_at <= times.started_at <= times.finished_at
    nothing_left(warm)


def test_a_warm_container_is_named_after_its_task_and_its_inspection_shows_no_variable_of_it(
    warm: RealManager,
) -> None:
    attempt = begun(warm, "named", sh("a", f'{HELD}echo "$SECRET"', env={"SECRET": "s3cret"}))
    assert attempt.container.name.startswith("airx-named-a-1-")
    until(lambda: attempt.container.name in warm.containers(), PATIENCE)
    (inspected,) = json.loads(docker("inspect", attempt.container.name))
    assert inspected["Id"] == attempt.container.id
    assert not [entry for entry in inspected["Config"]["Env"] if "AIR_EXECUTOR" in entry]
    assert "s3cret" not in json.dumps(inspected)
    let_go(warm, "named")
    assert warm.client.wait("named", timeout=PATIENCE).state == "completed"
    assert log(warm, "named") == "s3cret\n"


def test_the_tasks_of_a_job_share_localhost_with_the_warm_one(warm: RealManager) -> None:
    address = "socket.create_{}(('localhost', 8123))"
    serve = f"import socket; s = {address.format('server')}; s.accept()[0].send(b'hello')"
    ask = (
        "import socket, time\n"
        "for _ in range(100):\n"
        f"    try: print({address.format('connection')}.recv(9).decode()); break\n"
        "    except ConnectionRefusedError: time.sleep(0.1)\n"
    )
    tasks: list[dict[str, object]] = [
        {"id": name, "command": "python3", "args": ["-c", code], "retries": 0}
        for name, code in (("a", serve), ("b", ask))
    ]
    view = run(warm, "talk", *tasks)
    assert view.state == "completed", errors(view)
    assert log(warm, "talk", "b") == "hello\n"


def test_nothing_of_one_job_is_seen_by_the_next(warm: RealManager) -> None:
    leave = "for place in /work /tmp /inbox/tmp /.air-executor/receipt; do echo mine > $place/mine; done"
    look = "find /work /tmp /inbox /.air-executor/receipt -name mine; env | grep -c SECRET; true"
    assert run(warm, "first", sh("a", leave, env={"SECRET": "1"})).state == "completed"
    assert run(warm, "second", sh("a", look)).state == "completed"
    assert log(warm, "second") == "0\n"
    first, second = only(warm, "first"), only(warm, "second")
    assert first.warm != second.warm
    assert first.container.id != second.container.id


def test_many_jobs_at_once_are_each_run_once(warm: RealManager) -> None:
    warmed(warm)
    names = [f"many-{number}" for number in range(12)]
    for name in names:
        warm.client.create_job(name, [sh("a", f"echo {name}"), sh("b", "echo b", "a")])
    views = [warm.client.wait(name, timeout=PATIENCE) for name in names]
    for view in views:
        assert view.state == "completed", errors(view)
        assert runs(warm, view.name) == Counter(["a 1", "b 1"])
        assert log(warm, view.name) == f"{view.name}\n"
    starts = Counter(view.tasks[0].attempts[0].start for view in views)
    assert starts["warm"] >= 1
    nothing_left(warm)


@pytest.mark.parametrize("empty", ["logs", "logs work inbox/tmp inbox/new"])
def test_a_job_by_hand_with_the_empty_folders_of_old_writers_is_warm(warm: RealManager, empty: str) -> None:
    warmed(warm)
    name = f"by-hand-{len(empty)}"
    folder, stamp = warm.client.store.jobs / name, "2025-10-02T07:30:15.123456Z"
    for each in empty.split():
        (folder / each).mkdir(parents=True)
    state = {"id": name, "name": name, "state": "waiting", "created_at": stamp, "updated_at": stamp}
    (folder / "state.json").write_text(json.dumps(state))
    task = {"job_name": name, "status": "pending", "created_at": stamp, "error": None}
    (folder / "tasks.json").write_text(json.dumps([sh("a", "echo made > made; pwd") | task]))
    view = warm.client.wait(name, timeout=PATIENCE)
    assert view.state == "completed", errors(view)
    assert (only(warm, name).start, log(warm, name)) == ("warm", "/work\n")
    assert (folder / "work" / "made").read_text() == "made\n"


def test_what_is_asked_for_as_it_is_anyway_is_served_warm(warm: RealManager) -> None:
    usual: dict[str, Any] = {
        "image": "docker.io/library/air-executor-runner",
        "network": "job",
        "resources": {"memory_mb": 512, "cpus": 1, "pids": 256},
        "workdir": "/work/new/place",
    }
    assert run(warm, "in-words", sh("a", "pwd; stat -c %u .; id -u", **usual)).state == "completed"
    place, owner, user = log(warm, "in-words").splitlines()
    assert (place, owner) == ("/work/new/place", user)
    assert run(warm, "elsewhere", sh("a", "pwd", workdir="/tmp")).state == "completed"
    assert log(warm, "elsewhere") == "/tmp\n"


# --- Ends ------------------------------------------------------------------------------------------------

LONGEST = ["x" * 98_000] * 20
"""About as much as the format takes."""


@pytest.mark.parametrize(
    ("name", "command", "words", "code"),
    [
        ("exits", "sh", ["-c", "exit 3"], 3),
        ("seventy-five", "sh", ["-c", "exit 75"], 75),
        ("killed", "sh", ["-c", "kill -9 $$"], 137),
        ("missing", "no-such-command", [], 127),
        ("denied", "/etc/passwd", [], None),
        ("oom", "python3", ["-c", "x = bytearray(1 << 30)"], 137),
    ],
)
def test_a_task_that_fails_does_so_as_in_a_container_of_its_own(
    warm: RealManager, name: str, command: str, words: list[str], code: int | None
) -> None:
    task: dict[str, object] = {"id": "a", "command": command, "args": words, "retries": 0}
    mine = failed(run(warm, f"warm-{name}", task))
    cold = failed(run(warm, f"cold-{name}", task | {"resources": {"pids": 200}}, warm=False))
    assert mine.failure is not None and cold.failure is not None
    assert mine.failure.cause == cold.failure.cause, (mine.failure, cold.failure)
    if code is not None:
        assert mine.failure == cold.failure
        assert mine.attempts[0].exit_code == code
    nothing_left(warm)


def failed(view: JobView) -> Task:
    (task,) = view.tasks
    assert (view.state, task.status) == ("failed", "failed")
    return task


def test_the_longest_command_is_executed_in_any_container(warm: RealManager) -> None:
    task: dict[str, object] = {"id": "a", "command": "true", "args": LONGEST, "retries": 0}
    given = run(warm, "longest", task)
    cold = run(warm, "cold-longest", task | {"resources": {"pids": 200}}, warm=False)
    assert (given.state, cold.state) == ("completed", "completed")
    nothing_left(warm)


@pytest.mark.parametrize("why", ["cancelled", "timeout"])
@pytest.mark.parametrize(
    ("script", "code"),
    [("trap 'echo told; exit 3' TERM; ", 3), ("trap '' TERM; ", 137)],
    ids=["obeys", "ignores it"],
)
def test_a_warm_task_is_told_to_end_and_then_made_to(
    warm: RealManager, why: str, script: str, code: int
) -> None:
    name = f"{why}-{code}"
    fields: dict[str, Any] = {"timeout": 1.5} if why == "timeout" else {}
    begun(warm, name, sh("a", f"{script}echo on; while :; do sleep 0.1; done", **fields))
    until(lambda: log(warm, name).startswith("on"), PATIENCE)
    if why == "cancelled":
        warm.client.cancel(name)
    view = warm.client.wait(name, timeout=PATIENCE)
    assert view.job.failure is not None
    assert view.job.failure.cause == why
    assert only(warm, name).exit_code == code
    assert log(warm, name) == ("on\ntold\n" if code == 3 else "on\n")
    nothing_left(warm)


# --- What happens to warm containers ---------------------------------------------------------------------


@pytest.fixture
def spent(warm: RealManager, request: pytest.FixtureRequest) -> Iterator[RealManager]:
    """The manager; what was done to its warm containers is no matter for the next test: others get them."""
    yield warm
    for number in range(2):
        name = f"after-{abs(hash(request.node.name))}-{number}"
        warm.client.create_job(name, [sh("a")])
        warm.client.wait(name, timeout=PATIENCE)


@pytest.mark.parametrize(
    "words",
    [("kill",), ("rm", "--force"), ("stop", "--time", "5"), ("kill", "--signal", "TERM")],
    ids=lambda words: words[-1].strip("-"),
)
def test_warm_containers_that_are_gone_when_they_are_needed_cost_no_attempt(
    spent: RealManager, words: tuple[str, ...]
) -> None:
    name = f"gone-{words[-1].strip('-')}".lower()
    for warm in warmed(spent):
        docker(*words, warm)
    spent.client.create_job(name, [sh("a", "echo a; echo made > /work/made")])
    view = spent.client.wait(name, timeout=PATIENCE)
    assert view.state == "completed", errors(view)
    attempt = only(spent, name)
    assert (attempt.number, attempt.failure) == (1, None)
    assert runs(spent, name) == Counter(["a 1"])
    assert log(spent, name) == "a\n"
    assert (spent.client.store.folder(name).work / "made").exists()


@pytest.mark.parametrize("words", [("kill",), ("rm", "--force")], ids=["killed", "removed"])
def test_warm_containers_without_their_networks_cost_no_attempt(
    spent: RealManager, words: tuple[str, ...]
) -> None:
    name = f"networkless-{words[0]}"
    for warm in warmed(spent):
        docker(*words, network_of(warm))
    spent.client.create_job(name, [sh("a", "sleep 4; echo a")])
    view = spent.client.wait(name, timeout=PATIENCE)
    assert view.state == "completed", errors(view)
    assert runs(spent, name) == Counter(["a 1"])


def test_warm_containers_that_are_paused_when_they_are_needed_begin_once(spent: RealManager) -> None:
    paused = warmed(spent)
    for warm in paused:
        docker("pause", warm)
    spent.client.create_job("paused", [sh("a", "echo a")])
    time.sleep(1)
    for warm in paused:
        docker("unpause", warm)
    assert spent.client.wait("paused", timeout=PATIENCE).state == "completed"
    assert runs(spent, "paused") == Counter(["a 1"])
    assert len(spent.client.status("paused").tasks[0].attempts) == 1


def test_a_warm_task_that_is_killed_or_removed_from_outside_fails_with_its_cause(warm: RealManager) -> None:
    for words, cause in ((("kill",), "signal"), (("rm", "--force"), "lost")):
        name = f"shot-{cause}"
        container = begun(warm, name, sh("a", HELD)).container.id or ""
        until((warm.client.store.folder(name).work / "runs").exists, PATIENCE)
        docker(*words, container)
        view = warm.client.wait(name, timeout=PATIENCE)
        assert view.job.failure is not None
        assert view.job.failure.cause == cause
        assert runs(warm, name) == Counter(["a 1"])


# --- Managers that end -----------------------------------------------------------------------------------


def test_a_manager_that_is_told_to_end_leaves_no_warm_containers(mortal: RealManager) -> None:
    mortal.start()
    attempt = begun(mortal, "job", sh("a", f"{HELD}echo a"))
    warmed(mortal)
    assert mortal.stop() == 0
    assert len(mortal.containers()) == 2, "the task's, and that of its network"
    assert folders(mortal) == [attempt.warm]
    let_go(mortal, "job")
    mortal.start()
    assert mortal.client.wait("job", timeout=PATIENCE).state == "completed"
    assert (runs(mortal, "job"), log(mortal, "job")) == (Counter(["a 1"]), "a\n")
    ends_well(mortal)


def test_the_warm_containers_of_a_manager_that_was_killed_are_swept_and_what_was_warm_goes_on(
    mortal: RealManager,
) -> None:
    mortal.start()
    begun(mortal, "job", sh("a", f"{HELD}echo a"), sh("b", "echo b", "a"))
    old = warmed(mortal)
    mortal.kill()
    mortal.start()
    until(lambda: old.isdisjoint(in_pool(mortal)), PATIENCE)
    let_go(mortal, "job")
    assert mortal.client.wait("job", timeout=PATIENCE).state == "completed"
    assert runs(mortal, "job") == Counter(["a 1", "b 1"])
    assert (log(mortal, "job"), log(mortal, "job", "b")) == ("a\n", "b\n")
    assert run(mortal, "next", sh("a", "echo a")).state == "completed"
    ends_well(mortal)


def test_a_manager_that_wants_no_warm_containers_sweeps_those_of_the_one_before(mortal: RealManager) -> None:
    mortal.start()
    warmed(mortal)
    mortal.kill()
    mortal.launch(AIR_EXECUTOR_WARM="0")
    nothing_at_all_left(mortal)


@pytest.mark.parametrize(
    "place",
    [
        "warm-waiting",
        "journaled-waiting",
        "gate-shut",
        "gate-opened",
        "started-unrecorded",
    ],
)
def test_a_manager_that_is_killed_on_the_way_of_a_warm_container_leaves_it_to_the_next(
    mortal: RealManager, place: str
) -> None:
    mortal.launch(**{VARIABLE: place, "AIR_EXECUTOR_LOOK_AHEAD": "0"})
    old = warmed(mortal)
    mortal.client.create_job("job", [sh("a", "echo early; sleep 0.5; echo late"), sh("b", "echo b", "a")])
    killed(mortal)
    mortal.start()
    view = mortal.client.wait("job", timeout=PATIENCE)
    assert view.state == "completed", errors(view)
    assert runs(mortal, "job") == Counter(["a 1", "b 1"])
    assert (log(mortal, "job"), log(mortal, "job", "b")) == ("early\nlate\n", "b\n")
    assert len(view.tasks[0].attempts) == 1
    if place != "warm-waiting":
        assert only(mortal, "job").start == "warm"
    until(lambda: old.isdisjoint(in_pool(mortal)), PATIENCE)
    ends_well(mortal)
