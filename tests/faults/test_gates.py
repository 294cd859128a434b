"""Containers that wait at their gates, and what is done to them: it is never the failure of their task."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from air_executor import JobView
from air_executor.failpoints import VARIABLE, Failpoint
from air_executor.format.attempts import Attempt
from air_executor.format.models import Task
from tests import engine_room
from tests.faults.test_01_to_08_every_failpoint import COUNT, killed
from tests.real_manager import RealManager, docker, idle_manager, real_manager
from tests.waiting import until

PATIENCE = 60
"""Seconds for what takes one or two on a machine that has nothing else to do."""
HELD = "until test -e /work/go; do sleep 0.05; done\n"
RECEIPT = "/.air-executor/receipt/receipt"
FIFO = "/.air-executor/control/payload"
NONCE = f"nonce=$(cut -d' ' -f 2 {RECEIPT})\n"


def sh(task_id: str, script: str = "", *after: str, **fields: object) -> dict[str, object]:
    """A task that counts its executions."""
    script = COUNT + script
    return {"id": task_id, "command": "sh", "args": ["-c", script], "dependencies": after} | fields


def chain(*scripts: str) -> list[dict[str, object]]:
    """`a`, which runs until it is let go, and then one after the other: `b`, `c`, …"""
    names = "abcdefgh"[: len(scripts) + 1]
    others = [
        sh(name, script, before) for before, name, script in zip(names, names[1:], scripts, strict=False)
    ]
    return [sh("a", HELD), *others]


def let_go(manager: RealManager, job: str) -> None:
    """Let the first task end."""
    (manager.client.store.folder(job).work / "go").touch()


def attempt(manager: RealManager, job: str, task: str) -> Attempt:
    """The latest of the task."""
    return next(each for each in manager.client.status(job).tasks if each.id == task).attempts[-1]


def waits(manager: RealManager, job: str, *tasks: str) -> bool:
    """Whether the containers of all these tasks wait at their gates."""
    found = {task.id: task.attempt for task in manager.client.status(job).tasks}
    return all((each := found[task]) is not None and each.phase == "waiting" for task in tasks)


def begin(manager: RealManager, job: str, tasks: list[dict[str, object]], *waiting: str) -> dict[str, str]:
    """Create the job; the ids of the containers of `waiting`, as soon as those wait."""
    manager.client.create_job(job, tasks)
    until(lambda: waits(manager, job, *waiting), PATIENCE)
    return {task: attempt(manager, job, task).container.id or "" for task in waiting}


def runs(manager: RealManager, job: str) -> Counter[str]:
    """Executions, as `task attempt`, each with how often it was seen."""
    lines = (manager.client.store.folder(job).work / "runs").read_text().splitlines()
    return Counter(line.rpartition(" ")[0] for line in lines)


def ended(manager: RealManager, job: str, *executions: str, state: str = "completed") -> dict[str, Task]:
    """The job's tasks when it has ended: so, and after these executions, each once."""
    view = manager.client.wait(job, timeout=PATIENCE)
    assert (view.state, runs(manager, job)) == (state, Counter(executions)), failures(view)
    return {task.id: task for task in view.tasks}


def failures(view: JobView) -> dict[str, str | None]:
    return {task.id: task.error for task in view.tasks}


def nothing_left(manager: RealManager, job: str) -> None:
    """No container of the job, and nothing of its gates."""
    until(lambda: not manager.containers("--filter", f"label=air-executor.job={job}"), PATIENCE)
    until(lambda: not [name for name in manager.gates() if name.startswith(f"airx-{job}-")], PATIENCE)


def state(container: str) -> str:
    """In the engine's words."""
    return docker("inspect", "--format", "{{.State.Status}}", container).strip()


@pytest.fixture
def manager(on_failure: Callable[..., None]) -> Iterator[RealManager]:
    with real_manager(look_ahead=4) as made:
        on_failure("the manager and its containers", made.evidence)
        yield made


@pytest.fixture(scope="module")
def bare_image() -> Iterator[str]:
    with engine_room.bare_image(engine_room.client()) as name:
        yield name


