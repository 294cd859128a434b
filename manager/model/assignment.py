"""What the workers need to know of an attempt: whose it is, where, and what is asked of the engine."""

from dataclasses import dataclass
from pathlib import Path

from air_executor.format.attempts import Attempt, Grant
from air_executor.format.models import Task
from manager.model.container_spec import ContainerSpec
from manager.model.home import GateFolder
from manager.model.values import AttemptKey, Owner


@dataclass(frozen=True, slots=True)
class Act:
    """See the module's text."""

    key: AttemptKey
    folder: Path
    task: Task
    grant: Grant
    """What it gets."""
    spec: ContainerSpec
    gate: GateFolder
    """The folder of its gate, where it has one."""
    network: ContainerSpec | None

    @property
    def attempt(self) -> Attempt:
        """The record of the attempt that the act is for."""
        return self.task.attempts[-1]

    @property
    def user(self) -> Owner:
        """Who its command runs as."""
        return Owner.parse(self.grant.user)

    @property
    def container(self) -> str:
        """Its id where it is known, else its name."""
        return self.attempt.container.id or self.spec.name
