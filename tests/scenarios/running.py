"""Pairs of files: `cases/<what>/input.json` goes in, `cases/<what>/expected.json` must come out.

Run on the real manager and the real engine, and the same must come out however the containers were started:
each `test_<way>.py` runs all of them in its way. To add a case, add a folder; only what stands in
expected.json is compared.
"""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

from air_executor import Client, JobView, Task
from tests.real_manager import RealManager, real_manager
from tests.waiting import until

CASES = sorted(path for path in (Path(__file__).parent / "cases").iterdir() if path.is_dir())
WITHOUT_GATES = [case for case in CASES if "needs_gates" not in json.loads((case / "input.json").read_text())]
"""Those that come out so where the engine alone tells how a command has ended."""
Submit = Callable[[RealManager, str, dict[str, Any]], None]
A_WRITERS_PAUSE = 0.3
"""Seconds that a writer by hand takes between two writes."""


@contextmanager
def starting(way: str, **settings: object) -> Iterator[RealManager]:
    """A manager with such settings. In the end, many of all attempts were really started in that way."""
    seen: list[str] = []
    with real_manager(**settings) as manager:
        yield manager
        views = (each for each in manager.client.jobs() if isinstance(each, JobView))
        seen += [attempt.start for view in views for task in view.tasks for attempt in task.attempts]
    assert seen.count(way) > len(seen) / 3


def run(case: Path, manager: RealManager, submit: Submit) -> JobView:
    """Submit the case, wait for its end, and compare; the job as it has ended."""
    given = json.loads((case / "input.json").read_text())
    expected = json.loads((case / "expected.json").read_text())
    client = manager.client
    try:
        submit(manager, case.name, given)
        if "cancel_when_running" in given:
            until(lambda: status_of(client.status(case.name), given["cancel_when_running"]) == "running", 60)
            client.cancel(case.name)
        view = client.wait(case.name, timeout=60)
        compare(client, view, expected)
        assert not manager.containers("--filter", f"label=air-executor.job={case.name}", *TASKS_ONLY)
    except BaseException:
        print(manager.evidence())
        raise
    return view


TASKS_ONLY = ("--filter", "label=air-executor.role=task")


def submit(manager: RealManager, name: str, given: dict[str, Any]) -> None:
    """As it stands there."""
    if "by_hand" in given:
        write_by_hand(manager.client.store.jobs / name, given["by_hand"])
    else:
        manager.client.create_job(name, given["tasks"], **given.get("job", {}))


def write_by_hand(folder: Path, files: dict[str, Any]) -> None:
    """As a person or an old script does: folder, state.json, tasks.json; in pieces, not atomically."""
    folder.mkdir(parents=True)
    for name, content in files.items():
        if name == "state.json":
            content = content | {"name": folder.name}
        text = content if isinstance(content, str) else json.dumps(content)
        with (folder / name).open("w") as file:
            for half in (text[: len(text) // 2], text[len(text) // 2 :]):
                file.write(half)
                file.flush()
                time.sleep(A_WRITERS_PAUSE)


def compare(client: Client, view: JobView, expected: dict[str, Any]) -> None:
    assert view.state == expected["state"]
    failure = view.job.failure
    assert (failure.cause if failure else None) == expected.get("cause")
    assert expected.get("message", "") in (failure.message if failure else "")
    tasks = {task.id: task for task in view.tasks}
    for task_id, facts in expected.get("tasks", {}).items():
        actual = summary(client, view.name, tasks[task_id], facts)
        assert actual == facts, f"task {task_id}"
    for before, after in expected.get("order", []):
        assert ended(tasks[before]) <= began(tasks[after]), f"{before} before {after}"
    if expected.get("one_at_a_time"):
        in_order = sorted(view.tasks, key=began)
        assert all(ended(first) <= began(second) for first, second in pairwise(in_order))
    compare_requests(view, expected)


def compare_requests(view: JobView, expected: dict[str, Any]) -> None:
    if "accepted" in expected:
        assert sum(decision.accepted for decision in view.job.requests) == expected["accepted"]
    reasons = [decision.reason or "" for decision in view.job.requests if not decision.accepted]
    for reason in expected.get("rejected", []):
        assert any(reason in given for given in reasons), reasons


def summary(client: Client, job: str, task: Task, facts: dict[str, Any]) -> dict[str, Any]:
    """What `facts` speak of, as it is."""
    failure = task.failure
    message = failure.message if failure else ""
    wanted = facts.get("message", "")
    log = client.log_file(job, task.id).read_bytes().decode() if task.attempt and task.attempt.log else ""
    everything = {
        "status": task.status.value,
        "outcome": task.outcome,
        "cause": failure.cause.value if failure else None,
        "exit_code": task.attempt.exit_code if task.attempt else None,
        "attempts": sum(attempt.timings.started_at is not None for attempt in task.attempts),
        "log": log,
        "log_has": [words for words in facts.get("log_has", []) if words in log],
        "log_end": last_words(client, job, task.id),
        "message": wanted if wanted in message else message,
        "result": task.result.value if task.result else "none",
        "produced": [file.path for file in task.produced],
    }
    return {key: everything[key] for key in facts}


def last_words(client: Client, job: str, task: str) -> str:
    """The last line of the log, as summaries show it."""
    return client.log_tail(job, task, 1)


def status_of(view: JobView, task_id: str) -> str:
    return next(task.status.value for task in view.tasks if task.id == task_id)


def began(task: Task) -> float:
    assert task.started_at is not None
    return task.started_at.timestamp()


def ended(task: Task) -> float:
    assert task.completed_at is not None
    return task.completed_at.timestamp()