# --- All is well -----------------------------------------------------------------------------------------


def test_a_chain_is_looked_ahead_of_and_its_outputs_are_right(served: RealManager) -> None:
    say = "echo this is $AIR_EXECUTOR_TASK; cat /work/before; echo $AIR_EXECUTOR_TASK > /work/before"
    tasks = chain("echo this is b; echo b > /work/before", *[say] * 6)
    ids = begin(served, "chain", tasks, "b", "c", "d", "e")
    assert {state(each) for each in ids.values()} == {"running"}
    let_go(served, "chain")
    found = ended(served, "chain", *(f"{name} 1" for name in "abcdefgh"))
    for before, name in zip("abcdefg", "bcdefgh", strict=True):
        said = served.client.log_file("chain", name).read_text()
        assert said.splitlines()[0] == f"this is {name}"
        assert said.splitlines()[1:] == ([] if before == "a" else [before])
        (only,) = found[name].attempts
        assert (only.start, only.incarnation, only.exit_code) == ("ahead", 1, 0)
        assert ids.get(name) in (None, only.container.id)
        times, earlier = only.timings, found[before].attempts[0].timings
        assert times.container_started_at and times.started_at and times.ready_at and earlier.finished_at
        assert times.container_started_at <= times.started_at
        assert times.started_at >= earlier.finished_at
    nothing_left(served, "chain")


def test_a_task_with_several_dependencies_begins_after_all_of_them(served: RealManager) -> None:
    slow = "sleep 0.5; echo done > /work/$AIR_EXECUTOR_TASK"
    tasks = [
        sh("a", HELD),
        sh("b", slow, "a"),
        sh("c", slow, "a"),
        sh("d", "cat /work/b /work/c; queue-task --id e -- sh -c 'cat /work/b' > /dev/null", "b", "c"),
    ]
    begin(served, "diamond", tasks, "b", "c", "d")
    let_go(served, "diamond")
    found = ended(served, "diamond", "a 1", "b 1", "c 1", "d 1")
    assert found["e"].status == "completed"
    assert served.client.log_file("diamond", "d").read_text() == "done\ndone\n"
    assert served.client.log_file("diamond", "e").read_text() == "done\n"


def test_an_image_without_a_shell_is_used_ahead_of_time_too(served: RealManager, bare_image: str) -> None:
    program, *words = engine_room.BARE_COMMAND
    bare: dict[str, object] = {
        "id": "b",
        "command": program,
        "args": words,
        "image": bare_image,
        "dependencies": ["a"],
    }
    ids = begin(served, "bare", [sh("a", HELD), bare], "b")
    let_go(served, "bare")
    only = ended(served, "bare", "a 1")["b"].attempts[0]
    assert (only.start, only.container.id) == ("ahead", ids["b"])
    assert served.client.log_file("bare", "b").read_text().startswith(engine_room.BARE_WORDS)


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"command": "no-such-command", "args": []}, id="missing"),
        pytest.param({"command": "/etc/passwd", "args": []}, id="no program"),
        pytest.param({"workdir": "/proc/nowhere"}, id="no such folder"),
        pytest.param({"args": ["-c", "exit 127"]}, id="127"),
        pytest.param({"args": ["-c", "exit 126"]}, id="126"),
        pytest.param({"args": ["-c", "kill -TERM $$"]}, id="by a signal"),
    ],
)
def test_what_fails_behind_a_gate_fails_as_it_does_without_one(
    served: RealManager, request: pytest.FixtureRequest, fields: dict[str, object]
) -> None:
    name = f"fails-{request.node.callspec.id.replace(' ', '-')}"
    served.client.create_job(f"{name}-cold", [sh("x") | fields])
    served.client.create_job(name, [sh("a", HELD), sh("x", "", "a") | fields])
    until(lambda: waits(served, name, "x") or given_up(served, name, "x"), PATIENCE)
    let_go(served, name)
    cold = served.client.wait(f"{name}-cold", timeout=PATIENCE)
    warm = served.client.wait(name, timeout=PATIENCE)
    assert cold.job.failure is not None and warm.job.failure is not None
    assert (warm.job.failure.cause, warm.job.failure.exit_code) == (
        cold.job.failure.cause,
        cold.job.failure.exit_code,
    )
    assert warm.job.failure.message.startswith(cold.job.failure.message), "a gate knows more"
    assert warm.tasks[1].attempts[0].exit_code == cold.tasks[0].attempts[0].exit_code


