"""The course of a soak: jobs come, faults strike, all is quiet again, and then it is looked at."""

import os
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from unittest.mock import patch

from air_executor import JobView, WaitTimeout
from tests.own_engine import OwnEngine
from tests.real_manager import RealManager
from tests.soak import plans, verdicts
from tests.soak.faults import Fault, Field, faults, strike
from tests.soak.plans import JobPlan
from tests.waiting import until

LIVE_JOBS = 8
"""At once: more of them than runners, and not so many that the end takes long."""
RUNNERS = 8
QUIET = 180.0
"""Seconds within which every job ends once the faults have."""


@dataclass
class Course:
    """What was done and what came of it."""

    seed: int
    jobs: dict[str, JobPlan] = field(default_factory=dict)
    views: dict[str, JobView] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    violations: dict[str, list[str]] = field(default_factory=dict)
    """By job; those of the home under the empty name."""
    seconds: float = 0.0
    evidence: str = ""


def run(seed: int, minutes: float) -> Course:
    """Jobs and faults for so many minutes, and then the verdicts."""
    course = Course(seed)
    began = time.monotonic()
    with _at_work() as ground:
        stop = threading.Event()
        with ThreadPoolExecutor(1) as pool:
            source = pool.submit(_create_jobs, ground.manager, course, stop)
            try:
                _strike_until(began + minutes * 60, ground, course)
            finally:
                stop.set()
        source.result()
        _wait_for_quiet(ground.manager, course)
        _judge(ground, course)
    course.seconds = time.monotonic() - began
    return course


@contextmanager
def _at_work() -> Iterator[Field]:
    """An engine and a manager of it; at the end nothing of both is left."""
    home = Path(tempfile.mkdtemp(prefix="air-executor-soak-"))
    try:
        with OwnEngine() as engine:
            engine.start()
            engine.load()
            with patch.dict(os.environ, DOCKER_HOST=engine.address):
                manager = RealManager(home, max_runners=RUNNERS, engine_timeout=3, look_ahead=4, warm=1)
                manager.start()
                try:
                    yield Field(engine, manager)
                finally:
                    manager.kill()
    finally:
        shutil.rmtree(home)


def _create_jobs(manager: RealManager, course: Course, stop: threading.Event) -> None:
    """One job after the other; where as many live as may, the next one waits until one has ended."""
    dice = Random(f"pauses {course.seed}")
    live: list[str] = []
    for plan in plans.jobs(course.seed):
        pause = dice.uniform(0, 1)
        while not stop.wait(pause) and len(live := _live(manager, live)) >= LIVE_JOBS:
            pause = 0.2
        if stop.is_set():
            return
        specs = [task.spec for task in plan.tasks]
        manager.client.create_job(plan.name, specs, max_parallel=plan.max_parallel)
        course.jobs[plan.name] = plan
        live.append(plan.name)


def _live(manager: RealManager, jobs: list[str]) -> list[str]:
    return [name for name in jobs if not manager.client.status(name).state.ended]


def _strike_until(deadline: float, ground: Field, course: Course) -> None:
    for fault in faults(course.seed):
        if time.monotonic() + fault.after > deadline:
            return
        time.sleep(fault.after)
        course.faults.append(fault)
        strike(ground, fault)


def _wait_for_quiet(manager: RealManager, course: Course) -> None:
    deadline = time.monotonic() + QUIET
    for name in course.jobs:
        with suppress(WaitTimeout):
            manager.client.wait(name, timeout=max(0.0, deadline - time.monotonic()))
    with suppress(AssertionError):
        until(lambda: not list(verdicts.of_home(manager)), 30, interval=0.2)


def _judge(ground: Field, course: Course) -> None:
    store = ground.manager.client.store
    for name, plan in course.jobs.items():
        course.views[name] = ground.manager.client.status(name)
        broken = list(verdicts.of_job(plan, course.views[name], store.folder(name).work))
        if broken:
            course.violations[name] = broken
            course.evidence += _files(store.folder(name).path)
    if left := list(verdicts.of_home(ground.manager)):
        course.violations[""] = left
    if course.violations:
        course.evidence += f"--- the manager's log\n{ground.manager.output()[-100_000:]}"


def _files(job: Path) -> str:
    """The job as it stands: its views, its ledger, and its journal."""
    journals = (job.parents[1] / "journal").rglob(f"{job.name}~*")
    files = [job / "state.json", job / "tasks.json", job / "work" / plans.LEDGER, *journals]
    return "".join(f"--- {file}\n{file.read_text(errors='replace')}\n" for file in files if file.exists())
