"""PURE. An attempt as it is handed to whoever works for it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from air_executor.errors import BadInput
from air_executor.format import arguments
from air_executor.format.attempts import Attempt, Grant
from air_executor.format.inputs import Inputs
from air_executor.format.models import Task
from air_executor.format.results import Result
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
    results: Mapping[str, Result] = field(default_factory=dict)
    """Of the tasks that its own depends on, once its turn has come."""
    sharers: frozenset[int] = frozenset()
    """Users that the tasks of its job have, and who all write in its work folder."""
    inputs: Inputs | None = None
    """What its job was created with, in its work folder."""

    @property
    def attempt(self) -> Attempt:
        """The record of the attempt."""
        return self.task.attempts[-1]

    @property
    def own_words(self) -> tuple[str, ...]:
        """What its task says of what is executed, with results in the place of references.

        Raises Unresolved.
        """
        found = arguments.resolved(self.task.args, self.results)
        if found == self.task.args:
            return self.task.words
        task = self.task.model_copy(update={"args": found})
        try:
            task.check_size()
        except BadInput as error:
            raise arguments.Unresolved(str(error)) from None
        return task.words

    @property
    def words(self) -> tuple[str, ...]:
        """What is executed: its own words, or those of its image, which stand in the record.

        Raises Unresolved.
        """
        container = self.attempt.container
        if not self.task.runs_the_images:
            return self.own_words
        return image_facts.words(self.own_words, container.entrypoint or (), container.command or ())

    @property
    def user(self) -> Owner:
        """Who its command runs as."""
        return Owner.parse(self.grant.user)

    @property
    def container(self) -> str:
        """Its id where it is known, else its name."""
        return self.attempt.container.id or self.spec.name