@pytest.mark.parametrize(
    ("script", "cause", "words"),
    [
        ("kill -KILL $$", "signal", "was ended by SIGKILL (exit code 137)"),
        (
            "exit 137",
            "exit",
            "ended with exit code 137, as a shell reports a process that was killed by SIGKILL",
        ),
        (
            "sleep 60 & kill $!; wait $!",
            "exit",
            "ended with exit code 143, as a shell reports a process that was killed by SIGTERM",
        ),
    ],
    ids=["killed", "137", "143"],
)
def test_a_code_that_the_command_ends_with_itself_is_told_from_a_signal(
    served: RealManager, request: pytest.FixtureRequest, script: str, cause: str, words: str
) -> None:
    name = f"code-{request.node.callspec.id}"
    begin(served, name, chain(script), "b")
    let_go(served, name)
    failure = ended(served, name, "a 1", "b 1", state="failed")["b"].failure
    assert failure is not None
    assert (failure.cause, failure.message) == (cause, f"task 'b' {words}")


def given_up(manager: RealManager, job: str, task: str) -> bool:
    """Whether the task gets a container without a gate, because the other one could not be used."""
    latest = {each.id: each.attempt for each in manager.client.status(job).tasks}[task]
    return latest is not None and latest.start == "cold"


def test_a_timeout_counts_from_the_command_and_not_from_the_container(served: RealManager) -> None:
    tasks = [sh("a", HELD), sh("b", "sleep 0.5", "a", timeout=2), sh("c", "sleep 30", "b", timeout=1)]
    begin(served, "timeout", tasks, "b", "c")
    time.sleep(2)
    let_go(served, "timeout")
    found = ended(served, "timeout", "a 1", "b 1", "c 1", state="failed")
    assert (found["b"].status, found["c"].failure and found["c"].failure.cause) == ("completed", "timeout")


# --- What becomes of containers that wait ----------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [("kill",), ("rm", "--force"), ("kill", "--signal", "TERM")],
    ids=lambda words: words[-1].strip("-"),
)
def test_one_that_goes_before_its_turn_is_replaced_and_costs_no_attempt(
    served: RealManager, words: tuple[str, ...]
) -> None:
    name = f"goes-{words[-1].strip('-')}"
    ids = begin(served, name, chain("echo b", "echo c", "echo d"), "b", "c", "d")
    for task in ("b", "d"):
        docker(*words, ids[task])
    let_go(served, name)
    found = ended(served, name, "a 1", "b 1", "c 1", "d 1")
    for task in ("b", "d"):
        (only,) = found[task].attempts
        assert (only.start, only.incarnation, only.failure) == ("cold", 2, None)
        assert only.container.id != ids[task]
        assert served.client.log_file(name, task).read_text() == f"{task}\n"
    assert found["c"].attempts[0].container.id == ids["c"]
    nothing_left(served, name)


def test_one_that_is_paused_and_goes_on_before_its_turn_is_as_good_as_any(served: RealManager) -> None:
    ids = begin(served, "paused", chain("echo b"), "b")
    docker("pause", ids["b"])
    time.sleep(1.5)  # longer than a poll
    docker("unpause", ids["b"])
    let_go(served, "paused")
    (only,) = ended(served, "paused", "a 1", "b 1")["b"].attempts
    assert (only.container.id, only.incarnation) == (ids["b"], 1)


@pytest.mark.parametrize("length", [10, 100_000], ids=["short", "longer than a pipe"])
def test_one_that_is_paused_when_its_turn_comes_begins_once_when_it_goes_on(
    served: RealManager, length: int
) -> None:
    name = f"paused-{length}"
    ids = begin(served, name, chain(f"echo b; : {'x' * length}"), "b")
    docker("pause", ids["b"])
    let_go(served, name)
    until(lambda: attempt(served, name, "b").needed, PATIENCE)
    time.sleep(1)
    docker("unpause", ids["b"])
    assert len(ended(served, name, "a 1", "b 1")["b"].attempts) == 1
    assert served.client.log_file(name, "b").read_text() == "b\n"
    nothing_left(served, name)


