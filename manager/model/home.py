"""PURE. Whose home it is, and where everything is in it, as the manager sees it."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

CONTROL = "control"
RECEIPT = "receipt"
INBOX = "inbox"
FIFO = "payload"
END = "end"
TOKEN = "token"


@dataclass(frozen=True, slots=True)
class GateFolder:
    """What is one container's alone: its inbox, and what the manager and its gate tell each other by."""

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
    def inbox(self) -> Path:
        """The folder in which its command puts requests: so it is known who asks."""
        return self.path / INBOX

    def scratch(self, number: int) -> Path:
        """The folder that is the container's scratch space number so and so, where that is on the disk."""
        return self.path / f"scratch-{number}"

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
    def regulars(self) -> Path:
        """The file that says for which users warm containers are kept."""
        return self.journal / "regulars"

    @property
    def airflow(self) -> Path:
        """The folder of the Airflow that is in one stack with the manager, and belongs to its user."""
        return self.path / "airflow"

    @property
    def probe(self) -> Path:
        """The folder in which a container looks for a file, to prove that the engine sees this home."""
        return self.path / "probe"

    @property
    def works(self) -> Path:
        """The folder with the work folders of all jobs, out of reach of whoever writes jobs."""
        return self.path / "work"

    def work(self, name: str) -> Path:
        """The work folder of this name, which the containers of one job mount."""
        return self.works / name

    @property
    def old_pools(self) -> tuple[Path, Path]:
        """Where older managers kept the folders of warm containers, in reach of whoever writes jobs."""
        return self.jobs / ".warm", self.jobs / ".slots"

    @property
    def accounts(self) -> Path:
        """Where the files are by which users have names in their containers."""
        return self.path / "accounts"

    @property
    def gates(self) -> Path:
        """Where everything is that belongs to single containers."""
        return self.path / "gates"

    @property
    def caches(self) -> Path:
        """What tasks share that name a cache: beside the gates, where nobody looks but the manager."""
        return self.gates / "caches"

    def cache(self, name: str, uid: int) -> Path:
        """The folder of this cache for tasks of that user: what one user puts there, no other one uses."""
        return self.caches / name / str(uid)

    @property
    def gate_program(self) -> Path:
        """The gate itself, which every container with a gate mounts."""
        return self.gates / "bin" / "gate"

    @property
    def reserve(self) -> Path:
        """Spare files, given up for the journal when the disk is full."""
        return self.journal / "reserve"

    def filled_by(self, job: str, work: str | None, gates: Iterable[GateFolder] = ()) -> tuple[Path, ...]:
        """Every folder that counts as what the job of that name has on the disk: its own, its `work` folder,
        and what is its containers' alone, by the `gates` of those that are there now."""
        works = () if work is None else (self.work(work),)
        return (self.jobs / job, *works, *(gate.path for gate in gates))

    def gate(self, container: str) -> GateFolder:
        """The folder of a container's gate, by the container's name."""
        return GateFolder(self.gates / container)
