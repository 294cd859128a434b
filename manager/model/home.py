"""PURE. Whose home it is, and where everything is in it, as the manager sees it."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from manager.model.container_spec import OLD_WARM_PREFIX

CONTROL = "control"
RECEIPT = "receipt"
FIFO = "payload"
END = "end"
TOKEN = "token"


@dataclass(frozen=True, slots=True)
class GateFolder:
    """What the manager and the gate of one container tell each other by."""

    path: Path

    @property
    def control(self) -> Path:
        """The folder that the container can only read: what the manager has for its gate."""
        return self.path / CONTROL

    @property
    def receipt(self) -> Path:
        """The folder that the container can write to: what its gate answers."""
        return self.path / RECEIPT

    @property
    def fifo(self) -> Path:
        """Where the gate waits for its command."""
        return self.path / CONTROL / FIFO

    @property
    def token(self) -> Path:
        """What only a gate that was not opened can say; kept beside the folders that the container has."""
        return self.path / TOKEN


@dataclass(frozen=True, slots=True)
class Home:
    """One home folder, known by its id, and by its path, since folders are copied."""

    id: str
    path: Path

    @property
    def jobs(self) -> Path:
        """The folder with all jobs."""
        return self.path / "jobs"

    @property
    def journal(self) -> Path:
        """The folder with all journals."""
        return self.path / "journal"

    @property
    def probe(self) -> Path:
        """The folder in which a container looks for a file, to prove that the engine sees this home."""
        return self.path / "probe"

    @property
    def pool(self) -> Path:
        """Where the folders of warm containers are: beside the jobs, whose own they become by renaming."""
        return self.jobs / ".warm"

    @property
    def old_pool(self) -> Path:
        """Where they were when they were called slots."""
        return self.jobs / ".slots"

    def warm(self, name: str) -> Path:
        """Where the folders of the warm container with this name are, until a job has them."""
        if name.startswith(OLD_WARM_PREFIX):
            return self.old_pool / name.removeprefix(OLD_WARM_PREFIX)
        return self.pool / name

    @property
    def gates(self) -> Path:
        """Where everything is that has to do with gates."""
        return self.path / "gates"

    @property
    def gate_program(self) -> Path:
        """The gate itself, which every container with a gate mounts."""
        return self.gates / "bin" / "gate"

    @property
    def reserve(self) -> Path:
        """Spare files, given up for the journal when the disk is full."""
        return self.journal / "reserve"

    def filled_by(self, job: str, gates: Iterable[GateFolder] = ()) -> tuple[Path, ...]:
        """Every folder that counts as what the job of that name has on the disk: its own, and those in which
        its containers can write, by the `gates` of those that are there now."""
        return (self.jobs / job, *(gate.receipt for gate in gates))

    def gate(self, container: str) -> GateFolder:
        """The folder of a container's gate, by the container's name."""
        return GateFolder(self.gates / container)