def test_one_whose_network_is_gone_is_replaced_and_costs_no_attempt(served: RealManager) -> None:
    ids = begin(served, "networkless", chain("echo b"), "b")
    (holder,) = [name for name in served.containers() if "-networkless-network-" in name]
    docker("kill", holder)
    until(lambda: len(served.client.status("networkless").tasks[0].attempts) == 2, PATIENCE)
    let_go(served, "networkless")
    (only,) = ended(served, "networkless", "a 1", "a 2", "b 1")["b"].attempts
    assert (only.incarnation, only.failure) == (2, None)
    assert only.container.id != ids["b"]
    nothing_left(served, "networkless")


# --- Jobs that fail or are cancelled ---------------------------------------------------------------------


def fails(manager: RealManager, job: str) -> None:
    let_go(manager, job)


def is_cancelled(manager: RealManager, job: str) -> None:
    manager.client.cancel(job)


@pytest.mark.parametrize(
    ("happens", "cause", "why"),
    [
        (fails, "exit", "never ran: task 'a' ended with exit code 7"),
        (
            is_cancelled,
            "cancelled",
            "never ran: job 'thrown-away-cancelled' was cancelled: somebody asked for it",
        ),
    ],
    ids=["fails", "cancelled"],
)
def test_what_waits_for_a_job_that_fails_or_is_cancelled_is_thrown_away_and_never_begins(
    served: RealManager, happens: Callable[[RealManager, str], None], cause: str, why: str
) -> None:
    """And the same is said of its task as if nothing had been made for it."""
    name = f"thrown-away-{cause}"
    # Succeeds when it is tried again.
    tasks = chain("echo b", "echo c")
    tasks[0] = sh("a", f"test $AIR_EXECUTOR_ATTEMPT = 2 && exit\n{HELD}exit 7")
    ids = begin(served, name, tasks, "b", "c")
    happens(served, name)
    found = ended(served, name, "a 1", state="failed")
    for task in ("b", "c"):
        assert ids[task] is not None
        assert (found[task].status, found[task].attempts) == ("skipped", ())
        assert found[task].started_at is None
        assert found[task].failure is not None
        assert (found[task].failure.cause, found[task].failure.message) == (cause, why)
        assert not served.client.log_file(name, task).exists()
    nothing_left(served, name)
    served.client.retry(name)
    found = ended(served, name, "a 1", "a 2", "b 1", "c 1")
    assert [len(found[task].attempts) for task in "abc"] == [2, 1, 1]
    assert served.client.log_file(name, "c").read_text() == "c\n"


def test_what_waits_for_a_job_whose_folder_vanishes_is_thrown_away(served: RealManager) -> None:
    begin(served, "vanishes", chain("echo b", "echo c"), "b", "c")
    with (served.client.store.folder("vanishes").work / "runs").open() as executions:
        (served.client.store.jobs / "vanishes").rename(served.home / "vanished")
        nothing_left(served, "vanishes")
        assert [line.split()[0] for line in executions] == ["a"]


# --- Tasks that lie about their gates --------------------------------------------------------------------


