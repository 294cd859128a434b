"""PURE. Random jobs: what they do, and so what may become of them."""

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

LEDGER = "ledger"
"""In the job's work folder: one line for each begin and each end of an execution."""

RECORD = f"""\
read -r nonce < /proc/sys/kernel/random/uuid
say() {{ echo "$1 $AIR_EXECUTOR_TASK $AIR_EXECUTOR_ATTEMPT $nonce $(date +%s.%N)" >> /work/{LEDGER}; }}
say begin"""


@dataclass(frozen=True)
class TaskPlan:
    """A task whose first `failures` attempts end with `code`, and all others well."""

    id: str
    seconds: float
    dependencies: tuple[str, ...] = ()
    failures: int = 0
    code: int = 0
    retries: int | None = None
    network: str | None = None
    queues: "TaskPlan | None" = None
    """Another task that it asks for while it runs."""

    def exit_code(self, attempt: int) -> int:
        """What its script ends with in that attempt, if nobody interferes."""
        return self.code if attempt <= self.failures else 0

    @property
    def script(self) -> str:
        """Plain sh; it begins and ends with a line in the ledger."""
        lines = [RECORD, f"sleep {self.seconds}"]
        if self.queues:
            lines.append(f"queue-task --id {self.queues.id} -- sh -c {shlex.quote(self.queues.script)}")
        lines.append("say end")
        lines.append(f"[ $AIR_EXECUTOR_ATTEMPT -gt {self.failures} ] || exit {self.code}")
        return "\n".join(lines)

    @property
    def spec(self) -> dict[str, object]:
        """As a user asks for it."""
        spec: dict[str, object] = {"id": self.id, "command": "sh", "args": ["-c", self.script]}
        chosen = {"dependencies": list(self.dependencies), "retries": self.retries, "network": self.network}
        return spec | {name: value for name, value in chosen.items() if value}


@dataclass(frozen=True)
class JobPlan:
    """A small graph of tasks."""

    name: str
    tasks: tuple[TaskPlan, ...]
    max_parallel: int | None

    def task(self, task_id: str) -> TaskPlan:
        """One of its tasks, those that others queue included."""
        every = [*self.tasks, *(task.queues for task in self.tasks if task.queues)]
        return next(task for task in every if task.id == task_id)


def jobs(seed: int) -> Iterator[JobPlan]:
    """For each seed the same ones, without end."""
    dice = Random(f"jobs {seed}")
    number = 0
    while True:
        number += 1
        count = dice.randint(1, 8)
        tasks: list[TaskPlan] = []
        for index in range(count):
            tasks.append(_task(dice, f"t{index}", [task.id for task in tasks]))
        yield JobPlan(f"soak-{number}", tuple(tasks), dice.choice([None, None, 1, 2]))


def _task(dice: Random, task_id: str, earlier: list[str]) -> TaskPlan:
    failures = dice.choice([0] * 14 + [1, 1, 99])
    queued = TaskPlan(f"{task_id}-more", _seconds(dice)) if dice.random() < 0.15 else None
    return TaskPlan(
        id=task_id,
        seconds=_seconds(dice),
        dependencies=tuple(sorted(dice.sample(earlier, min(len(earlier), dice.randint(0, 2))))),
        failures=failures,
        code=dice.randint(1, 100) if failures else 0,
        retries=dice.choice([None, 1, 2, 3]),
        network=dice.choice([None, None, "none", "private"]),
        queues=queued,
    )


def _seconds(dice: Random) -> float:
    return round(dice.uniform(0, 2), 2)
