"""PURE. An attempt as it is handed to whoever works for it."""

from dataclasses import dataclass
from pathlib import Path

from air_executor.format.attempts import Attempt, Grant
from air_executor.format.models import Task
from manager.model import image_facts
from manager.model.container_spec import ContainerSpec
from manager.model.home import GateFolder
from manager.model.values import AttemptKey, Owner


@dataclass(frozen=True, slots=True)
class Assignment:
    """Whose attempt it is, where its files are, and what is asked of the engine for it."""

    key: AttemptKey
    folder: Path
    """The job's folder."""
    work: Path
    """What the job's containers mount as `/work`."""
    task: Task
    grant: Grant
    """What it gets."""
    spec: ContainerSpec
    gate: GateFolder
    """What is its container's alone."""
    network: ContainerSpec | None
    sharers: frozenset[int] = frozenset()
    """Users that the tasks of its job have, and who all write in its work folder."""

    @property
    def attempt(self) -> Attempt:
        """The record of the attempt."""
        return self.task.attempts[-1]

    @property
    def words(self) -> tuple[str, ...]:
        """What is executed: its own words, or those of its image, which stand in the record."""
        task, container = self.task, self.attempt.container
        if not task.runs_the_images:
            return task.words
        return image_facts.words(task.words, container.entrypoint or (), container.command or ())

    @property
    def user(self) -> Owner:
        """Who its command runs as."""
        return Owner.parse(self.grant.user)

    @property
    def container(self) -> str:
        """Its id where it is known, else its name."""
        return self.attempt.container.id or self.spec.name