def test_what_a_task_makes_of_its_receipt_changes_nothing(served: RealManager) -> None:
    begun, never = "BEGAN other 1.000000000", "NEVER other told"
    scripts = [
        f"echo {begun} > {RECEIPT}; echo {never} >> {RECEIPT}",
        f"{NONCE}echo NEVER $nonce told > {RECEIPT}",
        f"{NONCE}echo UNUSABLE $nonce missing > {RECEIPT}; echo NEVER - patience >> {RECEIPT}",
        f"rm {RECEIPT}; mkfifo {RECEIPT}; sleep 1",
        f"rm {RECEIPT}; ln -s /etc/passwd {RECEIPT}; sleep 1",
        f"rm {RECEIPT}; mkdir {RECEIPT}; touch {RECEIPT}/x; chmod 0 {RECEIPT} /.air-executor/receipt",
        f"head -c 20000000 /dev/zero > {RECEIPT}; for i in $(seq 500); do : > {RECEIPT}.$i; done; sleep 1",
    ]  # where the receipt is gone, the pause is for the manager: it has to have seen it before the task ends
    said = [f"{script}\necho said" for script in scripts]
    begin(served, "liars", chain(*said), "b", "c", "d", "e")
    let_go(served, "liars")
    found = ended(served, "liars", *(f"{name} 1" for name in "abcdefgh"))
    for name in "bcdefgh":
        (only,) = found[name].attempts
        assert (only.incarnation, only.exit_code) == (1, 0)
        assert served.client.log_file("liars", name).read_text() == "said\n"
    nothing_left(served, "liars")


@pytest.mark.parametrize("code", [74, 75, 126, 127])
def test_a_task_that_fails_as_a_gate_would_has_failed_by_itself(served: RealManager, code: int) -> None:
    """75: never begun; 126: FAILED makes it a command that is not executable; 127: no such command."""
    name = f"liar-{code}"
    words = {126: "FAILED $nonce 13", 127: "UNUSABLE $nonce missing"}.get(code, "NEVER $nonce told")
    how = ">>" if code == 126 else ">"
    begin(served, name, chain(f'{NONCE}echo "{words}" {how} {RECEIPT}; sleep 0.2; exit {code}'), "b")
    let_go(served, name)
    failure = ended(served, name, "a 1", "b 1", state="failed")["b"].failure
    assert failure is not None
    # What it says of `exec` after it began is its own word about its own exit code, and believed.
    assert failure.cause in (("exit", "command") if code == 126 else ("exit",))
    assert failure.exit_code == code


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(f"rm {RECEIPT}; sleep 3", id="deletes it and runs"),
        pytest.param(f"rm {RECEIPT}", id="deletes it and ends"),
        pytest.param(
            f"cp {FIFO} /work/stolen & rm {RECEIPT}; sleep 3; kill $! 2> /dev/null; true", id="takes the next"
        ),
        pytest.param(f"{NONCE}echo NEVER $nonce told > {RECEIPT}; exit 75", id="NEVER, its own"),
    ],
)
def test_a_lie_told_while_no_manager_looks_has_nothing_executed_twice(
    script: str, on_failure: Callable[..., None]
) -> None:
    """The manager is killed when it has handed the command over, and knows no more of it."""
    with idle_manager(look_ahead=4) as manager:
        on_failure("the manager and its containers", manager.evidence)
        manager.launch(**{VARIABLE: f"{Failpoint.GATE_OPENED}:2"})  # the first is that of `a`
        begin(manager, "liar", chain(script), "b")
        let_go(manager, "liar")
        killed(manager)
        until(lambda: runs(manager, "liar")["b 1"], PATIENCE)
        manager.start()
        manager.client.wait("liar", timeout=PATIENCE)
        # Where nobody can know how it ended it is lost, and gets the further attempt that its policy allows.
        assert set(runs(manager, "liar").values()) == {1}, runs(manager, "liar")
        nothing_left(manager, "liar")
        manager.stop()


# --- Managers that end -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("end", "meanwhile"),
    [(RealManager.kill, False), (RealManager.kill, True), (RealManager.stop, False)],
    ids=["killed", "killed, and its turn comes", "stopped"],
)
def test_what_waits_when_the_manager_ends_serves_under_the_next(
    manager: RealManager, end: Callable[[RealManager], object], meanwhile: bool
) -> None:
    ids = begin(manager, "job", chain("echo b", "echo c", "echo d"), "b", "c", "d")
    end(manager)
    assert {state(each) for each in ids.values()} == {"running"}
    if meanwhile:
        first = attempt(manager, "job", "a").container.id
        let_go(manager, "job")
        until(lambda: state(first or "") == "exited", PATIENCE)
    manager.start()
    let_go(manager, "job")
    found = ended(manager, "job", "a 1", "b 1", "c 1", "d 1")
    for task in ("b", "c", "d"):
        (only,) = found[task].attempts
        assert (only.container.id, only.incarnation) == (ids[task], 1)
        assert manager.client.log_file("job", task).read_text() == f"{task}\n"
    nothing_left(manager, "job")


