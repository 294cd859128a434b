"""PURE. Whose home it is, and where everything is in it, as the manager sees it."""

from dataclasses import dataclass

CONTROL = "control"
RECEIPT = "receipt"


@dataclass(frozen=True, slots=True)
class Home:
    """Which folder the containers belong to: by its id, and by its path, since folders are copied."""

    id: str
    path: str


def slots_folder(jobs: str) -> str:
    """Where the folders of slots are: beside the jobs, whose own they become by renaming."""
    return f"{jobs}/.slots"


def slot_folder(jobs: str, slot: str) -> str:
    """Where the folders of one slot are until a job has them."""
    return f"{slots_folder(jobs)}/{slot}"


def gates_folder(home: Home) -> str:
    """Where everything is that has to do with gates, as the manager sees it."""
    return f"{home.path}/gates"


def gate_folder(home: Home, container: str) -> str:
    """Where the two folders of a container's gate are, as the manager sees them."""
    return f"{gates_folder(home)}/{container}"


def gate_program(home: Home) -> str:
    """Where the gate itself is, as the manager sees it."""
    return f"{gates_folder(home)}/bin/gate"
