"""A home folder with jobs that somebody has written by hand, and the facts that were told of them."""

import json
from pathlib import Path
from typing import Any

from air_executor.client import Client
from manager.model.facts import Fact

STATE = {
    "id": "1",
    "name": "hand",
    "state": "waiting",
    "created_at": "2025-10-02T07:30:15.123456Z",
    "updated_at": "2025-10-02T07:30:15",
}
TASKS = [{"id": "greet", "command": "echo", "args": ["hi"]}]


class ByHand:
    """The folder and the facts."""

    def __init__(self, home: Path) -> None:
        self.client = Client(home)
        self.jobs = home / "jobs"
        self.facts: list[Fact] = []

    def of(self, kind: type[Any]) -> list[Any]:
        return [fact for fact in list(self.facts) if isinstance(fact, kind)]

    def folder(self, name: str = "hand") -> Path:
        path = self.jobs / name
        path.mkdir(parents=True, exist_ok=True)
        return path

    def write(self, name: str, state: Any = STATE, tasks: Any = TASKS) -> Path:
        path = self.folder(name)
        if state is not None:
            (path / "state.json").write_text(json.dumps(state | {"name": name}))
        if tasks is not None:
            (path / "tasks.json").write_text(json.dumps(tasks))
        return path
