"""A whole manager in this process: all its real parts and threads, on an engine of the test's choice."""

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from air_executor.client import Client
from air_executor.format.models import JobView, Task
from manager.app import Manager
from manager.engine.contract import Engine, EngineUnavailable
from manager.model.home import Home
from manager.settings import Settings
from tests.fakes.engine import FakeEngine
from tests.waiting import until

HOME_ID = "00fa4e00fa4e0000"


class Leash:
    """The engine as one manager sees it: when that has ended, its threads hear and do nothing any more."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.cut = False

    def __getattr__(self, name: str) -> Any:
        def call(*arguments: Any) -> Any:
            self._check()
            return getattr(self._engine, name)(*arguments)

        return call

    def follow(self, container: str, sink: Callable[[bytes], None]) -> bool:
        def checked(chunk: bytes) -> None:
            self._check()
            sink(chunk)

        self._check()
        return self._engine.follow(container, checked)

    def listen(self) -> None:
        """Not at the engine, where it would go on when this manager has ended."""
        while not cast(FakeEngine, self._engine).is_down:
            self._check()
            time.sleep(0.05)

    def _check(self) -> None:
        if self.cut:
            raise EngineUnavailable("this manager has ended")


class InProcess:
    """A manager without signals, lock and log files."""

    def __init__(self, home: Path, engine: Engine, **fields: Any) -> None:
        rules = {
            "poll_interval": 1,
            "settle": 0.2,
            "cancel_grace": 0.2,
            "incomplete_after": 1,
            "sweep_after": 1,
            "warm": 0,
        } | fields
        self.home = home
        self.settings = Settings(home=home, **rules)
        self.client = Client(home)
        self.leash = Leash(engine)
        self.most_runners = 0
        self.problem: str | None = None
        self.rules: list[Settings] = []
        """By which jobs were taken, since the engine's host was known."""
        self._parts = Manager(
            self.settings, Home(HOME_ID, home), cast(Engine, self.leash), self._count, self.rules.append
        )
        self.facts, self.supervisor, self.monitor = (
            self._parts.facts,
            self._parts.supervisor,
            self._parts.monitor,
        )
        self.journal, self.publisher, self.scheduler, self.pool = (
            self._parts.journal,
            self._parts.publisher,
            self._parts.scheduler,
            self._parts.pool,
        )
        self._thread = threading.Thread(target=self._parts.run, name="supervisor", daemon=True)

    def _count(self, runners: int, problem: str | None) -> None:
        self.most_runners = max(self.most_runners, runners)
        self.problem = problem

    def start(self) -> "InProcess":
        self._parts.start()
        self._thread.start()
        return self

    def stop(self) -> None:
        """As a crash would end it when nothing is half done: containers run on, warm containers as well."""
        if not self._thread.is_alive():
            return
        self.leash.cut = True
        self._end(self._parts.abandon)

    def leave(self) -> None:
        """As on SIGTERM: containers of tasks run on."""
        self._end(self._parts.stop)

    def _end(self, last_act: Callable[[], None]) -> None:
        self.supervisor.stop()
        self._thread.join(10)
        assert not self._thread.is_alive(), "the supervisor does not stop"
        last_act()
        self.leash.cut = True

    # --- Short ways --------------------------------------------------------------------------------------

    def run(self, *tasks: dict[str, Any], name: str = "job", seconds: float = 30, **fields: Any) -> JobView:
        """Create a job and wait for its end."""
        self.client.create_job(name, tasks, **fields)
        return self.client.wait(name, seconds)

    def task(self, task_id: str, job: str = "job") -> Task:
        return next(task for task in self.client.status(job).tasks if task.id == task_id)

    def until_status(self, task_id: str, status: str, job: str = "job") -> Task:
        def found() -> Task | None:
            if not (self.home / "jobs" / job / "tasks.json").exists():
                return None
            task = next((task for task in self.client.status(job).tasks if task.id == task_id), None)
            return task if task is not None and task.status == status else None

        return until(found)  # type: ignore[return-value]

    def log(self, task_id: str, job: str = "job") -> str:
        return (self.home / "jobs" / job / "logs" / f"{task_id}.log").read_text()

    def state(self, job: str = "job") -> Any:
        return json.loads((self.home / "jobs" / job / "state.json").read_text())


Start = Callable[..., InProcess]
"""Starts a manager with these settings."""


def a_task(task_id: str, *dependencies: str, command: str = "true", **fields: Any) -> dict[str, Any]:
    """A task as people write it."""
    words = command.split()
    made = {"id": task_id, "command": words[0], "args": words[1:], "dependencies": list(dependencies)}
    return made | fields


def statuses(view: JobView) -> dict[str, str]:
    return {task.id: str(task.status) for task in view.tasks}