def test_what_has_gone_or_stands_still_while_no_manager_ran_is_no_failure(manager: RealManager) -> None:
    ids = begin(manager, "job", chain("echo b", "echo c", "echo d", "echo e"), "b", "c", "d", "e")
    manager.kill()
    docker("kill", ids["b"])
    docker("rm", "--force", ids["c"])
    docker("stop", ids["d"])
    docker("pause", ids["e"])
    manager.start()
    docker("unpause", ids["e"])
    let_go(manager, "job")
    found = ended(manager, "job", "a 1", "b 1", "c 1", "d 1", "e 1")
    assert [len(found[task].attempts) for task in "abcde"] == [1] * 5
    assert found["e"].attempts[0].container.id == ids["e"]
    nothing_left(manager, "job")


def test_a_manager_that_looks_ahead_no_more_uses_or_removes_what_waits(manager: RealManager) -> None:
    ids = begin(manager, "job", chain("echo b", "echo c", "echo d", "echo e", "echo f"), "b", "c", "d", "e")
    manager.kill()
    manager.launch(AIR_EXECUTOR_LOOK_AHEAD="0")
    let_go(manager, "job")
    found = ended(manager, "job", *(f"{name} 1" for name in "abcdef"))
    assert [len(found[task].attempts) for task in "abcdef"] == [1] * 6
    assert found["f"].attempts[0].start == "cold"
    assert {found[task].attempts[0].container.id for task in "bcde"} == set(ids.values())
    nothing_left(manager, "job")


def test_nothing_is_made_ahead_of_time_where_the_operator_does_not_want_it() -> None:
    with real_manager() as manager:
        manager.client.create_job("job", [sh("a", "sleep 2"), sh("b", "echo b", "a")])
        until(lambda: manager.client.status("job").tasks[0].status == "running", PATIENCE)
        time.sleep(1)
        assert not manager.client.status("job").tasks[1].attempts
        assert ended(manager, "job", "a 1", "b 1")["b"].attempts[0].start == "cold"
        assert not manager.gates()


def test_what_waits_for_a_job_that_is_cancelled_while_no_manager_runs_never_begins(
    manager: RealManager,
) -> None:
    begin(manager, "job", chain("echo b", "echo c"), "b", "c")
    manager.kill()
    manager.client.cancel("job")
    manager.start()
    found = ended(manager, "job", "a 1", state="failed")
    assert [found[task].status for task in "bc"] == ["skipped", "skipped"]
    nothing_left(manager, "job")


def test_what_waits_for_a_job_that_nobody_knows_any_more_is_swept(manager: RealManager) -> None:
    begin(manager, "job", chain("echo b", "echo c"), "b", "c")
    manager.kill()
    with (manager.client.store.folder("job").work / "runs").open() as executions:
        (manager.client.store.jobs / "job").rename(manager.home / "away")
        forget(manager.home / "journal")
        manager.start()
        nothing_left(manager, "job")
        assert [line.split()[0] for line in executions] == ["a"]


def forget(journal: Path) -> None:
    for file in journal.glob("*.journal"):
        file.unlink()


def test_what_a_killed_manager_tried_its_gates_with_is_swept(manager: RealManager) -> None:
    """A container that waits at a gate and serves nobody, and its folders."""
    begin(manager, "job", chain("echo b"), "b")
    left = attempt(manager, "job", "b").container.name
    folder = manager.home / "gates" / "airx-probe-left"
    (folder / "receipt").mkdir(parents=True)
    manager.kill()
    manager.start()
    until(lambda: "airx-probe-left" not in manager.gates(), PATIENCE)
    assert left in manager.gates()
    let_go(manager, "job")
    ended(manager, "job", "a 1", "b 1")
    nothing_left(manager, "job")
